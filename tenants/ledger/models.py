"""The books of a brand: postings that are only ever added, and the two balances that are locked."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.database import TenantBase

#: What the brand owes a promoter, by how near it is to their wallet. `debt` is what a promoter owes the brand.
PROMOTER_ACCOUNTS = ("estimated", "frozen", "available", "in_transfer", "paid", "debt")
BRAND_ACCOUNTS = ("commission_expense",)
STORED_ACCOUNTS = ("available", "debt")


class Posting(TenantBase):
    """One movement: the same amount leaves one account and enters another, so it balances by its shape.

    A promoter's account is named with its owner; the brand's has none.
    """

    __tablename__ = "posting"
    __table_args__ = (
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.CheckConstraint(
            "debit_account <> credit_account OR debit_owner_id IS DISTINCT FROM credit_owner_id",
            name="two_accounts",
        ),
        sa.CheckConstraint(
            "(debit_account = 'commission_expense') = (debit_owner_id IS NULL) "
            "AND (credit_account = 'commission_expense') = (credit_owner_id IS NULL)",
            name="owners",
        ),
        sa.Index("ix_posting_debit", "debit_owner_id", "debit_account", postgresql_include=["amount_fen"]),
        sa.Index("ix_posting_credit", "credit_owner_id", "credit_account", postgresql_include=["amount_fen"]),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    #: What makes it unique, whoever retries: `award:<id>`, `release:<id>`, `hold:<id>` ...
    business_key: Mapped[str] = mapped_column(unique=True)
    debit_account: Mapped[str]
    debit_owner_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("member.id"))
    credit_account: Mapped[str]
    credit_owner_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("member.id"))
    amount_fen: Mapped[int]
    #: The event behind it: an award, a refund, a withdrawal.
    source_id: Mapped[uuid.UUID] = mapped_column(index=True)
    posted_at: Mapped[datetime]


class Balance(TenantBase):
    """The balances that must never fall below zero and are therefore rows: `available` and `debt`."""

    __tablename__ = "balance"
    __table_args__ = (
        sa.CheckConstraint("balance_fen >= 0", name="not_negative"),
        sa.CheckConstraint("account IN ('available', 'debt')", name="account"),
    )

    owner_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey("member.id"), primary_key=True)
    account: Mapped[str] = mapped_column(primary_key=True)
    balance_fen: Mapped[int]
