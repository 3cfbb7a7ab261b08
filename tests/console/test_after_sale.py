"""After the sale: refunds by amount, refunds that happened elsewhere, exchanges, and holding commissions back."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from fanyong.tenancy.settings import load
from tenants.ledger.service import Figures
from tenants.orders.refunds import refunds_of
from tenants.settlement.triggers import Settlement
from tests.conftest import Brand
from tests.console.parts import Browser, Busy, audited
from tests.money.parts import Till


def line_id(busy: Busy, order: UUID) -> str:
    """Return the id of an order's only line as forms have it."""
    return busy.till.order_row(order).lines[0].id.hex


def test_an_amount_is_given_back_without_goods(owner: Browser, busy: Busy) -> None:
    values = {"idempotency_key": "k", "reason": "刮痕", f"amount-{line_id(busy, busy.paid)}": "12.50"}
    page = owner.post(f"/orders/{busy.paid}/refund", values)
    assert "刮痕" in page
    assert "¥12.50" in page
    owner.post(f"/orders/{busy.paid}/refund", values)
    line = busy.till.order_row(busy.paid).lines[0]
    assert (line.refunded_quantity, line.refunded_fen, line.adjusted_fen) == (0, 1_250, 1_250)


def test_a_refund_that_happened_elsewhere_is_recorded(owner: Browser, busy: Busy) -> None:
    values = {
        "idempotency_key": "k",
        "reason": "拒付",
        "number": "DISPUTE-7",
        "happened_on": "2026-01-02",
        f"amount-{line_id(busy, busy.released)}": "200.00",
    }
    page = owner.post(f"/orders/{busy.released}/record-refund", values)
    assert "recorded: happened at WeChat" in page
    busy.till.process()
    # 30.00 were earned, 10.00 taken back before, 5.00 are in a withdrawal: 15.00 are left of the 20.00 to take.
    assert busy.till.figures(busy.promoter).debt_fen == 500
    assert audited(busy.till)[-1] == "order.refund_recorded"
    with busy.till.work():
        assert [refund.origin for refund in refunds_of(busy.released)] == ["asked", "wechat"]
    again = {**values, "idempotency_key": "other", f"amount-{line_id(busy, busy.released)}": "0.01"}
    assert owner.refused(f"/orders/{busy.released}/record-refund", again)


BAD_RECORDS = [
    ({"amount": "1"}, "Please give a reason."),
    ({"reason": "r"}, "Say how much of which line"),
    ({"reason": "r", "amount": "one"}, "an amount like 12.50"),
    ({"reason": "r", "amount": "1", "happened_on": "yesterday"}, "a day like 2026-11-22"),
    ({"reason": "r", "amount": "1", "happened_on": "2199-01-01"}, "has not come yet"),
    ({"reason": "r", "amount": "201"}, "A refund covers lines of the order"),
]


def test_a_record_that_cannot_be_comes_back_as_typed(owner: Browser, busy: Busy) -> None:
    name = f"amount-{line_id(busy, busy.paid)}"
    for values, message in BAD_RECORDS:
        typed = {key: value for key, value in values.items() if key != "amount"} | {name: values.get("amount", "")}
        page = owner.refused(f"/orders/{busy.paid}/record-refund", typed)
        assert message in page
        form = page.partition('id="record" open')[2].partition("</form>")[0]
        assert f'value="{values.get("amount", "")}"' in form.partition(f'name="{name}"')[2].partition(">")[0]
    assert busy.till.order_row(busy.paid).refunded_fen == 0


def exchange(busy: Busy, **changes: str) -> dict[str, str]:
    """Return the form of an exchange of one piece."""
    values = {"line": line_id(busy, busy.released), "quantity": "1", "sku": "b", "replacement_quantity": "1"}
    return {**values, "reason": "尺码", "idempotency_key": "x", **changes}


def test_an_exchange_for_something_cheaper_gives_the_difference_back(owner: Browser, busy: Busy) -> None:
    busy.till.product("b", price_fen=6_000)
    page = owner.post(f"/orders/{busy.released}/exchange", exchange(busy))
    assert "the difference is refunded" in page
    assert "−¥40.00" in page
    assert audited(busy.till)[-1] == "order.exchanged"


def test_an_exchange_for_something_dearer_leads_to_the_order_to_pay(owner: Browser, busy: Busy) -> None:
    busy.till.product("b", price_fen=16_000)
    page = owner.post(f"/orders/{busy.released}/exchange", exchange(busy))
    assert "The buyer pays the difference with this order" in page
    assert "This order collects what a replacement costs more" in page
    assert f"/console/orders/{busy.released}" in page
    assert "+¥60.00" in owner.get(f"/orders/{busy.released}")


BAD_EXCHANGES = [
    ({"reason": ""}, 422, "Please give a reason."),
    ({"sku": ""}, 422, "Please fill this in."),
    ({"sku": "nothing"}, 422, "There is no product “nothing” on sale."),
    ({"quantity": "one"}, 422, "Please enter a whole number."),
    ({"quantity": "3"}, 422, "neither given back nor exchanged"),
    ({"line": "x"}, 422, "Please choose one of the options."),
    ({"replacement_quantity": "1001"}, 409, "sold out"),
]


def test_an_exchange_that_cannot_be_is_refused(owner: Browser, busy: Busy) -> None:
    busy.till.product("b")
    for changes, status, message in BAD_EXCHANGES:
        page = owner.refused(f"/orders/{busy.released}/exchange", exchange(busy, **changes), status=status)
        assert message in page
    assert busy.till.stock("b") == 1_000


def test_commissions_of_an_order_are_held_and_let_go(owner: Browser, busy: Busy) -> None:
    till = busy.till
    order = till.received(busy.buyer, [("a", 1)])
    page = owner.post(f"/orders/{order}/hold", {"reason": "刷单?"})
    assert "On hold since" in page
    assert "刷单?" in page
    till.settle()
    assert till.figures(busy.promoter).frozen_fen == 1_000
    assert "on hold already" in owner.refused(f"/orders/{order}/hold", {"reason": "again"}, status=409)
    assert "Please give a reason." in owner.refused(f"/orders/{order}/let-go", {"reason": " "})
    page = owner.post(f"/orders/{order}/let-go", {"reason": "没问题"})
    assert "On hold since" not in page
    assert "没问题" in page
    till.settle()
    assert till.figures(busy.promoter).frozen_fen == 0
    assert audited(till)[-2:] == ["order.commissions_held", "order.commissions_let_go"]


def test_commissions_are_released_early_with_a_reason(owner: Browser, busy: Busy) -> None:
    till = busy.till
    till.window(30)
    order = till.received(busy.buyer, [("a", 1)])
    till.settle()
    assert "Commissions are available 30 days after the buyer has the goods." in owner.get(f"/orders/{order}")
    assert till.figures(busy.promoter).frozen_fen == 1_000
    owner.post(f"/orders/{order}/release-early", {"reason": "老客户"})
    till.settle()
    assert till.figures(busy.promoter).frozen_fen == 0
    assert audited(till)[-1] == "order.commissions_brought_forward"
    owner.refused(f"/orders/{busy.paid}/release-early", {"reason": "老客户"}, status=409)


def test_all_commissions_of_a_promoter_are_held(owner: Browser, busy: Busy) -> None:
    till = busy.till
    order = till.received(busy.buyer, [("a", 1)])
    here = f"/promoters/{busy.promoter}"
    assert f"/console{here}/holds" in owner.get(here)
    assert "were never on hold" in owner.get(f"{here}/holds")
    assert "Please give a reason." in owner.refused(f"{here}/hold", {"reason": ""})
    assert "身份核实" in owner.post(f"{here}/hold", {"reason": "身份核实"})
    till.settle()
    assert till.figures(busy.promoter).frozen_fen == 1_000
    assert "Commissions of single promoters are on hold." in owner.get(f"/orders/{order}")
    assert "已核实" in owner.post(f"{here}/let-go", {"reason": "已核实"})
    till.settle()
    assert till.figures(busy.promoter).frozen_fen == 0
    assert audited(till)[-1] == "promoter.commissions_let_go"


@pytest.mark.parametrize("role", ["operator", "finance"])
def test_who_may_hold_and_refund_sees_the_forms(
    brand: Brand, busy: Busy, login_as: Callable[..., FlaskClient], role: str
) -> None:
    browser = Browser(login_as(brand, role))
    page = browser.get(f"/orders/{busy.released}")
    holds = browser.get(f"/promoters/{busy.promoter}/holds")
    allowed = role == "finance"
    for form in ("hold", "refund", "record-refund", "exchange"):
        assert (f'action="/console/orders/{busy.released}/{form}"' in page) is allowed
    assert (f'action="/console/promoters/{busy.promoter}/hold"' in holds) is allowed


def test_the_settlement_is_chosen_and_told_in_words(owner: Browser, till: Till) -> None:
    values = {"trigger": "working_days", "window_days": "3", "working_days": "5", "auto_receive_days": "10"}
    page = owner.post("/settings/settlement", values)
    assert "on working day 5 after the buyer has the goods" in page
    assert "Holidays and working weekends are known up to 20" in page
    with till.work():
        assert load(Settlement) == Settlement(
            trigger="working_days", window_days=3, working_days=5, auto_receive_days=10
        )
    values = {"trigger": "cycle", "window_days": "7", "cycle": "month", "month_days": "25、10，10"}
    assert "day 10, 25 of the month" in owner.post("/settings/settlement", values)
    values |= {"cycle": "week", "weekday": "friday"}
    assert "every Friday" in owner.post("/settings/settlement", values)


BAD_SETTLEMENTS = [
    ({"month_days": "0"}, "days from 1 to 31"),
    ({"month_days": "10, x"}, "days from 1 to 31"),
    ({"month_days": " "}, "days from 1 to 31"),
    ({"working_days": "0"}, "at least 1"),
    ({"trigger": "never"}, "choose one of the options"),
    ({"weekday": "caturday"}, "choose one of the options"),
    ({"auto_receive_days": "91"}, "90 at most"),
]


def test_a_settlement_that_cannot_be_is_refused(owner: Browser, till: Till) -> None:
    for values, message in BAD_SETTLEMENTS:
        page = owner.refused("/settings/settlement", {"window_days": "7", "trigger": "cycle", **values})
        assert message in page
    with till.work():
        assert load(Settlement) == Settlement()


def test_the_order_shows_region_discount_and_credit(owner: Browser, busy: Busy) -> None:
    with busy.till.owner() as connection:
        connection.execute('UPDATE "order" SET region = %s WHERE id = %s', ["310115", busy.paid])
    assert "310115" in owner.get(f"/orders/{busy.paid}")
    assert busy.till.figures(busy.promoter) != Figures()
