"""From the receipt to the release: shared buckets, holds and their detours, and whoever comes too late for a bucket."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.commissions import processing, releasing
from tenants.commissions import service as commissions
from tenants.commissions.models import CommissionWork, ReleaseBucket
from tenants.ledger import service as ledger
from tenants.ledger.models import Posting, PostingKind
from tenants.ledger.service import Figures
from tests.money.parts import DAY, Till, at_once

TWO_LEVELS = {"rates": [{"level": 1, "rate_bp": 1_000}, {"level": 2, "rate_bp": 500}]}


@pytest.fixture
def people(till: Till) -> tuple[UUID, UUID, UUID]:
    """Two promoters above a buyer, in a brand that pays ten and five percent, a week after the receipt."""
    till.allow_two_levels()
    till.product("a", price_fen=10_000)
    till.plan(values=TWO_LEVELS)
    till.window(7)
    top = till.member("top")
    near = till.member("near", under=top)
    return top, near, till.member("buyer", under=near)


def hold(till: Till, order_id: UUID, change: int) -> None:
    """Hold an order's commissions, or let them go."""
    with till.work():
        commissions.hold_release(order_id, change=change)


def receive_at(till: Till, order_id: UUID, due_at: datetime) -> None:
    """Say that an order's goods were received and when its commissions are due."""
    with till.work():
        commissions.queue_received(order_id, due_at=due_at)
    till.process()


def states(till: Till, order_id: UUID) -> list[str]:
    """Return how far the awards of an order have come, the higher level first."""
    with till.work():
        awards = sorted(commissions.awards_of_orders([order_id]), key=lambda award: -award.level)
        courses = commissions.courses_of([award.id for award in awards])
        return [courses[award.id].state for award in awards]


def now(till: Till) -> datetime:
    """Return the brand's time."""
    with till.work():
        return brand_now()


def buckets(till: Till) -> list[tuple[int, bool]]:
    """Return the amounts of all buckets, and whether they were released."""
    with till.work():
        found = session().scalars(sa.select(ReleaseBucket)).all()
        return sorted((bucket.amount_fen, bucket.released_at is not None) for bucket in found)


def test_orders_that_are_due_together_share_a_bucket_and_a_posting(till: Till, people: tuple[UUID, UUID, UUID]) -> None:
    top, near, buyer = people
    due = now(till) + timedelta(days=3)
    for _ in range(4):
        receive_at(till, till.paid(buyer), due)
    till.process()
    assert buckets(till) == [(2_000, False), (4_000, False)]
    till.check()
    till.advance(3 * DAY)
    assert till.release() == 2
    assert (till.figures(near), till.figures(top)) == (Figures(available_fen=4_000), Figures(available_fen=2_000))
    with till.work():
        released = sa.select(sa.func.count()).where(Posting.kind == PostingKind.RELEASE)
        assert session().scalar(released) == 2
    till.check()


@pytest.mark.parametrize("when", ["before it was computed", "before the receipt", "after the receipt"])
def test_what_is_held_is_not_released_until_it_is_let_go(
    till: Till, people: tuple[UUID, UUID, UUID], when: str
) -> None:
    _top, near, buyer = people
    other = till.received(buyer)
    held = till.paid(buyer)
    if when == "before it was computed":
        hold(till, held, 1)
    till.process()
    if when == "before the receipt":
        hold(till, held, 1)
    till.ship(held)
    till.receive(held)
    till.process()
    if when == "after the receipt":
        hold(till, held, 1)
    assert (states(till, other), states(till, held)) == (["frozen"] * 2, ["held"] * 2)
    till.check()
    till.advance(8 * DAY)
    till.release()
    assert (states(till, other), states(till, held)) == (["released"] * 2, ["held"] * 2)
    assert till.figures(near) == Figures(frozen_fen=1_000, available_fen=1_000)
    till.check()
    hold(till, held, -1)
    assert states(till, held) == ["frozen"] * 2
    till.check()
    till.release()
    assert states(till, held) == ["released"] * 2
    assert till.figures(near) == Figures(available_fen=2_000)
    till.check()


def test_two_reasons_to_hold_need_two_to_let_go(till: Till, people: tuple[UUID, UUID, UUID]) -> None:
    order_id = till.received(people[2])
    till.process()
    for change in (1, 1, -1):
        hold(till, order_id, change)
    assert states(till, order_id) == ["held"] * 2
    hold(till, order_id, -1)
    assert states(till, order_id) == ["frozen"] * 2
    assert buckets(till)[-2:] == [(500, False), (1_000, False)], "back at the time it was due"
    till.check()


def test_a_hold_between_two_portions_of_a_release_keeps_what_is_left(
    till: Till, people: tuple[UUID, UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    top, near, buyer = people
    order_id = till.received(buyer)
    till.process()
    till.advance(7 * DAY)
    monkeypatch.setattr(releasing, "RELEASE_CHUNK", 1)
    with till.inside():
        assert processing.release_due() == 1
    hold(till, order_id, 1)
    assert sorted(states(till, order_id)) == ["held", "released"]
    till.check()
    till.release()
    hold(till, order_id, -1)
    till.check()
    till.release()
    assert states(till, order_id) == ["released"] * 2
    assert (till.figures(near), till.figures(top)) == (Figures(available_fen=1_000), Figures(available_fen=500))
    till.check()


def test_a_refund_of_what_is_held_leaves_the_buckets_alone(till: Till, people: tuple[UUID, UUID, UUID]) -> None:
    _top, near, buyer = people
    due = now(till) + timedelta(days=3)
    held, other = till.paid(buyer, [("a", 2)]), till.paid(buyer)
    for order_id in (held, other):
        receive_at(till, order_id, due)
    hold(till, held, 1)
    till.refunded(held, {"a": 1})
    till.process()
    assert buckets(till) == [(500, False), (1_000, False)]
    hold(till, held, -1)
    assert buckets(till) == [(1_000, False), (2_000, False)]
    till.check()
    till.advance(3 * DAY)
    till.release()
    assert till.figures(near) == Figures(available_fen=2_000)
    till.check()


def test_whoever_is_too_late_for_a_bucket_gets_a_moment_of_their_own(
    till: Till, people: tuple[UUID, UUID, UUID]
) -> None:
    _top, near, buyer = people
    due = now(till) + timedelta(days=1)
    early, late = till.paid(buyer), till.paid(buyer)
    receive_at(till, early, due)
    till.advance(DAY)
    till.release()
    receive_at(till, late, due)
    assert states(till, late) == ["frozen"] * 2
    till.check()
    till.release()
    assert till.figures(near) == Figures(available_fen=2_000)
    assert len(buckets(till)) == 4
    till.check()


def test_what_is_due_later_can_be_brought_forward_and_never_put_off(
    till: Till, people: tuple[UUID, UUID, UUID]
) -> None:
    _top, near, buyer = people
    first, second = till.received(buyer), till.received(buyer)
    till.process()
    with till.work():
        commissions.bring_forward(first, due_at=brand_now() + timedelta(days=30))
        commissions.bring_forward(second, due_at=brand_now())
    till.process()
    till.check()
    till.release()
    assert (states(till, first), states(till, second)) == (["frozen"] * 2, ["released"] * 2)
    till.advance(7 * DAY)
    till.release()
    assert till.figures(near) == Figures(available_fen=2_000)
    till.check()


def test_what_is_held_and_brought_forward_is_released_when_it_is_let_go(
    till: Till, people: tuple[UUID, UUID, UUID]
) -> None:
    order_id = till.received(people[2])
    till.process()
    hold(till, order_id, 1)
    with till.work():
        commissions.bring_forward(order_id, due_at=brand_now())
    till.settle()
    assert states(till, order_id) == ["held"] * 2
    till.check()
    hold(till, order_id, -1)
    till.release()
    assert states(till, order_id) == ["released"] * 2
    till.check()


def test_nothing_is_released_twice_by_four_at_once(till: Till, people: tuple[UUID, UUID, UUID]) -> None:
    _top, near, buyer = people
    orders = [till.paid(buyer) for _ in range(6)]
    start = now(till)
    for number, order_id in enumerate(orders):
        receive_at(till, order_id, start + timedelta(seconds=number))
    till.advance(DAY)
    results = at_once(*[till.release] * 4)
    assert sum(result for result in results if isinstance(result, int)) == 12
    assert till.figures(near) == Figures(available_fen=6_000)
    till.check()


def test_the_same_news_twice_changes_nothing(till: Till, people: tuple[UUID, UUID, UUID]) -> None:
    _top, near, buyer = people
    order_id = till.received(buyer)
    till.process()
    before = till.counts()
    facts, frozen = _frozen(till, order_id)
    with till.work():
        commissions.queue_paid(facts, plan_version_id=frozen)
        commissions.queue_received(order_id, due_at=brand_now() + timedelta(days=9))
        # A row that somebody put there again, past the attribution that would have refused it.
        session().add(CommissionWork(kind="paid", order_id=order_id))
    till.process()
    assert till.counts() == before
    assert till.figures(near) == Figures(frozen_fen=1_000)
    till.check()


def _frozen(till: Till, order_id: UUID) -> tuple[commissions.OrderFacts, UUID | None]:
    with till.work():
        found = commissions.attribution_of(order_id)
        assert found is not None
        return commissions.decode_facts(found.facts), found.plan_version_id


def test_one_row_that_cannot_be_worked_off_delays_no_other(
    till: Till, people: tuple[UUID, UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    _top, _near, buyer = people
    good = [till.paid(buyer) for _ in range(3)]
    till.process()
    # Somebody posted something under the id that the receipt of one order will use.
    with till.owner() as connection:
        connection.execute(
            "INSERT INTO posting SELECT (SELECT max(position) + 1 FROM posting), 5, now(), %s, owner_id, 2, 11, 12, 0"
            " FROM posting LIMIT 1",
            [good[1]],
        )
    for order_id in good:
        till.ship(order_id)
        till.receive(order_id)
    till.process()
    assert [states(till, order_id) for order_id in good] == [["frozen"] * 2, ["estimated"] * 2, ["frozen"] * 2]
    with till.work():
        failing = commissions.failing_work()
        assert [(work.kind, work.order_id, work.try_count) for work in failing] == [("received", good[1], 1)]
        assert commissions.open_work() == 1
        ledger.lock_books()


def test_a_portion_with_many_orders_of_many_kinds_goes_through_at_once(
    till: Till, people: tuple[UUID, UUID, UUID]
) -> None:
    top, near, buyer = people
    for _ in range(12):
        till.received(buyer)
    given_back = [till.paid(buyer, [("a", 2)]) for _ in range(3)]
    till.process()
    for order_id in given_back:
        till.refunded(order_id, {"a": 1})
    for _ in range(12):
        till.paid(buyer)
    with till.inside():
        assert processing.process_portion() == 15
        assert processing.process_portion() == 0
    assert till.figures(near) == Figures(estimated_fen=15_000, frozen_fen=12_000)
    assert till.figures(top) == Figures(estimated_fen=7_500, frozen_fen=6_000)
    till.check()


def test_a_release_takes_what_is_due_alone(till: Till) -> None:
    """Asked directly, past the background's own question: one bucket is due, the other is not."""
    till.product("a", price_fen=10_000)
    till.plan()
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    till.window(7)
    till.received(buyer)
    till.process()
    till.advance(5 * DAY)
    till.received(buyer)
    till.process()
    assert till.release() == 0
    till.advance(3 * DAY)
    assert till.release() == 1
    assert till.figures(parent) == Figures(frozen_fen=1_000, available_fen=1_000)
    till.check()
