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
        sa.CheckConstraint("self_discount_fen >= 0 AND exchange_credit_fen >= 0", name="reductions"),
        sa.CheckConstraint(
            "total_fen = goods_fen - self_discount_fen - coupon_fen - exchange_credit_fen + freight_fen"
            " AND total_fen > 0",
            name="total",
        ),
        sa.CheckConstraint("region ~ '^([1-9][0-9]{5})?$'", name="region"),
        sa.UniqueConstraint("member_id", "idempotency_key"),
        sa.Index("ix_order_state", "state"),
        sa.Index("ix_order_member_id", "member_id"),
        sa.Index("ix_order_auto_receive_at", "auto_receive_at", postgresql_where=sa.text("state = 'shipped'")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    #: What people read out on the phone.
    number: Mapped[str] = mapped_column(unique=True)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    state: Mapped[str] = mapped_column(default="created")
    goods_fen: Mapped[int]
    #: What the plan takes off a promoter's own purchase, before the coupon.
    self_discount_fen: Mapped[int] = mapped_column(default=0)
    coupon_fen: Mapped[int]
    #: What goods that were given back in exchange are worth; the buyer paid it with the order they came from.
    exchange_credit_fen: Mapped[int] = mapped_column(default=0)
    freight_fen: Mapped[int]
    total_fen: Mapped[int]
    refunded_fen: Mapped[int] = mapped_column(default=0)
    #: The administrative code of the delivery region (GB/T 2260, six digits), empty where nobody said.
    region: Mapped[str] = mapped_column(default="")
    idempotency_key: Mapped[str]
    request_hash: Mapped[str]
    #: The brand's `Settlement` when the order was paid; a later change does not reach it.
    settlement: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    shipped_at: Mapped[datetime | None]
    tracking: Mapped[str] = mapped_column(default="")
    #: When a shipped order counts as received although the buyer has not said so.
    auto_receive_at: Mapped[datetime | None]
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
        sa.CheckConstraint("adjusted_fen BETWEEN 0 AND refunded_fen", name="adjusted"),
        sa.UniqueConstraint("order_id", "position"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    order_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Order.id))
    position: Mapped[int]
    product_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Product.id))
    sku: Mapped[str]
    name: Mapped[str]
    category: Mapped[str]
    #: What the plan may ask of the product, as it was when the order was placed; `cost_fen` is that of all pieces.
    product_code: Mapped[str]
    cost_fen: Mapped[int | None]
    tax_bp: Mapped[int] = mapped_column(default=0)
    #: Per piece.
    commission_base_fen: Mapped[int | None]
    unit_price_fen: Mapped[int]
    quantity: Mapped[int]
    #: This line's part of the own-purchase discount, the coupon and an exchange's credit.
    discount_fen: Mapped[int]
    #: The exchange's credit alone, which is in `discount_fen` too.
    exchanged_fen: Mapped[int] = mapped_column(default=0)
    self_discount_bp: Mapped[int] = mapped_column(default=0)
    paid_fen: Mapped[int]
    #: What refunds that were asked for cover, whether or not the money has arrived yet.
    refunded_quantity: Mapped[int] = mapped_column(default=0)
    refunded_fen: Mapped[int] = mapped_column(default=0)
    #: The part of `refunded_fen` that was given back as an amount, without goods.
    adjusted_fen: Mapped[int] = mapped_column(default=0)

    @property
    def has_goods_to_send(self) -> bool:
        """Whether pieces are left that refunds leave to the buyer; nothing is sent that nobody pays for any more."""
        is_paid_for = not self.paid_fen or self.refunded_fen < self.paid_fen
        return is_paid_for and self.refunded_quantity < self.quantity


class OrderRefund(TenantBase):
    """One refund of an order: what it covers; the money itself is a payments refund with the same id."""

    __tablename__ = "order_refund"
    __table_args__ = (
        sa.UniqueConstraint("order_id", "idempotency_key"),
        sa.CheckConstraint("origin IN ('asked', 'wechat', 'outside')", name="origin"),
    )

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
    #: `asked` for here; or recorded after it had happened at `wechat` (with a number of theirs) or `outside` of it.
    origin: Mapped[str] = mapped_column(default="asked")
    created_at: Mapped[datetime]

    lines: Mapped[list[OrderRefundLine]] = relationship(lazy="selectin")


class OrderRefundLine(TenantBase):
    """How much of one line a refund covers: pieces, an amount without goods, or both."""

    __tablename__ = "order_refund_line"
    __table_args__ = (
        sa.CheckConstraint("quantity >= 0 AND adjusted_fen >= 0 AND quantity + adjusted_fen > 0", name="covers"),
        sa.CheckConstraint("amount_fen >= adjusted_fen", name="amounts"),
    )

    refund_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(OrderRefund.refund_id), primary_key=True)
    line_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(OrderLine.id), primary_key=True)
    quantity: Mapped[int]
    amount_fen: Mapped[int]
    #: The part of `amount_fen` that was given back without goods.
    adjusted_fen: Mapped[int] = mapped_column(default=0)


class OrderExchange(TenantBase):
    """Pieces of a line that the buyer gave back for another product.

    The line keeps the money of the pieces and with it their commissions. A replacement that is worth less gives the
    difference back (`refund_id`); one that is worth more is an order over the difference (`new_order_id`).
    """

    __tablename__ = "order_exchange"
    __table_args__ = (
        sa.UniqueConstraint("order_id", "idempotency_key"),
        sa.CheckConstraint("quantity > 0 AND replacement_quantity > 0", name="pieces"),
        sa.CheckConstraint("returned_fen >= 0 AND replacement_fen > 0", name="amounts"),
        sa.Index("ix_order_exchange_line_id", "line_id"),
        sa.Index("ix_order_exchange_new_order_id", "new_order_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    order_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Order.id))
    line_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(OrderLine.id))
    quantity: Mapped[int]
    #: What a refund of the pieces would have given back.
    returned_fen: Mapped[int]
    replacement_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Product.id))
    replacement_quantity: Mapped[int]
    replacement_fen: Mapped[int]
    refund_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey(OrderRefund.refund_id))
    new_order_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey(Order.id))
    reason: Mapped[str]
    requested_by: Mapped[str]
    idempotency_key: Mapped[str]
    request_hash: Mapped[str]
    created_at: Mapped[datetime]
