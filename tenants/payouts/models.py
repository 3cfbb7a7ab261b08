"""Withdrawals: a promoter's wish to have money in the wallet."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.database import TenantBase
from tenants.members.models import Member


class Withdrawal(TenantBase):
    """A withdrawal; its amount left `available` when it was made and comes back if it does not reach the wallet."""

    __tablename__ = "withdrawal"
    __table_args__ = (
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.CheckConstraint("state IN ('requested', 'approved', 'paid', 'rejected', 'failed')", name="state"),
        sa.UniqueConstraint("member_id", "idempotency_key"),
        sa.Index("ix_withdrawal_state", "state"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    amount_fen: Mapped[int]
    state: Mapped[str] = mapped_column(default="requested")
    transfer_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    idempotency_key: Mapped[str]
    requested_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    reason: Mapped[str | None]
    finished_at: Mapped[datetime | None]
