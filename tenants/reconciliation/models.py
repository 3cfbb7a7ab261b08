"""The daily comparison of our books with the provider's bills, and what somebody has to look at."""

from __future__ import annotations

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.database import TenantBase


class ReconciledDay(TenantBase):
    """One day (in Beijing) that was compared, or whose bill did not come; comparing again brings it up to date.

    `*_fen` are what our books have for the day, `bill_*_fen` what the bills have; the latter are null for days that
    were compared before sums were kept.
    """

    __tablename__ = "reconciled_day"
    __table_args__ = (
        sa.Index("ix_reconciled_day_next_run_at", "next_run_at", postgresql_where=sa.text("next_run_at IS NOT NULL")),
    )

    day: Mapped[date] = mapped_column(sa.Date(), primary_key=True)
    #: The last time a bill was compared; null while none could be.
    compared_at: Mapped[datetime | None]
    payments: Mapped[int] = mapped_column(default=0)
    refunds: Mapped[int] = mapped_column(default=0)
    transfers: Mapped[int] = mapped_column(default=0)
    payments_fen: Mapped[int] = mapped_column(default=0)
    refunds_fen: Mapped[int] = mapped_column(default=0)
    transfers_fen: Mapped[int] = mapped_column(default=0)
    bill_payments_fen: Mapped[int | None]
    bill_refunds_fen: Mapped[int | None]
    bill_transfers_fen: Mapped[int | None]
    #: What the last comparison found.
    differences: Mapped[int] = mapped_column(default=0)
    #: Why the last try came to nothing, in the provider's words; empty when it came to something.
    problem: Mapped[str] = mapped_column(default="")
    try_count: Mapped[int] = mapped_column(default=0)
    #: When the background looks again; null when nothing is open, or when a person has to.
    next_run_at: Mapped[datetime | None]


class Difference(TenantBase):
    """Something that stands in one place and not, or differently, in the other: a task until it is closed."""

    __tablename__ = "difference"
    __table_args__ = (
        sa.UniqueConstraint("day", "kind", "number"),
        sa.CheckConstraint(
            "problem IN ('missing_here', 'missing_there', 'amount_differs', 'state_differs', 'day_differs')",
            name="problem",
        ),
        sa.CheckConstraint("state IN ('open', 'assigned', 'closed')", name="state"),
        sa.CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed"),
        sa.CheckConstraint("state <> 'assigned' OR assignee <> ''", name="assigned"),
        sa.Index("ix_difference_unclosed", "found_at", postgresql_where=sa.text("state <> 'closed'")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    day: Mapped[date] = mapped_column(sa.Date(), index=True)
    kind: Mapped[str]
    number: Mapped[str] = mapped_column(index=True)
    problem: Mapped[str]
    here_fen: Mapped[int]
    there_fen: Mapped[int]
    found_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="open")
    #: The e-mail address of whoever looks after it.
    assignee: Mapped[str] = mapped_column(default="")
    assigned_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    #: An actor as in the audit trail, or `run` when a comparison closed it; then `note` is a word of its own.
    closed_by: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(default="")
