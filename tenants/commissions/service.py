"""Commissions: queueing what happened to an order, choosing the plan, and what there is to see.

The books are reached through the inbox (`CommissionWork`): whoever changes an order writes a row in the same
transaction, `processing` works the rows off. Nothing here knows orders; facts and payloads say all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fanyong.compliance import service as compliance
from fanyong.ids import new_id
from fanyong.jobs.wake import request_wake
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.models import PluginActivation
from fanyong.pluginhost.registry import PluginFailed, registry
from fanyong.tenancy.clock import BRAND_NOW
from fanyong.tenancy.database import TenantBase, session
from fanyong.values import OrderFacts
from tenants.commissions.attribution import attribution_of, decode_facts, encode_facts, facts_of
from tenants.commissions.courses import Course, awards_of_member, courses_of
from tenants.commissions.holding import hold_release
from tenants.commissions.models import Award, AwardReversal, CommissionWork, OrderCommission
from tenants.ledger.board import leader_board, rank_of
from tenants.promoters import service as promoters

__all__ = [
    "WORK_DUE",
    "Course",
    "RefundedLine",
    "activate_plan",
    "attribution_of",
    "awards_of_member",
    "awards_of_orders",
    "bring_forward",
    "commission_of_order",
    "courses_of",
    "current_plan",
    "current_plan_version_id",
    "decode_facts",
    "encode_facts",
    "facts_of",
    "failing_work",
    "hold_release",
    "leader_board",
    "open_work",
    "queue_paid",
    "queue_received",
    "queue_refunded",
    "rank_of",
    "remaining_of",
    "retry_failing_work",
    "reversals_of",
]


#: Whether the inbox may have something that can be worked off.
WORK_DUE = "EXISTS (SELECT FROM commission_work WHERE next_try_at <= clock_timestamp())"
#: Freezes an order and queues its awards, both or neither, and only the first time.
_FREEZE = sa.text(
    f"""
    WITH frozen AS (
        INSERT INTO attribution (order_id, plan_version_id, policy, facts, frozen_at)
        VALUES (:order_id, CAST(:plan_version_id AS uuid), :policy, :facts, {BRAND_NOW})
        ON CONFLICT DO NOTHING RETURNING order_id
    )
    INSERT INTO commission_work (id, kind, order_id) SELECT :work_id, 'paid', order_id FROM frozen RETURNING id
    """
)
#: Values travel as parameters, so that the statement is compiled once.
_QUEUE = sa.insert(TenantBase.metadata.tables[CommissionWork.__tablename__])


@dataclass(frozen=True, slots=True)
class RefundedLine:
    """How much of a paid line all finished refunds together gave back."""

    line_id: UUID
    paid_fen: int
    refunded_fen: int


def activate_plan(name: str, values: dict[str, Any], *, actor: str) -> PluginActivation:
    """Make a plan the brand's own from now on; orders paid before keep theirs.

    Raises UnknownPlugin, InvalidPluginSettings, PluginFailed or TooManyLevels, which names the rule of the policy.
    """
    tiers = promoters.tiers()
    settings = plugins.validate("commission_plan", name, values, tiers=tiers)
    levels = registry.call(name, "plan_levels", settings=settings)
    if type(levels) is not int or levels < 0:
        raise PluginFailed(plugin=name, hook="plan_levels", error=TypeError(f"answered {levels!r}"))
    compliance.check_levels(levels)
    return plugins.activate("commission_plan", name, values, tiers=tiers, actor=actor)


def current_plan() -> plugins.ActivePlugin | None:
    """Return the brand's plan, or None before one was chosen; raises PluginFailed when it cannot be loaded."""
    return plugins.current("commission_plan")


def current_plan_version_id(*, at: datetime | None = None) -> UUID | None:
    """Return the id of the brand's plan version, which exists even while its plugin cannot be loaded.

    `at` is the moment of a payment: a version scheduled for a later one does not count.
    """
    row = plugins.current_activation("commission_plan", at=at)
    return row.id if row else None


def queue_paid(facts: OrderFacts, *, plan_version_id: UUID | None, policy: str = "") -> None:
    """Freeze `facts` and the plan version of an order that was paid, and queue its awards; the second time nothing."""
    values = {
        "order_id": facts.order_id,
        "plan_version_id": plan_version_id,
        "policy": policy,
        "facts": encode_facts(facts),
        "work_id": new_id(),
    }
    if session().scalar(_FREEZE, values):
        request_wake()


def queue_received(order_id: UUID, *, due_at: datetime) -> None:
    """Queue the receipt of an order's goods: its commissions are released at `due_at`."""
    _queue("received", order_id, {"due_at": due_at.isoformat()})


def bring_forward(order_id: UUID, *, due_at: datetime) -> None:
    """Queue that what is left of a received order's commissions is due at `due_at` already, never later than before.

    It goes through the inbox as the receipt does, and so never comes before it.
    """
    queue_received(order_id, due_at=due_at)


def queue_refunded(order_id: UUID, *, refund_id: UUID, lines: Sequence[RefundedLine], lift_hold: bool = False) -> None:
    """Queue the reversals of a refund that has reached the buyer.

    With `lift_hold` the hold that the refund put on the order ends together with them: what is being taken back must
    not be released in between.
    """
    payload = {
        "lift_hold": lift_hold,
        "refund_id": refund_id.hex,
        "lines": [
            {"line_id": line.line_id.hex, "paid_fen": line.paid_fen, "refunded_fen": line.refunded_fen}
            for line in lines
        ],
    }
    _queue("refunded", order_id, payload)


def awards_of_orders(order_ids: Iterable[UUID]) -> list[Award]:
    """Return the awards of orders, in the order they were made."""
    return list(session().scalars(sa.select(Award).where(Award.order_id.in_(list(order_ids))).order_by(Award.id)))


def reversals_of(award_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return how much refunds took back of awards."""
    query = (
        sa.select(AwardReversal.award_id, sa.cast(sa.func.sum(AwardReversal.amount_fen), sa.BigInteger))
        .where(AwardReversal.award_id.in_(list(award_ids)))
        .group_by(AwardReversal.award_id)
    )
    return dict(session().execute(query).all())


def remaining_of(order_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return what is left of the awards of orders after refunds."""
    query = sa.select(Award.order_id, Award.id, Award.amount_fen).where(Award.order_id.in_(list(order_ids)))
    rows = session().execute(query).all()
    taken = reversals_of([award_id for _order_id, award_id, _fen in rows])
    remaining: dict[UUID, int] = {}
    for order_id, award_id, fen in rows:
        remaining[order_id] = remaining.get(order_id, 0) + fen - taken.get(award_id, 0)
    return remaining


def commission_of_order(order_id: UUID) -> OrderCommission | None:
    """Return which plan decided an order and what was withheld; None before anything was worked out."""
    return session().get(OrderCommission, order_id, populate_existing=True)


def withheld_of_orders(order_ids: Collection[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """Return what plans proposed of orders and nobody got, by line: who, which level and rule, and the reason."""
    query = sa.select(OrderCommission.withheld).where(
        OrderCommission.order_id.in_(list(order_ids)), OrderCommission.withheld.is_not(None)
    )
    found: dict[UUID, list[dict[str, Any]]] = {}
    for items in session().scalars(query):
        for item in items or ():
            found.setdefault(UUID(item["line_id"]), []).append(item)
    return found


def open_work() -> int:
    """Return how many inbox rows wait, those with an error included."""
    return session().scalar(sa.select(sa.func.count()).select_from(CommissionWork)) or 0


def failing_work() -> list[CommissionWork]:
    """Return the inbox rows that could not be worked off so far, oldest first."""
    query = sa.select(CommissionWork).where(CommissionWork.error.is_not(None)).order_by(CommissionWork.id)
    return list(session().scalars(query.limit(50)))


def retry_failing_work() -> None:
    """Try everything that failed again at once; for an admin who has mended the cause."""
    session().execute(
        sa.update(CommissionWork)
        .values(next_try_at=sa.func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )
    request_wake()


def _queue(kind: str, order_id: UUID, payload: dict[str, Any] | None = None) -> None:
    session().execute(_QUEUE, {"id": new_id(), "kind": kind, "order_id": order_id, "payload": payload})
    request_wake()
