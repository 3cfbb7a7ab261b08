"""Rewards of months that are over: worked out when everything is settled, looked at, posted exactly once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask_babel import force_locale

from fanyong.errors import InvalidRequest
from fanyong.tenancy import settings
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.tenancy.months import month_of, month_span, months_between
from tenants.commissions import service as commissions
from tenants.commissions.explain import award_sentence
from tenants.commissions.models import Award
from tenants.invariants.service import check_books
from tenants.periods import service as periods
from tenants.periods import tasks
from tenants.periods.facts import gather
from tenants.periods.models import PeriodLine, PeriodRun
from tenants.periods.service import RewardSettings, WrongRunState
from tenants.promoters import sales
from tenants.promoters import service as promoters
from tests.money.parts import DAY, Till, at_once

ONE = [{"level": 1, "rate_bp": 1_000}]
POOL = {"rates": ONE, "pool": {"rate_bp": 500, "tiers": [{"tier": "", "weight": 1}], "minimum_fen": 1}}
TARGETS = {
    "rates": ONE,
    "pool": POOL["pool"],
    "targets": [{"figure": "shared", "from_fen": 15_000, "fixed_fen": 777}],
}


@pytest.fixture
def shop(till: Till) -> list[UUID]:
    """A promoter, another one below, and a buyer below that one; a plan with a pool."""
    till.product("a", price_fen=10_000)
    till.plan("plan_rules", POOL)
    people: list[UUID] = []
    for name in ("first", "second", "buyer"):
        people.append(till.member(name, under=people[-1] if people else None))
    return people


def next_month(till: Till) -> str:
    """Go to the next month and let the tender do all it has; returns the month that is over."""
    with till.work():
        now = brand_now()
        span = month_span(month_of(now))
        assert span is not None
        seconds = int((span.ends_at - now) / timedelta(seconds=1)) + 60
        month = month_of(now)
    till.advance(seconds)
    work(till)
    return month


def work(till: Till) -> None:
    """Do what the background does for months."""
    till.process()
    with till.inside():
        while sales.roll_up_teams():
            pass
    with till.inside():
        while tasks.run_portion():
            pass
    till.release()


def run_of(till: Till, month: str) -> PeriodRun:
    with till.work():
        return periods.get_run(month)


def lines(till: Till, month: str) -> dict[tuple[UUID, str], int | str]:
    """Return amounts, or why there is none, by promoter and rule."""
    with till.work():
        found = session().scalars(sa.select(PeriodLine).join(PeriodRun).where(PeriodRun.month == month))
        return {(line.member_id, line.rule): line.reason or line.amount_fen for line in found}


def post(till: Till, month: str) -> None:
    with till.work():
        periods.post(month, actor="test")
    work(till)


def test_a_month_is_worked_out_when_it_is_over_and_posted_when_somebody_says_so(till: Till, shop: list[UUID]) -> None:
    for _ in range(2):
        till.paid(shop[2])
    till.paid(shop[1])
    till.process()
    with till.inside():
        assert tasks.run_portion() == 0
    before = till.figures(shop[1])
    month = next_month(till)
    run = run_of(till, month)
    # 5 % of 30,000 fen of turnover, for two who sold.
    assert (run.state, run.turnover_fen, run.awards, run.total_fen, run.people) == ("computed", 30_000, 2, 1_500, 3)
    assert lines(till, month) == {(shop[0], "rules:pool"): 750, (shop[1], "rules:pool"): 750}
    assert till.figures(shop[1]) == before
    till.check()
    post(till, month)
    run = run_of(till, month)
    assert (run.state, run.posted, run.decided_by) == ("posted", 2, "test")
    assert till.figures(shop[1]).available_fen == before.available_fen + 750
    till.check()
    with till.work():
        award, state, *_rest = session().execute(commissions.awards_of_member(shop[1])).first()
        assert (award.kind, award.order_id, state) == ("period", run.id, "released")
        with force_locale("en"):
            sentence = award_sentence(award.explanation)
    assert f"dividend pool of {month}" in sentence
    assert "1 of 2 shares are ¥7.50" in sentence


def test_rewards_wait_as_long_as_the_brand_says(till: Till, shop: list[UUID]) -> None:
    with till.work():
        settings.save(RewardSettings(release_days=3), actor="test")
    till.paid(shop[2])
    month = next_month(till)
    post(till, month)
    assert (till.figures(shop[1]).frozen_fen, till.figures(shop[1]).available_fen) == (500, 0)
    till.check()
    till.advance(3 * DAY)
    work(till)
    assert (till.figures(shop[1]).frozen_fen, till.figures(shop[1]).available_fen) == (0, 500)
    till.check()


def test_a_plan_that_rewards_no_month_leaves_nothing_to_look_at(till: Till, shop: list[UUID]) -> None:
    till.plan()
    till.paid(shop[2])
    month = next_month(till)
    assert run_of(till, month).state == "nothing"
    with till.work():
        assert session().scalars(periods.runs()).all() == []
        assert periods.waiting_count() == 0


def test_the_version_of_the_months_end_decides(till: Till, shop: list[UUID]) -> None:
    till.plan()
    till.paid(shop[2])
    version = till.plan("plan_rules", TARGETS)
    till.paid(shop[2])
    with till.work():
        month = month_of(brand_now())
        span = month_span(month)
        assert span is not None
        seconds = int((span.ends_at - brand_now()) / timedelta(seconds=1)) + 60
    till.advance(seconds)
    till.plan()
    work(till)
    assert run_of(till, month).plan_version_id == version
    target = "rules:target:shared:15000"
    assert lines(till, month) == {(shop[1], "rules:pool"): 1_000, (shop[1], target): 777}


def test_a_month_waits_for_its_orders(till: Till, shop: list[UUID]) -> None:
    till.paid(shop[2])
    with till.work():
        month = month_of(brand_now())
    till.advance(31 * DAY)
    with till.inside():
        assert tasks.run_portion() == 1
        assert tasks.run_portion() == 0
    assert run_of(till, month).state == "waiting"
    work(till)
    assert run_of(till, month).state == "computed"


def test_it_is_worked_out_again_while_it_is_not_posted(till: Till, shop: list[UUID]) -> None:
    order = till.paid(shop[2])
    till.paid(shop[2])
    month = next_month(till)
    assert run_of(till, month).total_fen == 1_000
    till.refunded(order, {"a": 1})
    work(till)
    assert run_of(till, month).total_fen == 1_000
    with till.work():
        periods.work_out_again(month)
    work(till)
    assert (run_of(till, month).total_fen, lines(till, month)) == (500, {(shop[1], "rules:pool"): 500})
    post(till, month)
    with till.work(), pytest.raises(WrongRunState):
        periods.work_out_again(month)
    till.check()


def test_discarding_needs_a_reason_and_can_be_taken_back(till: Till, shop: list[UUID]) -> None:
    till.paid(shop[2])
    month = next_month(till)
    with till.work(), pytest.raises(InvalidRequest):
        periods.discard(month, reason=" ", actor="test")
    with till.work():
        periods.discard(month, reason="wrong rate", actor="test")
    with till.work(), pytest.raises(WrongRunState):
        periods.post(month, actor="test")
    work(till)
    assert (run_of(till, month).state, till.figures(shop[1]).available_fen) == ("discarded", 0)
    with till.work():
        periods.work_out_again(month)
    work(till)
    post(till, month)
    assert till.figures(shop[1]).available_fen == 500


def test_two_admins_at_once_post_once(till: Till, shop: list[UUID]) -> None:
    till.paid(shop[2])
    month = next_month(till)

    def decide() -> None:
        with till.work():
            periods.post(month, actor="somebody")

    answers = at_once(decide, decide, decide)
    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType", "WrongRunState", "WrongRunState"]

    def tend() -> None:
        with till.inside():
            while tasks.run_portion():
                pass

    assert at_once(tend, tend, tend) == [None, None, None]
    till.release()
    assert till.figures(shop[1]).available_fen == 500
    till.check()


def test_many_promoters_are_posted_in_portions_that_a_crash_does_not_lose(
    till: Till, shop: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    till.plan("plan_rules", TARGETS)
    people = [till.member(f"seller {n}") for n in range(5)]
    for number, seller in enumerate(people):
        buyer = till.member(f"buyer {number}", under=seller)
        for _ in range(2):
            till.paid(buyer)
    month = next_month(till)
    monkeypatch.setattr(tasks, "PEOPLE_A_PORTION", 2)
    with till.work():
        periods.post(month, actor="test")
    with till.inside():
        assert tasks.run_portion() == 4
    till.release()
    till.check()
    run = run_of(till, month)
    assert (run.state, run.posted, run.awards) == ("posting", 4, 10)
    real = tasks._know

    def dies(*args: Any) -> None:
        real(*args)
        raise RuntimeError("killed")

    monkeypatch.setattr(tasks, "_know", dies)
    with till.inside(), pytest.raises(RuntimeError):
        tasks.run_portion()
    monkeypatch.setattr(tasks, "_know", real)
    work(till)
    assert (run_of(till, month).state, run_of(till, month).posted) == ("posted", 10)
    # 5 % of 100,000 fen for five sellers, and the target.
    assert [till.figures(seller).available_fen for seller in people] == [1_777] * 5
    till.check()


def test_a_frozen_promoter_gets_nothing_and_is_told_why(till: Till, shop: list[UUID]) -> None:
    till.paid(shop[2])
    with till.work():
        promoters.freeze(shop[1], reason="test")
    month = next_month(till)
    assert lines(till, month) == {(shop[1], "rules:pool"): "frozen"}
    post(till, month)
    assert run_of(till, month).state == "posted"
    till.check()


def test_months_that_were_slept_through_are_made_up_for(till: Till, shop: list[UUID]) -> None:
    till.paid(shop[2])
    with till.work():
        first = month_of(brand_now())
    till.advance(70 * DAY)
    work(till)
    with till.work():
        months = list(session().scalars(sa.select(PeriodRun.month).order_by(PeriodRun.month)))
        assert months[0] == first
        assert len(months) in (2, 3)
        assert months == sorted(months_between(brand_now() - timedelta(days=70), brand_now())[1:])
    assert run_of(till, first).state == "computed"


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE period_line SET award_id = NULL",
        "UPDATE period_line SET amount_fen = amount_fen + 1",
        "UPDATE period_run SET posted = 0, state = 'posting'",
    ],
)
def test_the_check_notices_rewards_that_are_not_in_the_books_as_they_should(
    till: Till, shop: list[UUID], harm: str
) -> None:
    till.paid(shop[2])
    month = next_month(till)
    post(till, month)
    till.check()
    with till.owner() as connection:
        connection.execute(harm.encode())
    with till.work():
        assert any("every posted reward" in problem for problem in check_books().problems)


def test_what_a_month_pays_counts_for_no_other_month(till: Till, shop: list[UUID]) -> None:
    till.paid(shop[2])
    post(till, next_month(till))
    till.paid(shop[2])
    month = next_month(till)
    with till.work():
        span = month_span(month)
        assert span is not None
        facts = gather(month, span)
        (seller,) = [person for person in facts.people if person.member_id == shop[1]]
        assert (seller.commission_fen, dict(seller.by_rule)) == (1_000, {"rules:1": 1_000})
        assert session().scalar(sa.select(sa.func.count()).select_from(Award).where(Award.kind == "period")) == 1
