"""How goods reach the buyer."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.tenancy.database import TenantBase


class ShippingMethod(TenantBase):
    """A way of shipping with a flat fee."""

    __tablename__ = "shipping_method"
    __table_args__ = (sa.CheckConstraint("fee_fen >= 0", name="fee"),)

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    fee_fen: Mapped[int]
    active: Mapped[bool] = mapped_column(default=True)
