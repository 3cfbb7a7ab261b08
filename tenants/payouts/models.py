"""Withdrawals, where their money goes, the rules they were judged by, and debts that were given up."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.crypto import encrypted_text
from fanyong.ids import new_id
from fanyong.payments.models import Transfer
from fanyong.tenancy.database import TenantBase
from tenants.members.models import Member

WECHAT = "payout_wechat"
#: What came back to the balance was not withdrawn: it counts for no limit and no tax.
CAME_BACK = ("rejected", "failed", "returned")


class PayoutPolicy(TenantBase):
    """One version of a brand's tax parameters or of its rules against money laundering; versions never change."""

    __tablename__ = "payout_policy"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('tax', 'screening')", name="kind"),
        sa.CheckConstraint("(kind = 'tax') = (effective_from IS NOT NULL)", name="effective_from"),
        sa.UniqueConstraint("kind", "number"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    #: 1, 2, 3 ... within the kind.
    number: Mapped[int]
    parameters: Mapped[dict[str, Any]]
    #: The first day it applies to, the first of a month; rules without a date apply at once.
    effective_from: Mapped[date | None] = mapped_column(sa.Date)
    note: Mapped[str]
    saved_at: Mapped[datetime]
    saved_by: Mapped[str]


class PayeeAccount(TenantBase):
    """Where a member wants money sent by one channel; a change makes a new row."""

    __tablename__ = "payee_account"
    __table_args__ = (
        sa.Index(
            "uq_payee_account_current",
            "member_id",
            "channel",
            unique=True,
            postgresql_where=sa.text("retired_at IS NULL"),
        ),
        sa.Index("ix_payee_account_fingerprint", "fingerprint"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    channel: Mapped[str]
    #: The fields as JSON, encrypted; nobody reads them but whoever pays.
    details: Mapped[str] = mapped_column(encrypted_text())
    #: The same for the same account, whoever gave it, and no way back to it.
    fingerprint: Mapped[str]
    #: What pages show: `**** 1234`.
    shown: Mapped[str]
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class PayoutBatch(TenantBase):
    """Withdrawals that went to a bank in one file: made once, never changed."""

    __tablename__ = "payout_batch"
    __table_args__ = (sa.CheckConstraint("payouts > 0 AND sum_fen > 0", name="amounts"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[int] = mapped_column(unique=True)
    channel: Mapped[str]
    #: The channel's settings at that time, so that the file is the same whenever it is fetched.
    settings: Mapped[dict[str, Any]]
    payouts: Mapped[int]
    sum_fen: Mapped[int]
    made_at: Mapped[datetime]
    made_by: Mapped[str]


class PayoutImport(TenantBase):
    """A result file that was read for a batch, with what came of its rows."""

    __tablename__ = "payout_import"
    __table_args__ = (sa.UniqueConstraint("batch_id", "file_hash"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    batch_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(PayoutBatch.id))
    file_hash: Mapped[str]
    #: Rows by outcome, and the numbers of those that need a look.
    outcome: Mapped[dict[str, Any]]
    imported_at: Mapped[datetime]
    imported_by: Mapped[str]


class Withdrawal(TenantBase):
    """A withdrawal; its amount left `available` when it was made and comes back if it does not reach the payee."""

    __tablename__ = "withdrawal"
    __table_args__ = (
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.CheckConstraint(
            "amount_fen = net_fen + tax_fen + fee_fen AND net_fen > 0 AND tax_fen >= 0 AND fee_fen >= 0", name="parts"
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'held', 'approved', 'paid', 'rejected', 'failed', 'returned')", name="state"
        ),
        sa.CheckConstraint("first_approved_by <> decided_by OR state = 'rejected'", name="two_people"),
        sa.CheckConstraint(
            "(state = 'returned') = (returned_at IS NOT NULL) AND (state <> 'returned' OR transfer_id IS NULL)",
            name="returned",
        ),
        sa.UniqueConstraint("member_id", "idempotency_key"),
        sa.Index("ix_withdrawal_state", "state"),
        sa.Index("ix_withdrawal_member_id_requested_at", "member_id", "requested_at"),
        sa.Index("ix_withdrawal_requested_at", "requested_at"),
        sa.Index("ix_withdrawal_tax_month", "tax_month"),
        sa.Index("ix_withdrawal_device_id", "device_id", postgresql_where=sa.text("device_id IS NOT NULL")),
        sa.Index("ix_withdrawal_batch_id", "batch_id", postgresql_where=sa.text("batch_id IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    #: Gross: what left the balance. It is net, tax and fee together.
    amount_fen: Mapped[int]
    tax_fen: Mapped[int]
    fee_fen: Mapped[int]
    net_fen: Mapped[int]
    #: The month whose tax it counts into, by its first day: the month in which it was requested.
    tax_month: Mapped[date] = mapped_column(sa.Date)
    tax_policy_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey(PayoutPolicy.id))
    #: How the tax came about: period gross, period tax, withheld before.
    tax_details: Mapped[dict[str, Any] | None]
    state: Mapped[str] = mapped_column(default="requested")
    #: The plugin that pays it, and the number it is paid under; both are fixed when it is made.
    channel: Mapped[str]
    payout_number: Mapped[str] = mapped_column(unique=True)
    #: Only where the payment provider moves the money.
    transfer_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey(Transfer.id), unique=True)
    payee_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey(PayeeAccount.id))
    real_name: Mapped[str | None] = mapped_column(encrypted_text())
    device_id: Mapped[str | None]
    batch_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey(PayoutBatch.id))
    #: The bank's or another's number for a payment that somebody made or looked up by hand.
    proof: Mapped[str | None]
    idempotency_key: Mapped[str]
    requested_at: Mapped[datetime]
    #: Why it was held, and who let it go or rejected it.
    held_reasons: Mapped[list[Any] | None]
    reviewed_at: Mapped[datetime | None]
    reviewed_by: Mapped[str | None]
    review_note: Mapped[str | None]
    first_approved_at: Mapped[datetime | None]
    first_approved_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    reason: Mapped[str | None]
    #: When it was paid, or came back without having been paid.
    finished_at: Mapped[datetime | None]
    #: When it was booked that the payee's bank had sent it back after it was paid, by whom, and the bank's number.
    returned_at: Mapped[datetime | None]
    returned_by: Mapped[str | None]
    return_proof: Mapped[str | None]


class TaxCorrection(TenantBase):
    """Tax of a paid withdrawal that turned out to be too much, and went back to its payee: made once, never changed."""

    __tablename__ = "tax_correction"
    __table_args__ = (sa.CheckConstraint("amount_fen > 0", name="amount"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id), index=True)
    #: Whose tax it was, and the month that withdrawal counts into, by its first day.
    withdrawal_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Withdrawal.id), index=True)
    tax_month: Mapped[date] = mapped_column(sa.Date, index=True)
    #: The withdrawal that came back, or was paid, when the surplus was found.
    cause_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Withdrawal.id))
    amount_fen: Mapped[int]
    #: What the cause had become by then: `paid`, `rejected`, `failed` or `returned`.
    cause_state: Mapped[str]
    #: What was withheld from the withdrawal before.
    withheld_before_fen: Mapped[int]
    booked_at: Mapped[datetime]


class WatchEntry(TenantBase):
    """Somebody or something whose withdrawals are always looked at."""

    __tablename__ = "watch_entry"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('member', 'account', 'device')", name="kind"),
        sa.Index(
            "uq_watch_entry_current", "kind", "value", unique=True, postgresql_where=sa.text("removed_at IS NULL")
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    #: A member's id, the fingerprint of an account, or a device's id.
    value: Mapped[str]
    shown: Mapped[str]
    note: Mapped[str]
    added_at: Mapped[datetime]
    added_by: Mapped[str]
    removed_at: Mapped[datetime | None]
    removed_by: Mapped[str | None]


class DebtWriteOff(TenantBase):
    """A debt, or part of one, that the brand gave up."""

    __tablename__ = "debt_write_off"
    __table_args__ = (
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.UniqueConstraint("member_id", "idempotency_key"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id), index=True)
    amount_fen: Mapped[int]
    #: None for those of before there were keys.
    idempotency_key: Mapped[str | None]
    reason: Mapped[str]
    written_off_at: Mapped[datetime]
    written_off_by: Mapped[str]
