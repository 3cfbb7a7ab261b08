"""Conditions of tiers against a slow calculator that knows nothing of them: plain loops over all rows."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fanyong.tier_conditions import Condition, condition_problems, figures_needed, may_return, may_rise, must_fall
from fanyong.values import TierFacts
from plugins import tiers_ladder, tiers_roles
from tests.plugins.facts import uid

MONEY = ("own_fen", "shared_fen", "team_fen", "commission_fen")
COUNTS = ("own_orders", "shared_orders", "team_orders", "direct_sellers")
TODAY = date(2026, 11, 22)
KEYS = ("low", "middle", "high")


@st.composite
def rows(draw: st.DrawFn, stages: tuple[str, ...] = ("rise", "keep", "fall")) -> dict[str, Any]:
    """A condition that its checks let through."""
    stage = draw(st.sampled_from(stages))
    period = draw(st.sampled_from(["ever", "last_month", "days"] + (["this_month"] if stage == "rise" else [])))
    metric = draw(st.sampled_from(MONEY + COUNTS))
    need = draw(st.integers(1, 5))
    return {
        "tier": draw(st.sampled_from(KEYS[1:])),
        "stage": stage,
        "way": draw(st.integers(1, 3)),
        "metric": metric,
        "period": period,
        "days": draw(st.integers(1, 40)) if period == "days" else None,
        "amount_fen": need if metric in MONEY else None,
        "count": None if metric in MONEY else need,
    }


def key_of(row: dict[str, Any], basis: str) -> str:
    metric = row["metric"]
    if metric in ("own_fen", "shared_fen", "team_fen"):
        metric = metric[: -len("fen")] + basis + "_fen"
    return metric + ":" + (f"days_{row['days']}" if row["period"] == "days" else row["period"])


@st.composite
def situations(draw: st.DrawFn) -> tuple[dict[str, Any], TierFacts]:
    """Settings of a ladder with conditions, and a promoter."""
    conditions = draw(st.lists(rows(), max_size=8))
    basis = draw(st.sampled_from(["paid", "received"]))
    values = {
        "count_when": basis,
        "fall_to": draw(st.sampled_from(["one_step", "earned"])),
        "tiers": [{"key": key, "name": key} for key in KEYS],
        "conditions": conditions,
    }
    figures = {key_of(row, basis): draw(st.integers(0, 6)) for row in conditions}
    facts = TierFacts(
        uid(1),
        draw(st.sampled_from([None, "older", *KEYS])),
        figures=figures,
        granted=tuple(draw(st.sets(st.sampled_from(KEYS), max_size=1))),
        held_before=tuple(sorted(draw(st.sets(st.sampled_from(KEYS))))),
        today=TODAY,
        tier_since=TODAY - timedelta(days=draw(st.integers(0, 90))),
    )
    return values, facts


def slow_tier(values: dict[str, Any], facts: TierFacts) -> str:
    """Work the tier out the long way."""
    basis = values["count_when"]

    def met(row: dict[str, Any]) -> bool:
        return facts.figures[key_of(row, basis)] >= (row["amount_fen"] or row["count"])

    def ways(tier: str, stage: str) -> list[list[dict[str, Any]]]:
        found: dict[int, list[dict[str, Any]]] = {}
        for row in values["conditions"]:
            if (row["tier"], row["stage"]) == (tier, stage):
                found.setdefault(row["way"], []).append(row)
        return list(found.values())

    def whole(row: dict[str, Any]) -> bool:
        since = facts.tier_since
        assert since is not None
        if row["period"] == "ever":
            return True
        if row["period"] == "days":
            return (TODAY - since).days >= row["days"]
        return since <= date(2026, 10, 1)

    def loses(tier: str) -> bool:
        keep = ways(tier, "keep")
        kept = not keep or any(all(met(row) or not whole(row) for row in way) for way in keep)
        return not kept or any(all(whole(row) and not met(row) for row in way) for way in ways(tier, "fall"))

    def regains(tier: str) -> bool:
        keep = ways(tier, "keep")
        fine = not keep or any(all(met(row) for row in way) for way in keep)
        return fine and not any(all(not met(row) for row in way) for way in ways(tier, "fall"))

    best = 0
    held = KEYS.index(facts.tier) if facts.tier in KEYS else 0
    lost = held > 0 and loses(KEYS[held])
    for rank, tier in enumerate(KEYS):
        rise = ways(tier, "rise")
        climbs = bool(rise) and any(all(met(row) for row in way) for way in rise)
        if climbs and tier in facts.held_before and tier != facts.tier:
            climbs = regains(tier)
        if (climbs and not (lost and rank == held)) or tier in facts.granted:
            best = max(best, rank)
    stays = held if not lost else (held - 1 if values["fall_to"] == "one_step" else 0)
    return KEYS[max(best, stays)]


@given(situations())
def test_the_ladder_decides_as_the_slow_calculator(situation: tuple[dict[str, Any], TierFacts]) -> None:
    values, facts = situation
    settings = tiers_ladder.Settings.model_validate(values)
    assert tiers_ladder.plugin.decide_tier(settings=settings, facts=facts) == slow_tier(values, facts)


@given(situations())
def test_more_of_everything_never_lowers_a_tier(situation: tuple[dict[str, Any], TierFacts]) -> None:
    values, facts = situation
    settings = tiers_ladder.Settings.model_validate(values)
    more = TierFacts(
        uid(1),
        facts.tier,
        figures={key: value + 1 for key, value in facts.figures.items()},
        granted=facts.granted,
        held_before=facts.held_before,
        today=facts.today,
        tier_since=facts.tier_since,
    )
    before, after = (tiers_ladder.plugin.decide_tier(settings=settings, facts=told) for told in (facts, more))
    assert KEYS.index(after or "") >= KEYS.index(before or "")


@given(situations())
def test_a_decision_is_stable(situation: tuple[dict[str, Any], TierFacts]) -> None:
    """Asked again on the same day with the same figures, nobody rises back to what they lost."""
    values, facts = situation
    settings = tiers_ladder.Settings.model_validate({**values, "fall_to": "one_step"})
    first = tiers_ladder.plugin.decide_tier(settings=settings, facts=facts)
    fell = facts.tier in KEYS and KEYS.index(first or "") < KEYS.index(facts.tier or "")
    again = TierFacts(
        uid(1),
        first,
        figures=facts.figures,
        held_before=tuple({*facts.held_before, *([facts.tier] if facts.tier else [])}),
        today=TODAY,
        tier_since=TODAY,
    )
    second = tiers_ladder.plugin.decide_tier(settings=settings, facts=again)
    if fell and not facts.granted:
        assert KEYS.index(second or "") < KEYS.index(facts.tier or "")


@given(st.lists(rows(), max_size=8))
def test_every_figure_that_is_read_is_asked_for(conditions: list[dict[str, Any]]) -> None:
    settings = tiers_ladder.Settings.model_validate(
        {"tiers": [{"key": key, "name": key} for key in KEYS], "conditions": conditions, "count_when": "paid"}
    )
    asked = tiers_ladder.plugin.tier_figures(settings=settings)  # type: ignore[attr-defined]
    assert set(asked) == {key_of(row, "paid") for row in conditions}
    assert figures_needed(settings.conditions, "paid") == asked


def condition(**changes: Any) -> Condition:
    row = {"tier": "high", "stage": "rise", "metric": "shared_fen", "amount_fen": 100}
    return Condition.model_validate({**row, **changes})


def told(have: int, *, days: int = 90, key: str = "shared_paid_fen:days_30", **more: Any) -> TierFacts:
    return TierFacts(uid(1), "high", figures={key: have}, today=TODAY, tier_since=TODAY - timedelta(days=days), **more)


@pytest.mark.parametrize(
    ("stage", "have", "days", "falls"),
    [
        ("keep", 99, 30, True),
        ("keep", 100, 30, False),
        ("keep", 0, 29, False),
        ("fall", 99, 30, True),
        ("fall", 100, 30, False),
        ("fall", 0, 29, False),
    ],
)
def test_a_tier_is_kept_until_its_period_has_passed(stage: str, have: int, days: int, falls: bool) -> None:
    rows_ = [condition(stage=stage, period="days", days=30)]
    assert must_fall(rows_, tier="high", facts=told(have, days=days), basis="paid") is falls


def test_the_last_month_counts_once_the_tier_was_held_for_all_of_it() -> None:
    rows_ = [condition(stage="keep", period="last_month")]
    key = "shared_paid_fen:last_month"
    held_since = {
        date(2026, 10, 1): True,
        date(2026, 10, 2): False,
        date(2026, 11, 1): False,
        date(2026, 9, 30): True,
    }
    for since, falls in held_since.items():
        facts = TierFacts(uid(1), "high", figures={key: 0}, today=TODAY, tier_since=since)
        assert must_fall(rows_, tier="high", facts=facts, basis="paid") is falls, since


def test_ways_are_any_and_rows_of_a_way_are_all() -> None:
    rows_ = [
        condition(way=1, metric="shared_fen", amount_fen=100),
        condition(way=1, metric="direct_sellers", amount_fen=None, count=3),
        condition(way=2, metric="own_fen", amount_fen=500),
    ]

    def rises(shared: int, sellers: int, own: int) -> bool:
        figures = {"shared_paid_fen:ever": shared, "direct_sellers:ever": sellers, "own_paid_fen:ever": own}
        return may_rise(rows_, tier="high", facts=TierFacts(uid(1), "low", figures=figures), basis="paid")

    assert not rises(100, 2, 499)
    assert rises(100, 3, 0)
    assert rises(0, 0, 500)
    assert not rises(99, 3, 499)


def test_whoever_fell_needs_what_keeps_the_tier_to_come_back() -> None:
    rows_ = [condition(stage="keep", period="days", days=30)]
    facts = TierFacts(uid(1), "low", figures={"shared_paid_fen:days_30": 99}, held_before=("high",))
    assert not may_return(rows_, tier="high", facts=facts, basis="paid")
    assert may_return(rows_, tier="high", facts=TierFacts(uid(1), "low"), basis="paid"), "a newcomer needs no past"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"tier": "nowhere"}, "tier"),
        ({"tier": "low", "stage": "keep"}, "stage"),
        ({"stage": "keep", "period": "this_month"}, "period"),
        ({"period": "days"}, "days"),
        ({"days": 3}, "days"),
        ({"amount_fen": None}, "amount_fen"),
        ({"count": 3}, "count"),
        ({"metric": "own_orders", "count": 3}, "amount_fen"),
        ({"metric": "own_orders", "amount_fen": None}, "count"),
    ],
)
def test_a_row_that_says_nothing_is_refused_where_it_is_wrong(app: Flask, changes: dict[str, Any], path: str) -> None:
    with app.app_context():
        problems = condition_problems([condition(**changes)], tiers=["low", "high"])
    assert f"conditions.0.{path}" in [problem.path for problem in problems]
    with app.app_context():
        assert condition_problems([condition()], tiers=["low", "high"]) == []


@pytest.mark.parametrize(
    "changes",
    [{"metric": "recruits"}, {"period": "year"}, {"way": 0}, {"days": 0}, {"amount_fen": 0}, {"amount_fen": 1.5}],
    ids=str,
)
def test_a_row_of_the_wrong_shape_is_refused(changes: dict[str, Any]) -> None:
    """Above all no tier is reached by bringing people as such: only by promoters who sold something."""
    with pytest.raises(ValidationError):
        condition(**changes)


ROLE_ROW = {"tier": "dealer", "stage": "rise", "metric": "team_fen", "period": "last_month", "amount_fen": 1_000}


@pytest.mark.parametrize(
    ("values", "facts", "role"),
    [
        ({}, {}, "promoter"),
        ({"promoter_by": "invitation"}, {}, None),
        ({"promoter_by": "invitation"}, {"invited": True}, "promoter"),
        ({"promoter_by": "application"}, {"granted": ("promoter",)}, "promoter"),
        ({"promoter_by": "after_purchase", "join_purchase_fen": 500}, {"own_paid_fen": 499}, None),
        ({"promoter_by": "after_purchase", "join_purchase_fen": 500}, {"own_paid_fen": 500}, "promoter"),
        ({"promoter_by": "application"}, {"granted": ("agent",)}, "agent"),
        ({}, {"tier": "promoter", "granted": ("dealer",)}, "dealer"),
        ({}, {"tier": "dealer"}, "dealer"),
        ({"conditions": [ROLE_ROW]}, {"tier": "promoter", "granted": ("dealer",)}, "promoter"),
        (
            {"conditions": [ROLE_ROW]},
            {"granted": ("dealer",), "figures": {"team_received_fen:last_month": 1_000}},
            "dealer",
        ),
        (
            {"dealer_by": "conditions", "conditions": [ROLE_ROW]},
            {"figures": {"team_received_fen:last_month": 1_000}},
            "dealer",
        ),
        ({"dealer_by": "conditions", "conditions": [ROLE_ROW]}, {}, "promoter"),
    ],
)
def test_roles_are_reached_as_the_brand_says(values: dict[str, Any], facts: dict[str, Any], role: str | None) -> None:
    settings = tiers_roles.Settings.model_validate(values)
    told_ = TierFacts(uid(1), facts.pop("tier", None), **facts)
    assert tiers_roles.plugin.decide_tier(settings=settings, facts=told_) == role


def test_a_role_for_everybody_is_refused(app: Flask) -> None:
    with app.app_context():
        settings = tiers_roles.Settings.model_validate({"dealer_by": "conditions"})
        assert [p.path for p in tiers_roles.plugin.check_settings(settings=settings, tiers=())] == ["dealer_by"]
        settings = tiers_roles.Settings.model_validate({"dealer_by": "conditions", "conditions": [ROLE_ROW]})
        assert list(tiers_roles.plugin.check_settings(settings=settings, tiers=())) == []


def test_a_ladder_by_conditions_alone_needs_no_sales(app: Flask) -> None:
    values = {
        "tiers": [{"key": "low", "name": "L"}, {"key": "high", "name": "H"}],
        "conditions": [{"tier": "high", "stage": "rise", "metric": "team_orders", "count": 5}],
    }
    with app.app_context():
        settings = tiers_ladder.Settings.model_validate(values)
        assert tiers_ladder.plugin.check_settings(settings=settings, tiers=()) == []
        bare = tiers_ladder.Settings.model_validate({**values, "conditions": []})
        assert [p.path for p in tiers_ladder.plugin.check_settings(settings=bare, tiers=())] == [
            "tiers.1.promote_at_sales_fen"
        ]


def test_the_lowest_tier_is_below_the_next() -> None:
    for lower, higher in pairwise(tiers_roles.plugin.tiers(settings=tiers_roles.Settings())):
        assert lower.rank + 1 == higher.rank
