"""Who may open which page: each role, strangers, and the admins of another brand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from fanyong.identity.permissions import BRAND_ROLES, Permission
from fanyong.ids import new_id
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost import versions
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.catalog import service as catalog
from tenants.commissions import backtest
from tenants.commissions.backtest_models import BacktestRun
from tenants.members.models import Member
from tenants.payouts import batches, channels, payees
from tenants.payouts import service as payouts
from tenants.payouts.models import PayoutBatch
from tenants.periods.models import PeriodRun
from tenants.promoters import trials
from tests.conftest import Brand, csrf_token
from tests.console.parts import Busy

P = Permission
WORD = "/<any(plan, tiers):word>"
MONTH = "2026-01"
#: Every page behind the log-in: how it is asked, and what it takes. `busy` fills the placeholders.
PAGES: dict[tuple[str, str], P] = {
    ("GET", "/"): P.BRAND_READ,
    ("POST", "/failures/settle"): P.PLANS_WRITE,
    ("GET", "/products"): P.PRODUCTS_READ,
    ("GET", "/products/new"): P.PRODUCTS_WRITE,
    ("GET", "/products/import"): P.PRODUCTS_WRITE,
    ("POST", "/products/import"): P.PRODUCTS_WRITE,
    ("POST", "/products/new"): P.PRODUCTS_WRITE,
    ("GET", "/products/<product_id>"): P.PRODUCTS_READ,
    ("POST", "/products/<product_id>"): P.PRODUCTS_WRITE,
    ("GET", "/offers"): P.PRODUCTS_READ,
    ("POST", "/offers/coupons"): P.PRODUCTS_WRITE,
    ("POST", "/offers/shipping"): P.PRODUCTS_WRITE,
    ("GET", "/orders"): P.ORDERS_READ,
    ("GET", "/orders/<order_id>"): P.ORDERS_READ,
    ("POST", "/orders/<order_id>/ship"): P.ORDERS_SHIP,
    ("POST", "/orders/<order_id>/refund"): P.ORDERS_REFUND,
    ("POST", "/orders/<order_id>/record-refund"): P.ORDERS_REFUND,
    ("POST", "/orders/<order_id>/exchange"): P.ORDERS_REFUND,
    ("POST", "/orders/<order_id>/hold"): P.COMMISSIONS_HOLD,
    ("POST", "/orders/<order_id>/let-go"): P.COMMISSIONS_HOLD,
    ("POST", "/orders/<order_id>/release-early"): P.COMMISSIONS_HOLD,
    ("GET", "/promoters/<member_id>/holds"): P.PROMOTERS_READ,
    ("POST", "/promoters/<member_id>/hold"): P.COMMISSIONS_HOLD,
    ("POST", "/promoters/<member_id>/let-go"): P.COMMISSIONS_HOLD,
    ("GET", "/promoters"): P.PROMOTERS_READ,
    ("GET", "/promoters/<member_id>"): P.PROMOTERS_READ,
    ("POST", "/promoters/<member_id>/freeze"): P.PROMOTERS_FREEZE,
    ("POST", "/promoters/<member_id>/unfreeze"): P.PROMOTERS_FREEZE,
    ("POST", "/promoters/<member_id>/appoint"): P.PROMOTERS_APPOINT,
    ("GET", "/regions"): P.PROMOTERS_READ,
    ("POST", "/regions/<agent_id>/end"): P.PROMOTERS_APPOINT,
    ("GET", "/applications"): P.PROMOTERS_READ,
    ("POST", "/applications/<application_id>/approve"): P.PROMOTERS_REVIEW,
    ("POST", "/applications/<application_id>/reject"): P.PROMOTERS_REVIEW,
    ("GET", "/applications/form"): P.PLANS_READ,
    ("POST", "/applications/form"): P.PLANS_WRITE,
    ("GET", "/invitations"): P.PROMOTERS_READ,
    ("POST", "/invitations"): P.PROMOTERS_APPOINT,
    ("POST", "/invitations/<code>/revoke"): P.PROMOTERS_APPOINT,
    ("GET", "/tiers/trials"): P.PLANS_READ,
    ("POST", "/tiers/trials"): P.PLANS_WRITE,
    ("POST", "/tiers/trials/current"): P.PLANS_WRITE,
    ("GET", "/tiers/trials/<trial_id>"): P.PLANS_READ,
    ("POST", "/tiers/trials/<trial_id>/cancel"): P.PLANS_WRITE,
    ("GET", "/tiers"): P.PLANS_READ,
    ("POST", "/tiers"): P.PLANS_WRITE,
    ("GET", "/plan"): P.PLANS_READ,
    ("POST", "/plan"): P.PLANS_WRITE,
    ("GET", "/compliance"): P.PLANS_READ,
    ("POST", "/compliance/accept-notice"): P.PLANS_WRITE,
    ("GET", f"{WORD}/new"): P.PLANS_WRITE,
    ("GET", f"{WORD}/compare"): P.PLANS_READ,
    ("GET", f"{WORD}/versions/<int:number>"): P.PLANS_READ,
    ("GET", f"{WORD}/versions/<int:number>/edit"): P.PLANS_WRITE,
    ("GET", "/plan/backtests"): P.PLANS_READ,
    ("GET", "/plan/backtests/<run_id>"): P.PLANS_READ,
    ("POST", "/plan/simulate"): P.PLANS_READ,
    ("POST", f"{WORD}/drafts"): P.PLANS_WRITE,
    ("POST", "/plan/versions/<int:number>/backtest"): P.PLANS_WRITE,
    ("POST", "/plan/backtests/<run_id>/cancel"): P.PLANS_WRITE,
    ("POST", f"{WORD}/versions/<int:number>"): P.PLANS_WRITE,
    ("POST", f"{WORD}/versions/<int:number>/copy"): P.PLANS_WRITE,
    ("POST", f"{WORD}/versions/<int:number>/schedule"): P.PLANS_WRITE,
    ("POST", f"{WORD}/versions/<int:number>/unschedule"): P.PLANS_WRITE,
    ("POST", f"{WORD}/versions/<int:number>/activate"): P.PLANS_WRITE,
    ("POST", f"{WORD}/versions/<int:number>/discard"): P.PLANS_WRITE,
    ("GET", "/withdrawals"): P.WITHDRAWALS_READ,
    ("GET", "/withdrawals/<withdrawal_id>"): P.WITHDRAWALS_READ,
    ("POST", "/withdrawals/<withdrawal_id>/release"): P.WITHDRAWALS_REVIEW,
    ("POST", "/withdrawals/<withdrawal_id>/paid"): P.WITHDRAWALS_PAY,
    ("POST", "/withdrawals/<withdrawal_id>/failed"): P.WITHDRAWALS_PAY,
    ("POST", "/withdrawals/<withdrawal_id>/returned"): P.WITHDRAWALS_PAY,
    ("POST", "/withdrawals/<withdrawal_id>/payee"): P.WITHDRAWALS_PAY,
    ("GET", "/payouts/batches"): P.WITHDRAWALS_READ,
    ("POST", "/payouts/batches"): P.WITHDRAWALS_PAY,
    ("GET", "/payouts/batches/<batch_id>"): P.WITHDRAWALS_READ,
    ("POST", "/payouts/batches/<batch_id>/file"): P.WITHDRAWALS_PAY,
    ("POST", "/payouts/batches/<batch_id>/results"): P.WITHDRAWALS_PAY,
    ("GET", "/payouts/channels"): P.SETTINGS_READ,
    ("POST", "/payouts/channels"): P.SETTINGS_WRITE,
    ("GET", "/payouts/tax"): P.WITHDRAWALS_READ,
    ("POST", "/payouts/tax"): P.SETTINGS_WRITE,
    ("GET", "/payouts/screening"): P.WITHDRAWALS_READ,
    ("POST", "/payouts/screening"): P.SETTINGS_WRITE,
    ("POST", "/payouts/watch"): P.WITHDRAWALS_REVIEW,
    ("POST", "/payouts/watch/<entry_id>/remove"): P.WITHDRAWALS_REVIEW,
    ("GET", "/rewards"): P.LEDGER_READ,
    ("GET", "/rewards/<month>"): P.LEDGER_READ,
    ("POST", "/rewards/settings"): P.REWARDS_POST,
    ("POST", "/rewards/<month>/again"): P.REWARDS_POST,
    ("POST", "/rewards/<month>/discard"): P.REWARDS_POST,
    ("POST", "/rewards/<month>/post"): P.REWARDS_POST,
    ("GET", "/debts"): P.WITHDRAWALS_READ,
    ("POST", "/debts/<member_id>/write-off"): P.DEBTS_WRITE_OFF,
    ("POST", "/withdrawals/<withdrawal_id>/approve"): P.WITHDRAWALS_DECIDE,
    ("POST", "/withdrawals/<withdrawal_id>/reject"): P.WITHDRAWALS_DECIDE,
    ("GET", "/settings"): P.SETTINGS_READ,
    ("POST", "/settings/settlement"): P.SETTINGS_WRITE,
    ("POST", "/settings/withdrawal"): P.SETTINGS_WRITE,
    ("POST", "/settings/wechat"): P.SETTINGS_WRITE,
    ("POST", "/settings/go-live"): P.SETTINGS_WRITE,
    ("GET", "/staff"): P.STAFF_WRITE,
    ("POST", "/staff"): P.STAFF_WRITE,
    ("POST", "/staff/<admin_id>/activate"): P.STAFF_WRITE,
    ("POST", "/staff/<admin_id>/deactivate"): P.STAFF_WRITE,
    ("POST", "/sandbox/clock"): P.SETTINGS_WRITE,
    ("GET", "/sandbox/state"): P.BRAND_READ,
    ("GET", "/reconciliation"): P.LEDGER_READ,
    ("GET", "/reconciliation/days"): P.LEDGER_READ,
    ("POST", "/reconciliation/run"): P.RECONCILIATION_WRITE,
    ("POST", "/reconciliation/<difference_id>/assign"): P.RECONCILIATION_WRITE,
    ("POST", "/reconciliation/<difference_id>/close"): P.RECONCILIATION_WRITE,
    ("POST", "/reconciliation/<difference_id>/record"): P.ORDERS_REFUND,
    ("GET", "/books"): P.LEDGER_READ,
    ("GET", "/books/postings"): P.LEDGER_READ,
    ("GET", "/books/trial-balance"): P.LEDGER_READ,
    ("GET", "/statements"): P.LEDGER_READ,
    ("GET", "/promoters/<member_id>/statement"): P.PROMOTERS_READ,
    ("POST", "/ledger/check"): P.LEDGER_READ,
    ("GET", "/audit"): P.SETTINGS_READ,
}
OPEN_PAGES = {("GET", "/login"), ("POST", "/login"), ("POST", "/logout"), ("GET", "/welcome")}


@dataclass
class Visitor:
    """Somebody with a browser and a token for its forms."""

    client: FlaskClient
    token: str

    def status(self, method: str, path: str) -> int:
        """Ask for a page and return how it was answered."""
        data = {"csrf_token": self.token} if method == "POST" else None
        answer = self.client.open(f"/console{path}", method=method, data=data)
        if answer.status_code == 303 and answer.location.startswith("/console/login"):
            return 401
        return answer.status_code


def waiting_draft() -> tuple[int, UUID]:
    """Return a draft of the plan and a back-test of it, made when there are none."""
    rows = [row for row in plugins.history("commission_plan") if row.title == "draft"]
    if not rows:
        settings = {"rates": [{"level": 1, "rate_bp": 500}]}
        row = versions.create_draft("commission_plan", "plan_levels", settings, actor="test", title="draft")
        now = brand_now()
        backtest.start(row, starts_at=now - timedelta(days=1), ends_at=now, actor="test")
        rows = [row]
    return rows[-1].number, session().scalars(sa.select(BacktestRun.id)).first() or new_id()


def batch_of(member_id: UUID) -> UUID:
    """Return a batch with a withdrawal of a member, made when there is none."""
    found = session().scalar(sa.select(PayoutBatch.id))
    if found is None:
        channels.save_channel("payout_bank", {}, active=True, actor="test")
        member = session().get_one(Member, member_id)
        card = {"name": "张三", "card_number": "6222020200112230", "bank": "工商银行"}
        payees.save_payee(member, channels.get_channel("payout_bank"), card)
        asked = payouts.request_withdrawal(member, amount_fen=100, idempotency_key="batch", channel="payout_bank")
        payouts.approve(asked.id, actor="test")
        found = batches.make_batch("payout_bank", actor="test").id
    return found


def filled(path: str, busy: Busy) -> str:
    """Return a path with the ids of things that are there."""
    with busy.till.work():
        if session().scalar(sa.select(PeriodRun.id)) is None:
            session().add(PeriodRun(month=MONTH, state="computed", computed_at=brand_now()))
        product = catalog.by_sku(["a"])["a"]
        trial_id = trials.start("tiers_flat", {}, actor="test").id
        draft, run_id = waiting_draft()
        batch_id = batch_of(busy.promoter)
    known = {
        "<any(plan, tiers):word>": "plan",
        "<int:number>": draft,
        "<run_id>": run_id,
        "<month>": MONTH,
        "<batch_id>": batch_id,
        "<entry_id>": new_id(),
        "<product_id>": product.id,
        "<order_id>": busy.paid,
        "<member_id>": busy.promoter,
        "<withdrawal_id>": busy.withdrawal,
        "<admin_id>": new_id(),
        "<agent_id>": new_id(),
        "<application_id>": new_id(),
        "<code>": "unknown",
        "<trial_id>": trial_id,
        "<difference_id>": new_id(),
    }
    for placeholder, value in known.items():
        path = path.replace(placeholder, str(value))
    return path


def test_the_table_names_every_page(app: Flask) -> None:
    found = {
        (method, rule.rule.removeprefix("/console").replace("<uuid:", "<"))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("console.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert found == set(PAGES) | OPEN_PAGES


@pytest.mark.parametrize("role", ["finance", "operator", "owner"])
def test_each_role_sees_what_it_may_and_nothing_else(
    brand: Brand, busy: Busy, login_as: Callable[..., FlaskClient], role: str
) -> None:
    client = login_as(brand, role)
    visitor = Visitor(client, csrf_token(client, "/console/"))
    for (method, path), permission in PAGES.items():
        status = visitor.status(method, filled(path, busy))
        if permission not in BRAND_ROLES[role]:
            assert status == 403, (method, path, status)
        elif method == "GET":
            assert status == 200, (path, status)
        else:
            assert status in (200, 303, 404, 409, 422), (path, status)


def test_the_menu_offers_only_what_may_be_opened(brand: Brand, login_as: Callable[..., FlaskClient]) -> None:
    page = login_as(brand, "finance").get("/console/").get_data(as_text=True)
    assert 'href="/console/withdrawals"' in page
    assert 'href="/console/staff"' not in page
    assert 'href="/console/products"' not in page


def test_strangers_are_sent_to_the_log_in_page(
    brand: Brand, busy: Busy, client_for: Callable[[str], FlaskClient]
) -> None:
    client = client_for(brand.host)
    stranger = Visitor(client, csrf_token(client, "/console/login"))
    for method, path in PAGES:
        assert stranger.status(method, filled(path, busy)) == 401, (method, path)


def test_another_brands_owner_is_a_stranger_here(
    brand: Brand,
    other_brand: Brand,
    busy: Busy,
    login_as: Callable[..., FlaskClient],
    client_for: Callable[[str], FlaskClient],
) -> None:
    """The cookie of one brand, carried to another by hand, opens nothing there."""
    theirs = login_as(other_brand)
    cookie = theirs.get_cookie("session", domain=other_brand.host)
    assert cookie is not None
    assert theirs.get("/console/").status_code == 200
    client = client_for(brand.host)
    client.set_cookie("session", cookie.value, domain=brand.host)
    foreigner = Visitor(client, csrf_token(client, "/console/login"))
    for method, path in PAGES:
        assert foreigner.status(method, filled(path, busy)) == 401, (method, path)


def test_another_brands_objects_are_not_found(
    other_brand: Brand, busy: Busy, login_as: Callable[..., FlaskClient]
) -> None:
    client = login_as(other_brand)
    theirs = Visitor(client, csrf_token(client, "/console/"))
    for method, path in PAGES:
        if "<" in path.removeprefix(WORD) and "<admin_id>" not in path:
            assert theirs.status(method, filled(path, busy)) in (404, 422), (method, path)


def test_without_the_token_nothing_is_changed(brand: Brand, login_as: Callable[..., FlaskClient]) -> None:
    client = login_as(brand)
    answer = client.post("/console/offers/coupons", data={"code": "FREE", "amount": "5"})
    assert answer.status_code == 400
    assert "FREE" not in client.get("/console/offers").get_data(as_text=True)


def test_the_console_is_not_on_the_platforms_host(client_for: Callable[[str], FlaskClient]) -> None:
    assert client_for("localhost").get("/console/login").status_code == 404
