"""Awards and what was withheld in words: the figures of the sentence are those of the award."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import pytest
from flask import Flask

from fanyong.values import AwardProposal, BaseKind, Caps, LineFacts, OrderFacts, PeriodFacts, Person
from plugins.plan_rules import PlanRules, Settings
from tenants.commissions.engine import Spending, limit_by_spending, settle
from tenants.commissions.explain import award_sentence, withheld_sentence
from tenants.commissions.periods import settle_period
from tenants.commissions.proposals import PLAN_REASONS
from tests.commissions.test_periods import month, person
from tests.plugins.facts import PAID_AT, uid

PLAN = PlanRules()
LINE = LineFacts(uid(10), "TEA-100", "tea", 2, 9_999, "p1", cost_fen=4_000, tax_bp=1_300, fixed_base_fen=3_000)


@pytest.fixture(autouse=True)
def english(app: Flask) -> Iterator[None]:
    with app.test_request_context("/api/v1/", headers={"Accept-Language": "en"}):
        yield


def sentences(values: dict[str, Any], *, caps: Caps | None = None, **more: Any) -> list[str]:
    upline = (Person(uid(21), 1, "gold", month_fen=5_000), Person(uid(22), 2, "gold"), Person(uid(23), 3, "gold"))
    given: dict[str, Any] = {"buyer": Person(uid(20), 0, "silver"), "upline": upline, "levels_allowed": 3}
    facts = OrderFacts(uid(1), PAID_AT, (LINE,), **{**given, "team_allowed": True, **more})
    proposals = PLAN.compile_plan(Settings.model_validate({"rates": [], **values}))(facts)
    result = limit_by_spending(settle(facts, proposals, caps or Caps()), caps or Caps(), Spending())
    return [award_sentence({**award.explanation, "plan_version": 3}) for award in result.awards]


ONE = [{"level": 1, "rate_bp": 1_000}]
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a rate": (
        {"rates": ONE},
        "10.00% of ¥99.99 (line paid after discounts) = ¥9.999, floored to ¥9.99, rule rules:1, plan version 3",
    ),
    "the more specific one": (
        {"rates": [*ONE, {"scope": "sku", "target": "TEA-100", "level": 1, "orders": "first", "rate_bp": 100}]},
        "the rate of the SKU TEA-100 on a first order, 1.00% of ¥99.99 (line paid after discounts) = ¥0.9999, floored "
        "to ¥0.99, comes before rules:1, rule rules:1:sku:TEA-100:first, plan version 3",
    ),
    "less tax": (
        {"base": "paid_less_tax", "rates": ONE},
        "10.00% of ¥88.48 (¥99.99 paid less ¥11.51 tax in it) = ¥8.848",
    ),
    "margin": ({"base": "margin", "rates": ONE}, "10.00% of ¥59.99 (¥99.99 paid less ¥40.00 cost) = ¥5.999"),
    "a fixed base": (
        {"base": "fixed_base", "rates": ONE},
        "10.00% of ¥60.00 (commission base of ¥30.00 a piece × 2) = ¥6.00",
    ),
    "an amount per piece": (
        {"rates": [{"level": 1, "fixed_fen": 150}]},
        "¥1.50 a piece × 2 = ¥3.00, rule rules:1",
    ),
    "an amount above the price": (
        {"rates": [{"level": 1, "fixed_fen": 9_000}]},
        "¥90.00 a piece × 2 = ¥180.00, at most the ¥99.99 paid for the line",
    ),
    "a ladder of orders": (
        {"order_ladder": {"bands": [{"from_fen": 5_000, "rate_bp": 100}]}},
        "the rate of orders from ¥50.00 on, 1.00% of ¥99.99",
    ),
    "a ladder of the month": (
        {"month_ladder": {"bands": [{"from_fen": 4_000, "rate_bp": 100}]}},
        "the rate from ¥40.00 sold in the month on, 1.00% of ¥99.99",
    ),
    "a campaign": (
        {"campaigns": [{"name": "11.11", "starts_at": "2026-10-31", "ends_at": "2026-11-12", "rate_bp": 100}]},
        "campaign 11.11, 1.00% of ¥99.99",
    ),
    "a group leader": (
        {"bonuses": {"leaders": [{"rate_bp": 100}]}},
        "the nearest group leader above the buyer, 1.00% of",
    ),
    "a new member": (
        {"bonuses": {"new_member_fen": 500}},
        "the first order of somebody new, ¥5.00 for the order, of which ¥5.00 for this line, rule rules:new-member",
    ),
    "an own purchase": (
        {"own_purchases": {"mode": "rebate", "rates": [{"rate_bp": 100}]}},
        "1.00% of ¥99.99 (line paid after discounts) = ¥0.9999, floored to ¥0.99, rule rules:self",
    ),
    "a differential": (
        {"team": {"differential": [{"tier": "gold", "rate_bp": 1_000}]}},
        "differential: 10.00% of the tier less 0.00% below it, 10.00% of ¥99.99",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_award_says_how_it_came_about(case: str) -> None:
    values, expected = CASES[case]
    assert sentences(values)[0].startswith(expected)


def test_team_rewards_say_whose_commission_they_are_a_part_of() -> None:
    team = {"differential": [{"tier": "gold", "rate_bp": 1_000}], "same_rank": [{"rate_bp": 1_000}]}
    assert (
        "person 1 of the same tier above, 10.00% of ¥9.99 (commission of the same tier below)"
        in sentences({"team": team})[1]
    )
    managed = sentences({"rates": ONE, "team": {"management": [{"rate_bp": 1_000}]}})[1]
    assert "management bonus of generation 1, 10.00% of ¥9.99 (commission of level 1)" in managed


def test_region_agents_are_named_by_their_region() -> None:
    regions = {"rates": [{"size": "city", "rate_bp": 200}]}
    agents = tuple(Person(uid(30 + n), 0, "gold", region="110100") for n in range(2))
    found = sentences({"regions": regions}, region_agents=agents)
    assert found[0].startswith("agent of the region 110100, 2.00% of ¥50.00 (an even part for each of 2 agents")


def test_limits_say_what_they_took() -> None:
    (line,) = sentences({"rates": ONE}, caps=Caps(line_bp=500))
    assert "cut to ¥4.99 so that all awards of the line stay within ¥4.99" in line
    (order,) = sentences({"rates": ONE}, caps=Caps(order_fen=300, promoter_day_fen=200))
    assert "cut to ¥3.00 so that all awards of the order stay within ¥3.00" in order
    assert "cut to ¥2.00 so that the promoter's day stays within ¥2.00" in order
    (budget,) = sentences({"rates": ONE}, caps=Caps(budget_fen=100))
    assert "cut to ¥1.00 because ¥1.00 was left of the budget" in budget
    (warned,) = sentences({"rates": ONE}, caps=Caps(budget_fen=100, on_budget_end="warn"))
    assert "paid although only ¥1.00 was left of the budget" in warned


def test_a_month_says_what_it_was_worked_out_of() -> None:
    values = {
        "pool": {"rate_bp": 100, "tiers": [{"weight": 1}]},
        "targets": [{"from_fen": 100, "fixed_fen": 50}, {"figure": "own", "from_fen": 1, "rate_bp": 100}],
        "month_ladder": {"bands": [{"from_fen": 0, "rate_bp": 500}], "retroactive": True},
    }
    facts: PeriodFacts = month(person(1, shared_fen=10_000, own_fen=300), person(2), turnover_fen=100_000)
    proposals = PLAN.period_awards(Settings.model_validate(values), facts)
    found = {award.rule: award_sentence(award.explanation) for award in settle_period(facts, proposals).awards[::-1]}
    assert found["rules:pool"] == (
        "dividend pool of 2026-11, 1.00% of ¥1,000.00 (turnover of the month) = ¥10.00; 1 of 2 shares are ¥5.00, rule "
        "rules:pool"
    )
    assert found["rules:target:shared:100"].startswith("target of ¥1.00 in 2026-11, an amount of ¥0.50")
    assert "1.00% of ¥3.00 (own purchases of the month) = ¥0.03" in found["rules:target:own:1"]
    assert found["rules:month-difference"].startswith(
        "the best rate for the whole month 2026-11, 5.00% of ¥100.00 (sales through own shares in the month) = ¥5.00, "
        "less ¥0.00 paid during the month, leaves ¥5.00"
    )


def test_an_explanation_of_an_old_award_can_still_be_read() -> None:
    old = {"rule": "r", "base_fen": 50, "rate_bp": 1_000, "exact_fen_times_10000": 50_000, "line_paid_fen": 100}
    text = award_sentence({**old, "amount_fen": 3, "cap": "line_paid", "cap_fen": 100})
    assert text == (
        "10.00% of ¥0.50 (part of the line, of which ¥1.00 was paid) = ¥0.05, rule r, cut to ¥0.03 so that all awards "
        "of the line stay within ¥1.00"
    )


@pytest.mark.parametrize("base", get_args(BaseKind))
def test_every_base_has_a_name_even_without_details(base: BaseKind) -> None:
    proposal = AwardProposal(LINE.line_id, uid(21), "share", 1, "r", 9_999, 100, base=base)
    facts = OrderFacts(uid(1), PAID_AT, (LINE,), Person(uid(20), 0, None), (Person(uid(21), 1, "gold"),), 3)
    (award,) = settle(facts, [proposal]).awards
    assert "1.00% of ¥99.99 (" in award_sentence(award.explanation)
    (fixed,) = settle(facts, [replace(proposal, fixed_fen=12)]).awards
    assert "an amount of ¥0.12" in award_sentence(fixed.explanation)


REASONS = [
    *sorted(PLAN_REASONS),
    "level_not_allowed",
    "team_not_allowed",
    "line_cap",
    "order_cap",
    "promoter_day_cap",
    "budget",
]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_words(reason: str) -> None:
    text = withheld_sentence(reason, level=2, rule="rules:2")
    assert "Nothing is paid" not in text
    assert text.endswith("Rule rules:2.")


def test_a_missing_upline_is_told_with_its_level() -> None:
    assert withheld_sentence("no_upline", level=2) == "Nobody stands at level 2 above the buyer."
