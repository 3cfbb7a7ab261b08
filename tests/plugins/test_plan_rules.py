"""`plan_rules`: each rule in an order of its own, and which settings are refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from flask import Flask

from fanyong.values import AwardProposal, Caps, LineFacts, OrderFacts, Person, Proposal, Tier, Withheld
from plugins.plan_rules import PlanRules, Settings
from tenants.commissions import engine
from tests.plugins.facts import PAID_AT, uid

PLAN = PlanRules()
TIERS = ("bronze", "silver", "gold")
KNOWN = tuple(Tier(key, key, rank) for rank, key in enumerate(TIERS))
PRODUCTS = ("p1", "p2")
BEIJING = timezone(timedelta(hours=8))
LINE = LineFacts(uid(10), "tea", "drink", 2, 9_999, "p1")
BUYER = Person(uid(20), 0, None)


def offered(proposals: list[Proposal]) -> list[AwardProposal]:
    """Return whom the plan wants to pay, without those it says it does not."""
    return [item for item in proposals if isinstance(item, AwardProposal)]


def compiled(given_: dict[str, Any], facts: OrderFacts) -> list[Proposal]:
    return list(PLAN.compile_plan(Settings.model_validate(given_))(facts))


def order(*tiers: str | None, **more: Any) -> OrderFacts:
    """An order of one line whose buyer has an upline of these tiers."""
    upline = tuple(Person(uid(20 + level), level, tier) for level, tier in enumerate(tiers, start=1))
    given_ = {"order_id": uid(1), "paid_at": PAID_AT, "lines": (LINE,), "buyer": BUYER, "upline": upline}
    return OrderFacts(**{**given_, "levels_allowed": 3, "team_allowed": True, **more})


def told(given_: dict[str, Any], facts: OrderFacts) -> dict[str, int]:
    """Return what an order comes to, by rule and level."""
    result = engine.settle(facts, compiled(given_, facts))
    return {f"{award.rule} L{award.level}": award.amount_fen for award in result.awards}


def test_the_most_specific_rate_wins_and_says_what_it_came_before() -> None:
    rates = [
        {"level": 1, "rate_bp": 1_000},
        {"level": 1, "tier": "gold", "rate_bp": 1_200},
        {"scope": "category", "target": "drink", "level": 1, "rate_bp": 800},
        {"scope": "product", "target": "p1", "level": 1, "orders": "first", "rate_bp": 2_000},
        {"scope": "sku", "target": "pot", "level": 1, "rate_bp": 1},
    ]
    (award,) = engine.settle(order("gold"), compiled({"rates": rates}, order("gold"))).awards
    assert (award.rule, award.amount_fen) == ("rules:1:product:p1:first", 1_999)
    assert award.explanation["details"] == {
        "by": "product",
        "target": "p1",
        "orders": "first",
        "instead_of": "rules:1:category:drink, rules:1:gold, rules:1",
    }
    assert told({"rates": rates}, order("gold", order_number=2)) == {"rules:1:category:drink L1": 799}


def test_the_differential_goes_up_and_the_same_rank_gets_a_part() -> None:
    team = {
        "differential": [{"tier": t, "rate_bp": r} for t, r in zip(TIERS, (500, 800, 1_200), strict=True)],
        "same_rank": [{"generation": 1, "rate_bp": 1_000}],
    }
    facts = order("silver", "bronze", "silver", "gold", "gold", "gold")
    result = engine.settle(facts, compiled({"rates": [], "team": team}, facts))
    assert {a.level: (a.rule, a.kind, a.amount_fen) for a in result.awards} == {
        1: ("rules:diff:silver", "share", 799),
        3: ("rules:same-rank:1", "team", 79),
        4: ("rules:diff:gold", "team", 399),
        5: ("rules:same-rank:1", "team", 39),
    }
    # Above the second gold there is nothing to get any more, so nobody up there is told.
    assert [(w.level, w.reason) for w in result.withheld] == [(2, "outranked")]


def test_without_a_waiver_a_team_gets_nothing_and_level_1_its_own() -> None:
    team = {"differential": [{"tier": "silver", "rate_bp": 800}, {"tier": "gold", "rate_bp": 1_200}]}
    facts = order("silver", "gold", team_allowed=False)
    result = engine.settle(facts, compiled({"rates": [], "team": team}, facts))
    assert [(a.level, a.amount_fen) for a in result.awards] == [(1, 799)]
    assert [(w.level, w.reason) for w in result.withheld] == [(2, "team_not_allowed")]


def test_a_missing_cost_is_told_and_amounts_are_paid_all_the_same() -> None:
    rates = [{"level": 1, "rate_bp": 1_000}, {"level": 2, "fixed_fen": 150}]
    facts = order("gold", "gold")
    result = engine.settle(facts, compiled({"base": "margin", "rates": rates}, facts))
    assert [(a.level, a.amount_fen) for a in result.awards] == [(2, 300)]
    assert [(w.level, w.reason) for w in result.withheld] == [(1, "no_cost")]


def test_self_discount_is_a_rate_and_then_nobody_gets_a_rebate() -> None:
    own = {
        "mode": "discount",
        "rates": [{"rate_bp": 300}, {"scope": "sku", "target": "tea", "tier": "gold", "rate_bp": 900}],
    }
    parsed = Settings.model_validate({"own_purchases": own})
    assert PLAN.self_discount(parsed, Person(uid(1), 0, "gold"), LINE) == 900
    assert PLAN.self_discount(parsed, Person(uid(1), 0, "silver"), LINE) == 300
    assert PLAN.self_discount(parsed, BUYER, LINE) == 0
    assert PLAN.self_discount(Settings.model_validate({"own_purchases": {**own, "mode": "rebate"}}), BUYER, LINE) == 0
    cheaper = (replace(LINE, self_discount_bp=900),)
    facts = order("gold", buyer=Person(uid(20), 0, "gold"), lines=cheaper)
    assert told({"own_purchases": own}, facts) == {}
    assert told({"own_purchases": {**own, "pay_upline": True}}, facts) == {"rules:1 L1": 999}


def test_what_an_order_was_bought_with_counts_and_not_what_the_plan_would_have_given() -> None:
    """The buyer was frozen, or the plan changed between the order and its payment."""
    gold = Person(uid(20), 0, "gold")
    discount = {"own_purchases": {"mode": "discount", "rates": [{"rate_bp": 300}]}}
    rebate = {"own_purchases": {"mode": "rebate", "rates": [{"rate_bp": 300}]}}
    cheaper = (replace(LINE, self_discount_bp=500),)
    assert told(discount, order("gold", buyer=gold)) == {"rules:1 L1": 999}, "no discount was had"
    assert told(rebate, order("gold", buyer=gold, lines=cheaper)) == {}, "a discount was had before"
    assert told(rebate, order("gold", buyer=gold)) == {"rules:self L0": 299}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"team": {"management": [{"rate_bp": 1_000}, {"tier": "gold", "rate_bp": 0}]}}, {}),
        (
            {"team": {"management": [{"rate_bp": 1_000}, {"tier": "silver", "rate_bp": 0}]}},
            {"rules:management:1 L2": 99},
        ),
        (
            {
                "bonuses": {
                    "leaders": [{"tier": "silver", "rate_bp": 0}, {"tier": "gold", "rate_bp": 300}],
                    "leader_depth": 2,
                }
            },
            {},
        ),
    ],
)
def test_a_row_of_nothing_leaves_its_tier_out(values: dict[str, Any], expected: dict[str, int]) -> None:
    rates = {"rates": [{"level": 1, "rate_bp": 1_000}]}
    assert told({**rates, **values}, order("silver", "gold")) == {"rules:1 L1": 999, **expected}


def test_a_new_member_s_first_order_counts_from_the_minimum_on() -> None:
    for minimum, expected in ((9_999, {"rules:new-member L1": 99}), (10_000, {})):
        values = {"rates": [], "bonuses": {"new_member_bp": 100, "new_member_from_fen": minimum}}
        assert told(values, order("gold")) == expected
        assert told(values, order("gold", order_number=2)) == {}


def test_plan_caps_are_the_section_of_limits() -> None:
    limits = {"line_bp": 3_000, "order_fen": 500, "promoter_day_fen": 1, "budget_fen": 2, "on_budget_end": "stop"}
    assert PLAN.plan_caps(Settings.model_validate({"limits": limits})) == Caps(
        line_bp=3_000, order_fen=500, promoter_day_fen=1, budget_fen=2, budget_period="month", on_budget_end="stop"
    )
    assert PLAN.plan_caps(Settings()) == Caps(budget_period="month")


@pytest.mark.parametrize(
    ("values", "levels", "team", "depth"),
    [
        ({"rates": []}, 0, False, 3),
        ({}, 1, False, 3),
        ({"rates": [{"level": 1, "rate_bp": 1}, {"level": 3, "rate_bp": 0}]}, 1, False, 3),
        (
            {
                "campaigns": [
                    {"name": "x", "starts_at": "2026-11-01", "ends_at": "2026-11-02", "level": 2, "rate_bp": 1}
                ]
            },
            2,
            False,
            3,
        ),
        ({"rates": [], "bonuses": {"new_member_bp": 100}}, 1, False, 3),
        ({"rates": [], "bonuses": {"leaders": [{"rate_bp": 1}], "leader_depth": 3}}, 3, False, 3),
        ({"rates": [], "bonuses": {"leaders": [{"rate_bp": 1}], "leader_depth": 4}}, 0, True, 4),
        ({"team": {"management": [{"rate_bp": 1}]}}, 1, True, 10),
        ({"team": {"differential": [{"tier": "gold", "rate_bp": 1}], "depth": 50}}, 1, True, 50),
        ({"rates": [], "targets": [{"figure": "team", "from_fen": 1, "fixed_fen": 1}]}, 0, True, 3),
    ],
    ids=str,
)
def test_plan_traits_are_what_the_settings_do(values: dict[str, Any], levels: int, team: bool, depth: int) -> None:
    traits = PLAN.plan_traits(Settings.model_validate(values))
    assert (traits.levels, traits.team_rewards, traits.upline_depth) == (levels, team, depth)


DAY = {"starts_at": "2026-11-01T00:00:00+08:00", "ends_at": "2026-11-02T00:00:00+08:00"}
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "the same row twice": ({"rates": [{"level": 1, "rate_bp": 1}, {"level": 1, "rate_bp": 2}]}, "rates.1"),
    "no percentage and no amount": ({"rates": [{"level": 1}]}, "rates.0.rate_bp"),
    "both a percentage and an amount": ({"rates": [{"level": 1, "rate_bp": 1, "fixed_fen": 1}]}, "rates.0.rate_bp"),
    "goods without a name": ({"rates": [{"scope": "sku", "level": 1, "rate_bp": 1}]}, "rates.0.target"),
    "all goods with a name": ({"rates": [{"target": "x", "level": 1, "rate_bp": 1}]}, "rates.0.target"),
    "a name that cannot be shown": (
        {"rates": [{"scope": "sku", "target": "a\tb", "level": 1, "rate_bp": 1}]},
        "rates.0.target",
    ),
    "an unknown tier": ({"rates": [{"level": 1, "tier": "platinum", "rate_bp": 1}]}, "rates.0.tier"),
    "an unknown tier of the team": (
        {"team": {"differential": [{"tier": "x", "rate_bp": 1}]}},
        "team.differential.0.tier",
    ),
    "bands that fall": (
        {"order_ladder": {"bands": [{"from_fen": 0, "rate_bp": 2}, {"from_fen": 1, "rate_bp": 1}]}},
        "order_ladder.bands.1.rate_bp",
    ),
    "bands out of order": (
        {"order_ladder": {"bands": [{"from_fen": 5, "rate_bp": 1}, {"from_fen": 1, "rate_bp": 1}]}},
        "order_ladder.bands.1.from_fen",
    ),
    "two ladders for one place": (
        {
            "order_ladder": {"bands": [{"from_fen": 0, "rate_bp": 1}]},
            "month_ladder": {"bands": [{"from_fen": 0, "rate_bp": 1}], "together": "instead"},
        },
        "month_ladder.together",
    ),
    "a whole month that cannot be worked out": (
        {"base": "margin", "month_ladder": {"bands": [{"from_fen": 0, "rate_bp": 1}], "retroactive": True}},
        "month_ladder.retroactive",
    ),
    "a campaign that ends first": (
        {"campaigns": [{"name": "x", "starts_at": DAY["ends_at"], "ends_at": DAY["starts_at"], "rate_bp": 1}]},
        "campaigns.0.ends_at",
    ),
    "a differential that falls": (
        {"team": {"differential": [{"tier": "gold", "rate_bp": 1}, {"tier": "bronze", "rate_bp": 2}]}},
        "team.differential.0.rate_bp",
    ),
    "same rank alone": ({"team": {"same_rank": [{"rate_bp": 1}]}}, "team.same_rank.0"),
    "two ways for a new member": ({"bonuses": {"new_member_bp": 1, "new_member_fen": 1}}, "bonuses.new_member_bp"),
    "a pool for nobody": ({"pool": {"rate_bp": 1}}, "pool.tiers"),
    "a lower price as an amount": (
        {"own_purchases": {"mode": "discount", "rates": [{"fixed_fen": 1}]}},
        "own_purchases.rates.0.fixed_fen",
    ),
    "more than everything": ({"rates": [{"level": n, "rate_bp": 4_000} for n in (1, 2, 3)]}, "rates"),
    "more than everything with a ladder on top": (
        {
            "rates": [{"level": 1, "rate_bp": 6_000}],
            "order_ladder": {"bands": [{"from_fen": 0, "rate_bp": 4_001}], "together": "extra"},
        },
        "rates",
    ),
    "more than everything while two campaigns run": (
        {
            "rates": [{"level": 1, "rate_bp": 2_000}],
            "campaigns": [{"name": name, **DAY, "rate_bp": 4_001} for name in ("a", "b")],
        },
        "rates",
    ),
    "more than everything with the team": (
        {
            "rates": [{"level": 1, "rate_bp": 5_000}],
            "team": {
                "differential": [{"tier": "gold", "rate_bp": 4_000}],
                "same_rank": [{"rate_bp": 1_000}],
                "management": [{"rate_bp": 1_000}],
            },
        },
        "rates",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_settings_that_cannot_work_together_are_refused(app: Flask, case: str) -> None:
    values, path = BAD[case]
    with app.app_context():
        problems = PLAN.check_settings(Settings.model_validate(values), KNOWN)
    assert [p for p in problems if p.path == path], problems
    assert all(str(p.message) for p in problems)


GOOD: dict[str, dict[str, Any]] = {
    "the default": {},
    "nothing": {"rates": []},
    "everything that was paid": {"rates": [{"level": 1, "rate_bp": 10_000}]},
    "campaigns one after the other": {
        "rates": [{"level": 1, "rate_bp": 2_000}],
        "campaigns": [
            {"name": "a", **DAY, "rate_bp": 8_000},
            {"name": "b", "starts_at": DAY["ends_at"], "ends_at": "2026-11-03T00:00:00+08:00", "rate_bp": 8_000},
        ],
    },
    "a whole month on top": {"month_ladder": {"bands": [{"from_fen": 0, "rate_bp": 1}], "retroactive": True}},
    "an exception that takes the place of the brand's": {
        "rates": [
            {"level": 1, "rate_bp": 6_000},
            {"level": 2, "rate_bp": 4_000},
            {"scope": "sku", "target": "x", "level": 1, "rate_bp": 100},
            {"scope": "sku", "target": "x", "level": 2, "rate_bp": 9_000},
        ]
    },
}


@pytest.mark.parametrize("case", GOOD)
def test_settings_that_work_are_accepted(app: Flask, case: str) -> None:
    with app.app_context():
        assert not PLAN.check_settings(Settings.model_validate(GOOD[case]), KNOWN)


def test_too_much_is_said_with_its_parts(app: Flask) -> None:
    values = {"rates": [{"level": 1, "rate_bp": 9_000}], "bonuses": {"new_member_bp": 2_000}}
    with app.test_request_context("/api/v1/", headers={"Accept-Language": "en"}):
        (problem,) = PLAN.check_settings(Settings.model_validate(values), KNOWN)
    assert "110.00%" in problem.message
    assert "level 1 90.00%, new member 20.00%" in problem.message


def test_what_a_plan_withholds_has_to_be_of_the_order() -> None:
    facts = order("gold")
    for nonsense in (
        Withheld(uid(999), None, 1, "r", "no_upline"),
        Withheld(LINE.line_id, uid(999), 1, "r", "outranked"),
        Withheld(LINE.line_id, None, 1, "r", "because I say so"),
        Withheld(LINE.line_id, None, True, "r", "no_upline"),
    ):
        with pytest.raises(engine.ImpossibleProposal):
            engine.settle(facts, [nonsense])


def test_campaign_times_without_a_zone_are_the_brand_s() -> None:
    row = {"name": "11.11", "starts_at": "2026-11-01T08:00:00", "ends_at": "2026-11-01T09:00:00", "rate_bp": 100}
    facts = order("gold", paid_at=datetime(2026, 11, 1, 0, 30, tzinfo=PAID_AT.tzinfo))
    assert told({"rates": [], "campaigns": [row]}, facts) == {"rules:campaign:11.11:1 L1": 99}
    assert told({"rates": [], "campaigns": [row]}, order("gold", paid_at=facts.paid_at + timedelta(hours=1))) == {}
