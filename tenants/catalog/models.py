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
        sa.CheckConstraint("cost_fen >= 0", name="cost"),
        sa.CheckConstraint("tax_bp BETWEEN 0 AND 10000", name="tax"),
        sa.CheckConstraint("commission_base_fen >= 0", name="commission_base"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    sku: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    category: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(default="")
    price_fen: Mapped[int]
    stock: Mapped[int]
    on_sale: Mapped[bool] = mapped_column(default=True)
    #: What groups several SKUs for the plan; the SKU itself where nothing groups it.
    product_code: Mapped[str]
    #: What a piece costs the brand; never shown to shoppers. None where nobody said.
    cost_fen: Mapped[int | None]
    #: Value added tax contained in the price, in basis points of the price without it.
    tax_bp: Mapped[int] = mapped_column(default=0)
    #: A base per piece that commissions are worked out of instead of the price.
    commission_base_fen: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
