"""The daily comparison of our books with the provider's bills."""

from __future__ import annotations

import uuid
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.database import TenantBase


class ReconciledDay(TenantBase):
    """One day (in Beijing) that was compared; comparing it again brings it up to date."""

    __tablename__ = "reconciled_day"

    day: Mapped[date] = mapped_column(sa.Date(), primary_key=True)
    compared_at: Mapped[datetime]
    payments: Mapped[int]
    refunds: Mapped[int]
    transfers: Mapped[int]
    differences: Mapped[int]


class Difference(TenantBase):
    """Something that stands in one place and not, or differently, in the other."""

    __tablename__ = "difference"
    __table_args__ = (
        sa.UniqueConstraint("kind", "number"),
        sa.CheckConstraint(
            "problem IN ('missing_here', 'missing_there', 'amount_differs', 'state_differs')", name="problem"
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    day: Mapped[date] = mapped_column(sa.Date(), index=True)
    kind: Mapped[str]
    number: Mapped[str]
    problem: Mapped[str]
    here_fen: Mapped[int]
    there_fen: Mapped[int]
    found_at: Mapped[datetime]
    #: Set when a later comparison no longer finds it, or when somebody closed it with a note.
    settled_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(default="")
