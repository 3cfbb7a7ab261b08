"""Refunds from the gateway to the simulator and back."""

from datetime import timedelta

import pytest

from fanyong.wechat.errors import ErrorKind, WeChatError
from fanyong.wechat.simulator.client import SimulatorRefused
from fanyong.wechat.states import refund_state
from tests.wechat.parts import Shop


def test_a_refund_is_accepted_told_and_found(shop: Shop) -> None:
    shop.paid_order("order1")
    accepted = shop.refund("refund1", of="order1", refund_fen=300)
    assert (accepted.status, accepted.refund_fen, accepted.total_fen) == ("PROCESSING", 300, 1000)

    callback = shop.callback()
    assert callback.event_type == "REFUND.SUCCESS"
    told = refund_state(callback.resource)
    assert told == shop.gateway.query_refund(out_refund_no="refund1")
    assert (told.status, told.refund_id, told.out_trade_no) == ("SUCCESS", accepted.refund_id, "order1")
    assert told.success_at is not None

    order = shop.gateway.query_order(out_trade_no="order1")
    assert order is not None
    assert (order.trade_state, order.is_paid) == ("REFUND", True)
    assert shop.simulator.ledger(shop.mchid)["accounts"]["basic"]["balance_fen"] == 700


def test_the_same_number_refunds_once(shop: Shop) -> None:
    shop.paid_order("order1")
    first = shop.refund("refund1", of="order1", refund_fen=300)
    again = shop.refund("refund1", of="order1", refund_fen=300)
    assert (again.refund_id, again.status) == (first.refund_id, "SUCCESS")
    assert shop.simulator.ledger(shop.mchid)["refunded_fen"] == 300


def test_the_same_number_with_another_amount_is_declined(shop: Shop) -> None:
    shop.paid_order("order1")
    shop.refund("refund1", of="order1", refund_fen=300)
    with pytest.raises(WeChatError, match="other parameters"):
        shop.refund("refund1", of="order1", refund_fen=301)


def test_refunds_never_exceed_the_payment(shop: Shop) -> None:
    shop.paid_order("order1")
    # The account holds more than the order, so that only the order's own limit can refuse.
    shop.paid_order("order2")
    shop.refund("refund1", of="order1", refund_fen=600)
    with pytest.raises(WeChatError, match="exceed") as caught:
        shop.refund("refund2", of="order1", refund_fen=401)
    assert caught.value.kind is ErrorKind.DECLINED
    shop.refund("refund3", of="order1", refund_fen=400)
    assert shop.simulator.ledger(shop.mchid)["refunded_fen"] == 1000


def test_the_total_has_to_be_what_was_paid(shop: Shop) -> None:
    shop.paid_order("order1")
    with pytest.raises(WeChatError, match="total"):
        shop.refund("refund1", of="order1", refund_fen=300, total_fen=999)


def test_an_order_has_at_most_fifty_refunds(shop: Shop) -> None:
    shop.paid_order("order1")
    for number in range(50):
        shop.refund(f"refund{number}", of="order1", refund_fen=1)
    with pytest.raises(WeChatError, match="50"):
        shop.refund("refund50", of="order1", refund_fen=1)


def test_an_empty_account_refunds_later_with_the_same_number(shop: Shop) -> None:
    shop.paid_order("order1")
    shop.simulator.set_funds(shop.mchid, account="basic", balance_fen=299)
    with pytest.raises(WeChatError, match="NOT_ENOUGH") as caught:
        shop.refund("refund1", of="order1", refund_fen=300)
    assert caught.value.kind is ErrorKind.RETRYABLE
    shop.simulator.set_funds(shop.mchid, account="basic", balance_fen=300)
    shop.refund("refund1", of="order1", refund_fen=300)
    assert shop.simulator.ledger(shop.mchid)["accounts"]["basic"]["balance_fen"] == 0


def test_only_what_was_paid_within_a_year_is_refunded(shop: Shop) -> None:
    shop.order("unpaid1")
    with pytest.raises(WeChatError, match="not paid"):
        shop.refund("refund1", of="unpaid1", refund_fen=1)
    with pytest.raises(WeChatError, match="RESOURCE_NOT_EXISTS"):
        shop.refund("refund1", of="nothing", refund_fen=1)
    assert shop.gateway.query_refund(out_refund_no="refund1") is None
    shop.paid_order("order1")
    shop.advance(timedelta(days=366))
    with pytest.raises(WeChatError, match="year"):
        shop.refund("refund1", of="order1", refund_fen=1)


@pytest.mark.parametrize(
    ("action", "status", "left_fen"),
    [("succeed", "SUCCESS", 700), ("abnormal", "ABNORMAL", 1000), ("close", "CLOSED", 1000)],
)
def test_a_refund_settled_by_hand(shop: Shop, action: str, status: str, left_fen: int) -> None:
    shop.simulator.set_refunds(shop.mchid, mode="manual")
    shop.paid_order("order1")
    shop.refund("refund1", of="order1", refund_fen=300)
    waiting = shop.gateway.query_refund(out_refund_no="refund1")
    assert waiting is not None
    assert waiting.status == "PROCESSING"

    for _ in range(2):
        shop.simulator.refund(shop.mchid, "refund1", action=action)
    callback = shop.callback()
    assert callback.event_type == f"REFUND.{status}"
    assert refund_state(callback.resource).status == status
    assert len(shop.simulator.notifications(shop.mchid)) == 2
    basic = shop.simulator.ledger(shop.mchid)["accounts"]["basic"]
    assert basic["balance_fen"] == left_fen
    assert basic["held_fen"] == (300 if status == "ABNORMAL" else 0)


def test_a_closed_refund_may_be_asked_for_anew(shop: Shop) -> None:
    shop.simulator.set_refunds(shop.mchid, mode="manual")
    shop.paid_order("order1")
    shop.refund("refund1", of="order1", refund_fen=1000)
    shop.simulator.refund(shop.mchid, "refund1", action="close")
    shop.refund("refund2", of="order1", refund_fen=1000)
    shop.simulator.refund(shop.mchid, "refund2", action="abnormal")
    shop.simulator.refund(shop.mchid, "refund2", action="succeed")
    assert shop.simulator.ledger(shop.mchid)["refunded_fen"] == 1000
    with pytest.raises(SimulatorRefused, match="already"):
        shop.simulator.refund(shop.mchid, "refund2", action="close")


def test_a_delayed_refund_comes_by_itself(shop: Shop) -> None:
    shop.simulator.set_refunds(shop.mchid, mode="delay", seconds=0.1)
    shop.paid_order("order1")
    assert shop.refund("refund1", of="order1", refund_fen=300).status == "PROCESSING"
    assert shop.callback().event_type == "REFUND.SUCCESS"
