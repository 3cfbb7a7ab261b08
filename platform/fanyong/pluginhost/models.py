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
    """One version of a brand's choice: a plugin and its settings. A change makes a new row; rows never change
    but for their end.
    """

    __tablename__ = "plugin_activation"
    __table_args__ = (
        sa.UniqueConstraint("kind", "number"),
        sa.Index(
            "uq_plugin_activation_current",
            "kind",
            unique=True,
            postgresql_where=sa.text("retired_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    #: 1, 2, 3 ... within the kind: what people call "plan version 3".
    number: Mapped[int]
    plugin: Mapped[str]
    plugin_version: Mapped[str]
    settings: Mapped[dict[str, Any]]
    activated_at: Mapped[datetime]
    activated_by: Mapped[str]
    retired_at: Mapped[datetime | None]


class PluginFailure(TenantBase):
    """A plugin raised; shown to the brand and to platform staff until somebody settles it."""

    __tablename__ = "plugin_failure"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    plugin: Mapped[str]
    hook: Mapped[str]
    error: Mapped[str]
    happened_at: Mapped[datetime] = mapped_column(server_default=sa.func.clock_timestamp())
    settled_at: Mapped[datetime | None]
