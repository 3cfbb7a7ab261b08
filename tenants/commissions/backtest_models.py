"""Back-tests: a version of the plan held against orders of the past."""

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


class BacktestRun(TenantBase):
    """One back-test and how far it has come; the settings are those of the moment it was asked for."""

    __tablename__ = "backtest_run"
    __table_args__ = (
        sa.CheckConstraint("state IN ('running', 'done', 'canceled', 'failed')", name="state"),
        sa.CheckConstraint("starts_at < ends_at", name="period"),
        sa.Index("ix_backtest_run_running", "id", postgresql_where=sa.text("state = 'running'")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    activation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(PluginActivation.id))
    plugin: Mapped[str]
    settings: Mapped[dict[str, Any]]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="running")
    #: None until the first portion has counted them.
    orders_total: Mapped[int | None]
    orders_done: Mapped[int] = mapped_column(default=0)
    #: The last order that is in the figures.
    cursor: Mapped[uuid.UUID | None]
    totals: Mapped[dict[str, Any]] = mapped_column(default=dict)
    problem: Mapped[str | None]
    requested_at: Mapped[datetime]
    requested_by: Mapped[str]
    finished_at: Mapped[datetime | None]


class BacktestPromoter(TenantBase):
    """What one promoter got for the orders of a back-test, and would have got."""

    __tablename__ = "backtest_promoter"

    run_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(BacktestRun.id), primary_key=True)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id), primary_key=True)
    now_fen: Mapped[int]
    then_fen: Mapped[int]
