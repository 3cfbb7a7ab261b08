"""Who may open which page: each role, strangers, and the admins of another brand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fanyong.identity.permissions import BRAND_ROLES, Permission
from fanyong.ids import new_id
from tenants.catalog import service as catalog
from tests.conftest import Brand, csrf_token
from tests.console.parts import Busy

P = Permission
#: Every page behind the log-in: how it is asked, and what it takes. `busy` fills the placeholders.
PAGES: dict[tuple[str, str], P] = {
    ("GET", "/"): P.BRAND_READ,
    ("POST", "/failures/settle"): P.PLANS_WRITE,
    ("GET", "/products"): P.PRODUCTS_READ,
    ("GET", "/products/new"): P.PRODUCTS_WRITE,
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
    ("GET", "/promoters"): P.PROMOTERS_READ,
    ("GET", "/promoters/<member_id>"): P.PROMOTERS_READ,
    ("POST", "/promoters/<member_id>/freeze"): P.PROMOTERS_FREEZE,
    ("POST", "/promoters/<member_id>/unfreeze"): P.PROMOTERS_FREEZE,
    ("GET", "/tiers"): P.PLANS_READ,
    ("POST", "/tiers"): P.PLANS_WRITE,
    ("GET", "/plan"): P.PLANS_READ,
    ("POST", "/plan"): P.PLANS_WRITE,
    ("POST", "/compliance/accept-notice"): P.PLANS_WRITE,
    ("GET", "/withdrawals"): P.WITHDRAWALS_READ,
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
    ("POST", "/reconciliation/run"): P.LEDGER_READ,
    ("POST", "/reconciliation/<difference_id>/close"): P.LEDGER_READ,
    ("GET", "/books"): P.LEDGER_READ,
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


def filled(path: str, busy: Busy) -> str:
    """Return a path with the ids of things that are there."""
    with busy.till.work():
        product = catalog.by_sku(["a"])["a"]
    known = {
        "<product_id>": product.id,
        "<order_id>": busy.paid,
        "<member_id>": busy.promoter,
        "<withdrawal_id>": busy.withdrawal,
        "<admin_id>": new_id(),
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
        if "<" in path and "<admin_id>" not in path:
            assert theirs.status(method, filled(path, busy)) in (404, 422), (method, path)


def test_without_the_token_nothing_is_changed(brand: Brand, login_as: Callable[..., FlaskClient]) -> None:
    client = login_as(brand)
    answer = client.post("/console/offers/coupons", data={"code": "FREE", "amount": "5"})
    assert answer.status_code == 400
    assert "FREE" not in client.get("/console/offers").get_data(as_text=True)


def test_the_console_is_not_on_the_platforms_host(client_for: Callable[[str], FlaskClient]) -> None:
    assert client_for("localhost").get("/console/login").status_code == 404
