"""The tier structures: who becomes a promoter, when they rise, and that nobody falls."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fanyong.values import TierFacts
from plugins import tiers_flat, tiers_ladder
from tests.money import model
from tests.plugins.facts import uid

SALES = st.integers(-(10**6), 10**7)
FIGURES = ("own_paid_fen", "own_received_fen", "shared_paid_fen", "shared_received_fen")


@st.composite
def ladders(draw: st.DrawFn) -> dict[str, Any]:
    """Settings of a ladder that rises."""
    steps = draw(st.lists(st.integers(1, 10**6), max_size=5))
    return {
        "join": draw(st.sampled_from(["anyone", "after_purchase"])),
        "count_when": draw(st.sampled_from(["paid", "received"])),
        "count_own_purchases": draw(st.booleans()),
        "tiers": [
            {"key": f"t{rank}", "name": f"T{rank}", "promote_at_sales_fen": sales}
            for rank, sales in enumerate([0, *accumulate(steps)])
        ],
    }


def facts(tier: str | None = None, **figures: Any) -> TierFacts:
    """What the structure is told of a member."""
    return TierFacts(uid(1), tier, **figures)


def decide(values: dict[str, Any], told: TierFacts) -> str | None:
    """Ask the ladder."""
    return tiers_ladder.plugin.decide_tier(settings=tiers_ladder.Settings.model_validate(values), facts=told)


@given(values=ladders(), history=st.lists(st.tuples(SALES, SALES, SALES, SALES), min_size=1, max_size=8))
def test_nobody_ever_falls(values: dict[str, Any], history: list[tuple[int, int, int, int]]) -> None:
    keys = [tier["key"] for tier in values["tiers"]]
    held: str | None = None
    for figures in history:
        tier = decide(values, facts(held, **dict(zip(FIGURES, figures, strict=True))))
        if held is not None:
            assert tier is not None
            assert keys.index(tier) >= keys.index(held)
        held = tier


@given(values=ladders(), figures=st.tuples(SALES, SALES, SALES, SALES))
def test_the_rung_is_the_models(values: dict[str, Any], figures: tuple[int, int, int, int]) -> None:
    told = dict(zip(FIGURES, figures, strict=True))
    when = values["count_when"]
    sales = told[f"shared_{when}_fen"] + (told[f"own_{when}_fen"] if values["count_own_purchases"] else 0)
    expected: str | None = model.ladder_tier(values, None, sales)
    if values["join"] == "after_purchase" and told["own_paid_fen"] <= 0:
        expected = None
    assert decide(values, facts(None, **told)) == expected


@pytest.mark.parametrize(
    ("sales", "tier"),
    [(-1, "bronze"), (0, "bronze"), (999, "bronze"), (1_000, "silver"), (4_999, "silver"), (5_000, "gold")],
)
def test_the_edges_of_a_rung(sales: int, tier: str) -> None:
    values = {
        "tiers": [
            {"key": key, "name": key, "promote_at_sales_fen": at}
            for key, at in (("bronze", 0), ("silver", 1_000), ("gold", 5_000))
        ]
    }
    assert decide(values, facts(shared_received_fen=sales)) == tier


def test_a_tier_of_an_older_structure_is_replaced_by_what_was_sold() -> None:
    assert decide({}, facts("promoter", shared_received_fen=100_000)) == "silver"
    assert decide({"join": "after_purchase"}, facts("promoter")) == "bronze", "a promoter stays one"


def test_only_what_counts_counts() -> None:
    values = {"count_when": "received", "count_own_purchases": False}
    assert decide(values, facts(shared_paid_fen=10**9, own_received_fen=10**9, own_paid_fen=10**9)) == "bronze"
    assert decide(values, facts(shared_received_fen=10**9)) == "gold"
    assert decide(values | {"count_own_purchases": True}, facts(own_received_fen=10**9)) == "gold"
    assert decide(values | {"count_when": "paid"}, facts(shared_paid_fen=10**9)) == "gold"


@pytest.mark.parametrize(
    ("join", "held", "bought", "tier"),
    [
        ("anyone", None, 0, "promoter"),
        ("after_purchase", None, 0, None),
        ("after_purchase", None, -5, None),
        ("after_purchase", None, 1, "promoter"),
        ("after_purchase", "promoter", 0, "promoter"),
        ("after_purchase", "gold", 0, None),
    ],
)
def test_one_tier_for_everybody(join: str, held: str | None, bought: int, tier: str | None) -> None:
    settings = tiers_flat.Settings.model_validate({"join": join})
    assert tiers_flat.plugin.decide_tier(settings=settings, facts=facts(held, own_paid_fen=bought)) == tier


@given(values=ladders(), figures=st.tuples(SALES, SALES, SALES, SALES))
def test_a_decision_names_a_tier_that_exists(values: dict[str, Any], figures: tuple[int, int, int, int]) -> None:
    settings = tiers_ladder.Settings.model_validate(values)
    known = {tier.key for tier in tiers_ladder.plugin.tiers(settings=settings)}
    decided = decide(values, facts(None, **dict(zip(FIGURES, figures, strict=True))))
    assert decided is None or decided in known


def rungs(*at: tuple[str, Any]) -> dict[str, Any]:
    """A ladder of (key, threshold)."""
    return {"tiers": [{"key": key, "name": key, "promote_at_sales_fen": sales} for key, sales in at]}


@pytest.mark.parametrize(
    ("values", "path"),
    [
        (rungs(("a", 1)), "tiers.0.promote_at_sales_fen"),
        (rungs(("a", 0), ("b", 0)), "tiers.1.promote_at_sales_fen"),
        (rungs(("a", 0), ("b", 9), ("c", 5)), "tiers.2.promote_at_sales_fen"),
        (rungs(("a", 0), ("a", 5)), "tiers.1.key"),
    ],
    ids=["starts too high", "two at once", "goes down", "one key twice"],
)
def test_a_ladder_that_cannot_be_climbed_is_refused(app: Flask, values: dict[str, Any], path: str) -> None:
    with app.app_context():
        settings = tiers_ladder.Settings.model_validate(values)
        problems = tiers_ladder.plugin.check_settings(settings=settings, tiers=())
    assert [p.path for p in problems] == [path]


@pytest.mark.parametrize(
    "values",
    [
        {"tiers": []},
        rungs(("Upper", 0)),
        rungs(("", 0)),
        rungs(("a", -1)),
        rungs(("a", 0.5)),
        rungs(("a", "much")),
        {"tiers": [{"key": "a", "name": "", "promote_at_sales_fen": 0}]},
        {"tiers": [{"key": "a", "name": "A", "promote_at_sales_fen": 0, "rate_bp": 1}]},
        {"join": "nobody"},
        {"count_when": "shipped"},
        {"count_own_purchases": "perhaps"},
        {"ladder": True},
    ],
    ids=lambda values: str(values)[:70],
)
def test_settings_of_the_wrong_shape_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        tiers_ladder.Settings.model_validate(values)


@pytest.mark.parametrize("values", [{"tier_name": ""}, {"tier_name": "x" * 21}, {"join": "maybe"}, {"tiers": []}])
def test_flat_settings_of_the_wrong_shape_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        tiers_flat.Settings.model_validate(values)
