"""Which plugin a brand uses for what, version by version."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.database import TenantBase


class PluginActivation(TenantBase):
    """One version of a brand's choice: a plugin and its settings.

    A draft may be changed, and waits as `scheduled` for its `effective_at`. Once it was `active` nothing of it changes
    but its end. `refused` is a scheduled version that was not allowed when its time came; `problem` says why.
    """

    __tablename__ = "plugin_activation"
    __table_args__ = (
        sa.UniqueConstraint("kind", "number"),
        sa.CheckConstraint(
            "state IN ('draft', 'scheduled', 'active', 'retired', 'refused', 'discarded')", name="state"
        ),
        sa.CheckConstraint("state <> 'scheduled' OR effective_at IS NOT NULL", name="scheduled"),
        sa.CheckConstraint("state NOT IN ('active', 'retired') OR activated_at IS NOT NULL", name="activated"),
        sa.CheckConstraint("(state = 'retired') = (retired_at IS NOT NULL)", name="retired"),
        sa.Index("uq_plugin_activation_current", "kind", unique=True, postgresql_where=sa.text("state = 'active'")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    #: 1, 2, 3 ... within the kind: what people call "plan version 3". Never used twice.
    number: Mapped[int]
    state: Mapped[str] = mapped_column(default="draft")
    title: Mapped[str] = mapped_column(default="")
    plugin: Mapped[str]
    plugin_version: Mapped[str]
    settings: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    #: For a version that was scheduled: from when on it holds.
    effective_at: Mapped[datetime | None]
    activated_at: Mapped[datetime | None]
    #: Who activated or scheduled it.
    activated_by: Mapped[str | None]
    retired_at: Mapped[datetime | None]
    problem: Mapped[str | None]


class PluginChange(TenantBase):
    """What somebody did to a version, with each setting before and after. Never changed."""

    __tablename__ = "plugin_change"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    activation_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(PluginActivation.id), index=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    #: `created`, `changed`, `scheduled`, `unscheduled`, `activated`, `retired`, `refused` or `discarded`.
    action: Mapped[str]
    #: For `changed`: a list of {path, before, after}, as `fanyong.pluginhost.differences` makes it.
    changes: Mapped[list[Any]] = mapped_column(default=list)


class PluginFailure(TenantBase):
    """A plugin raised; shown to the brand and to platform staff until somebody settles it."""

    __tablename__ = "plugin_failure"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    plugin: Mapped[str]
    hook: Mapped[str]
    error: Mapped[str]
    happened_at: Mapped[datetime] = mapped_column(server_default=sa.func.clock_timestamp())
    settled_at: Mapped[datetime | None]
