"""Orders, their lines, and what of them was given back."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from fanyong.ids import new_id
from fanyong.tenancy.database import TenantBase
from tenants.catalog.models import Product
from tenants.members.models import Member


class Order(TenantBase):
    """An order without a cart: lines, a coupon amount over the goods, a freight amount."""

    __tablename__ = "order"
    __table_args__ = (
        sa.CheckConstraint("state IN ('created', 'paid', 'shipped', 'received', 'closed')", name="state"),
        sa.CheckConstraint("goods_fen > 0 AND coupon_fen >= 0 AND freight_fen >= 0", name="amounts"),
        sa.CheckConstraint("total_fen = goods_fen - coupon_fen + freight_fen AND total_fen > 0", name="total"),
        sa.UniqueConstraint("member_id", "idempotency_key"),
        sa.Index("ix_order_state", "state"),
        sa.Index("ix_order_member_id", "member_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    #: What people read out on the phone.
    number: Mapped[str] = mapped_column(unique=True)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    state: Mapped[str] = mapped_column(default="created")
    goods_fen: Mapped[int]
    coupon_fen: Mapped[int]
    freight_fen: Mapped[int]
    total_fen: Mapped[int]
    refunded_fen: Mapped[int] = mapped_column(default=0)
    idempotency_key: Mapped[str]
    request_hash: Mapped[str]
    #: The after-sale window, frozen at payment; who earns what is in the commissions' own attribution.
    attribution: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    shipped_at: Mapped[datetime | None]
    tracking: Mapped[str] = mapped_column(default="")
    received_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]

    lines: Mapped[list[OrderLine]] = relationship(order_by="OrderLine.position", lazy="selectin")


class OrderLine(TenantBase):
    """One product of an order; `paid_fen` is its part of the money after the coupon was spread, once and for all."""

    __tablename__ = "order_line"
    __table_args__ = (
        sa.CheckConstraint("quantity > 0 AND unit_price_fen > 0", name="amounts"),
        sa.CheckConstraint("paid_fen = quantity * unit_price_fen - discount_fen AND paid_fen >= 0", name="paid"),
        sa.CheckConstraint("refunded_quantity BETWEEN 0 AND quantity", name="refunded_quantity"),
        sa.CheckConstraint("refunded_fen BETWEEN 0 AND paid_fen", name="refunded"),
        sa.UniqueConstraint("order_id", "position"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    order_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Order.id))
    position: Mapped[int]
    product_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Product.id))
    sku: Mapped[str]
    name: Mapped[str]
    category: Mapped[str]
    unit_price_fen: Mapped[int]
    quantity: Mapped[int]
    discount_fen: Mapped[int]
    paid_fen: Mapped[int]
    #: What refunds that were asked for cover, whether or not the money has arrived yet.
    refunded_quantity: Mapped[int] = mapped_column(default=0)
    refunded_fen: Mapped[int] = mapped_column(default=0)


class OrderRefund(TenantBase):
    """One refund of an order: what it covers; the money itself is a payments refund with the same id."""

    __tablename__ = "order_refund"
    __table_args__ = (sa.UniqueConstraint("order_id", "idempotency_key"),)

    refund_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    order_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Order.id), index=True)
    idempotency_key: Mapped[str]
    request_hash: Mapped[str]
    freight_fen: Mapped[int]
    amount_fen: Mapped[int]
    reason: Mapped[str]
    requested_by: Mapped[str]
    #: `open` until the provider has given the money back (`done`) or refused (`failed`).
    state: Mapped[str] = mapped_column(default="open")
    created_at: Mapped[datetime]

    lines: Mapped[list[OrderRefundLine]] = relationship(lazy="selectin")


class OrderRefundLine(TenantBase):
    """How much of one line a refund covers."""

    __tablename__ = "order_refund_line"
    __table_args__ = (sa.CheckConstraint("quantity > 0 AND amount_fen >= 0", name="amounts"),)

    refund_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(OrderRefund.refund_id), primary_key=True)
    line_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(OrderLine.id), primary_key=True)
    quantity: Mapped[int]
    amount_fen: Mapped[int]
