"""Refunds that come when the money is gone: in transfer, paid out, at WeChat's own pages, outside of WeChat."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from fanyong.payments.service import RefundKnown
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.ledger.service import Figures
from tenants.orders.errors import RefundOutOfBounds, WrongOrderState
from tenants.orders.models import OrderRefund
from tests.money.parts import Till
from tests.orders.parts import give_back, line_of, record


def earned(till: Till, *, pieces: int = 1) -> tuple[UUID, UUID]:
    """Return a promoter with 1,000 fen a piece available, and the order they come from."""
    till.product("a", price_fen=10_000)
    till.plan()
    till.window(0)
    promoter = till.member("promoter")
    order = till.received(till.member("buyer", under=promoter), [("a", pieces)])
    till.settle()
    assert till.figures(promoter) == Figures(available_fen=1_000 * pieces)
    return promoter, order


def paid_out(till: Till, promoter: UUID, amount_fen: int) -> None:
    """Withdraw, and let the money arrive."""
    withdrawal = till.withdraw(promoter, amount_fen)
    till.approve(withdrawal)
    assert till.apply(till.transfer_fact(withdrawal)) == "applied"


def test_a_refund_while_the_money_is_in_transfer_becomes_a_debt(till: Till) -> None:
    promoter, order = earned(till)
    withdrawal = till.withdraw(promoter, 900)
    till.approve(withdrawal)
    give_back(till, order, amounts={"a": 5_000})
    till.process()
    # 500 fen are owed, 100 of them are still there; the transfer goes on.
    assert till.figures(promoter) == Figures(in_transfer_fen=900, debt_fen=400)
    assert till.apply(till.transfer_fact(withdrawal)) == "applied"
    assert till.figures(promoter) == Figures(paid_fen=900, debt_fen=400)
    till.check()


def test_a_refund_in_transfer_is_paid_back_when_the_transfer_fails(till: Till) -> None:
    promoter, order = earned(till)
    withdrawal = till.withdraw(promoter, 900)
    till.approve(withdrawal)
    give_back(till, order, amounts={"a": 5_000})
    till.process()
    till.apply(till.transfer_fact(withdrawal, state="failed"))
    assert till.figures(promoter) == Figures(available_fen=500)
    till.check()


def test_a_refund_that_happened_at_wechat_long_after_the_payout(till: Till) -> None:
    promoter, order = earned(till)
    paid_out(till, promoter, 1_000)
    till.advance(200 * 86_400)
    with till.work():
        happened_at = brand_now() - timedelta(days=2)
    refund = record(till, order, {"a": 10_000}, wechat_number="WX-DISPUTE-1", happened_at=happened_at)
    till.process()
    assert till.figures(promoter) == Figures(paid_fen=1_000, debt_fen=1_000)
    row = till.refund_row(refund)
    assert (row.state, row.out_refund_no, row.provider_at) == ("succeeded", "WX-DISPUTE-1", happened_at)
    assert row.next_try_at is None, "nothing is sent to WeChat"
    till.check()


def test_a_refund_outside_wechat_stands_in_no_bill(till: Till) -> None:
    promoter, order = earned(till, pieces=2)
    paid_out(till, promoter, 1_500)
    refund = record(till, order, {"a": 15_000})
    till.process()
    assert till.refund_row(refund).provider_at is None
    # 1,500 of 2,000 go back: 500 are still available, the rest is owed.
    assert till.figures(promoter) == Figures(paid_fen=1_500, debt_fen=1_000)
    with till.work():
        assert session().get_one(OrderRefund, refund).origin == "outside"
    till.check()


def test_a_refund_that_is_in_the_books_cannot_be_recorded_again(till: Till) -> None:
    _promoter, order = earned(till, pieces=2)
    number = till.refund_row(give_back(till, order, pieces={"a": 1})).out_refund_no
    with pytest.raises(RefundKnown):
        record(till, order, {"a": 10_000}, wechat_number=number)
    assert line_of(till, order, "a").refunded_fen == 10_000
    first = record(till, order, {"a": 10_000}, wechat_number="W-1", idempotency_key="k")
    assert record(till, order, {"a": 10_000}, wechat_number="W-1", idempotency_key="k") == first
    till.process()
    till.check()


def test_recording_more_than_was_paid_is_refused(till: Till) -> None:
    _promoter, order = earned(till)
    with pytest.raises(RefundOutOfBounds):
        record(till, order, {"a": 10_001})
    with pytest.raises(WrongOrderState):
        record(till, till.order(till.member("other")), {"a": 1})
    till.check()


def test_a_recorded_refund_before_the_receipt_takes_the_estimate_back(till: Till) -> None:
    till.product("a", price_fen=10_000, stock=10)
    till.plan()
    promoter = till.member("promoter")
    order = till.paid(till.member("buyer", under=promoter), [("a", 2)])
    record(till, order, {"a": 5_000})
    till.process()
    assert till.figures(promoter) == Figures(estimated_fen=1_500)
    assert till.stock("a") == 8, "an amount brings no goods back"
    till.check()
