"""Many at the same moment, each in a thread and a transaction of its own: nothing lost, nothing twice, no deadlock."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa

from fanyong.errors import FanyongError
from fanyong.ids import new_id
from fanyong.payments.models import PaymentIntent
from fanyong.payments.provider import PaymentFact, RefundFact
from fanyong.tenancy.database import session
from tenants.catalog.service import OutOfStock
from tenants.commissions import awarding, processing
from tenants.commissions import service as commissions
from tenants.commissions.models import Award, CommissionWork, OrderCommission
from tenants.ledger.service import Figures
from tenants.members import service as members
from tenants.members.models import Member
from tenants.orders.errors import RefundOutOfBounds
from tenants.orders.models import Order
from tenants.payouts.models import Withdrawal
from tenants.payouts.service import NotEnoughAvailable, WithdrawalBlockedByDebt, WrongWithdrawalState
from tests.money.parts import Till, at_once

SEED = 20261101
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def only_business(results: Sequence[object], *expected: type[Exception]) -> list[object]:
    """Return the results that are no error; an error other than the expected ones (a deadlock!) fails."""
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, expected):
            raise result
    return [result for result in results if not isinstance(result, Exception)]


def test_one_payment_heard_of_eight_times_at_once(till: Till) -> None:
    till.product("a", price_fen=10_000)
    till.plan()
    parent = till.member("parent")
    order_id = till.order(till.member("buyer", under=parent))
    fact = till.payment_fact(order_id)
    outcomes = only_business(at_once(*[partial(till.apply, fact)] * 8))
    assert sorted(map(str, outcomes)) == ["already"] * 7 + ["applied"]
    till.process()
    assert till.figures(parent) == Figures(estimated_fen=1_000)
    till.check()


@pytest.mark.parametrize("orders", [6, 60])
def test_awards_that_are_written_before_the_lock(till: Till, monkeypatch: pytest.MonkeyPatch, orders: int) -> None:
    """Two workers with portions of their own, by INSERT and by COPY; some orders are held before they are computed."""
    monkeypatch.setattr(awarding, "MANY", 2)
    till.product("a", price_fen=10_000)
    till.plan()
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    ids = [till.paid(buyer) for _ in range(orders)]
    with till.work():
        for order_id in ids[::3]:
            commissions.hold_release(order_id, change=1)

    def post() -> int:
        done = 0
        with till.inside():
            while worked := processing.process_portion(limit=orders // 2):
                done += worked
        return done

    assert sum(only_business(at_once(post, post))) == orders
    assert till.figures(parent) == Figures(estimated_fen=1_000 * orders)
    with till.work():
        assert session().scalar(sa.select(sa.func.count()).select_from(Award)) == orders
        held = sa.select(sa.func.count()).where(OrderCommission.release_holds == 1, OrderCommission.computed_at > BEGAN)
        assert session().scalar(held) == len(ids[::3])
    till.check()


def test_work_that_is_there_twice_awards_once(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """The inbox never has a payment twice; were it so, two workers together and one afterwards award it once."""
    monkeypatch.setattr(awarding, "MANY", 2)
    till.product("a", price_fen=10_000)
    till.plan()
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    ids = [till.paid(buyer) for _ in range(60)]

    def again() -> None:
        with till.work():
            session().execute(
                sa.insert(CommissionWork), [{"id": new_id(), "kind": "paid", "order_id": order_id} for order_id in ids]
            )

    def post() -> None:
        with till.inside():
            while processing.process_portion(limit=60):
                pass

    again()
    for result in at_once(post, post):
        # Whoever PostgreSQL picks to solve a deadlock finds everything as it was, at the next call.
        assert result is None or isinstance(result, psycopg.OperationalError | sa.exc.OperationalError)
    again()
    post()
    assert till.figures(parent) == Figures(estimated_fen=1_000 * 60)
    till.check()


def test_one_order_placed_ten_times_at_once(till: Till) -> None:
    till.product("a", stock=10)
    buyer = till.member("buyer")
    placed = only_business(at_once(*[partial(till.order, buyer, [("a", 2)], key="once")] * 10))
    assert len(set(placed)) == 1
    assert till.stock("a") == 8
    with till.work():
        assert session().scalar(sa.select(sa.func.count()).select_from(Order)) == 1
        assert session().scalar(sa.select(sa.func.count()).select_from(PaymentIntent)) == 1


def test_twenty_buyers_for_five_pieces(till: Till) -> None:
    till.product("a", stock=5)
    till.product("b", stock=100)
    buyers = [till.member(f"buyer{n}") for n in range(20)]
    carts = [[("a", 1), ("b", 1)], [("b", 1), ("a", 1)]]
    results = at_once(*[partial(till.order, buyer, carts[n % 2]) for n, buyer in enumerate(buyers)])
    assert len(only_business(results, OutOfStock)) == 5
    assert (till.stock("a"), till.stock("b")) == (0, 95)
    till.check()


def earned(till: Till, *, orders: int = 1) -> UUID:
    """Return a promoter who has earned 1,000 fen an order, all of it available."""
    till.product("a", price_fen=10_000)
    till.plan()
    till.window(0)
    promoter = till.member("promoter")
    buyer = till.member("buyer", under=promoter)
    for _ in range(orders):
        till.received(buyer)
    till.settle()
    assert till.figures(promoter) == Figures(available_fen=1_000 * orders)
    return promoter


def test_one_withdrawal_asked_for_ten_times_at_once(till: Till) -> None:
    promoter = earned(till)
    asked = only_business(at_once(*[partial(till.withdraw, promoter, 400, key="once")] * 10))
    assert len(set(asked)) == 1
    assert till.figures(promoter) == Figures(available_fen=600, in_transfer_fen=400)
    till.check()


def test_ten_withdrawals_at_once_never_take_more_than_there_is(till: Till) -> None:
    promoter = earned(till)
    results = at_once(*[partial(till.withdraw, promoter, 300, key=f"w{n}") for n in range(10)])
    assert len(only_business(results, NotEnoughAvailable)) == 3
    assert till.figures(promoter) == Figures(available_fen=100, in_transfer_fen=900)
    till.check()


def test_refund_release_and_withdrawal_at_once(till: Till) -> None:
    """Three hands on one promoter's money: whichever comes first, the refunded order ends as if it had never been."""
    promoter = earned(till, orders=2)
    buyer = till.member("second", under=promoter)
    for round_ in range(6):
        order_id = till.received(buyer)
        till.process()
        assert till.figures(promoter).frozen_fen == 1_000
        fact = till.refund_fact(till.refund(order_id, {"a": 1}))

        def give_back(fact: RefundFact = fact) -> object:
            return till.apply(fact), till.process()

        withdraw = partial(till.withdraw, promoter, 500, key=f"round{round_}")
        results = at_once(give_back, till.release, till.process, withdraw, till.release)
        only_business(results, NotEnoughAvailable, WithdrawalBlockedByDebt)
        till.settle()
        after = till.figures(promoter)
        assert after.pending_fen == 0
        assert after.available_fen + after.in_transfer_fen - after.debt_fen == 2_000
        till.check()


def test_two_refunds_of_the_last_piece_at_once(till: Till) -> None:
    till.product("a", price_fen=10_000)
    till.plan()
    parent = till.member("parent")
    order_id = till.paid(till.member("buyer", under=parent), [("a", 2)])
    results = at_once(*[partial(till.refund, order_id, {"a": 1}, key=f"r{n}") for n in range(6)])
    asked = [UUID(str(r)) for r in only_business(results, RefundOutOfBounds)]
    assert len(asked) == 2
    only_business(at_once(*[partial(till.apply, till.refund_fact(refund_id)) for refund_id in asked * 3]))
    till.process()
    assert till.figures(parent) == Figures()
    assert till.stock("a") == 1_000
    till.check()


def test_approve_and_reject_at_once(till: Till) -> None:
    promoter = earned(till)
    for round_ in range(6):
        asked = till.withdraw(promoter, 100, key=f"round{round_}")
        results = at_once(*[partial(till.approve, asked), partial(till.reject, asked)] * 2)
        only_business(results, WrongWithdrawalState)
        refused = [isinstance(result, WrongWithdrawalState) for result in results]
        assert refused in ([True, False] * 2, [False, True] * 2), "one decision, whoever repeats it"
        if till.withdrawal_state(asked) == "approved":
            fact = till.transfer_fact(asked, state="failed", reason="test")
            assert sorted(map(str, only_business(at_once(*[partial(till.apply, fact)] * 3)))) == [
                "already",
                "already",
                "applied",
            ]
        assert till.figures(promoter) == Figures(available_fen=1_000)
    with till.work():
        states = set(session().scalars(sa.select(Withdrawal.state)))
    assert states <= {"rejected", "failed"}
    till.check()


def test_paid_and_failed_heard_at_once_end_in_one_of_them(till: Till) -> None:
    promoter = earned(till)
    asked = till.withdraw(promoter, 1_000)
    till.approve(asked)
    facts = [till.transfer_fact(asked), till.transfer_fact(asked, state="failed")]
    only_business(at_once(*[partial(till.apply, fact) for fact in facts * 2]))
    figures = till.figures(promoter)
    assert figures in (Figures(paid_fen=1_000), Figures(available_fen=1_000))
    till.check()


def test_three_binds_in_a_circle_never_close_it(till: Till) -> None:
    rng = random.Random(SEED)
    for trial in range(25):
        ring = [till.member(f"{trial}-{n}") for n in range(3)]
        rng.shuffle(ring)
        pairs = list(pairwise([*ring, ring[0]]))
        bound = only_business(at_once(*[partial(bind, till, child, parent) for child, parent in pairs]))
        assert bound.count(True) == 2
    till.check()


def test_two_binds_that_look_apart_never_close_a_circle(till: Till) -> None:
    """A under B's child, and B under A's child: each is fine alone."""
    for trial in range(15):
        a, b = till.member(f"{trial}a"), till.member(f"{trial}b")
        below_a, below_b = till.member(f"{trial}aa", under=a), till.member(f"{trial}bb", under=b)
        bound = only_business(at_once(partial(bind, till, a, below_b), partial(bind, till, b, below_a)))
        assert sorted(map(bool, bound)) == [False, True]
    till.check()


def test_joining_below_a_member_who_is_being_bound(till: Till) -> None:
    """Whoever joins a tree while its root gets an upline has the whole upline, or gets it at once."""
    for trial in range(10):
        top, root = till.member(f"{trial}top"), till.member(f"{trial}root")
        leaves = [till.member(f"{trial}leaf{n}") for n in range(3)]
        actions = [partial(bind, till, root, top), *(partial(bind, till, leaf, root) for leaf in leaves)]
        assert only_business(at_once(*actions)) == [True] * 4
        with till.work():
            ancestors = session().scalars(sa.select(Member.ancestors).where(Member.id.in_(leaves))).all()
        assert ancestors == [[root, top]] * 3
    till.check()


def bind(till: Till, child: UUID, parent: UUID) -> bool:
    """Bind in a transaction of its own."""
    with till.work():
        return members.bind(child, parent_id=parent, source="race")


def test_two_workers_on_one_uplines_orders(till: Till) -> None:
    till.product("a", price_fen=10_000)
    till.plan()
    till.window(0)
    parent = till.member("parent")
    buyers = [till.member(f"buyer{n}", under=parent) for n in range(4)]
    facts = [till.payment_fact(till.order(buyers[n % 4])) for n in range(24)]
    shares = [facts[n::4] for n in range(4)]

    def pay(share: Sequence[PaymentFact]) -> list[str]:
        return [till.apply(fact) for fact in share]

    results = only_business(at_once(*[partial(pay, share) for share in shares], till.process, till.process))
    assert len(results) == 6
    only_business(at_once(till.process, till.process, till.process))
    assert till.figures(parent) == Figures(estimated_fen=24 * 1_000)
    with till.work():
        assert session().scalar(sa.select(sa.func.count()).select_from(Award)) == 24
        orders = session().scalars(sa.select(Order.id)).all()
    for order_id in orders[:8]:
        till.ship(order_id)
        till.receive(order_id)
    till.process()
    released = only_business(at_once(till.release, till.release, till.release))
    assert sum(map(int, map(str, released))) == 8
    assert till.figures(parent) == Figures(estimated_fen=16_000, available_fen=8_000)
    till.check()


def test_everything_on_one_promoter_at_once(till: Till) -> None:
    """Payments, receipts, refunds, releases, withdrawals and decisions of one promoter, shuffled over six threads."""
    rng = random.Random(SEED)
    promoter = earned(till, orders=6)
    buyers = [till.member(f"other{n}", under=promoter) for n in range(3)]
    paid = [till.paid(buyers[n % 3], [("a", 2)]) for n in range(6)]
    asked = [till.withdraw(promoter, 500, key=f"before{n}") for n in range(4)]
    jobs: list[Callable[[], object]] = [
        *[partial(till.paid, buyer) for buyer in buyers * 2],
        *[partial(receive, till, order_id) for order_id in paid[:3]],
        *[partial(give_back, till, order_id) for order_id in paid],
        *[partial(till.approve, w) for w in asked[:2]],
        *[partial(till.reject, w) for w in asked[2:]],
        *[partial(till.withdraw, promoter, 700, key=f"w{n}") for n in range(4)],
        *[till.process, till.release] * 3,
    ]
    rng.shuffle(jobs)

    def work_through(part: Sequence[Callable[[], object]]) -> None:
        for job in part:
            try:
                job()
            except FanyongError:
                # Too much for the balance, or too late: an answer, not an accident.
                continue

    only_business(at_once(*[partial(work_through, jobs[n::6]) for n in range(6)]))
    till.settle()
    till.check()
    figures = till.figures(promoter)
    # 6,000 before, 2,000 for each order of two of which one came back, 1,000 for each of six new ones.
    assert figures.estimated_fen + figures.frozen_fen + figures.available_fen + figures.in_transfer_fen == 18_000
    assert (figures.paid_fen, figures.debt_fen) == (0, 0)


def receive(till: Till, order_id: UUID) -> None:
    """Send the goods and confirm their receipt."""
    till.ship(order_id)
    till.receive(order_id)


def give_back(till: Till, order_id: UUID) -> None:
    """Give one piece back."""
    till.refunded(order_id, {"a": 1})
