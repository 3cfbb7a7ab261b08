"""Withdrawals, reconciliation, books, settings, staff, audit, sandbox, the first page."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient

from fanyong.identity.service import admins
from fanyong.payments.models import PaymentIntent
from fanyong.payments.provider import active_account
from fanyong.tenancy.database import session
from fanyong.tenancy.directory import directory, get_record, set_state
from fanyong.tenancy.settings import load
from fanyong.web.filters import beijing_day
from fanyong.wechat.keys import make_apiv3_key, make_rsa_key_pair
from tenants.members.models import Member
from tenants.payouts.service import WithdrawalRules
from tenants.reconciliation.service import last_ready_day
from tenants.settlement.triggers import Settlement
from tests.conftest import Brand
from tests.console.parts import Browser, Busy, audited
from tests.money.parts import Till


def live_keys() -> dict[str, str]:
    """Return keys in the form that WeChat Pay hands them out."""
    private_pem, _public = make_rsa_key_pair()
    _private, public_pem = make_rsa_key_pair()
    return {
        "appid": "wx1234567890",
        "app_secret": "app secret of the brand",
        "mchid": "1900000001",
        "private_key_pem": private_pem,
        "cert_serial_no": "5157F09EFDC096DE15EBE81A47057A72",
        "apiv3_key": make_apiv3_key(),
        "public_key_pem": public_pem,
        "public_key_id": "PUB_KEY_ID_0119000000012026",
    }


def test_a_withdrawal_is_approved(owner: Browser, busy: Busy) -> None:
    assert "¥5.00" in owner.get("/withdrawals?state=requested")
    assert "is approved" in owner.post(f"/withdrawals/{busy.withdrawal}/approve")
    assert busy.till.withdrawal_state(busy.withdrawal) == "approved"
    assert "decided on already" in owner.refused(
        f"/withdrawals/{busy.withdrawal}/reject", {"reason": "late"}, status=409
    )
    assert audited(busy.till)[-1] == "withdrawal.approved"


def test_a_withdrawal_is_rejected_with_a_reason(owner: Browser, busy: Busy) -> None:
    assert "Please give a reason." in owner.refused(f"/withdrawals/{busy.withdrawal}/reject")
    assert "请先实名" in owner.post(f"/withdrawals/{busy.withdrawal}/reject", {"reason": "请先实名"})
    assert busy.till.figures(busy.promoter).available_fen == 2_000
    assert owner.table("/withdrawals?format=csv")[1][1:4] == ["茉莉", "5.00", "Rejected"]


def test_withdrawals_are_searched_and_the_empty_list_says_what_to_expect(owner: Browser) -> None:
    assert "There are no withdrawals yet." in owner.get("/withdrawals")
    assert "No withdrawal matches." in owner.get("/withdrawals?q=nobody&state=nonsense")


def test_a_day_is_compared_with_its_bills(owner: Browser, busy: Busy) -> None:
    assert "No day was compared yet." in owner.get("/reconciliation")
    owner.post("/sandbox/clock", {"offset_seconds": str(9 * 86_400)})
    with busy.till.work():
        quiet_day = last_ready_day().isoformat()
    assert "agrees" in owner.post("/reconciliation/run", {"day": quiet_day})
    assert "not ready yet" in owner.refused("/reconciliation/run", {"day": "2999-01-01"})
    assert "a day like" in owner.refused("/reconciliation/run", {"day": "tomorrow"})


def test_a_difference_is_shown_and_closed_with_a_note(owner: Browser, busy: Busy) -> None:
    """The till's payments never were at WeChat, so that its bill does not have them."""
    owner.post("/sandbox/clock", {"offset_seconds": str(9 * 86_400)})
    with busy.till.work():
        at = session().query(PaymentIntent).filter(PaymentIntent.provider_at.is_not(None)).first()
        assert at is not None
        assert at.provider_at is not None
        day = beijing_day(at.provider_at).isoformat()
    page = owner.post("/reconciliation/run", {"day": day})
    assert "In our books, not in the bill" in page
    difference = page.partition('action="/console/reconciliation/')[2]
    while difference.startswith("run"):
        difference = difference.partition('action="/console/reconciliation/')[2]
    path = f"/reconciliation/{difference.partition('/')[0]}/close"
    assert "Please note what it was." in owner.refused(path)
    owner.post(path, {"note": "入账测试"})
    assert "入账测试" in owner.get("/reconciliation?all=1")
    assert "入账测试" not in owner.get("/reconciliation")
    assert len(owner.table("/reconciliation?format=csv")) > 1


def test_the_books_are_checked(owner: Browser, busy: Busy) -> None:
    assert "¥15.00" in owner.get("/books")
    assert "The books are right" in owner.get("/books?check=1")
    answer = owner.send("/ledger/check").json
    assert answer is not None
    assert answer["ok"] is True
    assert answer["problems"] == []
    with busy.till.owner() as connection:
        connection.execute("UPDATE balance SET balance_fen = balance_fen + 1 WHERE account = 13")
    assert "Something is wrong with the books" in owner.get("/books?check=1")


def test_settlement_and_withdrawal_rules(owner: Browser, till: Till) -> None:
    owner.post("/settings/settlement", {"window_days": "15"})
    owner.post("/settings/withdrawal", {"minimum_fen": "2.5", "auto_approve_below_fen": "100"})
    with till.work():
        assert load(Settlement) == Settlement(window_days=15)
        assert load(WithdrawalRules) == WithdrawalRules(minimum_fen=250, auto_approve_below_fen=10_000)
    assert audited(till)[-2:] == ["settings.changed", "settings.changed"]


BAD_SETTINGS = [
    ("settlement", {"window_days": "366"}, "This can be 365 at most."),
    ("settlement", {"window_days": ""}, "Please fill this in."),
    ("settlement", {"window_days": "1.5"}, "Please enter a whole number."),
    ("withdrawal", {"minimum_fen": "0.09", "auto_approve_below_fen": "0"}, "at least ¥0.10"),
    ("withdrawal", {"minimum_fen": "1", "auto_approve_below_fen": "-1"}, "at least ¥0.00"),
    ("go-live", {"confirm": "another"}, "This is not the subdomain of this brand."),
    ("go-live", {}, "Please fill this in."),
]


def test_settings_that_cannot_be_are_refused(owner: Browser) -> None:
    for path, values, message in BAD_SETTINGS:
        page = owner.refused(f"/settings/{path}", values)
        assert message in page
        assert all(f'value="{text}"' in page for text in values.values() if text)


def test_keys_are_stored_and_never_shown_again(owner: Browser, till: Till) -> None:
    keys = live_keys()
    page = owner.post("/settings/wechat", keys)
    assert "stored" in page
    shown = page + owner.get("/settings")
    assert not any(keys[name] in shown for name in ("app_secret", "apiv3_key", "private_key_pem"))
    with till.owner() as connection:
        row = connection.execute("SELECT * FROM merchant_account WHERE mode = 'live'").fetchone()
    assert row is not None
    assert not any(keys[name] in str(row) for name in ("app_secret", "apiv3_key", "private_key_pem"))


KEYS_CHECKED = ["mchid", "apiv3_key", "private_key_pem", "public_key_pem"]


def test_a_key_that_cannot_be_right_is_named(owner: Browser) -> None:
    for field in KEYS_CHECKED:
        page = owner.refused("/settings/wechat", {**live_keys(), field: "wrong"})
        assert f"“{field}” cannot be right." in page
        assert "wx1234567890" in page


def test_going_live_deletes_what_was_tried(owner: Browser, brand: Brand, busy: Busy) -> None:
    owner.refused("/settings/go-live", {"confirm": brand.slug}, status=409)
    owner.post("/settings/wechat", live_keys())
    page = owner.post("/settings/go-live", {"confirm": brand.slug.upper()})
    assert "This brand is live." in page
    assert "Sandbox" not in page.partition("<main")[0]
    assert "There are no orders yet." in owner.get("/orders")
    assert "¥100.00" in owner.get("/products")
    assert "Plan activated" not in owner.get("/audit")
    with busy.till.work():
        account = active_account()
        assert account is not None
        assert account.mode == "live"
        assert session().query(Member).count() == 0
    owner.refused("/settings/go-live", {"confirm": brand.slug}, status=409)
    owner.refused("/sandbox/clock", {"offset_seconds": "60"}, status=409)


def test_people_are_added_and_kept_out(
    owner: Browser, brand: Brand, till: Till, client_for: Callable[[str], FlaskClient]
) -> None:
    person = {"name": "小满", "email": "ops@example.com", "password": "a long password", "role": "operator"}
    page = owner.post("/staff", person)
    assert "ops@example.com can log in now." in page
    assert "already" in owner.refused("/staff", person, status=409)
    admin = page.partition("/deactivate")[0].rpartition("/")[2]
    assert "can no longer log in" in owner.post(f"/staff/{admin}/deactivate")
    assert "can log in again" in owner.post(f"/staff/{admin}/activate")
    assert audited(till)[-3:] == ["admin.added", "admin.deactivated", "admin.activated"]


BAD_ACCOUNTS = [
    ({"password": "short"}, "at least 10 characters"),
    ({"email": "nobody"}, "valid e-mail address"),
    ({"role": "emperor"}, "Please choose one of the options."),
    ({"name": ""}, "Please fill this in."),
]


def test_an_account_that_cannot_be_is_refused(owner: Browser) -> None:
    for change, message in BAD_ACCOUNTS:
        person = {"name": "小满", "email": "ops@example.com", "password": "a long password", "role": "operator"}
        page = owner.refused("/staff", {**person, **change})
        assert message in page
        assert "a long password" not in page


def test_the_last_owner_stays(owner: Browser, brand: Brand, till: Till) -> None:
    with till.work():
        (only,) = admins()
    assert "needs at least one active owner" in owner.refused(f"/staff/{only.id}/deactivate", status=409)


def test_the_audit_trail_is_searched_and_exported(owner: Browser, till: Till) -> None:
    owner.post("/settings/settlement", {"window_days": "3"})
    assert "Settings changed" in owner.get("/audit?q=settings")
    assert "No entry matches." in owner.get("/audit?q=nobody")
    assert owner.table("/audit?format=csv&q=settings")[1][2] == "settings.changed"


def test_the_clock_runs_forward_and_only_in_the_sandbox(owner: Browser, till: Till) -> None:
    owner.post("/sandbox/clock", {"offset_seconds": "86400", "next": "/console/orders"})
    state = owner.client.get("/console/sandbox/state").json
    assert state is not None
    assert state["offset_seconds"] == 86_400
    assert (state["open_work"], state["failing_work"], state["mode"], state["currency"]) == (0, 0, "sandbox", "CNY")
    assert (state["mchid"], state["appid"]) == (till.mchid, till.appid)
    owner.refused("/sandbox/clock", {"offset_seconds": "60"})
    owner.refused("/sandbox/clock", {"offset_seconds": "soon"})
    assert audited(till)[-1] == "clock.moved"


def test_the_state_counts_what_the_background_still_has_to_do(owner: Browser, till: Till) -> None:
    till.product("a")
    till.plan()
    buyer = till.member("买家", under=till.member("推广"))
    till.paid(buyer, [("a", 1)])
    before = owner.client.get("/console/sandbox/state").json
    till.tend()
    after = owner.client.get("/console/sandbox/state").json
    assert before is not None
    assert after is not None
    assert before["open_work"] >= 1
    assert after["open_work"] == 0


def test_the_first_page_shows_how_things_stand(owner: Browser, busy: Busy) -> None:
    page = owner.get("/")
    assert "¥400.00" in page
    assert "of 2 members" in page
    assert "¥15.00" in page
    with busy.till.work():
        intent = session().query(PaymentIntent).filter_by(reference_id=busy.unpaid).one()
        intent.state, intent.problem = "requires_merchant_action", "amount_differs"
    assert "The amount differs" in owner.get("/")


def test_a_new_brand_is_told_the_first_steps(owner: Browser) -> None:
    page = owner.get("/")
    assert "First steps" in page
    assert "Add a product" in page
    assert "No order was paid in these days." in page


def test_a_suspended_brand_can_look_but_not_touch(app: Flask, owner: Browser, brand: Brand, busy: Busy) -> None:
    with app.app_context():
        record = get_record(brand.tenant.id)
        assert record is not None
        set_state(record, state="suspended", reason="test", actor="test")
        session().commit()
    directory.forget()
    assert "This brand is suspended by the platform" in owner.get("/orders")
    assert owner.send(f"/orders/{busy.paid}/ship").status_code == 403
    assert busy.till.order_row(busy.paid).state == "paid"


def test_pages_allow_nothing_from_elsewhere(owner: Browser) -> None:
    answer = owner.client.get("/console/plan")
    policy = answer.headers["Content-Security-Policy"]
    page = answer.get_data(as_text=True)
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "style=" not in page
    assert "<script>" not in page
    assert "https://" not in page.replace("https://www.w3.org", "")
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_unknown_page_is_a_page(owner: Browser) -> None:
    assert "There is nothing here." in owner.get("/nothing", status=404)
    answer = owner.client.get("/console/nothing", headers={"Accept": "application/json"})
    assert answer.status_code == 404
    assert answer.json == {"error": {"code": "not_found", "message": "There is nothing here.", "details": None}}
