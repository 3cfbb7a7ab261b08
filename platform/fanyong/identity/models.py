"""People who log in: platform staff in the control schema, a brand's admins in the brand's."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.identity.permissions import BRAND_ROLES, STAFF_ROLES, Permission
from fanyong.ids import new_id
from fanyong.tenancy.database import ControlBase, TenantBase


class LogIn:
    """The columns of somebody who logs in, in whichever schema."""

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str]
    role: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class StaffUser(LogIn, ControlBase):
    """Somebody of the platform's own staff."""

    __tablename__ = "staff_user"

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the role allows."""
        return STAFF_ROLES.get(self.role, frozenset())


class AdminUser(LogIn, TenantBase):
    """Somebody who works for a brand."""

    __tablename__ = "admin_user"

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the role allows."""
        return BRAND_ROLES.get(self.role, frozenset())


class AdminAction(TenantBase):
    """The audit trail of a brand: who changed what. Never changed itself."""

    __tablename__ = "admin_action"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(server_default=sa.func.clock_timestamp())
    actor: Mapped[str]
    action: Mapped[str]
    details: Mapped[dict[str, Any]]
