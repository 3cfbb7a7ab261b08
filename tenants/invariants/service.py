"""Proving a brand's books: every invariant, and the newest orders computed again.

`flask ledger check` and the console run it; the tests run it after every fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import PluginFailed
from fanyong.tenancy.database import session, take_minutes
from fanyong.values import OrderFacts
from tenants.commissions import engine, plans
from tenants.commissions import service as commissions
from tenants.commissions.models import Attribution, Award, OrderCommission
from tenants.commissions.spending import spending_of
from tenants.invariants.checks import CHECKS, statement
from tenants.reconciliation import differences
from tenants.reconciliation import service as reconciliation

#: A difference is classified by its problem and aged by when it was found; what no difference explains is neither.
RECONCILED = "8 what differs from the bills is a difference, classified and aged"
#: How many orders a check computes again; the newest ones.
RECOMPUTED_ORDERS = 500


@dataclass(frozen=True, slots=True)
class Report:
    """What the checks found: figures to read, and a line for each violation."""

    figures: dict[str, int]
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return not self.problems


def check_books() -> Report:
    """Run every invariant over the bound brand's books, as of one moment."""
    # Books of millions of postings take longer than any request may.
    take_minutes()
    problems = [f"{name}: {line}" for name, line in session().execute(sa.text(statement()))]
    recomputed, differing = _recompute()
    problems += [f"{RECONCILED}: {line}" for line in reconciliation.unexplained()]
    problems += [f"10 computing an order again gives the same fen: {line}" for line in differing]
    return Report({**_figures(), "orders_recomputed": recomputed, "invariants": len(CHECKS) + 2}, problems)


def _figures() -> dict[str, int]:
    tables = ("member", "order", "award", "award_reversal", "posting", "withdrawal")
    counts = {f"{t}s": session().scalar(sa.text(f'SELECT count(*) FROM "{t}"')) or 0 for t in tables}
    # Differences that somebody has yet to look at are no violation, but the older they are the more they matter.
    ages = differences.ages_in_days()
    open_differences = {"differences": len(ages), "oldest_difference_days": max(ages, default=0)}
    return {**counts, **open_differences, "open_work": commissions.open_work()}


def _recompute() -> tuple[int, list[str]]:
    """Compute the newest paid orders again from their frozen facts and compare with what was posted."""
    query = (
        sa.select(Attribution, OrderCommission.spending)
        .join(OrderCommission, OrderCommission.order_id == Attribution.order_id)
        .where(OrderCommission.computed_at.is_not(None))
        .order_by(Attribution.order_id.desc())
        .limit(RECOMPUTED_ORDERS)
    )
    frozen = session().execute(query).all()
    posted: dict[UUID, set[tuple[object, ...]]] = {row.order_id: set() for row, _standing in frozen}
    for award in session().scalars(sa.select(Award).where(Award.order_id.in_(list(posted)))):
        posted[award.order_id].add((award.line_id, award.beneficiary_id, award.rule, award.kind, award.amount_fen))
    differing = []
    for row, standing in frozen:
        try:
            expected = _expected(commissions.decode_facts(row.facts), row.plan_version_id, standing)
        except (PluginFailed, LookupError) as error:
            differing.append(f"order {row.order_id}: {error}")
            continue
        if expected != posted[row.order_id]:
            differing.append(f"order {row.order_id}: posted {len(posted[row.order_id])}, computed {len(expected)}")
    return len(frozen), differing


def _expected(
    facts: OrderFacts, plan_version_id: UUID | None, standing: Mapping[str, Any] | None
) -> set[tuple[object, ...]]:
    if plan_version_id is None:
        return set()
    plan = plugins.get_activation(plan_version_id)
    result = plans.propose(plan, facts)
    if standing is not None:
        result = engine.limit_by_spending(result, plans.caps_of(plan), spending_of(standing))
    return {(a.line_id, a.beneficiary_id, a.rule, a.kind, a.amount_fen) for a in result.awards}
