"""The directory of brands, in the control schema."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import ControlBase

#: `ready` schemas wait in the pool, without a name.
STATES = ("ready", "active", "suspended")


class TenantRecord(ControlBase):
    """A brand, or a schema that waits for one."""

    __tablename__ = "tenant"
    __table_args__ = (
        sa.CheckConstraint("state IN ('ready', 'active', 'suspended')", name="state"),
        sa.CheckConstraint("state = 'ready' OR slug IS NOT NULL", name="named"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    #: The subdomain; null while the schema waits in the pool.
    slug: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(default="")
    #: Generated, never the slug, so that a renamed brand touches no DDL.
    schema_name: Mapped[str] = mapped_column(unique=True)
    #: The database server the brand lives on.
    cell: Mapped[int] = mapped_column(default=1)
    state: Mapped[str]
    #: The tenant migration the schema is at; the only to-do list of the migration runner.
    version: Mapped[str]
    migration_error: Mapped[str | None]
    suspended_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    claimed_at: Mapped[datetime | None]

    def as_tenant(self) -> Tenant:
        """Return the value that binds this brand."""
        return Tenant(id=self.id, schema=self.schema_name, slug=self.slug or "", name=self.name, state=self.state)


class Domain(ControlBase):
    """A host name of a brand's own."""

    __tablename__ = "domain"

    host: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(TenantRecord.id), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


class AuditEntry(ControlBase):
    """Something that platform staff, or a brand through the platform's door, changed."""

    __tablename__ = "audit_entry"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    actor: Mapped[str]
    action: Mapped[str]
    tenant_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
