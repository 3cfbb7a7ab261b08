"""The only way money moves in a brand's books.

Whoever posts holds the brand's books lock until the commit: one writer a brand, so that nothing deadlocks and a
check and the posting that follows it see the same balances. The two stored balances are changed with the postings
in one transaction, in the order of their keys.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fanyong.ids import new_id
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import TenantBase, once_a_transaction, session
from tenants.ledger.models import PROMOTER_ACCOUNTS, STORED_ACCOUNTS, Balance, Posting

#: The advisory lock (first key) of a brand's books; the second key is the brand's schema.
_BOOKS_LOCK = 2


#: Rows travel as parameters, so that the statement is compiled once.
_INSERT = (
    insert(TenantBase.metadata.tables[Posting.__tablename__])
    .on_conflict_do_nothing(index_elements=[Posting.business_key])
    .returning(Posting.business_key)
)


@dataclass(frozen=True, slots=True)
class Account:
    """One account: a promoter's, with its owner, or the brand's."""

    name: str
    owner_id: UUID | None = None


COMMISSION_EXPENSE = Account("commission_expense")


@dataclass(frozen=True, slots=True)
class Release:
    """Money that becomes available to its owner, out of another account of theirs."""

    key: str
    owner_id: UUID
    source: str
    amount_fen: int
    source_id: UUID

    def entry(self) -> Entry:
        """Return the posting of the release itself."""
        source, available = Account(self.source, self.owner_id), Account("available", self.owner_id)
        return Entry(self.key, source, available, self.amount_fen, self.source_id)


@dataclass(frozen=True, slots=True)
class Entry:
    """A posting to be made; `key` makes it unique for ever."""

    key: str
    debit: Account
    credit: Account
    amount_fen: int
    source_id: UUID


@dataclass(frozen=True, slots=True)
class Figures:
    """A promoter's accounts, in fen. What the brand owes is positive, and so is what the promoter owes (`debt`)."""

    estimated_fen: int = 0
    frozen_fen: int = 0
    available_fen: int = 0
    in_transfer_fen: int = 0
    paid_fen: int = 0
    debt_fen: int = 0

    @property
    def pending_fen(self) -> int:
        """Earned and not yet released: waiting for the receipt, or for the end of the after-sale window."""
        return self.estimated_fen + self.frozen_fen


def lock_books() -> None:
    """Become the one writer of the bound brand's books until the transaction ends."""
    once_a_transaction("books_lock", _take_lock)


def post(entries: Sequence[Entry], *, at: datetime | None = None) -> set[str]:
    """Post entries and change the stored balances with them; entries posted before are left out.

    Returns the keys that were new. A balance that would fall below zero fails the whole transaction.
    """
    if not entries:
        return set()
    lock_books()
    posted_at = at or brand_now()
    new_keys = set(session().scalars(_INSERT, [_row(entry, posted_at) for entry in entries]))
    _move_balances(entry for entry in entries if entry.key in new_keys)
    return new_keys


def release_to_available(releases: Sequence[Release]) -> None:
    """Move money into `available`, and from there repay each owner's debt first; a few statements for any number."""
    new_keys = post([r.entry() for r in releases])
    owed = _debts({r.owner_id for r in releases if r.key in new_keys})
    offsets = []
    for release in releases:
        repaid = min(owed.get(release.owner_id, 0), release.amount_fen) if release.key in new_keys else 0
        if repaid:
            owed[release.owner_id] -= repaid
            available, debt = Account("available", release.owner_id), Account("debt", release.owner_id)
            offsets.append(Entry(f"offset:{release.key}", available, debt, repaid, release.source_id))
    post(offsets)


def take_back(owner_id: UUID, *, amount_fen: int, key: str, source_id: UUID) -> None:
    """Take released money back: from `available` as far as it goes, the rest as a booked debt."""
    lock_books()
    held = stored_balance(owner_id, "available")
    parts = (("available", min(held, amount_fen)), ("debt", max(0, amount_fen - held)))
    post(
        [
            Entry(f"{key}:{name}", Account(name, owner_id), COMMISSION_EXPENSE, part, source_id)
            for name, part in parts
            if part
        ]
    )


def stored_balance(owner_id: UUID, account: str) -> int:
    """Return a stored balance; call it with the books locked when the answer decides something."""
    value = session().scalar(
        sa.select(Balance.balance_fen).where(Balance.owner_id == owner_id, Balance.account == account)
    )
    return value or 0


def figures(owner_ids: Iterable[UUID]) -> dict[UUID, Figures]:
    """Return the accounts of promoters, added up from their postings."""
    sums: dict[UUID, dict[str, int]] = {owner: {} for owner in owner_ids}
    if not sums:
        return {}
    for owner, account, total in session().execute(_account_sums(list(sums))):
        sums[owner][f"{account}_fen"] = -total if account == "debt" else total
    return {owner: Figures(**values) for owner, values in sums.items()}


def figures_of(owner_id: UUID) -> Figures:
    """Return the accounts of one promoter."""
    return figures([owner_id])[owner_id]


def totals() -> Figures:
    """Return the accounts of all promoters of the brand together."""
    sums = {
        f"{account}_fen": -total if account == "debt" else total
        for account, total in session().execute(_grand_sums())
        if account in PROMOTER_ACCOUNTS
    }
    return Figures(**sums)


def statement(owner_id: UUID, *, account: str | None = None) -> sa.Select[Posting]:
    """Return the query of the postings behind a promoter's figures, newest first."""
    debit = sa.and_(Posting.debit_owner_id == owner_id, *_is(Posting.debit_account, account))
    credit = sa.and_(Posting.credit_owner_id == owner_id, *_is(Posting.credit_account, account))
    return sa.select(Posting).where(sa.or_(debit, credit)).order_by(Posting.posted_at.desc(), Posting.id.desc())


def legs() -> sa.CompoundSelect[UUID, str, int]:
    """Return both sides of every posting: owner, account, signed amount (credit positive)."""
    credit = sa.select(
        Posting.credit_owner_id.label("owner_id"),
        Posting.credit_account.label("account"),
        Posting.amount_fen.label("amount_fen"),
    )
    debit = sa.select(Posting.debit_owner_id, Posting.debit_account, -Posting.amount_fen)
    return sa.union_all(credit, debit)


def _account_sums(owner_ids: list[UUID]) -> sa.Select[UUID, str, int]:
    both = legs().subquery()
    return (
        sa.select(both.c.owner_id, both.c.account, sa.cast(sa.func.sum(both.c.amount_fen), sa.BigInteger))
        .where(both.c.owner_id.in_(owner_ids))
        .group_by(both.c.owner_id, both.c.account)
    )


def _grand_sums() -> sa.Select[str, int]:
    both = legs().subquery()
    return sa.select(both.c.account, sa.cast(sa.func.sum(both.c.amount_fen), sa.BigInteger)).group_by(both.c.account)


def _is(column: sa.orm.InstrumentedAttribute[str], account: str | None) -> list[sa.ColumnElement[bool]]:
    return [column == account] if account else []


def _row(entry: Entry, posted_at: datetime) -> dict[str, object]:
    return {
        "id": new_id(),
        "business_key": entry.key,
        "debit_account": entry.debit.name,
        "debit_owner_id": entry.debit.owner_id,
        "credit_account": entry.credit.name,
        "credit_owner_id": entry.credit.owner_id,
        "amount_fen": entry.amount_fen,
        "source_id": entry.source_id,
        "posted_at": posted_at,
    }


def _take_lock() -> bool:
    session().execute(sa.select(sa.func.pg_advisory_xact_lock(_BOOKS_LOCK, sa.func.hashtext(sa.func.current_schema()))))
    return True


def _debts(owner_ids: set[UUID]) -> dict[UUID, int]:
    query = sa.select(Balance.owner_id, Balance.balance_fen).where(
        Balance.owner_id.in_(owner_ids), Balance.account == "debt", Balance.balance_fen > 0
    )
    return {row.owner_id: row.balance_fen for row in session().execute(query)} if owner_ids else {}


def _move_balances(entries: Iterable[Entry]) -> None:
    """Change the stored balances, in the order of their keys, by what the entries come to."""
    changes: dict[tuple[UUID, str], int] = defaultdict(int)
    for entry in entries:
        for account, sign in ((entry.credit, 1), (entry.debit, -1)):
            if account.owner_id is not None and account.name in STORED_ACCOUNTS:
                # A debt is what the promoter owes, so it grows on the debit side.
                direction = -sign if account.name == "debt" else sign
                changes[account.owner_id, account.name] += direction * entry.amount_fen
    _increase([(owner, name, fen) for (owner, name), fen in sorted(changes.items()) if fen > 0])
    _decrease([(owner, name, -fen) for (owner, name), fen in sorted(changes.items()) if fen < 0])


def _increase(changes: list[tuple[UUID, str, int]]) -> None:
    if not changes:
        return
    rows = [{"owner_id": owner, "account": name, "balance_fen": fen} for owner, name, fen in changes]
    upsert = insert(Balance).values(rows)
    session().execute(
        upsert.on_conflict_do_update(
            index_elements=[Balance.owner_id, Balance.account],
            set_={"balance_fen": Balance.balance_fen + upsert.excluded.balance_fen},
        ).execution_options(synchronize_session=False)
    )


def _decrease(changes: list[tuple[UUID, str, int]]) -> None:
    """Lower balances that have to be there; the table's own check keeps them from falling below zero."""
    if not changes:
        return
    columns = (sa.column("owner_id", sa.Uuid()), sa.column("account", sa.Text()), sa.column("fen", sa.BigInteger()))
    by = sa.values(*columns, name="by").data(changes)
    lowered = session().execute(
        sa.update(Balance)
        .where(Balance.owner_id == by.c.owner_id, Balance.account == by.c.account)
        .values(balance_fen=Balance.balance_fen - by.c.fen)
        .returning(Balance.owner_id)
        .execution_options(synchronize_session=False)
    )
    if len(lowered.all()) != len(changes):
        raise LookupError("a balance that was to be lowered is not there")


FIGURE_NAMES = tuple(field.name for field in fields(Figures))
