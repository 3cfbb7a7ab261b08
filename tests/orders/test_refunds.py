"""Refunds by pieces and by amount: however they are cut, a line gives back what was paid, and its awards with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanyong.errors import IdempotencyMismatch
from fanyong.ids import new_id
from tenants.ledger.service import Figures
from tenants.orders import covering
from tenants.orders.errors import RefundOutOfBounds, WrongOrderState
from tenants.orders.models import OrderLine
from tests.money.parts import Till
from tests.orders.parts import ask_back, give_back, line_of, record, reversed_fen

Cut = tuple[str, int]
CUTS = st.lists(st.tuples(st.sampled_from(["pieces", "amount"]), st.integers(1, 4_000)), max_size=8)


@dataclass
class PlainLine:
    """A line of an order as somebody with a pencil keeps it: every refund is worked out from the whole list again."""

    paid: int
    pieces: int
    given: list[tuple[int, int]] = field(default_factory=list)

    @property
    def pieces_back(self) -> int:
        return sum(pieces for pieces, _amount in self.given)

    @property
    def money_back(self) -> int:
        """Without goods an amount is just that; the price of the pieces sinks by it, for all of them alike."""
        total, pieces, without_goods = 0, 0, 0
        for back, amount in self.given:
            pieces, without_goods, total = pieces + back, without_goods + amount, total + amount
            if back:
                # A piece that came back at the old price is not asked for its part of a later discount.
                total = max(total, without_goods + (self.paid - without_goods) * pieces // self.pieces)
        return total


def cut(line: OrderLine, plain: PlainLine, how: Cut) -> None:
    """Refund as far as there is something, here and on paper."""
    kind, number = how
    pieces = min(number, plain.pieces - plain.pieces_back) if kind == "pieces" else 0
    amount = min(number, plain.paid - plain.money_back) if kind == "amount" else 0
    if pieces or amount:
        covering.cover_line(line, quantity=pieces, adjusted_fen=amount)
        plain.given.append((pieces, amount))
    assert (line.refunded_fen, line.refunded_quantity) == (plain.money_back, plain.pieces_back)


@given(st.integers(0, 100_000), st.integers(1, 9), CUTS, st.integers(0, 100_000))
def test_any_way_to_cut_a_line_ends_at_what_was_paid(paid: int, pieces: int, cuts: list[Cut], award: int) -> None:
    line = OrderLine(id=new_id(), quantity=pieces, paid_fen=paid, refunded_quantity=0, refunded_fen=0, adjusted_fen=0)
    plain = PlainLine(paid, pieces)
    for how in cuts:
        cut(line, plain, how)
        assert 0 <= line.refunded_fen <= paid
    cut(line, plain, ("pieces", pieces))
    if line.refunded_quantity == pieces:
        assert line.refunded_fen == paid


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=CUTS, moment=st.sampled_from(["paid", "received", "released"]))
def test_a_commission_goes_back_by_what_was_given_back_in_all(
    renewed: Callable[[], Till], cuts: list[Cut], moment: str
) -> None:
    till = renewed()
    till.product("a", price_fen=3_333)
    till.product("b", price_fen=1_999)
    till.plan(values={"rates": [{"level": 1, "rate_bp": 777}]})
    till.window(0 if moment == "released" else 7)
    promoter = till.member("promoter")
    order = till.paid(till.member("buyer", under=promoter), [("a", 3), ("b", 2)])
    if moment != "paid":
        till.ship(order)
        till.receive(order)
    till.settle()
    line, other = line_of(till, order, "a"), line_of(till, order, "b")
    award, rest = line.paid_fen * 777 // 10_000, other.paid_fen * 777 // 10_000
    plain = PlainLine(line.paid_fen, 3)
    for kind, number in cuts:
        before = plain.money_back
        pieces = min(number, 3 - plain.pieces_back) if kind == "pieces" else 0
        amount = min(number, plain.paid - plain.money_back) if kind == "amount" else 0
        plain.given.append((pieces, amount))
        if plain.money_back == before:
            plain.given.pop()
            continue
        give_back(till, order, pieces={"a": pieces} if pieces else {}, amounts={"a": amount} if amount else {})
        till.settle()
        assert line_of(till, order, "a").refunded_fen == plain.money_back
        assert reversed_fen(till, order) == award * plain.money_back // plain.paid
    kept = award - award * plain.money_back // plain.paid + rest
    account = {"paid": "estimated_fen", "received": "frozen_fen", "released": "available_fen"}[moment]
    assert till.figures(promoter) == Figures(**{account: kept})
    till.check()


@pytest.mark.parametrize("amounts", [[20_000], [5_000, 15_000], [19_999, 1]])
def test_before_they_leave_goods_that_are_refunded_in_full_by_amount_stay_here(till: Till, amounts: list[int]) -> None:
    till.product("a", price_fen=10_000, stock=10)
    order = till.paid(till.member("buyer"), [("a", 2)])
    for fen in amounts:
        assert till.stock("a") == 8
        give_back(till, order, amounts={"a": fen})
    assert till.stock("a") == 10
    with pytest.raises(WrongOrderState):
        till.ship(order)
    with pytest.raises(RefundOutOfBounds):
        give_back(till, order, pieces={"a": 1})
    till.process()
    till.check()


def test_a_refund_in_full_by_amount_that_fails_leaves_the_goods_to_be_sent(till: Till) -> None:
    till.product("a", price_fen=10_000, stock=10)
    till.product("b", price_fen=5_000, stock=10)
    order = till.paid(till.member("buyer"), [("a", 2), ("b", 1)])
    refund = ask_back(till, order, amounts={"a": 20_000})
    till.apply(till.refund_fact(refund, state="closed"))
    line = line_of(till, order, "a")
    assert (line.refunded_quantity, line.refunded_fen, line.adjusted_fen, till.stock("a")) == (0, 0, 0, 8)
    # Of two lines one is refunded in full; the other one is sent.
    give_back(till, order, amounts={"a": 20_000})
    assert (till.stock("a"), till.stock("b")) == (10, 9)
    till.ship(order)
    till.process()
    till.check()


def test_an_amount_that_fails_under_the_last_one_leaves_the_goods_to_be_sent(till: Till) -> None:
    till.product("a", price_fen=10_000, stock=10)
    order = till.paid(till.member("buyer"), [("a", 2)])
    most = ask_back(till, order, amounts={"a": 19_998})
    last = ask_back(till, order, amounts={"a": 2})
    with pytest.raises(WrongOrderState):
        till.ship(order)
    till.apply(till.refund_fact(most, state="closed"))
    till.apply(till.refund_fact(last))
    line = line_of(till, order, "a")
    assert (line.refunded_quantity, line.refunded_fen, till.stock("a")) == (0, 2, 8)
    till.ship(order)
    till.process()
    till.check()


def test_whichever_refund_comes_last_takes_the_pieces_along_that_amounts_have_left(till: Till) -> None:
    till.product("a", price_fen=10_000, stock=10)
    order = till.paid(till.member("buyer"), [("a", 2)])
    pieces = ask_back(till, order, pieces={"a": 1})
    give_back(till, order, amounts={"a": 10_000})
    assert till.stock("a") == 8
    till.apply(till.refund_fact(pieces))
    assert (line_of(till, order, "a").refunded_quantity, till.stock("a")) == (2, 10)
    with pytest.raises(WrongOrderState):
        till.ship(order)
    till.process()
    till.check()


def test_what_was_covered_when_the_rest_was_sent_goes_back_into_stock(till: Till) -> None:
    till.product("a", price_fen=10_000, stock=10)
    till.product("b", price_fen=5_000, stock=10)
    order = till.paid(till.member("buyer"), [("a", 2), ("b", 1)])
    refund = ask_back(till, order, pieces={"a": 2})
    till.ship(order)
    till.apply(till.refund_fact(refund))
    assert (till.stock("a"), till.stock("b")) == (10, 9)
    till.process()
    till.check()


def test_a_dispute_that_took_all_of_it_before_it_was_sent_keeps_it_here(till: Till) -> None:
    till.product("a", price_fen=10_000, stock=10)
    order = till.paid(till.member("buyer"), [("a", 2)])
    record(till, order, {"a": 20_000})
    assert till.stock("a") == 10
    with pytest.raises(WrongOrderState):
        till.ship(order)
    till.process()
    till.check()


def test_after_they_left_goods_that_are_refunded_in_full_by_amount_are_the_buyers(till: Till) -> None:
    till.product("a", price_fen=10_000, stock=10)
    order = till.received(till.member("buyer"), [("a", 2)])
    give_back(till, order, amounts={"a": 20_000})
    assert (line_of(till, order, "a").refunded_quantity, till.stock("a")) == (0, 8)
    till.process()
    till.check()


def test_an_amount_is_a_lower_price_and_the_goods_stay(till: Till) -> None:
    till.product("a", price_fen=10_000, stock=10)
    till.plan()
    promoter = till.member("promoter")
    order = till.paid(till.member("buyer", under=promoter), [("a", 2)])
    till.process()
    give_back(till, order, amounts={"a": 1_001})
    till.process()
    line = line_of(till, order, "a")
    assert (line.refunded_quantity, line.refunded_fen, line.adjusted_fen) == (0, 1_001, 1_001)
    assert till.stock("a") == 8
    # 2,000 fen of 20,000; floor(2,000 * 1,001 / 20,000) = 100 are taken back.
    assert till.figures(promoter).estimated_fen == 1_900
    # A piece that comes back then is worth half of what is left: floor(18,999 / 2).
    give_back(till, order, pieces={"a": 1})
    assert line_of(till, order, "a").refunded_fen == 1_001 + 9_499
    assert till.stock("a") == 9
    give_back(till, order, pieces={"a": 1})
    till.process()
    assert line_of(till, order, "a").refunded_fen == 20_000
    assert till.figures(promoter) == Figures()
    till.check()


def test_pieces_an_amount_and_freight_go_back_at_once(till: Till) -> None:
    till.product("a", price_fen=3_000)
    order = till.paid(till.member("buyer"), [("a", 3)])
    refund = give_back(till, order, pieces={"a": 1}, amounts={"a": 500})
    assert till.refund_row(refund).amount_fen == 3_500
    line = line_of(till, order, "a")
    assert (line.refunded_quantity, line.refunded_fen, line.adjusted_fen) == (1, 3_500, 500)
    till.check()


def test_a_refund_of_an_amount_that_fails_leaves_no_trace(till: Till) -> None:
    till.product("a", price_fen=10_000)
    till.plan()
    promoter = till.member("promoter")
    order = till.paid(till.member("buyer", under=promoter), [("a", 2)])
    till.process()
    refund = ask_back(till, order, pieces={"a": 1}, amounts={"a": 700})
    till.apply(till.refund_fact(refund, state="closed"))
    till.process()
    line = line_of(till, order, "a")
    assert (line.refunded_quantity, line.refunded_fen, line.adjusted_fen) == (0, 0, 0)
    assert till.order_row(order).refunded_fen == 0
    assert till.figures(promoter).estimated_fen == 2_000
    till.check()


@pytest.mark.parametrize("amounts", [{"a": 10_001}, {"a": -1}, {"a": 0}, {}])
def test_amounts_that_are_not_there_are_refused(till: Till, amounts: dict[str, int]) -> None:
    till.product("a", price_fen=10_000)
    order = till.paid(till.member("buyer"))
    with pytest.raises(RefundOutOfBounds):
        ask_back(till, order, amounts=amounts)
    assert line_of(till, order, "a").refunded_fen == 0


def test_an_amount_never_exceeds_what_other_refunds_left(till: Till) -> None:
    till.product("a", price_fen=10_000)
    order = till.paid(till.member("buyer"), [("a", 2)])
    ask_back(till, order, pieces={"a": 1})
    with pytest.raises(RefundOutOfBounds):
        ask_back(till, order, amounts={"a": 10_001})
    with pytest.raises(RefundOutOfBounds):
        ask_back(till, order, pieces={"a": 1}, amounts={"a": 1})
    ask_back(till, order, amounts={"a": 10_000})


def test_a_key_belongs_to_what_was_asked_for(till: Till) -> None:
    till.product("a", price_fen=10_000)
    order = till.paid(till.member("buyer"))
    first = ask_back(till, order, amounts={"a": 500}, key="once")
    assert ask_back(till, order, amounts={"a": 500}, key="once") == first
    with pytest.raises(IdempotencyMismatch):
        ask_back(till, order, amounts={"a": 501}, key="once")
    assert till.order_row(order).refunded_fen == 500
