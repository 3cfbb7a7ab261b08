"""What a plan makes of a portion of past orders, beside what was awarded for them: pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from fanyong.pluginhost.registry import PluginFailed
from fanyong.values import OrderFacts
from tenants.commissions.engine import Result
from tenants.commissions.plans import ReadyPlan
from tenants.commissions.spending import ALL_TIME, Counters

CAP_REASONS = frozenset({"line_cap", "order_cap", "promoter_day_cap", "budget"})
#: Days whose limits are kept between portions: orders come in the order of their payments, one day after the other.
DAYS_KEPT = 3


@dataclass(slots=True)
class Portion:
    """What a portion of orders comes to: by figure, by rule, by reason, and by promoter (now, then)."""

    orders: int = 0
    lines: int = 0
    paid_fen: int = 0
    now_fen: int = 0
    then_fen: int = 0
    changed: int = 0
    capped: int = 0
    failed: int = 0
    failure: str = ""
    rules: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    withheld: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    promoters: dict[UUID, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))


def work_out(
    plan: ReadyPlan,
    orders: Sequence[OrderFacts],
    awarded: Mapping[UUID, Mapping[UUID, int]],
    counters: Counters | None = None,
) -> Portion:
    """Return what a plan makes of orders beside what was awarded for them: by order, then promoter, in fen.

    `counters` are needed for a plan with limits over several orders, whose orders come as they were paid.
    """
    portion = Portion(orders=len(orders))
    for facts in orders:
        now = awarded.get(facts.order_id, {})
        then = _settled(plan, facts, portion, counters)
        portion.lines += len(facts.lines)
        portion.paid_fen += facts.paid_goods_fen
        portion.now_fen += sum(now.values())
        portion.then_fen += sum(then.values())
        portion.changed += then != now
        for member_id, amount in now.items():
            portion.promoters[member_id][0] += amount
        for member_id, amount in then.items():
            portion.promoters[member_id][1] += amount
    return portion


def _settled(plan: ReadyPlan, facts: OrderFacts, portion: Portion, counters: Counters | None) -> dict[UUID, int]:
    """Return what a plan gives whom for an order, and count by what rule and why not; a failure gives nothing."""
    try:
        result: Result = plan.ask(facts)
    except PluginFailed as failure:
        portion.failed += 1
        portion.failure = portion.failure or str(failure)[:500]
        return {}
    if counters is not None:
        result, _standing = counters.hold(facts, result, caps=plan.caps, version_id=plan.version_id)
    then: dict[UUID, int] = defaultdict(int)
    capped = False
    for award in result.awards:
        then[award.beneficiary_id] += award.amount_fen
        told = portion.rules[award.rule]
        told[0] += 1
        told[1] += award.amount_fen
        capped = capped or "caps" in award.details
    for item in result.withheld:
        portion.withheld[item.reason] += 1
        capped = capped or item.reason in CAP_REASONS
    portion.capped += capped
    return dict(then)


def as_allowed(orders: Sequence[OrderFacts], totals: Mapping[str, Any]) -> list[OrderFacts]:
    """Return orders as they would be frozen with what the brand may reward since the back-test was asked for."""
    levels, team = totals["levels_allowed"], totals["team_allowed"]
    return [
        facts
        if (facts.levels_allowed, facts.team_allowed) == (levels, team)
        else replace(facts, levels_allowed=levels, team_allowed=team)
        for facts in orders
    ]


def counters_of(totals: Mapping[str, Any]) -> Counters:
    """Return what the portions before have spent of limits over several orders, as their totals keep it."""
    return Counters({(UUID(scope), period): fen for scope, period, fen in totals.get("spent", ())})


def spent_to_keep(counters: Counters) -> list[list[Any]]:
    """Return what was spent, without the days and months that no order to come is of."""
    spent = counters.spent
    kept = {
        period
        for kind in "dm"
        for period in sorted({period for _scope, period in spent if period.startswith(f"{kind}:")})[-DAYS_KEPT:]
    }
    return [[scope.hex, period, fen] for (scope, period), fen in spent.items() if period in kept or period == ALL_TIME]
