"""Share links."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.tenancy.database import TenantBase
from tenants.catalog.models import Product
from tenants.members.models import Member


class Share(TenantBase):
    """A share of a member: an opaque token, short enough for a mini-program code's scene."""

    __tablename__ = "share"
    __table_args__ = (
        sa.UniqueConstraint("member_id", "product_id", postgresql_nulls_not_distinct=True),
        sa.CheckConstraint("length(token) <= 32", name="token_length"),
    )

    token: Mapped[str] = mapped_column(primary_key=True)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    product_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey(Product.id))
    created_at: Mapped[datetime]
