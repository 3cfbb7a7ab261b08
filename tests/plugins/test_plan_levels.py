"""`plan_levels`: the most specific rate wins, checked against somebody who looks at every row."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fanyong.values import AwardProposal, LineFacts, OrderFacts, Person, Tier, Withheld
from plugins.plan_levels import PlanLevels, Settings, plugin
from tenants.commissions import engine
from tests.money import model
from tests.plugins.facts import CATEGORIES, PAID_AT, SKUS, TIERS, orders, uid

KNOWN = tuple(Tier(key, key, rank) for rank, key in enumerate(TIERS))
RATES = st.integers(0, 3_333)
ROWS = {"level": st.integers(1, 3), "tier": st.sampled_from(["", *TIERS]), "rate_bp": RATES}
TARGETS = st.sampled_from([*(("sku", sku) for sku in SKUS), *(("category", name) for name in CATEGORIES)])


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    """Settings without a row that stands twice."""
    rates = draw(
        st.lists(st.fixed_dictionaries(ROWS), min_size=1, max_size=8, unique_by=lambda r: (r["level"], r["tier"]))
    )
    exceptions = draw(
        st.lists(
            st.tuples(TARGETS, st.fixed_dictionaries(ROWS)),
            max_size=10,
            unique_by=lambda pair: (pair[0], pair[1]["level"], pair[1]["tier"]),
        )
    )
    return {
        "rates": rates,
        "overrides": [{"scope": scope, "target": target, **row} for (scope, target), row in exceptions],
    }


def proposed(settings: Settings, facts: OrderFacts) -> list[AwardProposal]:
    """Return whom the plan wants to pay."""
    return [p for p in plugin.propose_awards(settings=settings, facts=facts) if isinstance(p, AwardProposal)]


@given(values=values(), facts=orders())
def test_the_most_specific_rate_wins(values: dict[str, Any], facts: OrderFacts) -> None:
    proposals = proposed(Settings.model_validate(values), facts)
    found = {(p.line_id, p.beneficiary_id, p.level, p.base_fen, p.rate_bp, p.kind) for p in proposals}
    expected = set()
    for line in facts.lines:
        for person in facts.upline:
            goods = model.Goods(line.sku, line.category, line.paid_fen)
            rate_bp = model.levels_rate(values, goods, model.Human("", person.level, person.tier))
            if rate_bp is not None:
                expected.add((line.line_id, person.member_id, person.level, line.paid_fen, rate_bp, "share"))
    assert found == expected
    assert len(found) == len(proposals), "nobody is proposed twice for a line"


@given(values=values(), facts=orders())
def test_the_whole_way_is_the_models(values: dict[str, Any], facts: OrderFacts) -> None:
    result = engine.settle(facts, plugin.propose_awards(settings=Settings.model_validate(values), facts=facts))
    people = [model.Human(str(p.member_id), p.level, p.tier, p.frozen) for p in (facts.buyer, *facts.upline)]
    goods = [model.Goods(line.sku, line.category, line.paid_fen) for line in facts.lines]
    expected = model.shares(
        model.Plan("plan_levels", values), goods, people[0], people[1:], levels_allowed=facts.levels_allowed
    )
    lines = {line.line_id: index for index, line in enumerate(facts.lines)}
    found = sorted((lines[a.line_id], str(a.beneficiary_id), a.level, a.amount_fen) for a in result.awards)
    assert found == sorted((s.line, s.name, s.level, s.amount_fen) for s in expected)


@given(values=values(), facts=orders(), more=st.integers(0, 1_000))
def test_a_higher_rate_never_pays_less(values: dict[str, Any], facts: OrderFacts, more: int) -> None:
    def paid(extra: int) -> dict[Any, int]:
        raised = {name: [{**row, "rate_bp": row["rate_bp"] + extra} for row in rows] for name, rows in values.items()}
        # Looked at before the cap, which shares what there is and may therefore give one of them less.
        proposals = proposed(Settings.model_validate(raised), facts)
        return {(p.line_id, p.beneficiary_id): p.base_fen * p.rate_bp // 10_000 for p in proposals}

    before, after = paid(0), paid(more)
    assert before.keys() == after.keys()
    assert all(after[key] >= amount >= 0 for key, amount in before.items())


def test_an_order_by_hand() -> None:
    """Two lines, three levels: SKU before category before brand, and a tier before all tiers."""
    settings = Settings.model_validate(
        {
            "rates": [
                {"level": 1, "rate_bp": 1_000},
                {"level": 1, "tier": "gold", "rate_bp": 1_500},
                {"level": 2, "rate_bp": 500},
            ],
            "overrides": [
                {"scope": "category", "target": "ware", "level": 1, "rate_bp": 2_000},
                {"scope": "sku", "target": "pot", "level": 1, "tier": "bronze", "rate_bp": 100},
            ],
        }
    )
    facts = OrderFacts(
        uid(1),
        PAID_AT,
        (LineFacts(uid(10), "pot", "ware", 1, 9_999), LineFacts(uid(11), "tea", "drink", 2, 5_001)),
        Person(uid(20), 0, None),
        (Person(uid(21), 1, "gold"), Person(uid(22), 2, "bronze"), Person(uid(23), 3, "gold")),
        3,
    )
    awards = engine.settle(facts, plugin.propose_awards(settings=settings, facts=facts)).awards
    found = {(a.line_id, a.level): (a.rule, a.amount_fen) for a in awards}
    assert found == {
        # The SKU's row names bronze only, so gold gets the category's 20 %.
        (uid(10), 1): ("levels:1:category:ware", 1_999),
        (uid(10), 2): ("levels:2", 499),
        (uid(11), 1): ("levels:1:gold", 750),
        (uid(11), 2): ("levels:2", 250),
    }


@given(values=values(), orders_=st.lists(orders(), min_size=1, max_size=5))
def test_compile_plan_answers_like_propose_awards(values: dict[str, Any], orders_: list[OrderFacts]) -> None:
    settings = Settings.model_validate(values)
    compiled = PlanLevels().compile_plan(settings)
    for facts in [*orders_, *orders_]:
        assert compiled(facts) == plugin.propose_awards(settings=settings, facts=facts)


def test_a_level_without_anybody_is_told() -> None:
    settings = Settings.model_validate({"rates": [{"level": 1, "rate_bp": 100}, {"level": 2, "rate_bp": 50}]})
    line = LineFacts(uid(10), "tea", "", 1, 10_000)
    facts = OrderFacts(uid(1), PAID_AT, (line,), Person(uid(20), 0, None), (Person(uid(21), 1, "gold"),), 3)
    result = engine.settle(facts, plugin.propose_awards(settings=settings, facts=facts))
    assert [award.amount_fen for award in result.awards] == [100]
    assert result.withheld == (Withheld(uid(10), None, 2, "levels:2", "no_upline"),)


@pytest.mark.parametrize(
    ("rates", "levels"),
    [
        ([{"level": 1, "rate_bp": 100}], 1),
        ([{"level": 1, "rate_bp": 100}, {"level": 2, "rate_bp": 0}], 1),
        ([{"level": 1, "rate_bp": 100}, {"level": 3, "rate_bp": 1}], 3),
        ([{"level": 1, "rate_bp": 0}], 0),
    ],
)
def test_the_highest_level_that_earns_is_what_the_policy_hears(rates: list[dict[str, Any]], levels: int) -> None:
    assert plugin.plan_levels(settings=Settings.model_validate({"rates": rates})) == levels


def test_an_exception_counts_for_the_policy_too() -> None:
    settings = Settings.model_validate(
        {
            "rates": [{"level": 1, "rate_bp": 1}],
            "overrides": [{"scope": "sku", "target": "x", "level": 2, "rate_bp": 1}],
        }
    )
    assert plugin.plan_levels(settings=settings) == 2


BAD_TOGETHER = {
    "the same level and tier twice": ({"rates": [{"level": 1, "rate_bp": 1}, {"level": 1, "rate_bp": 2}]}, "rates.1"),
    "the same exception twice": (
        {
            "rates": [{"level": 1, "rate_bp": 1}],
            "overrides": [{"scope": "sku", "target": "x", "level": 1, "rate_bp": rate} for rate in (1, 1)],
        },
        "overrides.1",
    ),
    "a tier nobody knows": ({"rates": [{"level": 1, "tier": "platinum", "rate_bp": 1}]}, "rates.0.tier"),
    "more than everything": ({"rates": [{"level": n, "rate_bp": 4_000} for n in (1, 2, 3)]}, "rates.0"),
    "more than everything for the best tiers": (
        {
            "rates": [
                {"level": 1, "rate_bp": 100},
                {"level": 1, "tier": "gold", "rate_bp": 6_000},
                {"level": 2, "tier": "bronze", "rate_bp": 4_001},
            ]
        },
        "rates.0",
    ),
    "more than everything for one product": (
        {
            "rates": [{"level": 1, "rate_bp": 5_000}, {"level": 2, "rate_bp": 4_000}],
            "overrides": [{"scope": "sku", "target": "x", "level": 2, "rate_bp": 5_001}],
        },
        "overrides.0",
    ),
    "an exception for one tier leaves the others their rate": (
        {
            "rates": [{"level": 1, "rate_bp": 9_000}],
            "overrides": [
                {"scope": "sku", "target": "x", "level": 1, "tier": "gold", "rate_bp": 100},
                {"scope": "sku", "target": "x", "level": 2, "rate_bp": 1_001},
            ],
        },
        "overrides.0",
    ),
}


@pytest.mark.parametrize("case", BAD_TOGETHER)
def test_settings_that_cannot_work_together_are_refused(app: Flask, case: str) -> None:
    values, path = BAD_TOGETHER[case]
    with app.app_context():
        problems = plugin.check_settings(settings=Settings.model_validate(values), tiers=KNOWN)
    assert [p for p in problems if p.path.startswith(path)], problems


@given(values=values())
def test_settings_that_are_accepted_without_exceptions_never_need_the_cap(app: Flask, values: dict[str, Any]) -> None:
    values = {"rates": [{**row, "rate_bp": row["rate_bp"] * 2} for row in values["rates"]]}
    settings = Settings.model_validate(values)
    with app.app_context():
        refused = bool(plugin.check_settings(settings=settings, tiers=KNOWN))
    worst = sum(max((row["rate_bp"] for row in values["rates"] if row["level"] == n), default=0) for n in (1, 2, 3))
    assert refused is (worst > 10_000)


def test_settings_that_use_everything_are_fine(app: Flask) -> None:
    settings = Settings.model_validate(
        {"rates": [{"level": 1, "tier": "gold", "rate_bp": 9_000}, {"level": 2, "rate_bp": 1_000}]}
    )
    with app.app_context():
        assert not plugin.check_settings(settings=settings, tiers=KNOWN)


@pytest.mark.parametrize(
    "row",
    [
        {"level": 0, "rate_bp": 1},
        {"level": 4, "rate_bp": 1},
        {"level": 1, "rate_bp": -1},
        {"level": 1, "rate_bp": 10_001},
        {"level": 1, "rate_bp": 10.5},
        {"level": 1, "rate_bp": "ten"},
        {"level": 1, "rate_bp": None},
        {"level": 1, "rate_bp": float("nan")},
        {"level": 1, "rate_bp": 10**30},
        {"level": 1.5, "rate_bp": 1},
        {"level": 1},
        {"rate_bp": 1},
        {"level": 1, "rate_bp": 1, "bonus_bp": 1},
    ],
    ids=str,
)
def test_a_row_that_cannot_be_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"rates": [row]})


@pytest.mark.parametrize(
    "values",
    [
        {"rates": []},
        {"rates": None},
        {"rate": [{"level": 1, "rate_bp": 1}]},
        {"overrides": [{"scope": "brand", "target": "x", "level": 1, "rate_bp": 1}]},
        {"overrides": [{"scope": "sku", "target": "", "level": 1, "rate_bp": 1}]},
        {"rates": [{"level": 1, "rate_bp": 1}] * 101},
    ],
    ids=lambda values: str(values)[:60],
)
def test_settings_of_the_wrong_shape_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(values)
