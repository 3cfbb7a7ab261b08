"""Waivers the platform grants from its compliance policy."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.database import ControlBase
from fanyong.tenancy.models import TenantRecord


class Waiver(ControlBase):
    """Permission for one brand to do more than the policy allows, with a reason and an end.

    `levels`: pay up to that many levels. `team`: reward what the downline sells or earns. `entry`: ask for larger
    purchases before somebody may earn.
    """

    #: The table is older than the other kinds.
    __tablename__ = "level_waiver"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('levels', 'team', 'entry')", name="kind"),
        sa.CheckConstraint(
            "CASE WHEN kind = 'levels' THEN levels IS NOT NULL AND levels BETWEEN 2 AND 3 ELSE levels IS NULL END",
            name="levels",
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tenant_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(TenantRecord.id), index=True)
    kind: Mapped[str] = mapped_column(default="levels", server_default="levels")
    levels: Mapped[int | None]
    reason: Mapped[str]
    ends_at: Mapped[datetime]
    granted_by: Mapped[str]
    granted_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    revoked_at: Mapped[datetime | None]
