"""A month that is over and what it brings: one run for each month, with a line for each reward."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.pluginhost.models import PluginActivation
from fanyong.tenancy.database import TenantBase
from tenants.members.models import Member

STATES = ("waiting", "nothing", "computed", "failed", "discarded", "posting", "posted")


class PeriodRun(TenantBase):
    """The rewards of one calendar month in the brand's time zone.

    `waiting` to be worked out, `nothing` where the plan of the month rewards nobody, `computed` to be looked at,
    `failed`, `discarded`, `posting` into the books by and by, `posted`.
    """

    __tablename__ = "period_run"
    __table_args__ = (
        sa.UniqueConstraint("month"),
        sa.CheckConstraint("month ~ '^20[0-9]{2}-(0[1-9]|1[0-2])$'", name="month"),
        sa.CheckConstraint(f"state IN ({', '.join(repr(state) for state in STATES)})", name="state"),
        sa.CheckConstraint("(decided_at IS NOT NULL) = (state IN ('discarded', 'posting', 'posted'))", name="decided"),
        sa.CheckConstraint("(due_at IS NOT NULL) = (state IN ('posting', 'posted'))", name="due"),
        sa.CheckConstraint(
            "posted <= awards AND (state <> 'posted' OR (posted = awards AND posted_at IS NOT NULL))", name="posted"
        ),
        sa.Index("ix_period_run_at_work", "month", postgresql_where=sa.text("state IN ('waiting', 'posting')")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    #: `2026-11`.
    month: Mapped[str]
    state: Mapped[str] = mapped_column(default="waiting")
    #: The version in force when the month ended; None before that was looked up, and without a plan.
    plan_version_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey(PluginActivation.id))
    turnover_fen: Mapped[int] = mapped_column(default=0)
    #: How many promoters were looked at, how many rewards there are and what they come to, how many nobody gets.
    people: Mapped[int] = mapped_column(default=0)
    awards: Mapped[int] = mapped_column(default=0)
    total_fen: Mapped[int] = mapped_column(default=0)
    withheld: Mapped[int] = mapped_column(default=0)
    #: How many rewards are in the books.
    posted: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str] = mapped_column(default="")
    #: Why it was discarded.
    reason: Mapped[str] = mapped_column(default="")
    computed_at: Mapped[datetime | None]
    #: Who let it be posted or discarded it.
    decided_by: Mapped[str] = mapped_column(default="")
    decided_at: Mapped[datetime | None]
    #: When the rewards become available.
    due_at: Mapped[datetime | None]
    posted_at: Mapped[datetime | None]


class PeriodLine(TenantBase):
    """One reward of a month, or one that is withheld."""

    __tablename__ = "period_line"
    __table_args__ = (
        sa.UniqueConstraint("run_id", "member_id", "rule"),
        sa.CheckConstraint("CASE WHEN reason IS NULL THEN amount_fen > 0 ELSE amount_fen = 0 END", name="amount"),
        sa.CheckConstraint("award_id IS NULL OR reason IS NULL", name="award"),
        sa.Index(
            "ix_period_line_unposted",
            "run_id",
            "member_id",
            postgresql_where=sa.text("reason IS NULL AND award_id IS NULL"),
        ),
        sa.Index("ix_period_line_run_id_amount_fen", "run_id", sa.text("amount_fen DESC"), "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    run_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(PeriodRun.id))
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    rule: Mapped[str]
    amount_fen: Mapped[int] = mapped_column(default=0)
    base_fen: Mapped[int] = mapped_column(default=0)
    rate_bp: Mapped[int] = mapped_column(default=0)
    tier: Mapped[str] = mapped_column(default="")
    #: What an award's explanation will say; None for what is withheld.
    explanation: Mapped[dict[str, Any] | None]
    #: Why it is withheld; None for a reward.
    reason: Mapped[str | None]
    #: The award in the books.
    award_id: Mapped[uuid.UUID | None]
