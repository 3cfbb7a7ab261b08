"""Commissions: queueing what happened to an order, and choosing the plan.

The books are reached through the inbox (`CommissionWork`): whoever changes an order writes a row in the same
transaction, `processing` works the rows off. Nothing here knows orders; a payload says all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import insert

from fanyong.compliance import service as compliance
from fanyong.ids import new_id
from fanyong.jobs.wake import request_wake
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.models import PluginActivation
from fanyong.pluginhost.registry import PluginFailed, registry
from fanyong.tenancy.database import session
from fanyong.values import OrderFacts
from tenants.commissions.models import Accrual, Award, AwardReversal, CommissionWork, OrderCommission
from tenants.promoters import service as promoters

FACTS: TypeAdapter[OrderFacts] = TypeAdapter(OrderFacts)


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


def current_plan_version_id() -> UUID | None:
    """Return the id of the brand's plan version, which exists even while its plugin cannot be loaded."""
    row = plugins.current_activation("commission_plan")
    return row.id if row else None


def queue_paid(facts: OrderFacts, *, plan_version_id: UUID | None) -> None:
    """Queue the awards of an order that was paid; `facts` and the plan version stay what they are now."""
    session().execute(
        insert(OrderCommission)
        .values(order_id=facts.order_id, plan_version_id=plan_version_id, withheld=[], release_holds=0)
        .on_conflict_do_nothing()
    )
    payload = {"facts": FACTS.dump_python(facts, mode="json"), "plan_version_id": _hex(plan_version_id)}
    _queue(f"paid:{facts.order_id}", kind="paid", order_id=facts.order_id, payload=payload)


def queue_received(order_id: UUID, *, due_at: datetime) -> None:
    """Queue the receipt of an order's goods: its commissions are released at `due_at`."""
    _queue(f"received:{order_id}", kind="received", order_id=order_id, payload={"due_at": due_at.isoformat()})


def queue_refunded(order_id: UUID, *, refund_id: UUID, lines: Sequence[RefundedLine]) -> None:
    """Queue the reversals of a refund that has reached the buyer."""
    payload = {
        "refund_id": refund_id.hex,
        "lines": [
            {"line_id": line.line_id.hex, "paid_fen": line.paid_fen, "refunded_fen": line.refunded_fen}
            for line in lines
        ],
    }
    _queue(f"refunded:{refund_id}", kind="refunded", order_id=order_id, payload=payload)


def hold_release(order_id: UUID, *, change: int) -> None:
    """Hold (+1) or let go (-1) the release of an order's commissions while a refund is under way."""
    session().execute(
        sa.update(OrderCommission)
        .where(OrderCommission.order_id == order_id)
        .values(release_holds=OrderCommission.release_holds + change)
        .execution_options(synchronize_session=False)
    )


def awards_of_orders(order_ids: Iterable[UUID]) -> list[Award]:
    """Return the awards of orders, in the order they were made."""
    return list(session().scalars(sa.select(Award).where(Award.order_id.in_(list(order_ids))).order_by(Award.id)))


def awards_of_member(member_id: UUID) -> sa.Select[Award, Accrual]:
    """Return the query of a promoter's awards with how far each has come, newest first."""
    return (
        sa.select(Award, Accrual)
        .join(Accrual, Accrual.award_id == Award.id)
        .where(Award.beneficiary_id == member_id)
        .order_by(Award.id.desc())
    )


def reversals_of(award_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return how much refunds took back of awards."""
    query = (
        sa.select(AwardReversal.award_id, sa.cast(sa.func.sum(AwardReversal.amount_fen), sa.BigInteger))
        .where(AwardReversal.award_id.in_(list(award_ids)))
        .group_by(AwardReversal.award_id)
    )
    return dict(session().execute(query).all())


def commission_of_order(order_id: UUID) -> OrderCommission | None:
    """Return which plan decided an order and what was withheld, or None before it was paid."""
    return session().get(OrderCommission, order_id)


def open_work() -> int:
    """Return how many inbox rows wait, those with an error included."""
    count = session().scalar(sa.select(sa.func.count()).where(CommissionWork.done_at.is_(None)))
    return count or 0


def failing_work() -> list[CommissionWork]:
    """Return the inbox rows that could not be worked off so far, oldest first."""
    query = sa.select(CommissionWork).where(CommissionWork.done_at.is_(None), CommissionWork.error.is_not(None))
    return list(session().scalars(query.order_by(CommissionWork.id).limit(50)))


def retry_failing_work() -> None:
    """Try everything that failed again at once; for an admin who has mended the cause."""
    session().execute(
        sa.update(CommissionWork)
        .where(CommissionWork.done_at.is_(None))
        .values(next_try_at=sa.func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )
    request_wake()


def _queue(key: str, *, kind: str, order_id: UUID, payload: dict[str, Any]) -> None:
    session().execute(
        insert(CommissionWork)
        .values(id=new_id(), key=key, kind=kind, order_id=order_id, payload=payload)
        .on_conflict_do_nothing(index_elements=[CommissionWork.key])
    )
    request_wake()


def _hex(value: UUID | None) -> str | None:
    return value.hex if value else None
