"""Limits over several orders while posting: a promoter's day and a budget, also when many processes post at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from fanyong.events import Event
from fanyong.tenancy.database import session
from tenants.commissions import processing, spending
from tenants.commissions.models import Award, OrderCommission, PlanSpending
from tenants.invariants.service import check_books
from tests.money.parts import DAY, Till

ONE = [{"level": 1, "rate_bp": 1_000}]


def limited(till: Till, **limits: Any) -> UUID:
    """Activate a plan of ten percent with limits."""
    return till.plan("plan_rules", {"rates": ONE, "limits": limits})


@pytest.fixture
def people(till: Till) -> tuple[UUID, UUID]:
    """A promoter and a buyer below."""
    till.product("a", price_fen=10_000)
    promoter = till.member("promoter")
    return promoter, till.member("buyer", under=promoter)


def amounts(till: Till) -> list[int]:
    """Return the awards in the order they were made."""
    with till.work():
        return list(session().scalars(sa.select(Award.amount_fen).order_by(Award.id)))


def counters(till: Till) -> dict[str, int]:
    """Return what was spent by period, without the day's date."""
    with till.work():
        rows = session().execute(sa.select(PlanSpending.period, PlanSpending.spent_fen))
        return {period[:2]: fen for period, fen in rows}


def test_a_promoters_day_is_cut_in_the_order_of_the_payments(till: Till, people: tuple[UUID, UUID]) -> None:
    limited(till, promoter_day_fen=2_500)
    for _ in range(4):
        till.paid(people[1])
    till.process()
    assert amounts(till) == [1_000, 1_000, 500]
    with till.work():
        (withheld,) = session().scalars(
            sa.select(OrderCommission.withheld).where(OrderCommission.withheld.is_not(None))
        )
    assert [item["reason"] for item in withheld] == ["promoter_day_cap"]
    assert counters(till) == {"d:": 2_500}
    till.advance(DAY)
    till.paid(people[1])
    till.process()
    assert amounts(till)[3:] == [1_000]
    till.check()


def test_a_refund_gives_room_back_on_the_day_of_its_order(till: Till, people: tuple[UUID, UUID]) -> None:
    limited(till, promoter_day_fen=2_000)
    first = till.paid(people[1])
    till.paid(people[1])
    till.process()
    till.refunded(first, {"a": 1})
    till.process()
    assert counters(till) == {"d:": 1_000}
    till.paid(people[1])
    till.paid(people[1])
    till.process()
    assert amounts(till) == [1_000, 1_000, 1_000]
    till.check()


def test_a_new_version_does_not_open_a_promoters_day_anew(till: Till, people: tuple[UUID, UUID]) -> None:
    limited(till, promoter_day_fen=1_500)
    till.paid(people[1])
    till.process()
    limited(till, promoter_day_fen=1_800)
    till.paid(people[1])
    till.process()
    assert amounts(till) == [1_000, 800]
    till.check()


@pytest.mark.parametrize(
    ("end", "expected"), [("cut", [1_000, 500]), ("stop", [1_000]), ("warn", [1_000, 1_000, 1_000])]
)
def test_the_end_of_a_budget_is_told_once(till: Till, people: tuple[UUID, UUID], end: str, expected: list[int]) -> None:
    version = limited(till, budget_fen=1_500, budget_period="version", on_budget_end=end)
    for _ in range(3):
        till.paid(people[1])
        till.process()
    assert amounts(till) == expected
    with till.work():
        told = list(session().scalars(sa.select(Event).where(Event.type == "plan.budget_ran_out")))
        assert [(event.object_id, event.data["budget_fen"], event.data["period"]) for event in told] == [
            (version, 1_500, "all")
        ]
        found = spending.budget_at_its_end(version)
        assert found is not None
        assert found.spent_fen == sum(expected)
    till.check()


def test_a_month_has_a_budget_of_its_own(till: Till, people: tuple[UUID, UUID]) -> None:
    version = limited(till, budget_fen=1_000, budget_period="month")
    till.paid(people[1])
    till.paid(people[1])
    till.process()
    till.advance(31 * DAY)
    with till.work():
        assert spending.budget_at_its_end(version) is None
    till.paid(people[1])
    till.process()
    assert amounts(till) == [1_000, 1_000]
    till.check()


def test_a_budget_of_nothing_pays_nothing_and_says_so(till: Till, people: tuple[UUID, UUID]) -> None:
    version = limited(till, budget_fen=0)
    till.paid(people[1])
    till.process()
    assert amounts(till) == []
    with till.work():
        assert spending.budget_at_its_end(version) is not None
    till.check()


def test_many_workers_together_never_pass_a_promoters_day(till: Till, people: tuple[UUID, UUID]) -> None:
    limited(till, promoter_day_fen=12_345, budget_fen=11_111, budget_period="day")
    for _ in range(24):
        till.paid(people[1])
    together = threading.Barrier(4)

    def post(_worker: int) -> None:
        together.wait()
        with till.inside():
            while processing.process_portion(limit=3):
                pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(post, range(4)))
    assert sum(amounts(till)) == 11_111
    till.check()


def test_the_check_notices_a_counter_that_is_wrong(till: Till, people: tuple[UUID, UUID]) -> None:
    limited(till, promoter_day_fen=2_000)
    till.paid(people[1])
    till.process()
    with till.work():
        session().execute(sa.update(PlanSpending).values(spent_fen=1))
        problems = check_books().problems
    assert [problem.split(":")[0] for problem in problems] == [
        "4 limits over several orders count what they let through"
    ]


def test_a_plan_without_such_limits_asks_nothing_more(
    till: Till, people: tuple[UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_args: object) -> None:
        raise AssertionError("counters are read")

    monkeypatch.setattr(spending, "read", never)
    monkeypatch.setattr(spending, "give_back", never)
    till.plan("plan_rules", {"rates": ONE, "limits": {"order_fen": 700}})
    order = till.paid(people[1])
    till.process()
    till.refunded(order, {"a": 1})
    till.process()
    assert amounts(till) == [700]
    assert counters(till) == {}
