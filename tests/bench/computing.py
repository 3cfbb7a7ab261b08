"""How long a plan takes to say who earns what of one order, with policy, rounding, caps and explanations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any
from uuid import uuid4

from fanyong.hooks import CompiledPlan
from fanyong.pluginhost.registry import registry
from fanyong.values import Caps, OrderFacts
from tenants.commissions import engine
from tests.bench.figures import Figure, seconds
from tests.bench.lab import THREE_LEVELS, Lab
from tests.bench.rows import make_orders

RATES = {1: 1_000, 2: 500, 3: 200}
LADDER = ((0, 500), (20_000, 800), (50_000, 1_200))
#: The awards of an order of one line, in microseconds.
GOAL_US = 20
#: A brand that uses most of what the full plan can do; what it pays on these orders is the table of rates alone.
FULL: dict[str, Any] = {
    **THREE_LEVELS,
    "campaigns": [
        {"name": "11.11", "starts_at": "2020-11-11T00:00+08:00", "ends_at": "2020-11-12T00:00+08:00", "rate_bp": 500}
    ],
    "regions": {"rates": [{"size": "city", "rate_bp": 100}]},
    "limits": {"line_bp": 5_000, "order_bp": 4_000, "budget_fen": 10**9},
}
ByHand = Callable[[OrderFacts], list[int]]


def measure(lab: Lab, *, orders: int = 100, rounds: int = 15, exceptions: int = 100) -> list[Figure]:
    """Compute orders with each plan, one by one, beside the same amounts worked out by hand."""
    with lab.app.app_context():
        members = [uuid4() for _ in range(9)]
        one_line, three_lines = (make_orders(members, count=orders, lines=lines) for lines in (1, 3))
        many = [
            {"scope": "sku", "target": f"other-{number}", "level": 1, "rate_bp": 300} for number in range(exceptions)
        ]
        rich = {**FULL, "rates": [*THREE_LEVELS["rates"], *many]}
        plans: list[tuple[str, str, Mapping[str, Any], ByHand]] = [
            ("plan_rules", "plan_rules", THREE_LEVELS, _levels_by_hand),
            (f"plan_rules with {exceptions} exceptions, limits, campaigns", "plan_rules", rich, _levels_by_hand),
            ("plan_levels", "plan_levels", THREE_LEVELS, _levels_by_hand),
            ("plan_ladder", "plan_ladder", {}, _ladder_by_hand),
        ]
        figures = []
        for lines, facts in (("one line", one_line), ("three lines", three_lines)):
            for title, name, values, by_hand in plans:
                what = f"{title}: {len(by_hand(facts[0]))} awards of an order of {lines}"
                figures.append(_compare(what, *_plan(name, values), by_hand, orders=facts, rounds=rounds))
        return figures


def _compare(
    what: str, plan: CompiledPlan, caps: Caps, by_hand: ByHand, *, orders: list[OrderFacts], rounds: int
) -> Figure:
    def compute(facts: OrderFacts) -> engine.Result:
        return engine.settle(facts, plan(facts), caps)

    assert [[award.amount_fen for award in compute(facts).awards] for facts in orders] == [by_hand(f) for f in orders]
    taken: dict[str, list[float]] = {"plan": [], "hand": []}
    for _round in range(rounds):
        for facts in orders:
            taken["plan"].append(seconds(lambda facts=facts: compute(facts)))
            taken["hand"].append(seconds(lambda facts=facts: by_hand(facts)))
    typical = {way: median(values) * 1_000_000 for way, values in taken.items()}
    # The floor is the bare amounts by hand: one multiplication and one division for each award.
    goal = GOAL_US if len(orders[0].lines) == 1 else None
    return Figure("compute", what, typical["plan"], "us", typical["hand"], goal=goal)


def _plan(name: str, values: Mapping[str, Any]) -> tuple[CompiledPlan, Caps]:
    settings = registry.get("commission_plan", name).settings_model.model_validate(values)
    compiled: CompiledPlan = registry.call(name, "compile_plan", settings=settings)
    return compiled, registry.call(name, "plan_caps", settings=settings) or engine.NO_CAPS


def _levels_by_hand(facts: OrderFacts) -> list[int]:
    return [line.paid_fen * RATES[person.level] // 10_000 for line in facts.lines for person in facts.upline]


def _ladder_by_hand(facts: OrderFacts) -> list[int]:
    rate_bp = [rate for start, rate in LADDER if start <= facts.paid_goods_fen][-1]
    return [line.paid_fen * rate_bp // 10_000 for line in facts.lines]
