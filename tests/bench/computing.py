"""How long a plan takes to say who earns what of one order, with policy, rounding, cap and explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID, uuid4

from fanyong.pluginhost.registry import registry
from fanyong.pluginhost.service import ActivePlugin
from fanyong.values import OrderFacts
from tenants.commissions import processing
from tests.bench.figures import Figure, medians, side_by_side
from tests.bench.lab import THREE_LEVELS, Lab
from tests.bench.rows import make_orders

RATES = {1: 1_000, 2: 500, 3: 200}
LADDER = ((0, 500), (20_000, 800), (50_000, 1_200))


def measure(lab: Lab, *, orders: int = 100, rounds: int = 15, exceptions: int = 100) -> list[Figure]:
    """Compute orders of three lines with each plan, beside the same amounts worked out by hand."""
    with lab.app.app_context():
        facts = make_orders([uuid4() for _ in range(9)], count=orders, lines=3)
        many = [
            {"scope": "sku", "target": f"other-{number}", "level": 1, "rate_bp": 300} for number in range(exceptions)
        ]
        plans: dict[str, tuple[ActivePlugin, Callable[[OrderFacts], list[int]]]] = {
            "plan_levels": (_plan("plan_levels", THREE_LEVELS), _levels_by_hand),
            f"plan_levels with {exceptions} exceptions": (
                _plan("plan_levels", {**THREE_LEVELS, "overrides": many}),
                _levels_by_hand,
            ),
            "plan_ladder": (_plan("plan_ladder", {}), _ladder_by_hand),
        }
        return [figure for name in plans for figure in _compare(name, *plans[name], orders=facts, rounds=rounds)]


def _compare(
    name: str,
    plan: ActivePlugin,
    by_hand: Callable[[OrderFacts], list[int]],
    *,
    orders: list[OrderFacts],
    rounds: int,
) -> list[Figure]:
    def compute(facts: OrderFacts) -> list[int]:
        return [award.amount_fen for award in processing.propose(plan, facts).awards]

    assert [compute(facts) for facts in orders] == [by_hand(facts) for facts in orders]
    ways = {
        "plan": lambda: [compute(facts) for facts in orders],
        "hand": lambda: [by_hand(facts) for facts in orders],
    }
    taken = {way: value * 1_000_000 / len(orders) for way, value in medians(side_by_side(ways, rounds=rounds)).items()}
    awards = len(by_hand(orders[0]))
    what = f"{name}: {awards} awards of an order of three lines"
    ratio = taken["plan"] / taken["hand"]
    return [Figure("compute", what, taken["plan"], "us", "to the bare amounts by hand", ratio)]


def _plan(name: str, values: Mapping[str, Any]) -> ActivePlugin:
    plugin = registry.get("commission_plan", name)
    return ActivePlugin(UUID(int=1), 1, plugin, plugin.settings_model.model_validate(values))


def _levels_by_hand(facts: OrderFacts) -> list[int]:
    return [line.paid_fen * RATES[person.level] // 10_000 for line in facts.lines for person in facts.upline]


def _ladder_by_hand(facts: OrderFacts) -> list[int]:
    rate_bp = [rate for start, rate in LADDER if start <= facts.paid_goods_fen][-1]
    return [line.paid_fen * rate_bp // 10_000 for line in facts.lines]
