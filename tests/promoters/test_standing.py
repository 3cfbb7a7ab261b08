"""Rising, keeping and falling: by events, by night, and in a dry run."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from fanyong.hooks import hookimpl
from fanyong.pluginhost.registry import registry
from fanyong.pluginhost.service import InvalidPluginSettings
from fanyong.tenancy.database import session
from fanyong.values import Tier
from tenants.promoters import jobs, sales, standing, trials
from tenants.promoters import service as promoters
from tenants.promoters.models import TierChange, TierLook, TierTrialMove
from tests.money.parts import DAY, Till
from tests.pluginhost.conftest import Tiers

LADDER = [{"key": "low", "name": "低"}, {"key": "high", "name": "高"}]


def ladder(*conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Settings of a ladder whose upper tier is reached by conditions."""
    rows = [{"tier": "high", "stage": "rise", **row} for row in conditions]
    return {"count_when": "paid", "tiers": LADDER, "conditions": rows, **more}


def tier_of(till: Till, member_id: UUID) -> str | None:
    with till.work():
        found = promoters.get_promoter(member_id)
        return found.tier if found else None


def background(till: Till) -> None:
    """Do what the background does for sales and tiers."""
    with till.inside():
        while sales.roll_up_teams() + jobs.look_where_asked() + jobs.look_every_night() + promoters.reevaluate_stale():
            pass


def test_a_quick_condition_is_looked_at_in_the_payment_itself(till: Till) -> None:
    till.product("a", price_fen=1_000)
    till.tiers("tiers_ladder", ladder({"metric": "shared_orders", "count": 2, "period": "this_month"}))
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    till.paid(buyer)
    assert tier_of(till, parent) == "low"
    till.paid(buyer)
    assert tier_of(till, parent) == "high"
    with till.work():
        change = promoters.tier_history(parent)[0]
        assert change.facts is not None
        assert change.facts["shared_orders:this_month"] == 2
        assert change.because.startswith("order ")


def test_a_team_condition_lifts_the_whole_upline_behind_the_payment(till: Till) -> None:
    till.product("a", price_fen=1_000)
    till.tiers("tiers_ladder", ladder({"metric": "team_fen", "amount_fen": 1_500}))
    top = till.member("top")
    middle = till.member("middle", under=top)
    parent = till.member("parent", under=middle)
    buyer = till.member("buyer", under=parent)
    till.paid(buyer)
    background(till)
    assert {tier_of(till, one) for one in (top, middle, parent, buyer)} == {"low"}
    till.paid(buyer)
    assert tier_of(till, parent) == "low", "not before the roll-up"
    background(till)
    assert [tier_of(till, one) for one in (top, middle, parent, buyer)] == ["high", "high", "high", "low"]
    with till.work():
        assert session().scalar(sa.select(sa.func.count()).select_from(TierLook)) == 0
        assert jobs.waiting_count() == till_members_uncounted(till)


def till_members_uncounted(till: Till) -> int:
    """Members that no job has counted: `background` leaves the sizes of teams alone."""
    return 3


def test_direct_promoters_who_sold_are_counted_by_head_and_by_sale(till: Till) -> None:
    till.product("a", price_fen=1_000)
    till.tiers("tiers_ladder", ladder({"metric": "direct_sellers", "count": 2, "period": "days", "days": 30}))
    leader = till.member("leader")
    sellers = [till.member(f"s{n}", under=leader) for n in range(3)]
    buyers = [till.member(f"b{n}", under=seller) for n, seller in enumerate(sellers)]
    # The leader's own people buy: that makes none of them a seller.
    till.paid(sellers[2])
    till.paid(buyers[0])
    till.paid(buyers[0])
    background(till)
    assert tier_of(till, leader) == "low"
    order_id = till.paid(buyers[1])
    background(till)
    assert tier_of(till, leader) == "high"
    with till.work():
        facts = promoters.tier_history(leader)[0].facts
        assert facts is not None
        assert facts["direct_sellers:days_30"] == 2
    # What was given back was never sold; without a condition to keep it, the tier stays.
    till.refunded(order_id, {"a": 1})
    background(till)
    assert tier_of(till, leader) == "high"


def test_commission_earned_counts_less_what_was_taken_back(till: Till) -> None:
    till.product("a", price_fen=1_000)
    till.plan()
    till.tiers("tiers_ladder", ladder({"metric": "commission_fen", "amount_fen": 200, "period": "this_month"}))
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    first = till.paid(buyer)
    till.settle()
    till.refunded(first, {"a": 1})
    till.settle()
    till.paid(buyer)
    till.settle()
    background(till)
    assert tier_of(till, parent) == "low"
    till.paid(buyer)
    till.settle()
    background(till)
    assert tier_of(till, parent) == "high"


KEEP = {"stage": "keep", "metric": "shared_fen", "amount_fen": 1_000, "period": "days", "days": 10}


def test_who_does_not_keep_a_tier_falls_by_night(till: Till) -> None:
    till.product("a", price_fen=1_000)
    till.tiers("tiers_ladder", ladder({"metric": "shared_fen", "amount_fen": 2_000}, KEEP))
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    till.paid(buyer)
    till.paid(buyer)
    assert tier_of(till, parent) == "high"
    till.advance(9 * DAY)
    background(till)
    assert tier_of(till, parent) == "high", "not held for ten days yet"
    till.advance(2 * DAY)
    background(till)
    assert tier_of(till, parent) == "low"
    with till.work():
        assert promoters.tier_history(parent)[0].because == "night"
    # Sales that count for ever do not lift the promoter again; what keeps the tier does.
    till.advance(DAY)
    background(till)
    assert tier_of(till, parent) == "low"
    till.paid(buyer)
    assert tier_of(till, parent) == "high"


def test_the_night_looks_at_each_promoter_once_a_day(till: Till) -> None:
    till.tiers("tiers_ladder", ladder({"metric": "shared_fen", "amount_fen": 2_000}, KEEP))
    for number in range(3):
        till.member(f"m{number}")
    with till.inside():
        assert jobs.look_every_night() == 3
        assert jobs.look_every_night() == 0
    till.advance(DAY)
    with till.inside():
        assert jobs.look_every_night() == 3
        assert jobs.look_every_night() == 0


def test_without_a_calendar_there_is_no_night(till: Till) -> None:
    till.tiers("tiers_ladder", ladder({"metric": "shared_fen", "amount_fen": 2_000}))
    till.member("m")
    with till.inside():
        assert jobs.look_every_night() == 0


def test_a_night_that_is_cut_off_goes_on_where_it_stopped(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    till.tiers("tiers_ladder", ladder({"metric": "shared_fen", "amount_fen": 2_000}, KEEP))
    for number in range(5):
        till.member(f"m{number}")
    monkeypatch.setattr(jobs, "CHUNK", 2)
    looked = []
    with till.inside():
        while done := jobs.look_every_night():
            looked.append(done)
    assert looked == [2, 2, 1]


def test_one_promoter_whose_decision_fails_holds_nobody_up(till: Till) -> None:
    bad = till.member("bad")

    class Picky(Tiers):
        name = "tiers_picky"

        @hookimpl
        def tiers(self, settings: Any) -> Any:
            return [Tier("one", "One", 0)]

        @hookimpl
        def decide_tier(self, settings: Any, facts: Any) -> Any:
            if facts.member_id == bad:
                raise ZeroDivisionError
            return "one"

    registry.register(Picky())
    try:
        others = [till.member(f"m{n}") for n in range(2)]
        till.tiers("tiers_picky", {})
        background(till)
        assert [tier_of(till, one) for one in others] == ["one", "one"]
        assert tier_of(till, bad) == "promoter"
    finally:
        registry.unregister("tiers_picky")


def test_a_figure_that_does_not_exist_is_the_plugins_failure(till: Till) -> None:
    class Asking(Tiers):
        name = "tiers_asking"

        @hookimpl
        def tier_figures(self, settings: Any) -> Any:
            return ["shared_paid_fen:next_year"]

    registry.register(Asking())
    try:
        till.tiers("tiers_asking", {})
        member = till.member("m")
        assert tier_of(till, member) is None
    finally:
        registry.unregister("tiers_asking")


def run_trial(till: Till, trial_id: UUID) -> Any:
    with till.inside():
        while trials.run_portion():
            pass
    with till.work():
        return trials.get_trial(trial_id)


def test_a_dry_run_says_who_would_move_and_moves_nobody(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "CHUNK", 2)
    till.product("a", price_fen=1_000)
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    for number in range(3):
        till.member(f"m{number}")
    till.paid(buyer)
    wanted = ladder({"metric": "shared_fen", "amount_fen": 1_000})
    with till.work():
        trial_id = trials.start("tiers_ladder", wanted, actor="test").id
    trial = run_trial(till, trial_id)
    assert (trial.state, trial.total, trial.looked, trial.moved) == ("done", 5, 5, 5)
    with till.work():
        assert trials.summary(trial_id) == [("promoter", "low", 4), ("promoter", "high", 1)]
        moved = session().scalar(sa.select(TierTrialMove.member_id).where(TierTrialMove.to_tier == "high"))
        assert moved == parent
        assert trials.tier_names(trial) == {"low": "低", "high": "高"}
        before = session().scalar(sa.select(sa.func.count()).select_from(TierChange))
    assert tier_of(till, parent) == "promoter"
    # What was foretold happens.
    till.tiers("tiers_ladder", wanted)
    background(till)
    assert tier_of(till, parent) == "high"
    assert tier_of(till, buyer) == "low"
    with till.work():
        assert session().scalar(sa.select(sa.func.count()).select_from(TierChange)) == (before or 0) + 5


def test_a_dry_run_of_settings_that_cannot_work_does_not_start(till: Till) -> None:
    with till.work(), pytest.raises(InvalidPluginSettings):
        trials.start("tiers_ladder", {"tiers": []}, actor="test")


def test_a_dry_run_can_be_canceled_and_only_the_last_are_kept(till: Till) -> None:
    till.member("m")
    started = []
    for _ in range(trials.KEPT + 2):
        with till.work():
            started.append(trials.start("tiers_flat", {}, actor="test").id)
    with till.work():
        assert [trial.id for trial in trials.latest_trials()] == started[:1:-1]
        trials.cancel(started[-1])
    assert run_trial(till, started[-1]).state == "canceled"
    assert run_trial(till, started[-2]).state == "done"


def test_next_tier_says_how_far_somebody_is(till: Till) -> None:
    till.product("a", price_fen=1_000)
    rows = ({"metric": "team_fen", "amount_fen": 5_000}, {"metric": "own_orders", "count": 3, "way": 2})
    till.tiers("tiers_ladder", ladder(*rows))
    parent = till.member("parent")
    till.paid(till.member("buyer", under=parent))
    till.paid(parent)
    background(till)
    with till.work():
        promoter = promoters.get_promoter(parent)
        assert promoter is not None
        wanted = standing.next_tier(promoter)
        assert wanted is not None
        assert (wanted.tier, wanted.how) == ("high", "conditions")
        assert [(s.way, s.metric, s.period, s.have, s.need) for s in wanted.conditions] == [
            (1, "team_paid_fen", "ever", 1_000, 5_000),
            (2, "own_orders", "ever", 1, 3),
        ]
