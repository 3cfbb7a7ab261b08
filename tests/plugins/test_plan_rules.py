"""`plan_rules`: every rule against somebody who looks at every row, and what holds whatever the settings are."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanyong.values import AwardProposal, Caps, LineFacts, OrderFacts, Person, Proposal, Tier, Withheld
from plugins.plan_rules import PlanRules, Settings
from tenants.commissions import engine
from tests.plugins import slow_rules
from tests.plugins.facts import CATEGORIES, PAID_AT, SKUS, uid

PLAN = PlanRules()
TIERS = ("bronze", "silver", "gold")
KNOWN = tuple(Tier(key, key, rank) for rank, key in enumerate(TIERS))
PRODUCTS = ("p1", "p2")
BEIJING = timezone(timedelta(hours=8))
RATE = st.integers(0, 3_000)
TIER = st.sampled_from(["", *TIERS])
GOODS = st.sampled_from(
    [
        ("brand", ""),
        *(("sku", sku) for sku in SKUS),
        *(("product", product) for product in PRODUCTS),
        *(("category", category) for category in CATEGORIES),
    ]
)
MONEY = st.one_of(st.fixed_dictionaries({"rate_bp": RATE}), st.fixed_dictionaries({"fixed_fen": st.integers(0, 10**5)}))


def unique(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """Keep the first row of those that would be refused as repeated."""
    return list({tuple(row.get(name) for name in names): row for row in reversed(rows)}.values())


@st.composite
def rate_rows(draw: st.DrawFn) -> dict[str, Any]:
    scope, target = draw(GOODS)
    orders = draw(st.sampled_from(["all", "first", "repeat"]))
    return {
        "scope": scope,
        "target": target,
        "level": draw(st.integers(1, 3)),
        "tier": draw(TIER),
        "orders": orders,
        **draw(MONEY),
    }


@st.composite
def ladders(draw: st.DrawFn, *, together: str) -> dict[str, Any]:
    bands = []
    for tier in draw(st.sets(TIER, max_size=2)):
        starts = sorted(draw(st.sets(st.integers(0, 10**6), max_size=4)))
        rates = sorted(draw(st.lists(RATE, min_size=len(starts), max_size=len(starts))))
        bands += [{"from_fen": s, "tier": tier, "rate_bp": r} for s, r in zip(starts, rates, strict=True)]
    return {"bands": bands, "together": together}


@st.composite
def campaigns(draw: st.DrawFn) -> dict[str, Any]:
    scope, target = draw(GOODS)
    starts = PAID_AT.astimezone(BEIJING) + timedelta(hours=draw(st.integers(-3, 1)))
    return {
        "name": draw(st.sampled_from(["11.11", "birthday"])),
        "starts_at": starts.isoformat(),
        "ends_at": (starts + timedelta(hours=draw(st.integers(1, 3)))).isoformat(),
        "together": draw(st.sampled_from(["instead", "extra"])),
        "scope": scope,
        "target": target,
        "level": draw(st.integers(1, 3)),
        "tier": draw(TIER),
        **draw(MONEY),
    }


@st.composite
def own_rows(draw: st.DrawFn) -> dict[str, Any]:
    scope, target = draw(GOODS)
    return {"scope": scope, "target": target, "tier": draw(TIER), **draw(MONEY)}


GENERATION = st.fixed_dictionaries({"generation": st.integers(1, 3), "tier": TIER, "rate_bp": RATE})


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    """Settings with something of everything, no row twice, and at most one ladder instead of the brand's rate."""
    order_ladder, month_ladder = draw(st.sampled_from([("instead", "extra"), ("extra", "instead"), ("extra", "extra")]))
    new_member = draw(st.sampled_from(["new_member_bp", "new_member_fen"]))
    return {
        "base": draw(st.sampled_from(["paid", "paid_less_tax", "margin", "fixed_base"])),
        "rates": unique(draw(st.lists(rate_rows(), max_size=8)), "scope", "target", "level", "tier", "orders"),
        "order_ladder": draw(ladders(together=order_ladder)),
        "month_ladder": draw(ladders(together=month_ladder)),
        "own_purchases": {
            "mode": draw(st.sampled_from(["none", "rebate", "discount"])),
            "rates": unique(draw(st.lists(own_rows(), max_size=4)), "scope", "target", "tier"),
            "pay_upline": draw(st.booleans()),
        },
        "campaigns": unique(draw(st.lists(campaigns(), max_size=4)), "name", "scope", "target", "level", "tier"),
        "bonuses": {
            "leaders": unique(
                draw(st.lists(st.tuples(TIER, MONEY).map(lambda p: {"tier": p[0], **p[1]}), max_size=2)), "tier"
            ),
            "leader_depth": draw(st.integers(1, 5)),
            new_member: draw(st.none() | st.integers(0, 3_000)),
            "new_member_from_fen": draw(st.sampled_from([0, 10_000])),
        },
        "team": {
            "differential": [
                {"tier": tier, "rate_bp": rate}
                for tier, rate in zip(TIERS, sorted(draw(st.lists(RATE, min_size=3, max_size=3))), strict=True)
            ]
            if draw(st.booleans())
            else [],
            "same_rank": unique(draw(st.lists(GENERATION, max_size=2)), "generation", "tier"),
            "management": unique(draw(st.lists(GENERATION, max_size=3)), "generation", "tier"),
            "depth": draw(st.integers(1, 6)),
        },
        "regions": {
            "rates": unique(
                draw(
                    st.lists(
                        st.fixed_dictionaries(
                            {"size": st.sampled_from(["province", "city", "district"]), "rate_bp": RATE}
                        ),
                        max_size=3,
                    )
                ),
                "size",
            ),
            "who": draw(st.sampled_from(["all", "nearest"])),
        },
    }


@st.composite
def orders(draw: st.DrawFn) -> OrderFacts:
    """An order of up to three lines, an upline of up to six and agents of the region."""
    tier = st.sampled_from([None, *TIERS])
    people = [
        Person(uid(100 + level), level, draw(tier), draw(st.booleans()), 0, draw(st.integers(0, 10**6)))
        for level in range(draw(st.integers(1, 7)))
    ]
    lines = tuple(
        LineFacts(
            uid(index),
            draw(st.sampled_from(SKUS)),
            draw(st.sampled_from(["", *CATEGORIES])),
            draw(st.integers(1, 5)),
            draw(st.integers(0, 10**6)),
            draw(st.sampled_from(["", *PRODUCTS])),
            draw(st.none() | st.integers(0, 10**6)),
            draw(st.sampled_from([0, 600, 1_300])),
            draw(st.none() | st.integers(0, 10**5)),
            draw(st.just(0) | st.integers(1, 10**6)),
            draw(st.just(0) | st.integers(1, 5_000)),
        )
        for index in range(draw(st.integers(1, 3)))
    )
    codes = draw(st.lists(st.sampled_from(["110105", "110100", "110000", "110106"]), max_size=3))
    agents = tuple(
        Person(uid(200 + index), 0, draw(tier), draw(st.booleans()), region=code) for index, code in enumerate(codes)
    )
    return OrderFacts(
        uid(1_000),
        PAID_AT,
        lines,
        people[0],
        tuple(people[1:]),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
        "110105",
        agents,
        draw(st.booleans()),
    )


def offered(proposals: list[Proposal]) -> list[AwardProposal]:
    """Return whom the plan wants to pay, without those it says it does not."""
    return [item for item in proposals if isinstance(item, AwardProposal)]


def compiled(given_: dict[str, Any], facts: OrderFacts) -> list[Proposal]:
    return list(PLAN.compile_plan(Settings.model_validate(given_))(facts))


@given(values=values(), facts=orders())
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_every_rule_is_the_slow_calculator_s(values: dict[str, Any], facts: OrderFacts) -> None:
    found = [
        (p.line_id, p.beneficiary_id, p.kind, p.level, p.base_fen, p.rate_bp, p.fixed_fen)
        for p in offered(compiled(values, facts))
    ]
    assert sorted(map(str, found)) == sorted(map(str, slow_rules.awards(values, facts)))


@given(values=values(), facts=orders(), caps=st.tuples(*[st.none() | st.integers(0, 10_000)] * 3))
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_proposed_the_core_keeps_to_what_was_paid_and_to_the_limits(
    values: dict[str, Any], facts: OrderFacts, caps: tuple[int | None, int | None, int | None]
) -> None:
    limits = Caps(line_bp=caps[0], order_bp=caps[1], order_fen=caps[2])
    result = engine.settle(facts, compiled(values, facts), limits)
    for line in facts.lines:
        of_line = sum(award.amount_fen for award in result.awards if award.line_id == line.line_id)
        most = line.paid_fen if limits.line_bp is None else line.paid_fen * limits.line_bp // 10_000
        assert of_line <= most <= line.paid_fen
    if limits.order_bp is not None:
        assert result.total_fen <= facts.paid_goods_fen * limits.order_bp // 10_000
    if limits.order_fen is not None:
        assert result.total_fen <= limits.order_fen
    assert all(award.amount_fen > 0 for award in result.awards)
    names = {(award.line_id, award.beneficiary_id, award.rule) for award in result.awards}
    assert len(names) == len(result.awards)


@given(values=values(), facts=orders())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_traits_tell_no_less_than_what_is_paid(values: dict[str, Any], facts: OrderFacts) -> None:
    traits = PLAN.plan_traits(Settings.model_validate(values))
    assert PLAN.plan_levels(Settings.model_validate(values)) == traits.levels
    assert not traits.head_count
    for proposal in offered(compiled(values, facts)):
        worth = proposal.fixed_fen or proposal.rate_bp
        if not worth:
            continue
        assert proposal.level <= traits.upline_depth
        if proposal.kind == "team":
            assert traits.team_rewards
        elif proposal.kind in ("share", "bonus"):
            assert proposal.level <= traits.levels or traits.team_rewards


@given(values=values(), facts=orders())
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
def test_compile_plan_answers_like_propose_awards_again_and_again(values: dict[str, Any], facts: OrderFacts) -> None:
    plan = PLAN.compile_plan(Settings.model_validate(values))
    assert plan(facts) == plan(facts) == PLAN.propose_awards(Settings.model_validate(values), facts)


@given(values=values(), facts=orders(), more=st.integers(0, 10**6))
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_selling_more_never_lowers_a_band(values: dict[str, Any], facts: OrderFacts, more: int) -> None:
    if not facts.upline:
        return
    only = {"rates": [], "month_ladder": values["month_ladder"]}
    higher = replace(facts.upline[0], month_fen=facts.upline[0].month_fen + more)
    before = sum(p.rate_bp for p in offered(compiled(only, facts)))
    after = sum(p.rate_bp for p in offered(compiled(only, replace(facts, upline=(higher, *facts.upline[1:])))))
    assert after >= before


LINE = LineFacts(uid(10), "tea", "drink", 2, 9_999, "p1")
BUYER = Person(uid(20), 0, None)


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
