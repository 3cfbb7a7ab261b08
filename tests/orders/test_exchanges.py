"""Exchanges: the line keeps its money and its commissions, and only the difference moves."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanyong.errors import IdempotencyMismatch, InvalidRequest
from tenants.catalog.service import OutOfStock
from tenants.ledger.service import Figures
from tenants.orders.errors import ExchangeOutOfBounds, RefundOutOfBounds, UnknownProduct, WrongOrderState
from tenants.orders.models import OrderExchange
from tests.money.parts import Till
from tests.orders.parts import ask_back, change_product, give_back, line_of, record, swap


@pytest.fixture
def promoter(till: Till) -> UUID:
    """Somebody who earns ten percent of what the buyer pays."""
    till.product("shirt", price_fen=10_000, stock=10)
    till.product("blue", price_fen=10_000, stock=10)
    till.product("socks", price_fen=4_000, stock=10)
    till.product("coat", price_fen=25_000, stock=10)
    till.plan()
    return till.member("promoter")


@pytest.fixture
def order(till: Till, promoter: UUID) -> UUID:
    """Two shirts that have arrived."""
    found = till.received(till.member("buyer", under=promoter), [("shirt", 2)])
    till.process()
    return found


def test_the_same_value_moves_no_money_and_no_commission(till: Till, promoter: UUID, order: UUID) -> None:
    made = swap(till, order, "shirt", "blue")
    assert (made.returned_fen, made.replacement_fen, made.refund_id, made.new_order_id) == (10_000, 10_000, None, None)
    till.process()
    assert till.figures(promoter) == Figures(frozen_fen=2_000)
    assert till.order_row(order).refunded_fen == 0
    assert (till.stock("shirt"), till.stock("blue")) == (8, 9)
    till.check()


def test_a_cheaper_replacement_gives_the_difference_back(till: Till, promoter: UUID, order: UUID) -> None:
    made = swap(till, order, "shirt", "socks")
    assert made.refund_id is not None
    assert till.apply(till.refund_fact(made.refund_id)) == "applied"
    till.process()
    line = line_of(till, order, "shirt")
    assert (line.refunded_quantity, line.refunded_fen, line.adjusted_fen) == (0, 6_000, 6_000)
    assert till.figures(promoter) == Figures(frozen_fen=1_400)
    till.check()


def test_a_dearer_replacement_is_an_order_over_the_difference(till: Till, promoter: UUID, order: UUID) -> None:
    made = swap(till, order, "shirt", "coat")
    assert made.new_order_id is not None
    new = till.order_row(made.new_order_id)
    assert (new.goods_fen, new.exchange_credit_fen, new.total_fen) == (25_000, 10_000, 15_000)
    assert till.figures(promoter) == Figures(frozen_fen=2_000), "nobody paid the difference yet"
    assert till.apply(till.payment_fact(new.id)) == "applied"
    till.process()
    assert till.figures(promoter) == Figures(frozen_fen=2_000, estimated_fen=1_500)
    assert till.stock("coat") == 9
    till.check()


@pytest.mark.parametrize(
    ("base", "values", "of_shirt", "of_difference"),
    [
        # 10 % of 100.00 less 60.00, then of 150.00 less 60 % of 150.00: together of 250.00 less 150.00.
        ("margin", {"shirt": {"cost_fen": 6_000}, "coat": {"cost_fen": 15_000}}, 400, 600),
        # The goods given back have paid 40 % of the coat, and the rest earns on 60 % of its base.
        ("fixed_base", {"shirt": {"commission_base_fen": 5_000}, "coat": {"commission_base_fen": 20_000}}, 500, 1_200),
        # Rounded in the brand's favour: a cost of 9,000.6 is 9,001, a base of 0.6 is 0.
        ("margin", {"shirt": {"cost_fen": 6_000}, "coat": {"cost_fen": 15_001}}, 400, 599),
        ("fixed_base", {"shirt": {"commission_base_fen": 5_000}, "coat": {"commission_base_fen": 1}}, 500, 0),
    ],
)
def test_a_difference_earns_on_its_share_of_the_base(
    till: Till, promoter: UUID, base: str, values: dict[str, dict[str, int]], of_shirt: int, of_difference: int
) -> None:
    for sku, changes in values.items():
        change_product(till, sku, **changes)
    till.plan("plan_rules", {"base": base, "rates": [{"level": 1, "rate_bp": 1_000}]})
    order = till.received(till.member("other", under=promoter), [("shirt", 1)])
    till.process()
    assert till.figures(promoter) == Figures(frozen_fen=of_shirt)
    made = swap(till, order, "shirt", "coat")
    assert made.new_order_id is not None
    assert till.apply(till.payment_fact(made.new_order_id)) == "applied"
    till.process()
    assert till.figures(promoter) == Figures(frozen_fen=of_shirt, estimated_fen=of_difference)
    till.check()


def test_an_amount_per_piece_is_not_paid_twice_for_what_goods_paid(till: Till, promoter: UUID) -> None:
    till.plan("plan_rules", {"rates": [{"level": 1, "fixed_fen": 1_001}]})
    order = till.received(till.member("other", under=promoter), [("shirt", 1)])
    till.process()
    assert till.figures(promoter) == Figures(frozen_fen=1_001)
    made = swap(till, order, "shirt", "coat")
    assert made.new_order_id is not None
    assert till.apply(till.payment_fact(made.new_order_id)) == "applied"
    till.process()
    # 15,000 of the coat's 25,000 fen are newly paid: three fifths of 1,001 fen, rounded down.
    assert till.figures(promoter) == Figures(frozen_fen=1_001, estimated_fen=600)
    till.check()


def test_a_difference_that_nobody_pays_leaves_everything_as_it_was(till: Till, promoter: UUID, order: UUID) -> None:
    made = swap(till, order, "shirt", "coat", quantity=2)
    with pytest.raises(ExchangeOutOfBounds):
        swap(till, order, "shirt", "blue")
    assert made.new_order_id is not None
    assert till.close(made.new_order_id)
    assert till.stock("coat") == 10
    swap(till, order, "shirt", "blue", quantity=2, replacement_quantity=2)
    till.process()
    assert till.figures(promoter) == Figures(frozen_fen=2_000)
    till.check()


def test_the_buyer_has_three_days_for_the_difference(till: Till, order: UUID) -> None:
    made = swap(till, order, "shirt", "coat")
    assert made.new_order_id is not None
    till.advance(2 * 86_400)
    till.tend()
    assert till.order_row(made.new_order_id).state == "created"
    till.advance(86_401)
    till.tend()
    assert till.order_row(made.new_order_id).state == "closed"


def test_a_replacement_that_comes_back_as_well_is_refunded_in_both_orders(
    till: Till, promoter: UUID, order: UUID
) -> None:
    made = swap(till, order, "shirt", "coat", quantity=2)
    assert made.new_order_id is not None
    till.apply(till.payment_fact(made.new_order_id))
    till.process()
    give_back(till, made.new_order_id, pieces={"coat": 1})
    give_back(till, order, pieces={"shirt": 2})
    till.process()
    assert till.figures(promoter) == Figures()
    assert till.order_row(order).refunded_fen + till.order_row(made.new_order_id).refunded_fen == 25_000
    till.check()


def test_after_a_cheaper_replacement_the_rest_can_still_come_back(till: Till, promoter: UUID, order: UUID) -> None:
    made = swap(till, order, "shirt", "socks")
    assert made.refund_id is not None
    till.apply(till.refund_fact(made.refund_id))
    give_back(till, order, pieces={"shirt": 2})
    till.process()
    assert till.order_row(order).refunded_fen == 20_000
    assert till.figures(promoter) == Figures()
    till.check()


def test_what_cannot_be_exchanged(till: Till, order: UUID) -> None:
    with pytest.raises(ExchangeOutOfBounds):
        swap(till, order, "shirt", "blue", quantity=3)
    with pytest.raises(ExchangeOutOfBounds):
        swap(till, order, "shirt", "blue", quantity=0)
    with pytest.raises(UnknownProduct):
        swap(till, order, "shirt", "hat")
    with pytest.raises(OutOfStock):
        swap(till, order, "shirt", "socks", quantity=2, replacement_quantity=11)
    with pytest.raises(InvalidRequest):
        swap(till, order, "shirt", "blue", reason=" ")
    give_back(till, order, pieces={"shirt": 2})
    with pytest.raises(ExchangeOutOfBounds):
        swap(till, order, "shirt", "blue")
    early = till.paid(till.member("other"), [("shirt", 1)])
    with pytest.raises(WrongOrderState):
        swap(till, early, "shirt", "blue")
    assert (till.stock("blue"), till.stock("socks")) == (10, 10)


def test_the_same_key_exchanges_once(till: Till, order: UUID) -> None:
    first = swap(till, order, "shirt", "coat", idempotency_key="k")
    again = swap(till, order, "shirt", "coat", idempotency_key="k")
    assert (again.id, till.stock("coat")) == (first.id, 9)
    with pytest.raises(IdempotencyMismatch):
        swap(till, order, "shirt", "blue", idempotency_key="k")


def arrive(till: Till, made: OrderExchange) -> None:
    """Let the money of an exchange's difference arrive, in whichever direction it goes."""
    if made.refund_id is not None:
        assert till.apply(till.refund_fact(made.refund_id)) == "applied"
    if made.new_order_id is not None:
        assert till.apply(till.payment_fact(made.new_order_id)) == "applied"


def test_what_an_unpaid_exchange_took_in_cannot_be_refunded_as_well(till: Till, promoter: UUID, order: UUID) -> None:
    made = swap(till, order, "shirt", "coat")
    assert made.new_order_id is not None
    with pytest.raises(RefundOutOfBounds):
        ask_back(till, order, pieces={"shirt": 2})
    with pytest.raises(RefundOutOfBounds):
        ask_back(till, order, amounts={"shirt": 10_001})
    assert line_of(till, order, "shirt").refunded_fen == 0
    give_back(till, order, pieces={"shirt": 1})
    with pytest.raises(RefundOutOfBounds):
        ask_back(till, order, pieces={"shirt": 1})
    with pytest.raises(RefundOutOfBounds):
        ask_back(till, order, amounts={"shirt": 1})
    arrive(till, made)
    # Paid, the coat is the buyer's: it comes back with the piece that it stands for and the order over the rest.
    give_back(till, order, pieces={"shirt": 1})
    give_back(till, made.new_order_id, pieces={"coat": 1})
    till.process()
    assert till.order_row(order).refunded_fen == 20_000
    assert till.figures(promoter) == Figures()
    till.check()


def test_what_a_closed_exchange_took_in_can_be_refunded_again(till: Till, promoter: UUID, order: UUID) -> None:
    made = swap(till, order, "shirt", "coat", quantity=2)
    with pytest.raises(RefundOutOfBounds):
        ask_back(till, order, pieces={"shirt": 1})
    assert made.new_order_id is not None
    assert till.close(made.new_order_id)
    give_back(till, order, pieces={"shirt": 2})
    till.process()
    assert till.figures(promoter) == Figures()
    till.check()


def test_the_credit_of_an_unpaid_exchange_is_not_given_to_another(till: Till, order: UUID) -> None:
    swap(till, order, "shirt", "coat")
    record(till, order, {"shirt": 4_000})
    # 6,000 of the line are free: 16,000 were kept, and 10,000 of them are the credit of the first.
    assert swap(till, order, "shirt", "coat").returned_fen == 6_000
    with pytest.raises(RefundOutOfBounds):
        ask_back(till, order, amounts={"shirt": 1})


def test_a_refund_that_has_happened_is_booked_whatever_an_exchange_counts_on(till: Till, order: UUID) -> None:
    made = swap(till, order, "shirt", "coat")
    record(till, order, {"shirt": 20_000})
    assert made.new_order_id is not None
    assert till.order_row(order).refunded_fen == 20_000
    assert till.order_row(made.new_order_id).exchange_credit_fen == 10_000
    with pytest.raises(RefundOutOfBounds):
        ask_back(till, order, pieces={"shirt": 1})
    till.process()
    till.check()


@pytest.mark.parametrize("steps", [(2,), (1, 1)])
def test_exchanged_at_once_or_one_by_one_is_the_same(till: Till, order: UUID, steps: tuple[int, ...]) -> None:
    for pieces in steps:
        arrive(till, swap(till, order, "shirt", "socks", quantity=pieces, replacement_quantity=pieces))
    till.process()
    assert till.order_row(order).refunded_fen == 12_000
    give_back(till, order, pieces={"shirt": 1})
    assert till.order_row(order).refunded_fen == 16_000
    give_back(till, order, pieces={"shirt": 1})
    till.process()
    assert till.order_row(order).refunded_fen == 20_000
    till.check()


def test_a_piece_that_was_never_exchanged_keeps_its_worth(till: Till, order: UUID) -> None:
    arrive(till, swap(till, order, "shirt", "socks"))
    give_back(till, order, pieces={"shirt": 1})
    assert till.order_row(order).refunded_fen == 6_000 + 10_000
    # What is left is what the socks were worth.
    give_back(till, order, pieces={"shirt": 1})
    assert till.order_row(order).refunded_fen == 20_000


def test_an_amount_lowers_the_price_of_exchanged_and_other_pieces_alike(till: Till, order: UUID) -> None:
    arrive(till, swap(till, order, "shirt", "socks"))
    give_back(till, order, amounts={"shirt": 2_000})
    assert swap(till, order, "shirt", "blue").returned_fen == 9_000


def test_a_difference_that_could_not_be_given_back_lowers_nothing(till: Till, order: UUID) -> None:
    made = swap(till, order, "shirt", "socks")
    assert made.refund_id is not None
    till.apply(till.refund_fact(made.refund_id, state="closed"))
    assert line_of(till, order, "shirt").adjusted_fen == 0
    assert swap(till, order, "shirt", "blue").returned_fen == 10_000
    give_back(till, order, pieces={"shirt": 2})
    assert till.order_row(order).refunded_fen == 20_000


def test_replacements_come_back_at_their_own_worth_the_dearest_first(till: Till, promoter: UUID) -> None:
    till.product("cap", price_fen=7_000, stock=10)
    order = till.received(till.member("other", under=promoter), [("shirt", 4)])
    arrive(till, swap(till, order, "shirt", "socks"))
    arrive(till, swap(till, order, "shirt", "cap"))
    dearer = swap(till, order, "shirt", "coat")
    arrive(till, dearer)
    given = till.order_row(order).refunded_fen
    assert given == 6_000 + 3_000
    for worth in (10_000, 10_000, 7_000, 4_000):
        give_back(till, order, pieces={"shirt": 1})
        given += worth
        assert till.order_row(order).refunded_fen == given
    assert given == 40_000
    till.process()
    till.check()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["socks", "blue", "coat", "unpaid", "closed", "pieces", "amount", "recorded"]),
        st.integers(1, 3),
    ),
    max_size=6,
)


def step(till: Till, order: UUID, what: str, number: int) -> OrderExchange | None:
    """Do something to a line of shirts, as far as it can be done; return the exchange that it was."""
    amounts = {"shirt": number * 1_333}
    if what == "pieces":
        give_back(till, order, pieces={"shirt": number})
    elif what == "amount":
        give_back(till, order, amounts=amounts)
    elif what == "recorded":
        record(till, order, amounts)
    else:
        sku = what if what in {"socks", "blue"} else "coat"
        made = swap(till, order, "shirt", sku, quantity=number, replacement_quantity=number)
        if made.new_order_id is not None and what == "closed":
            assert till.close(made.new_order_id)
        elif what != "unpaid" or made.new_order_id is None:
            arrive(till, made)
        return made
    return None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_was_exchanged_all_of_it_gives_back_what_was_paid(
    renewed: Callable[[], Till], steps: list[tuple[str, int]]
) -> None:
    till = renewed()
    for sku, price_fen in {"shirt": 3_334, "blue": 3_334, "socks": 1_999, "coat": 7_001}.items():
        till.product(sku, price_fen=price_fen, stock=50)
    till.plan(values={"rates": [{"level": 1, "rate_bp": 777}]})
    promoter = till.member("promoter")
    order = till.received(till.member("buyer", under=promoter), [("shirt", 4)])
    made = []
    for what, number in steps:
        try:
            made.append(step(till, order, what, number))
        except (RefundOutOfBounds, ExchangeOutOfBounds):
            continue
        line = line_of(till, order, "shirt")
        assert 0 <= line.adjusted_fen <= line.refunded_fen <= line.paid_fen
    new_orders = [done.new_order_id for done in made if done is not None and done.new_order_id is not None]
    for new in new_orders:
        if till.order_row(new).state == "created":
            arrive(till, next(done for done in made if done is not None and done.new_order_id == new))
    for each in (order, *new_orders):
        for line in till.order_row(each).lines:
            left = line.paid_fen - line.refunded_fen
            if till.order_row(each).state != "closed" and left:
                pieces = line.quantity - line.refunded_quantity
                how = {"pieces": {line.sku: pieces}} if pieces else {"amounts": {line.sku: left}}
                give_back(till, each, **how)
    till.process()
    assert till.order_row(order).refunded_fen == till.order_row(order).total_fen
    assert till.figures(promoter) == Figures()
    till.check()
