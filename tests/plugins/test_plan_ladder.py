"""`plan_ladder`: the band an order falls into, and what a promoter gets for buying."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fanyong.values import AwardProposal, LineFacts, OrderFacts, Person, Withheld
from plugins.plan_ladder import PlanLadder, Settings, plugin
from tenants.commissions import engine
from tests.money import model
from tests.plugins.facts import PAID_AT, orders, uid

LADDER = {"bands": [{"from_fen": 0, "rate_bp": 500}, {"from_fen": 20_000, "rate_bp": 800}]}


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    """Bands that rise, with and without a rebate."""
    steps = draw(st.lists(st.integers(1, 10**6), max_size=5))
    return {
        "bands": [{"from_fen": start, "rate_bp": draw(st.integers(0, 5_000))} for start in [0, *accumulate(steps)]],
        "self_purchase_bp": draw(st.none() | st.integers(0, 5_000)),
        "pay_upline_on_self_purchase": draw(st.booleans()),
    }


def order(*paid_fen: int, buyer_tier: str | None = None, parent: bool = True) -> OrderFacts:
    """An order of lines that were paid with these amounts."""
    lines = tuple(LineFacts(uid(index), f"sku{index}", "", 1, fen) for index, fen in enumerate(paid_fen))
    upline = (Person(uid(101), 1, "gold"),) if parent else ()
    return OrderFacts(uid(1), PAID_AT, lines, Person(uid(100), 0, buyer_tier), upline, 1)


def awarded(values: dict[str, Any], facts: OrderFacts) -> list[tuple[str, int]]:
    """Return (kind, fen) of what an order comes to, line by line."""
    proposals = plugin.propose_awards(settings=Settings.model_validate(values), facts=facts)
    return sorted((award.kind, award.amount_fen) for award in engine.settle(facts, proposals).awards)


@pytest.mark.parametrize(("paid_fen", "rate_bp"), [(1, 500), (19_999, 500), (20_000, 800), (20_001, 800), (10**9, 800)])
def test_the_edges_of_a_band(paid_fen: int, rate_bp: int) -> None:
    (proposal,) = plugin.propose_awards(settings=Settings.model_validate(LADDER), facts=order(paid_fen))
    assert isinstance(proposal, AwardProposal)
    assert (proposal.rate_bp, proposal.base_fen) == (rate_bp, paid_fen)


def test_the_whole_order_decides_on_the_band_of_every_line() -> None:
    assert awarded(LADDER, order(19_999)) == [("share", 999)]
    assert awarded(LADDER, order(19_999, 1)) == [("share", 1_599)], "8 % of 19,999, and of 1 fen nothing is left"


@given(values=values(), facts=orders())
def test_the_whole_way_is_the_models(values: dict[str, Any], facts: OrderFacts) -> None:
    proposals = plugin.propose_awards(settings=Settings.model_validate(values), facts=facts)
    result = engine.settle(facts, proposals)
    people = [model.Human(str(p.member_id), p.level, p.tier, p.frozen) for p in (facts.buyer, *facts.upline)]
    goods = [model.Goods(line.sku, line.category, line.paid_fen) for line in facts.lines]
    expected = model.shares(
        model.Plan("plan_ladder", values), goods, people[0], people[1:], levels_allowed=facts.levels_allowed
    )
    lines = {line.line_id: index for index, line in enumerate(facts.lines)}
    found = sorted((lines[a.line_id], str(a.beneficiary_id), a.level, a.amount_fen) for a in result.awards)
    assert found == sorted((s.line, s.name, s.level, s.amount_fen) for s in expected)
    assert all((p.kind == "self") == (p.level == 0) for p in proposals if isinstance(p, AwardProposal))
    assert all(p.level <= 1 for p in proposals)
    assert PlanLadder().compile_plan(Settings.model_validate(values))(facts) == proposals


def test_compile_plan_says_that_nobody_brought_the_buyer() -> None:
    facts = order(20_000, parent=False)
    compiled = PlanLadder().compile_plan(Settings.model_validate(LADDER))
    assert engine.settle(facts, compiled(facts)).withheld == (
        Withheld(facts.lines[0].line_id, None, 1, "ladder:from:20000", "no_upline"),
    )


@pytest.mark.parametrize(
    ("rebate_bp", "pays_both", "tier", "expected"),
    [
        (None, False, "gold", [("share", 50)]),
        (300, False, None, [("share", 50)]),
        (300, False, "gold", [("self", 30)]),
        (300, True, "gold", [("self", 30), ("share", 50)]),
        # A rebate of nothing is still a rebate: the upline gets nothing unless both are paid.
        (0, False, "gold", []),
        (0, True, "gold", [("share", 50)]),
    ],
)
def test_a_promoters_own_purchase(
    rebate_bp: int | None, pays_both: bool, tier: str | None, expected: list[tuple[str, int]]
) -> None:
    values = LADDER | {"self_purchase_bp": rebate_bp, "pay_upline_on_self_purchase": pays_both}
    assert awarded(values, order(1_000, buyer_tier=tier)) == expected


def test_nobody_above_nobody_paid() -> None:
    assert awarded(LADDER, order(1_000, parent=False)) == []


@given(values=values(), paid=st.integers(0, 10**7), more=st.integers(0, 5_000))
def test_a_higher_rate_never_pays_less(values: dict[str, Any], paid: int, more: int) -> None:
    raised = values | {"bands": [{**band, "rate_bp": band["rate_bp"] + more} for band in values["bands"]]}
    before, after = (
        [fen for kind, fen in awarded(v | {"self_purchase_bp": None}, order(paid)) if kind == "share"]
        for v in (values, raised)
    )
    assert sum(before) <= sum(after)


def test_one_level_is_what_the_policy_hears() -> None:
    assert plugin.plan_levels(settings=Settings()) == 1


BAD_TOGETHER: dict[str, tuple[dict[str, Any], str]] = {
    "the first band leaves a gap": ({"bands": [{"from_fen": 1, "rate_bp": 1}]}, "bands.0.from_fen"),
    "two bands begin at one amount": (
        {"bands": [{"from_fen": 0, "rate_bp": 1}, {"from_fen": 5, "rate_bp": 2}, {"from_fen": 5, "rate_bp": 3}]},
        "bands.2.from_fen",
    ),
    "the bands go down": (
        {"bands": [{"from_fen": 0, "rate_bp": 1}, {"from_fen": 9, "rate_bp": 2}, {"from_fen": 5, "rate_bp": 3}]},
        "bands.2.from_fen",
    ),
    "share and rebate are more than everything": (
        LADDER | {"self_purchase_bp": 9_201, "pay_upline_on_self_purchase": True},
        "self_purchase_bp",
    ),
}


@pytest.mark.parametrize("case", BAD_TOGETHER)
def test_settings_that_cannot_work_together_are_refused(app: Flask, case: str) -> None:
    values, path = BAD_TOGETHER[case]
    with app.app_context():
        problems = plugin.check_settings(settings=Settings.model_validate(values), tiers=())
    assert [p.path for p in problems] == [path]


def test_settings_at_the_limit_are_fine(app: Flask) -> None:
    values = LADDER | {"self_purchase_bp": 9_200, "pay_upline_on_self_purchase": True}
    with app.app_context():
        assert not plugin.check_settings(settings=Settings.model_validate(values), tiers=())


@pytest.mark.parametrize(
    "values",
    [
        {"bands": []},
        {"bands": [{"from_fen": -1, "rate_bp": 1}]},
        {"bands": [{"from_fen": 0, "rate_bp": 10_001}]},
        {"bands": [{"from_fen": 0, "rate_bp": -1}]},
        {"bands": [{"from_fen": 0.5, "rate_bp": 1}]},
        {"bands": [{"from_fen": "a lot", "rate_bp": 1}]},
        {"bands": [{"from_fen": 0, "rate_bp": 1, "to_fen": 5}]},
        {"bands": [{"from_fen": 0}]},
        {"self_purchase_bp": 10_001},
        {"self_purchase_bp": 1.5},
        {"ladder": []},
    ],
    ids=str,
)
def test_settings_of_the_wrong_shape_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(values)
