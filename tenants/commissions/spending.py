"""Limits over several orders: what each promoter got in a day, and a plan version in the period of its budget.

Both stand in counters (`PlanSpending`), which change in the transaction of the awards and of the reversals, with the
books locked; so no number of processes together exceeds a limit. What the counters said before an order is kept with
it (`OrderCommission.spending`), so that the order can be computed again. Month-end rewards count towards neither.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fanyong import events
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.values import Caps, OrderFacts
from fanyong.wechat.times import BEIJING
from tenants.commissions.caps import Result, Spending, limit_by_spending
from tenants.commissions.models import PlanSpending

#: Whose limit and in which period: a promoter's day (`d:2026-11-22`), or a plan version's day, month or `all`.
Key = tuple[UUID, str]
#: What an award's explanation calls the end of a budget.
BUDGET_CAPS = frozenset({"budget", "budget_passed"})
#: The period of a budget that never starts anew.
ALL_TIME = "all"
_FORMATS = {"day": "d:%Y-%m-%d", "month": "m:%Y-%m", "version": ALL_TIME}

_READ = sa.text(
    """
    SELECT s.scope_id, s.period, s.spent_fen
      FROM unnest(CAST(:scopes AS uuid[]), CAST(:periods AS text[])) AS k (scope_id, period)
      JOIN plan_spending s ON s.scope_id = k.scope_id AND s.period = k.period
    """
)
_ADD = sa.text(
    """
    INSERT INTO plan_spending AS s (scope_id, period, spent_fen)
    SELECT * FROM unnest(CAST(:scopes AS uuid[]), CAST(:periods AS text[]), CAST(:fens AS bigint[]))
    ON CONFLICT (scope_id, period) DO UPDATE SET spent_fen = s.spent_fen + excluded.spent_fen
    """
)
_GIVE_BACK = sa.text(
    """
    UPDATE plan_spending s SET spent_fen = s.spent_fen - t.fen
      FROM unnest(CAST(:scopes AS uuid[]), CAST(:periods AS text[]), CAST(:fens AS bigint[]))
           AS t (scope_id, period, fen)
     WHERE s.scope_id = t.scope_id AND s.period = t.period
    """
)
#: A budget of nothing has no counter before.
_RUN_OUT = sa.text(
    """
    INSERT INTO plan_spending AS s (scope_id, period, spent_fen, ran_out_at) VALUES (:scope, :period, 0, :at)
    ON CONFLICT (scope_id, period) DO UPDATE SET ran_out_at = excluded.ran_out_at WHERE s.ran_out_at IS NULL
    RETURNING s.scope_id
    """
)


@dataclass
class Counters:
    """What was spent before, and what the orders that are held to it add."""

    spent: MutableMapping[Key, int] = field(default_factory=dict)
    added: dict[Key, int] = field(default_factory=lambda: defaultdict(int))
    #: Budgets that were not enough for an order, with the plan's limits.
    ran_out: dict[Key, Caps] = field(default_factory=dict)

    def hold(self, facts: OrderFacts, result: Result, *, caps: Caps, version_id: UUID) -> tuple[Result, dict[str, Any]]:
        """Return an order's awards within the limits, which count from now on, and where the limits stood before."""
        standing: dict[str, Any] = {}
        spent = Spending()
        day, budget = _day_of(facts, caps), _budget_of(facts, caps, version_id)
        if day is not None:
            owners = {award.beneficiary_id for award in result.awards}
            spent = Spending({owner: self.spent.get((owner, day), 0) for owner in owners})
            standing |= {"day": day, "promoters": {o.hex: fen for o, fen in spent.promoter_day_fen.items() if fen}}
        if budget is not None:
            spent = Spending(spent.promoter_day_fen, self.spent.get(budget, 0))
            standing |= {"budget_period": budget[1], "budget_fen": spent.budget_fen}
        limited = limit_by_spending(result, caps, spent)
        if budget is not None and _is_at_the_end(limited):
            self.ran_out.setdefault(budget, caps)
        for award in limited.awards:
            for key in _keys(award.beneficiary_id, day, budget):
                self.spent[key] = self.spent.get(key, 0) + award.amount_fen
                self.added[key] += award.amount_fen
        return limited, standing

    def write(self) -> None:
        """Write what was added, and tell the brand of each budget that has come to its end for the first time."""
        if self.added:
            session().execute(_ADD, _arrays(self.added))
        for (version_id, period), caps in self.ran_out.items():
            _tell(version_id, period, caps)


def is_limited(caps: Caps) -> bool:
    """Return whether a plan has limits over several orders."""
    return caps.promoter_day_fen is not None or caps.budget_fen is not None


def read(orders: Iterable[tuple[OrderFacts, Result, Caps, UUID]]) -> Counters:
    """Return the counters that the limits of orders look at, in one statement; the books are locked by the caller."""
    wanted: set[Key] = set()
    for facts, result, caps, version_id in orders:
        day, budget = _day_of(facts, caps), _budget_of(facts, caps, version_id)
        for award in result.awards:
            wanted.update(_keys(award.beneficiary_id, day, budget))
    keys = {"scopes": [scope for scope, _ in wanted], "periods": [period for _, period in wanted]}
    return Counters({(scope, period): fen for scope, period, fen in session().execute(_READ, keys)})


def give_back(standing: Mapping[str, Any], *, version_id: UUID | None, taken: Mapping[UUID, int]) -> None:
    """Give limits the room back that a refund took from promoters' awards of an order with this standing."""
    amounts: dict[Key, int] = defaultdict(int)
    period = standing.get("budget_period")
    budget = (version_id, period) if version_id is not None and period is not None else None
    for owner, fen in taken.items():
        for key in _keys(owner, standing.get("day"), budget):
            amounts[key] += fen
    if amounts:
        session().execute(_GIVE_BACK, _arrays(amounts))


def spending_of(standing: Mapping[str, Any]) -> Spending:
    """Return where the limits stood before an order, from what was kept of it."""
    by_owner = {UUID(owner): fen for owner, fen in standing.get("promoters", {}).items()}
    return Spending(by_owner, standing.get("budget_fen", 0))


def budget_at_its_end(version_id: UUID) -> PlanSpending | None:
    """Return the counter of a plan version's budget if it has run out in the present day, month or for good."""
    now = brand_now().astimezone(BEIJING)
    query = (
        sa.select(PlanSpending)
        .where(
            PlanSpending.scope_id == version_id,
            PlanSpending.period.in_([now.strftime(form) for form in _FORMATS.values()]),
            PlanSpending.ran_out_at.is_not(None),
        )
        .limit(1)
    )
    return session().scalars(query).first()


def _day_of(facts: OrderFacts, caps: Caps) -> str | None:
    return _period(facts.paid_at, "day") if caps.promoter_day_fen is not None else None


def _budget_of(facts: OrderFacts, caps: Caps, version_id: UUID) -> Key | None:
    return (version_id, _period(facts.paid_at, caps.budget_period)) if caps.budget_fen is not None else None


def _period(moment: datetime, name: str) -> str:
    return moment.astimezone(BEIJING).strftime(_FORMATS[name])


def _keys(owner_id: UUID, day: str | None, budget: Key | None) -> list[Key]:
    keys = [] if day is None else [(owner_id, day)]
    return keys if budget is None else [*keys, budget]


def _is_at_the_end(result: Result) -> bool:
    struck = (told["cap"] for award in result.awards for told in _caps_told(award.details))
    return any(item.reason == "budget" for item in result.withheld) or any(cap in BUDGET_CAPS for cap in struck)


def _caps_told(details: Mapping[str, object]) -> list[dict[str, object]]:
    told = details.get("caps")
    return told if isinstance(told, list) else []


def _tell(version_id: UUID, period: str, caps: Caps) -> None:
    first = session().scalar(_RUN_OUT, {"scope": version_id, "period": period, "at": brand_now()})
    if first is not None:
        told = {"period": period, "budget_fen": caps.budget_fen, "on_budget_end": caps.on_budget_end}
        events.publish("plan.budget_ran_out", version_id, object_id=version_id, **told)


def _arrays(amounts: Mapping[Key, int]) -> dict[str, object]:
    rows = sorted((scope, period, fen) for (scope, period), fen in amounts.items())
    return {
        "scopes": [scope for scope, _period, _fen in rows],
        "periods": [period for _scope, period, _fen in rows],
        "fens": [fen for _scope, _period, fen in rows],
    }
