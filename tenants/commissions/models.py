"""Commissions: the work to be done, what was awarded, what was taken back, and how far each award has come."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.database import TenantBase
from tenants.members.models import Member


class CommissionWork(TenantBase):
    """The inbox: one thing that happened to an order and has to reach the books, exactly once.

    `payload` is all that is needed, so that this feature never reads an order.
    """

    __tablename__ = "commission_work"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('paid', 'received', 'refunded')", name="kind"),
        sa.Index("ix_commission_work_open", "order_id", "id", postgresql_where=sa.text("done_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    order_id: Mapped[uuid.UUID]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.clock_timestamp())
    done_at: Mapped[datetime | None]
    error: Mapped[str | None]
    try_count: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime] = mapped_column(server_default=sa.func.clock_timestamp())


class Award(TenantBase):
    """A commission: who earns what of which line, by which rule of which plan version, and why. Never changed."""

    __tablename__ = "award"
    __table_args__ = (
        sa.UniqueConstraint("line_id", "plan_version_id", "rule", "beneficiary_id", "kind"),
        sa.CheckConstraint("amount_fen > 0 AND amount_fen <= base_fen", name="amount"),
        sa.Index("ix_award_order_id", "order_id"),
        sa.Index("ix_award_beneficiary_id", "beneficiary_id", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    order_id: Mapped[uuid.UUID]
    line_id: Mapped[uuid.UUID]
    plan_version_id: Mapped[uuid.UUID]
    rule: Mapped[str]
    beneficiary_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    kind: Mapped[str]
    level: Mapped[int]
    base_fen: Mapped[int]
    rate_bp: Mapped[int]
    amount_fen: Mapped[int]
    explanation: Mapped[dict[str, Any]]
    awarded_at: Mapped[datetime]


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
    reversed_at: Mapped[datetime]


class Accrual(TenantBase):
    """How far an award has come on its way to the promoter's balance; the work list of the release."""

    __tablename__ = "accrual"
    __table_args__ = (
        sa.CheckConstraint("state IN ('estimated', 'frozen', 'released', 'reversed')", name="state"),
        sa.CheckConstraint("remaining_fen >= 0", name="remaining"),
        sa.CheckConstraint("state <> 'frozen' OR due_at IS NOT NULL", name="due"),
        sa.Index("ix_accrual_due_at", "due_at", postgresql_where=sa.text("state = 'frozen'")),
        sa.Index("ix_accrual_order_id", "order_id"),
    )

    award_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Award.id), primary_key=True)
    order_id: Mapped[uuid.UUID]
    line_id: Mapped[uuid.UUID]
    beneficiary_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    #: The award less what refunds took back.
    remaining_fen: Mapped[int]
    state: Mapped[str] = mapped_column(default="estimated")
    due_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]


class OrderCommission(TenantBase):
    """What the plan made of one order: the version that decided, who got nothing and why."""

    __tablename__ = "order_commission"

    order_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    plan_version_id: Mapped[uuid.UUID | None]
    withheld: Mapped[list[Any]]
    computed_at: Mapped[datetime | None]
    #: Refunds asked for and not yet settled hold the release of the order's commissions.
    release_holds: Mapped[int] = mapped_column(default=0)
