"""What lowers a price."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.tenancy.database import TenantBase


class Coupon(TenantBase):
    """A code that takes a fixed amount off the goods of an order, from a threshold on."""

    __tablename__ = "coupon"
    __table_args__ = (sa.CheckConstraint("amount_fen > 0 AND threshold_fen >= 0", name="amounts"),)

    code: Mapped[str] = mapped_column(primary_key=True)
    amount_fen: Mapped[int]
    threshold_fen: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())
