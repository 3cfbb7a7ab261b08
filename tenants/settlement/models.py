"""Holds: commissions that an admin keeps from being released, and why."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.database import TenantBase
from tenants.members.models import Member


class ReleaseHold(TenantBase):
    """A hold on the commissions of one order, or of one promoter, from `placed_at` until `lifted_at`."""

    __tablename__ = "release_hold"
    __table_args__ = (
        sa.CheckConstraint("num_nonnulls(order_id, member_id) = 1", name="subject"),
        sa.CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name="lifted"),
        sa.Index("uq_release_hold_open_order", "order_id", unique=True, postgresql_where=sa.text("lifted_at IS NULL")),
        sa.Index(
            "uq_release_hold_open_member", "member_id", unique=True, postgresql_where=sa.text("lifted_at IS NULL")
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    #: An order's id; this feature knows no orders.
    order_id: Mapped[uuid.UUID | None]
    member_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey(Member.id))
    reason: Mapped[str]
    placed_by: Mapped[str]
    placed_at: Mapped[datetime]
    lifted_by: Mapped[str | None]
    lifted_at: Mapped[datetime | None]
    lift_reason: Mapped[str] = mapped_column(default="")
