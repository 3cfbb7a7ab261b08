"""What a brand sells."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.database import TenantBase


class Product(TenantBase):
    """A product with one SKU."""

    __tablename__ = "product"
    __table_args__ = (
        sa.CheckConstraint("price_fen > 0", name="price"),
        sa.CheckConstraint("stock >= 0", name="stock"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    sku: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    category: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(default="")
    price_fen: Mapped[int]
    stock: Mapped[int]
    on_sale: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
