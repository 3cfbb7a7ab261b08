"""The books of a brand: postings that are only ever added, and the two balances that are locked."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import IntEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.tenancy.database import TenantBase


class AccountName(IntEnum):
    """The accounts: up to 10 the brand's, from 11 on one for each promoter.

    What the brand owes a promoter lies in an account by how near it is to their wallet; `debt` is what a promoter
    owes the brand and grows on the debit side.
    """

    COMMISSION_EXPENSE = 1
    FEE_INCOME = 2
    WRITE_OFF = 3
    ESTIMATED = 11
    FROZEN = 12
    AVAILABLE = 13
    IN_TRANSFER = 14
    PAID = 15
    TAX_WITHHELD = 16
    DEBT = 17

    @property
    def word(self) -> str:
        """The name that pages, the API and the documents use: `in_transfer`."""
        return self.name.lower()


class PostingKind(IntEnum):
    """Why money moved; with the source and a part it makes a posting unique."""

    AWARD = 1
    RECEIVE = 2
    RELEASE = 3
    REVERSE = 4
    OFFSET = 5
    HOLD = 6
    PAID = 7
    RETURN = 8
    TAX = 9
    FEE = 10
    WRITE_OFF = 11
    # 12 stays unused: an earlier version had a kind of that number which nothing ever posted.
    TAX_BACK = 13

    @property
    def word(self) -> str:
        """The name that pages, the API and the documents use: `write_off`."""
        return self.name.lower()


#: The first of the accounts that each promoter has.
FIRST_PROMOTER_ACCOUNT = AccountName.ESTIMATED
PROMOTER_ACCOUNTS = tuple(account for account in AccountName if account >= FIRST_PROMOTER_ACCOUNT)
BRAND_ACCOUNTS = tuple(account for account in AccountName if account < FIRST_PROMOTER_ACCOUNT)
STORED_ACCOUNTS = (AccountName.AVAILABLE, AccountName.DEBT)


class Posting(TenantBase):
    """One movement: the same amount leaves one account and enters another, so it balances by its shape.

    Every movement concerns exactly one promoter, its owner, also where one side is the brand's account. The owner is
    no foreign key: it would lock a member's row for every posting. The books' check looks for strangers instead.
    """

    __tablename__ = "posting"
    __table_args__ = (
        sa.UniqueConstraint("source_id", "kind", "part"),
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.CheckConstraint("debit <> credit AND (debit > 10 OR credit > 10)", name="two_accounts"),
        sa.Index(
            "ix_posting_owner_id_position",
            "owner_id",
            "position",
            postgresql_include=["debit", "credit", "amount_fen"],
        ),
    )

    #: Without gaps and in the order of the commits: it is given under the books lock.
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    amount_fen: Mapped[int]
    posted_at: Mapped[datetime]
    #: The thing behind it: an award, an order, a refund, a release, a withdrawal.
    source_id: Mapped[uuid.UUID]
    owner_id: Mapped[uuid.UUID]
    kind: Mapped[int] = mapped_column(sa.SmallInteger)
    debit: Mapped[int] = mapped_column(sa.SmallInteger)
    credit: Mapped[int] = mapped_column(sa.SmallInteger)
    #: Tells postings of one kind and source apart.
    part: Mapped[int] = mapped_column(sa.SmallInteger)


class Balance(TenantBase):
    """The balances that must never fall below zero and are therefore rows: `available` and `debt`."""

    __tablename__ = "balance"
    __table_args__ = (
        sa.CheckConstraint("balance_fen >= 0", name="not_negative"),
        sa.CheckConstraint("account IN (13, 17)", name="account"),
    )

    owner_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    balance_fen: Mapped[int]


class Seal(TenantBase):
    """A link of the chain over the books: so many postings in a row, each hashed together with all before it."""

    __tablename__ = "seal"
    __table_args__ = (
        sa.CheckConstraint("number > 0 AND last_position >= first_position", name="range"),
        sa.UniqueConstraint("last_position"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_position: Mapped[int]
    last_position: Mapped[int]
    #: The SHA-256 of the last posting, which the next seal goes on from.
    hash: Mapped[bytes] = mapped_column(sa.LargeBinary)
    #: The beginning of each posting's hash, so that the first one that was tampered with can be named.
    row_hashes: Mapped[bytes] = mapped_column(sa.LargeBinary)
    sealed_at: Mapped[datetime]


class AccountSum(TenantBase):
    """What the sealed postings of one promoter add up to in one account; figures add what came after.

    The sum is signed as postings are: money that entered is positive.
    """

    __tablename__ = "account_sum"

    owner_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    account: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True)
    fen: Mapped[int]


class Earning(TenantBase):
    """What the sealed postings brought one promoter in one period, for leader boards and trends.

    Periods are `all`, a month (`m:2026-11`) or a day (`d:2026-11-22`) in the brand's time zone, by the posting's time.
    """

    __tablename__ = "earning"
    __table_args__ = (sa.Index("ix_earning_board", "period", sa.text("net_fen DESC"), "owner_id"),)

    period: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    earned_fen: Mapped[int]
    reversed_fen: Mapped[int]
    #: `earned_fen` less `reversed_fen`.
    net_fen: Mapped[int]
    awards: Mapped[int]
