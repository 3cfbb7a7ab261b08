"""Commissions: the work to be done, what was frozen, awarded and taken back, and when it becomes available."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from fanyong.ids import new_id
from fanyong.pluginhost.models import PluginActivation
from fanyong.tenancy.database import TenantBase
from fanyong.values import explain_award

#: None is no value, and not the JSON text `null`.
_NOTHING_IS_NULL = JSONB(none_as_null=True)


class Attribution(TenantBase):
    """What was frozen when an order was paid: who earns by which rules. Never changed."""

    __tablename__ = "attribution"
    __table_args__ = (sa.Index("ix_attribution_frozen_at_order_id", "frozen_at", "order_id"),)

    order_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    #: None where the brand had no plan.
    plan_version_id: Mapped[uuid.UUID | None]
    #: The version of the compliance policy that said how many levels are allowed.
    policy: Mapped[str]
    #: `OrderFacts` as JSON; a text, because it is only ever read as a whole.
    facts: Mapped[str]
    frozen_at: Mapped[datetime]


class CommissionWork(TenantBase):
    """The inbox: one thing that happened to an order and has to reach the books. A row is deleted with its effect.

    A paid order's facts stand in its attribution; `payload` is what the other kinds need.
    """

    __tablename__ = "commission_work"
    __table_args__ = (sa.CheckConstraint("kind IN ('paid', 'received', 'refunded')", name="kind"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    order_id: Mapped[uuid.UUID]
    payload: Mapped[dict[str, Any] | None] = mapped_column(_NOTHING_IS_NULL)
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.clock_timestamp())
    error: Mapped[str | None]
    try_count: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    next_try_at: Mapped[datetime] = mapped_column(server_default=sa.func.clock_timestamp())


class OrderCommission(TenantBase):
    """What the plan made of one order, and when it becomes the promoters': there once somebody needed it."""

    __tablename__ = "order_commission"

    order_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    #: When the awards were made; None while that work waits.
    computed_at: Mapped[datetime | None]
    #: When the awards are released; None before the buyer has the goods.
    due_at: Mapped[datetime | None]
    #: Reasons to hold the release: refunds under way, an admin's word. Each adds one and takes it away again.
    release_holds: Mapped[int] = mapped_column(default=0)
    plan_version_id: Mapped[uuid.UUID | None]
    #: Who got nothing and why; None for nobody.
    withheld: Mapped[list[Any] | None] = mapped_column(_NOTHING_IS_NULL)
    #: Where the plan's limits over several orders stood before this one; None for a plan without.
    spending: Mapped[dict[str, Any] | None] = mapped_column(_NOTHING_IS_NULL)


class PlanSpending(TenantBase):
    """What limits over several orders have let through: orders' awards less what refunds took back of them.

    A promoter's day is counted over all plan versions that limit it, a budget for its plan version alone.
    """

    __tablename__ = "plan_spending"
    __table_args__ = (sa.CheckConstraint("spent_fen >= 0", name="spent"),)

    #: A promoter, or a plan version.
    scope_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    #: `d:2026-11-22`, `m:2026-11` or `all`, in the brand's time zone, by the payments of the orders.
    period: Mapped[str] = mapped_column(primary_key=True)
    spent_fen: Mapped[int]
    #: When an order first found too little left of a budget.
    ran_out_at: Mapped[datetime | None]


class Award(TenantBase):
    """A commission: who earns what of which line, by which rule of which plan version, and why. Never changed.

    The beneficiary is no foreign key: it would lock a member's row for every award. The books' check looks instead.
    """

    __tablename__ = "award"
    __table_args__ = (
        sa.UniqueConstraint("order_id", "line_id", "beneficiary_id", "rule"),
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.Index("ix_award_beneficiary_id", "beneficiary_id", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    order_id: Mapped[uuid.UUID]
    line_id: Mapped[uuid.UUID]
    plan_version_id: Mapped[uuid.UUID]
    beneficiary_id: Mapped[uuid.UUID]
    base_fen: Mapped[int]
    amount_fen: Mapped[int]
    awarded_at: Mapped[datetime]
    rate_bp: Mapped[int] = mapped_column(sa.Integer)
    level: Mapped[int] = mapped_column(sa.SmallInteger)
    kind: Mapped[str]
    rule: Mapped[str]
    tier: Mapped[str]
    #: What no column says; None for nothing.
    details: Mapped[dict[str, Any] | None] = mapped_column(_NOTHING_IS_NULL)

    plan_version: Mapped[PluginActivation] = relationship(
        primaryjoin=lambda: sa.orm.foreign(Award.plan_version_id) == PluginActivation.id,
        viewonly=True,
        lazy="selectin",
    )

    @property
    def explanation(self) -> dict[str, Any]:
        """All there is to say about the award, for `explain.award_sentence` and for people."""
        plan = {"plan": self.plan_version.plugin, "plan_version": self.plan_version.number}
        return {**explain_award(self), **plan}


class AwardReversal(TenantBase):
    """What one refund took back of one award. Never changed."""

    __tablename__ = "award_reversal"
    __table_args__ = (
        sa.UniqueConstraint("award_id", "refund_id"),
        sa.CheckConstraint("amount_fen > 0", name="amount"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    award_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Award.id))
    refund_id: Mapped[uuid.UUID]
    amount_fen: Mapped[int]
    #: Whether the money had been released already, so that it came out of the balance or became a debt.
    after_release: Mapped[bool]
    reversed_at: Mapped[datetime]


class ReleaseBucket(TenantBase):
    """What one promoter gets at one moment, from any number of orders; released at once and never used again."""

    __tablename__ = "release_bucket"
    __table_args__ = (
        sa.UniqueConstraint("due_at", "owner_id"),
        sa.CheckConstraint("amount_fen >= 0", name="amount"),
        sa.CheckConstraint("released_at >= due_at", name="released"),
        sa.Index("ix_release_bucket_open", "due_at", "owner_id", postgresql_where=sa.text("released_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    due_at: Mapped[datetime]
    owner_id: Mapped[uuid.UUID]
    amount_fen: Mapped[int]
    released_at: Mapped[datetime | None]


class ReleaseDetour(TenantBase):
    """One promoter's part of an order that was held: it went its own way, to another moment than the order's."""

    __tablename__ = "release_detour"

    order_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    #: The bucket it is in now; None while it is held.
    due_at: Mapped[datetime | None]
