"""Each hook, asked of a built-in plugin through the registry: what goes in, what comes out, and that it is pure."""

from __future__ import annotations

import copy
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from fanyong.pluginhost.registry import parse_settings, registry
from fanyong.values import LineFacts, OrderFacts, Person, Tier, TierFacts, TierTraits
from tests.pluginhost.conftest import Plan

LINE = LineFacts(UUID(int=1), sku="TEA", category="tea", quantity=1, paid_fen=10_000)
UPLINE = tuple(Person(UUID(int=10 + level), level, "gold") for level in (1, 2, 3))
FACTS = OrderFacts(
    UUID(int=2), datetime(2026, 1, 1, tzinfo=UTC), (LINE,), Person(UUID(int=10), 0, "gold"), UPLINE, levels_allowed=3
)
MEMBER = TierFacts(UUID(int=3), tier=None, own_paid_fen=1, shared_received_fen=2_000_000)
ARGUMENTS: dict[str, dict[str, Any]] = {
    "tiers": {},
    "decide_tier": {"facts": MEMBER},
    "tier_figures": {},
    "tier_traits": {},
    "next_tier": {"facts": MEMBER},
    "plan_levels": {},
    "propose_awards": {"facts": FACTS},
    "check_settings": {"tiers": (Tier("gold", "Gold", 0),)},
}


@pytest.fixture(autouse=True)
def _loaded(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def ask(name: str, hook: str, **values: Any) -> Any:
    """Ask a built-in plugin with some settings."""
    plugin = next(plugin for plugin in registry.plugins() if plugin.name == name)
    return registry.call(name, hook, settings=parse_settings(plugin, values), **ARGUMENTS[hook])


def test_tiers_come_lowest_first() -> None:
    assert [(t.key, t.rank) for t in ask("tiers_ladder", "tiers")] == [("bronze", 0), ("silver", 1), ("gold", 2)]
    assert [(t.key, t.name) for t in ask("tiers_flat", "tiers", tier_name="伙伴")] == [("promoter", "伙伴")]


def test_decide_tier_names_one_of_the_tiers_or_nobody() -> None:
    assert ask("tiers_ladder", "decide_tier") == "gold"
    assert ask("tiers_ladder", "decide_tier", count_when="paid") == "bronze"
    assert ask("tiers_flat", "decide_tier", join="after_purchase") == "promoter"


SOLD = {"tier": "gold", "stage": "rise", "metric": "team_fen", "period": "days", "days": 30, "amount_fen": 500}


def test_tier_figures_are_those_of_the_conditions() -> None:
    assert ask("tiers_ladder", "tier_figures") == ()
    assert ask("tiers_ladder", "tier_figures", conditions=[SOLD]) == ("team_received_fen:days_30",)
    assert ask("tiers_flat", "tier_figures") is None


def test_tier_traits_tell_entry_fees_and_applications() -> None:
    assert ask("tiers_flat", "tier_traits") == TierTraits()
    assert ask("tiers_flat", "tier_traits", join="after_purchase").join_purchase_fen == 1
    assert ask("tiers_ladder", "tier_traits", join="after_purchase", join_purchase_fen=9_900).join_purchase_fen == 9_900
    assert ask("tiers_ladder", "tier_traits", join="application").applications == ("bronze",)
    assert ask("tiers_roles", "tier_traits").applications == ("dealer",)


def test_next_tier_is_the_one_above_and_says_how_far() -> None:
    assert ask("tiers_flat", "next_tier").how == "open"
    bought = ask("tiers_ladder", "next_tier", join="after_purchase", join_purchase_fen=500)
    assert [(state.have, state.need) for state in bought.conditions] == [(1, 500)]
    assert ask("tiers_roles", "next_tier", promoter_by="application").how == "application"


def test_plan_levels_is_the_highest_level_that_is_paid() -> None:
    assert ask("plan_levels", "plan_levels") == 1
    rates = [{"level": 1, "rate_bp": 5}, {"level": 3, "rate_bp": 1}, {"level": 2, "rate_bp": 0}]
    assert ask("plan_levels", "plan_levels", rates=rates) == 3
    assert ask("plan_ladder", "plan_levels") == 1


def test_propose_awards_names_person_line_base_and_rate() -> None:
    proposals = ask("plan_levels", "propose_awards", rates=[{"level": 2, "rate_bp": 300}])
    assert [(p.beneficiary_id, p.line_id, p.level, p.base_fen, p.rate_bp) for p in proposals] == [
        (UPLINE[1].member_id, LINE.line_id, 2, 10_000, 300)
    ]
    assert [p.rate_bp for p in ask("plan_ladder", "propose_awards")] == [500]


def test_check_settings_says_where_and_what() -> None:
    (problem,) = ask("plan_levels", "check_settings", rates=[{"level": 1, "tier": "nobody", "rate_bp": 1}])
    assert problem.path == "rates.0.tier"
    assert "nobody" in str(problem.message)
    assert list(ask("plan_levels", "check_settings")) == []


@pytest.mark.parametrize("hook", ARGUMENTS)
def test_the_built_in_plugins_are_pure(hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked twice they say the same; they ask no clock and no network, and leave their arguments alone."""

    def forbidden(*_: Any, **__: Any) -> Any:
        pytest.fail("a hook reached outside")

    tier_hooks = ("tiers", "decide_tier", "tier_figures", "tier_traits", "next_tier")
    kinds: dict[str, str | None] = dict.fromkeys(tier_hooks, "tier_structure")
    kinds["check_settings"] = None
    kind = kinds.get(hook, "commission_plan")
    arguments = copy.deepcopy(ARGUMENTS[hook])
    for plugin in registry.plugins(kind):  # type: ignore[arg-type]
        settings = plugin.settings_model()
        before = settings.model_dump_json()
        with monkeypatch.context() as patched:
            for name in ("time", "time_ns", "monotonic"):
                patched.setattr(time, name, forbidden)
            patched.setattr(socket, "socket", forbidden)
            answers = [registry.call(plugin.name, hook, settings=settings, **arguments) for _ in range(2)]
        assert answers[0] == answers[1]
        assert settings.model_dump_json() == before
        assert arguments == ARGUMENTS[hook]


def test_values_of_the_boundary_cannot_be_changed() -> None:
    for value in (LINE, FACTS, MEMBER, UPLINE[0], Tier("a", "A", 0)):
        field = next(iter(type(value).__dataclass_fields__))
        with pytest.raises(AttributeError):
            setattr(value, field, None)
    assert Plan().settings_model.model_config["frozen"]
