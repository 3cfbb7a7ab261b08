"""The Stripe-alike objects of a brand: payment intents, refunds, transfers, and what the provider told us."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.crypto import encrypted_text
from fanyong.ids import new_id
from fanyong.tenancy.database import TenantBase


class MerchantAccount(TenantBase):
    """The merchant number and keys of a brand, one row for the sandbox and one for the real thing."""

    __tablename__ = "merchant_account"
    __table_args__ = (
        sa.CheckConstraint("mode IN ('sandbox', 'live')", name="mode"),
        sa.Index("uq_merchant_account_active", "active", unique=True, postgresql_where=sa.text("active")),
    )

    mode: Mapped[str] = mapped_column(primary_key=True)
    active: Mapped[bool]
    appid: Mapped[str]
    app_secret: Mapped[str] = mapped_column(encrypted_text())
    mchid: Mapped[str]
    private_key_pem: Mapped[str] = mapped_column(encrypted_text())
    cert_serial_no: Mapped[str]
    apiv3_key: Mapped[str] = mapped_column(encrypted_text())
    #: WeChat Pay's public key; for the sandbox it is the simulator's, and empty until the account is registered.
    public_key_pem: Mapped[str] = mapped_column(default="")
    public_key_id: Mapped[str] = mapped_column(default="")
    updated_at: Mapped[datetime] = mapped_column(server_default=sa.func.now(), onupdate=sa.func.now())


class PaymentIntent(TenantBase):
    """The wish to collect an amount from one payer for one reference (`pi_`)."""

    __tablename__ = "payment_intent"
    __table_args__ = (
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.CheckConstraint(
            "state IN ('requires_payment_method', 'requires_action', 'succeeded', 'canceled', "
            "'requires_merchant_action')",
            name="state",
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    #: What it is paid for, an order's id; the payments room does not know orders.
    reference_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    amount_fen: Mapped[int]
    description: Mapped[str]
    openid: Mapped[str]
    state: Mapped[str] = mapped_column(default="requires_payment_method")
    #: Fixed when the intent is made and kept for every retry.
    out_trade_no: Mapped[str] = mapped_column(unique=True)
    prepay_id: Mapped[str | None]
    transaction_id: Mapped[str | None]
    problem: Mapped[str | None]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime]
    succeeded_at: Mapped[datetime | None]
    #: When the money moved by the provider's clock: the day of the bill it has to appear in.
    provider_at: Mapped[datetime | None] = mapped_column(index=True)
    next_query_at: Mapped[datetime | None] = mapped_column(index=True)
    query_count: Mapped[int] = mapped_column(default=0)


class Refund(TenantBase):
    """Money given back of one intent (`re_`)."""

    __tablename__ = "refund"
    __table_args__ = (
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.CheckConstraint(
            "state IN ('created', 'processing', 'succeeded', 'requires_action', 'failed')", name="state"
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    intent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(PaymentIntent.id), index=True)
    out_refund_no: Mapped[str] = mapped_column(unique=True)
    amount_fen: Mapped[int]
    reason: Mapped[str]
    state: Mapped[str] = mapped_column(default="created")
    problem: Mapped[str | None]
    created_at: Mapped[datetime]
    succeeded_at: Mapped[datetime | None]
    #: When the money moved by the provider's clock: the day of the bill it has to appear in.
    provider_at: Mapped[datetime | None] = mapped_column(index=True)
    next_try_at: Mapped[datetime | None] = mapped_column(index=True)
    try_count: Mapped[int] = mapped_column(default=0)


class Transfer(TenantBase):
    """Money sent to a member's wallet (`tr_`)."""

    __tablename__ = "transfer"
    __table_args__ = (
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.CheckConstraint(
            "state IN ('held', 'created', 'processing', 'requires_action', 'paid', 'failed', 'canceled')",
            name="state",
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    #: What it pays, a withdrawal's id.
    reference_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    #: Fixed in the transaction that holds the money; a retry never changes it.
    out_bill_no: Mapped[str] = mapped_column(unique=True)
    openid: Mapped[str]
    amount_fen: Mapped[int]
    remark: Mapped[str]
    user_name: Mapped[str | None] = mapped_column(encrypted_text())
    #: `held` until it is approved; `created` until WeChat has taken it.
    state: Mapped[str] = mapped_column(default="held")
    package_info: Mapped[str | None]
    problem: Mapped[str | None]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    provider_at: Mapped[datetime | None] = mapped_column(index=True)
    next_try_at: Mapped[datetime | None] = mapped_column(index=True)
    try_count: Mapped[int] = mapped_column(default=0)


class ProviderEvent(TenantBase):
    """A verified callback, once per event id: the inbox that makes repeats harmless."""

    __tablename__ = "provider_event"

    provider_event_id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    resource: Mapped[dict[str, Any]]
    outcome: Mapped[str] = mapped_column(default="")
    received_at: Mapped[datetime] = mapped_column(server_default=sa.func.clock_timestamp())
