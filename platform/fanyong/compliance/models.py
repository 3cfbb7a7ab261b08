"""Waivers the platform grants from its compliance policy."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.database import ControlBase
from fanyong.tenancy.models import TenantRecord


class LevelWaiver(ControlBase):
    """Permission for one brand to pay more levels than the policy allows, with a reason and an end."""

    __tablename__ = "level_waiver"
    __table_args__ = (sa.CheckConstraint("levels BETWEEN 2 AND 3", name="levels"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(TenantRecord.id), index=True)
    levels: Mapped[int]
    reason: Mapped[str]
    ends_at: Mapped[datetime]
    granted_by: Mapped[str]
    granted_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    revoked_at: Mapped[datetime | None]
