"""Refunds, releases, holds and withdrawals at the same moment: nothing lost, nothing twice, no deadlock."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest

from fanyong.errors import FanyongError
from tenants.ledger.service import Figures
from tenants.orders.errors import ExchangeOutOfBounds, RefundOutOfBounds
from tests.money.parts import Till, at_once
from tests.orders.parts import ask_back, give_back, hold, let_go, line_of, record, settle_by, swap


def only(results: Sequence[object], *expected: type[Exception]) -> list[object]:
    """Return the results that are no error; any error but the expected ones (a deadlock!) fails."""
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, expected):
            raise result
    return [result for result in results if not isinstance(result, Exception)]


@pytest.fixture(autouse=True)
def _shop(till: Till) -> None:
    till.product("a", price_fen=10_000)
    till.product("b", price_fen=10_000)
    till.plan()
    till.window(0)


def test_refunds_by_amount_at_once_never_give_more_than_was_paid(till: Till) -> None:
    order = till.paid(till.member("buyer"), [("a", 1)])
    results = at_once(*[partial(ask_back, till, order, amounts={"a": 3_000}, key=f"r{n}") for n in range(8)])
    assert len(only(results, RefundOutOfBounds)) == 3
    assert till.order_row(order).refunded_fen == 9_000
    till.check()


def test_an_amount_pieces_and_a_recorded_refund_at_once(till: Till) -> None:
    promoter = till.member("promoter")
    buyer = till.member("buyer", under=promoter)
    for _round in range(4):
        order = till.received(buyer, [("a", 2)])
        results = at_once(
            partial(give_back, till, order, pieces={"a": 1}),
            partial(give_back, till, order, amounts={"a": 2_500}),
            partial(record, till, order, {"a": 2_500}),
            till.process,
            till.release,
        )
        only(results)
        till.settle()
        line = line_of(till, order, "a")
        # The piece is worth its part of what the amounts before it had left.
        assert line.refunded_fen in (15_000, 13_750, 12_500)
        till.check()


def test_a_refund_a_release_and_a_withdrawal_at_once(till: Till) -> None:
    promoter = till.member("promoter")
    buyer = till.member("buyer", under=promoter)
    till.received(buyer, [("a", 3)])
    till.settle()
    for number in range(5):
        order = till.received(buyer)
        till.process()
        results = at_once(
            partial(give_back, till, order, amounts={"a": 10_000}),
            till.process,
            till.release,
            partial(till.withdraw, promoter, 500, key=f"w{number}"),
        )
        only(results, FanyongError)
        till.settle()
        till.check()
    figures = till.figures(promoter)
    assert figures.available_fen + figures.in_transfer_fen - figures.debt_fen == 3_000


def test_holding_letting_go_and_releasing_at_once(till: Till) -> None:
    promoter = till.member("promoter")
    buyer = till.member("buyer", under=promoter)
    for _round in range(4):
        order = till.received(buyer)
        till.process()
        hold(till, order_id=order)
        results = at_once(
            partial(let_go, till, order_id=order),
            partial(hold, till, member_id=promoter),
            till.release,
            partial(give_back, till, order, amounts={"a": 10}),
        )
        only(results)
        let_go(till, member_id=promoter)
        till.settle()
        till.check()
    assert till.figures(promoter) == Figures(available_fen=4 * 999)


def test_one_hold_when_many_hold(till: Till) -> None:
    order = till.received(till.member("buyer", under=till.member("promoter")))
    till.process()
    done = only(at_once(*[partial(hold, till, order_id=order)] * 6), FanyongError)
    assert len(done) == 1
    let_go(till, order_id=order)
    till.settle()
    till.check()


def test_an_exchange_and_a_refund_of_the_same_piece_at_once(till: Till) -> None:
    order = till.received(till.member("buyer", under=till.member("promoter")))
    results = at_once(
        *[partial(swap, till, order, "a", "b", idempotency_key=f"x{n}") for n in range(3)],
        partial(give_back, till, order, pieces={"a": 1}),
    )
    done = only(results, ExchangeOutOfBounds)
    # The refund always goes through; at most one exchange came before it.
    assert len(done) in (1, 2)
    assert till.stock("b") == 1_000 - (len(done) - 1)
    till.settle()
    till.check()


def test_an_order_that_is_confirmed_while_it_is_received_by_itself(till: Till) -> None:
    settle_by(till, trigger="receipt", auto_receive_days=1)
    promoter = till.member("promoter")
    order = till.paid(till.member("buyer", under=promoter))
    till.ship(order)
    till.advance(86_400)
    only(at_once(partial(till.receive, order), till.tend, till.tend))
    till.tend()
    assert till.figures(promoter) == Figures(available_fen=1_000)
    till.check()


def test_the_same_refund_heard_of_many_times(till: Till) -> None:
    promoter = till.member("promoter")
    order = till.received(till.member("buyer", under=promoter), [("a", 2)])
    till.settle()
    fact = till.refund_fact(ask_back(till, order, amounts={"a": 5_000}))
    outcomes = only(at_once(*[partial(till.apply, fact)] * 6))
    assert sorted(map(str, outcomes)) == ["already"] * 5 + ["applied"]
    till.process()
    assert till.figures(promoter) == Figures(available_fen=1_500)
    till.check()
