"""The event log of a brand."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.database import TenantBase


class Event(TenantBase):
    """Something that happened (`evt_`): append only, in the transaction that made it true."""

    __tablename__ = "event"
    __table_args__ = (sa.Index("ix_event_object_id", "object_id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    type: Mapped[str]
    object_id: Mapped[uuid.UUID]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.clock_timestamp())
