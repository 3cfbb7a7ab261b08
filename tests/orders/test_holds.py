"""Commissions held by hand, let go, and released early; and the triggers, from the setting to the balance."""

from __future__ import annotations

from uuid import UUID

import pytest

from fanyong.errors import InvalidRequest, NotFound
from fanyong.ids import new_id
from tenants.ledger.service import Figures
from tenants.orders import holds
from tenants.orders import service as orders
from tenants.orders.errors import WrongOrderState
from tenants.settlement.service import AlreadyHeld, NotHeld
from tests.money.parts import DAY, Till
from tests.orders.parts import ask_back, hold, let_go, settle_by


@pytest.fixture
def promoter(till: Till) -> UUID:
    """Somebody who earns ten percent of ¥100.00 pieces, released a day after the receipt."""
    till.product("a", price_fen=10_000)
    till.plan()
    till.window(1)
    return till.member("promoter")


@pytest.fixture
def buyer(till: Till, promoter: UUID) -> UUID:
    """Somebody whom the promoter brought."""
    return till.member("buyer", under=promoter)


def test_a_held_order_waits_and_is_released_when_it_is_let_go(till: Till, promoter: UUID, buyer: UUID) -> None:
    held, other = till.received(buyer), till.received(buyer)
    hold(till, order_id=held)
    till.advance(2 * DAY)
    till.settle()
    assert till.figures(promoter) == Figures(frozen_fen=1_000, available_fen=1_000)
    let_go(till, order_id=held)
    till.settle()
    assert till.figures(promoter) == Figures(available_fen=2_000)
    with pytest.raises(NotHeld):
        let_go(till, order_id=other)
    till.check()


def test_a_hold_before_the_receipt_lasts_beyond_it(till: Till, promoter: UUID, buyer: UUID) -> None:
    order = till.paid(buyer)
    hold(till, order_id=order)
    till.ship(order)
    till.receive(order)
    till.advance(2 * DAY)
    till.settle()
    assert till.figures(promoter) == Figures(frozen_fen=1_000)


def test_a_held_promoter_waits_and_the_others_do_not(till: Till, promoter: UUID, buyer: UUID) -> None:
    other = till.member("other")
    till.received(buyer)
    till.received(till.member("second", under=other))
    hold(till, member_id=promoter)
    till.advance(2 * DAY)
    till.settle()
    assert till.figures(promoter) == Figures(frozen_fen=1_000)
    assert till.figures(other) == Figures(available_fen=1_000)
    let_go(till, member_id=promoter)
    till.settle()
    assert till.figures(promoter) == Figures(available_fen=1_000)
    till.check()


def test_what_was_released_before_a_hold_stays(till: Till, promoter: UUID, buyer: UUID) -> None:
    order = till.received(buyer)
    till.advance(DAY)
    till.settle()
    hold(till, order_id=order)
    hold(till, member_id=promoter)
    till.settle()
    assert till.figures(promoter) == Figures(available_fen=1_000)


def test_a_hold_and_a_refund_both_have_to_end(till: Till, promoter: UUID, buyer: UUID) -> None:
    order = till.received(buyer, [("a", 2)])
    hold(till, order_id=order)
    refund = ask_back(till, order, pieces={"a": 1})
    till.advance(2 * DAY)
    let_go(till, order_id=order)
    till.settle()
    assert till.figures(promoter) == Figures(frozen_fen=2_000)
    till.apply(till.refund_fact(refund))
    till.settle()
    assert till.figures(promoter) == Figures(available_fen=1_000)
    till.check()


def test_a_refund_lets_go_of_nothing_before_its_reversal(till: Till, promoter: UUID, buyer: UUID) -> None:
    """The money is back and the inbox not worked off: what is due waits, however often it is looked for."""
    order = till.received(buyer, [("a", 2)])
    till.settle()
    refund = ask_back(till, order, pieces={"a": 1})
    till.advance(2 * DAY)
    till.release()
    till.apply(till.refund_fact(refund))
    till.release()
    assert till.figures(promoter) == Figures(frozen_fen=2_000)
    till.process()
    assert till.figures(promoter) == Figures(frozen_fen=1_000)
    till.release()
    assert till.figures(promoter) == Figures(available_fen=1_000)
    till.check()


def test_holding_twice_without_reason_or_without_money_is_refused(till: Till, promoter: UUID, buyer: UUID) -> None:
    order = till.paid(buyer)
    hold(till, order_id=order)
    with pytest.raises(AlreadyHeld):
        hold(till, order_id=order)
    with pytest.raises(WrongOrderState):
        hold(till, order_id=till.order(buyer))
    with pytest.raises(NotFound):
        hold(till, member_id=new_id())
    with till.work(), pytest.raises(InvalidRequest):
        holds.hold_promoter(promoter, reason=" \n", actor="test")


def release_early(till: Till, order_id: UUID) -> None:
    """Make an order's commissions due now."""
    with till.work():
        holds.release_early(order_id, reason="a regular")


def test_an_early_release_is_at_once_and_of_one_order(till: Till, promoter: UUID, buyer: UUID) -> None:
    early, _late = till.received(buyer), till.received(buyer)
    release_early(till, early)
    till.settle()
    assert till.figures(promoter) == Figures(available_fen=1_000, frozen_fen=1_000)
    release_early(till, early)
    till.settle()
    assert till.figures(promoter) == Figures(available_fen=1_000, frozen_fen=1_000)
    till.check()


def test_an_early_release_waits_for_a_hold(till: Till, promoter: UUID, buyer: UUID) -> None:
    order = till.received(buyer)
    hold(till, order_id=order)
    release_early(till, order)
    till.settle()
    assert till.figures(promoter) == Figures(frozen_fen=1_000)
    let_go(till, order_id=order)
    till.settle()
    assert till.figures(promoter) == Figures(available_fen=1_000)


def test_before_the_receipt_there_is_nothing_to_release_early(till: Till, buyer: UUID) -> None:
    order = till.paid(buyer)
    with pytest.raises(WrongOrderState):
        release_early(till, order)


def test_at_once_is_at_once(till: Till, promoter: UUID, buyer: UUID) -> None:
    settle_by(till, trigger="receipt", window_days=30)
    till.received(buyer)
    till.settle()
    assert till.figures(promoter) == Figures(available_fen=1_000)
    till.check()


@pytest.mark.parametrize("rule", [{"trigger": "working_days", "working_days": 3}, {"trigger": "cycle"}])
def test_other_triggers_reach_the_balance_when_their_day_has_come(
    till: Till, promoter: UUID, buyer: UUID, rule: dict[str, object]
) -> None:
    settle_by(till, window_days=2, **rule)
    till.received(buyer)
    till.advance(2 * DAY - 60)
    till.settle()
    assert till.figures(promoter) == Figures(frozen_fen=1_000)
    till.advance(33 * DAY)
    till.settle()
    assert till.figures(promoter) == Figures(available_fen=1_000)
    till.check()


def test_the_rule_is_frozen_when_the_order_is_paid(till: Till, promoter: UUID, buyer: UUID) -> None:
    order = till.paid(buyer)
    settle_by(till, trigger="receipt")
    till.ship(order)
    till.receive(order)
    till.settle()
    assert till.figures(promoter) == Figures(frozen_fen=1_000)
    with till.work():
        assert orders.settlement_of(orders.get_order(order)).window_days == 1


def test_an_order_that_nobody_confirms_is_received_by_itself(till: Till, promoter: UUID, buyer: UUID) -> None:
    settle_by(till, trigger="receipt", auto_receive_days=10)
    order, waiting = till.paid(buyer), till.paid(buyer)
    till.ship(order)
    settle_by(till, trigger="receipt")
    till.advance(10 * DAY - 60)
    till.tend()
    assert till.order_row(order).state == "shipped"
    till.advance(60)
    till.tend()
    assert till.order_row(order).state == "received"
    assert till.order_row(waiting).state == "paid"
    assert till.figures(promoter) == Figures(available_fen=1_000, estimated_fen=1_000)
    till.check()


def test_without_the_rule_an_order_waits_for_its_buyer(till: Till, buyer: UUID) -> None:
    order = till.paid(buyer)
    till.ship(order)
    till.advance(400 * DAY)
    till.tend()
    assert till.order_row(order).state == "shipped"
