"""What a month brings: the plan's proposals against plain sums, and what the core makes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanyong.values import PeriodFacts, PeriodPerson, PeriodProposal
from plugins.plan_rules import PlanRules, Settings
from tenants.commissions.periods import PeriodResult, settle_period
from tenants.commissions.proposals import ImpossibleProposal

PLAN = PlanRules()


def uid(number: int) -> UUID:
    return UUID(int=number)


def person(number: int, tier: str | None = "gold", *, shared_fen: int = 0, **more: Any) -> PeriodPerson:
    given_ = {"rank": 0, "frozen": False, "own_fen": 0, "shared_orders": 1, "team_fen": 0, "commission_fen": 0}
    return PeriodPerson(uid(number), tier, shared_fen=shared_fen, **{**given_, **more})


def month(*people: PeriodPerson, turnover_fen: int = 0, team_allowed: bool = True) -> PeriodFacts:
    start, end = datetime(2026, 10, 31, 16, tzinfo=UTC), datetime(2026, 11, 30, 16, tzinfo=UTC)
    return PeriodFacts("2026-11", start, end, turnover_fen, people, team_allowed)


def settled(values: dict[str, Any], facts: PeriodFacts) -> PeriodResult:
    return settle_period(facts, PLAN.period_awards(Settings.model_validate(values), facts))


def test_period_awards_share_the_pool_by_weight_to_the_last_fen() -> None:
    pool = {"rate_bp": 100, "tiers": [{"tier": "gold", "weight": 2}, {"weight": 1}], "minimum_fen": 10}
    facts = month(
        person(1, "gold", shared_fen=10),
        person(2, "silver", shared_fen=10),
        person(3, "silver", shared_fen=99),
        person(4, "silver", shared_fen=9),
        person(5, None, shared_fen=99),
        turnover_fen=1_000_099,
    )
    awards = settled({"pool": pool}, facts).awards
    # 1 % is 10,000.99 fen, floored; 2 + 1 + 1 shares; the rest of a half fen goes nowhere, for it divides evenly.
    assert {a.beneficiary_id.int: a.amount_fen for a in awards} == {1: 5_000, 2: 2_500, 3: 2_500}
    assert awards[0].explanation["details"] == {"by": "pool", "pool_fen": 10_000, "weight": 2, "weights": 4}


@given(
    turnover=st.integers(-(10**6), 10**9),
    rate=st.integers(0, 10_000),
    sales=st.lists(st.integers(-(10**6), 10**7), min_size=1, max_size=8),
    by=st.sampled_from(["heads", "sales"]),
)
def test_the_pool_gives_all_of_itself_and_never_more(turnover: int, rate: int, sales: list[int], by: str) -> None:
    pool = {"rate_bp": rate, "tiers": [{"weight": 3}], "by": by}
    facts = month(*(person(n, shared_fen=fen) for n, fen in enumerate(sales)), turnover_fen=turnover)
    given_ = [p.amount_fen for p in PLAN.period_awards(Settings.model_validate({"pool": pool}), facts)]
    has_members = any(fen > 0 for fen in sales) if by == "sales" else any(fen >= 0 for fen in sales)
    assert sum(given_) == (max(turnover, 0) * rate // 10_000 if has_members else 0)
    assert all(amount >= 0 for amount in given_)


def test_the_highest_target_that_was_reached_counts() -> None:
    targets = [
        {"from_fen": 10_000, "fixed_fen": 500},
        {"from_fen": 50_000, "rate_bp": 200},
        {"figure": "own", "from_fen": 1, "fixed_fen": 7},
        {"figure": "team", "from_fen": 100, "rate_bp": 100},
        {"from_fen": 1, "tier": "silver", "fixed_fen": 1},
    ]
    facts = month(
        person(1, shared_fen=49_999),
        person(2, shared_fen=50_001, own_fen=1),
        person(3, "silver", shared_fen=99_999),
        person(4, None, shared_fen=99_999),
        person(5, shared_fen=9_999, team_fen=12_345),
    )
    found = {(a.beneficiary_id.int, a.rule): a.amount_fen for a in settled({"targets": targets}, facts).awards}
    assert found == {
        (1, "rules:target:shared:10000"): 500,
        (2, "rules:target:shared:50000"): 1_000,
        (2, "rules:target:own:1"): 7,
        (3, "rules:target:shared:1:silver"): 1,
        (5, "rules:target:team:100"): 123,
    }


def test_the_best_band_holds_for_the_whole_month() -> None:
    ladder = {"bands": [{"from_fen": 0, "rate_bp": 500}, {"from_fen": 100_000, "rate_bp": 800}], "retroactive": True}
    paid = {"rules:month:from:0": 5_000, "rules:month:from:100000": 1_600, "rules:1": 99_999}
    facts = month(person(1, shared_fen=120_000, by_rule=paid), person(2, shared_fen=99_999, by_rule={}))
    found = {a.beneficiary_id.int: a.amount_fen for a in settled({"month_ladder": ladder}, facts).awards}
    # 8 % of 120,000 are 9,600, of which 6,600 are paid; the second earned 4,999 that nobody has paid yet.
    assert found == {1: 3_000, 2: 4_999}
    assert not settled({"month_ladder": {**ladder, "retroactive": False}}, facts).awards


def test_a_month_is_paid_to_nobody_who_may_not_earn() -> None:
    targets = [{"from_fen": 1, "fixed_fen": 5}, {"figure": "team", "from_fen": 1, "fixed_fen": 5}]
    facts = month(person(1, shared_fen=1, frozen=True), person(2, shared_fen=1, team_fen=1), team_allowed=False)
    result = settled({"targets": targets}, facts)
    assert {(a.beneficiary_id.int, a.rule) for a in result.awards} == {(2, "rules:target:shared:1")}
    assert {(w.beneficiary_id.int, w.reason) for w in result.withheld} == {(1, "frozen"), (2, "team_not_allowed")}


GOOD = PeriodProposal(uid(1), "r", 1, 1, "volume")


@pytest.mark.parametrize(
    "nonsense",
    [
        {"beneficiary_id": uid(9)},
        {"amount_fen": -1},
        {"amount_fen": 1.0},
        {"base_fen": True},
        {"rate_bp": 10_001},
        {"base": "air"},
        {"rule": ""},
        {"details": {"x": 1.5}},
        {"team": 1},
    ],
    ids=str,
)
def test_nonsense_is_refused(nonsense: dict[str, Any]) -> None:
    facts = month(person(1))
    assert settle_period(facts, [GOOD]).awards
    with pytest.raises(ImpossibleProposal):
        settle_period(facts, [replace(GOOD, **nonsense)])


def test_the_same_rule_twice_for_somebody_is_refused() -> None:
    with pytest.raises(ImpossibleProposal, match="twice"):
        settle_period(month(person(1)), [GOOD, GOOD])


def test_less_than_a_fen_is_withheld() -> None:
    result = settle_period(
        month(person(1), person(2, None)), [replace(GOOD, amount_fen=0), replace(GOOD, beneficiary_id=uid(2))]
    )
    assert [w.reason for w in result.withheld] == ["zero", "not_promoter"]
