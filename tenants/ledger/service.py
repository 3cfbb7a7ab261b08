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
from typing import Any, LiteralString
from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.bulk import Statement, add_rows, ask_together
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import once_a_transaction, session
from tenants.ledger.models import STORED_ACCOUNTS, AccountName, Balance, Posting, PostingKind

#: The first key 2 is that of a brand's books; the second key is the brand's schema.
_LOCK = "SELECT pg_advisory_xact_lock(2, hashtext(current_schema()))"
#: The newest position; with the books locked the next one is free.
NEWEST = "SELECT coalesce(max(position), 0) FROM posting"
#: What makes a posting unique for ever: kind, source, part.
Key = tuple[PostingKind, UUID, int]

#: Positions are given by this one statement, whose snapshot is taken after the books lock: no gap, no second writer.
_INSERT = sa.text(
    """
    INSERT INTO posting (position, amount_fen, posted_at, source_id, owner_id, kind, debit, credit, part)
    SELECT coalesce((SELECT max(position) FROM posting), 0) + row_number() OVER (ORDER BY e.n),
           e.amount_fen, :posted_at, e.source_id, e.owner_id, e.kind, e.debit, e.credit, e.part
      FROM unnest(CAST(:kinds AS smallint[]), CAST(:sources AS uuid[]), CAST(:parts AS smallint[]),
                  CAST(:owners AS uuid[]), CAST(:debits AS smallint[]), CAST(:credits AS smallint[]),
                  CAST(:amounts AS bigint[])) WITH ORDINALITY
           AS e (kind, source_id, part, owner_id, debit, credit, amount_fen, n)
     WHERE NOT EXISTS (SELECT FROM posting p
                        WHERE (p.source_id, p.kind, p.part) = (e.source_id, e.kind, e.part))
    RETURNING kind, source_id, part
    """
)

_CHANGES = "unnest(CAST(:owners AS uuid[]), CAST(:accounts AS smallint[]), CAST(:fens AS bigint[]))"
_RAISE = sa.text(
    f"""
    INSERT INTO balance AS b (owner_id, account, balance_fen) SELECT * FROM {_CHANGES}
    ON CONFLICT (owner_id, account) DO UPDATE SET balance_fen = b.balance_fen + excluded.balance_fen
    """
)
_LOWER = sa.text(
    f"""
    UPDATE balance b SET balance_fen = b.balance_fen - c.fen FROM {_CHANGES} AS c (owner_id, account, fen)
     WHERE b.owner_id = c.owner_id AND b.account = c.account RETURNING b.owner_id
    """
)
#: Posts what is released, raises the balances, in the order of their keys, and answers with whoever has a debt.
_RELEASE = sa.text(
    """
    WITH posted AS (
        INSERT INTO posting (position, amount_fen, posted_at, source_id, owner_id, kind, debit, credit, part)
        SELECT coalesce((SELECT max(position) FROM posting), 0) + row_number() OVER (ORDER BY e.n),
               e.amount_fen, :posted_at, e.source_id, e.owner_id, :kind, :out_of, 13, 0
          FROM unnest(CAST(:sources AS uuid[]), CAST(:owners AS uuid[]), CAST(:amounts AS bigint[])) WITH ORDINALITY
               AS e (source_id, owner_id, amount_fen, n)
         WHERE NOT EXISTS (SELECT FROM posting p
                            WHERE (p.source_id, p.kind, p.part) = (e.source_id, CAST(:kind AS smallint), 0))
        RETURNING source_id, owner_id, amount_fen
    ), raised AS (
        INSERT INTO balance AS b (owner_id, account, balance_fen)
        SELECT owner_id, 13, sum(amount_fen) FROM posted GROUP BY 1 ORDER BY 1
        ON CONFLICT (owner_id, account) DO UPDATE SET balance_fen = b.balance_fen + excluded.balance_fen
    )
    SELECT p.source_id, p.owner_id, p.amount_fen, d.balance_fen FROM posted p
      JOIN balance d ON d.owner_id = p.owner_id AND d.account = 17 AND d.balance_fen > 0
     ORDER BY p.owner_id, p.source_id
    """
)
#: One snapshot: the sums up to the last seal, and both sides of every posting behind it.
_LEGS = """
    WITH sealed AS (SELECT coalesce(max(last_position), 0) AS upto FROM seal), legs AS (
        SELECT owner_id, account, fen FROM account_sum {where}
        UNION ALL SELECT owner_id, credit, amount_fen FROM posting, sealed {where} {and} position > upto
        UNION ALL SELECT owner_id, debit, -amount_fen FROM posting, sealed {where} {and} position > upto)
"""
_OWNERS = {"where": "WHERE owner_id = ANY(CAST(:owners AS uuid[]))", "and": "AND"}
_FIGURES = sa.text(
    _LEGS.format(**_OWNERS) + "SELECT owner_id, account, CAST(sum(fen) AS bigint) FROM legs GROUP BY 1, 2"
)
_TOTALS = sa.text(
    _LEGS.format(where="", **{"and": "WHERE"}) + "SELECT account, CAST(sum(fen) AS bigint) FROM legs GROUP BY 1"
)
_COLUMNS: dict[LiteralString, str] = {
    "position": "int8",
    "amount_fen": "int8",
    "posted_at": "timestamptz",
    "source_id": "uuid",
    "owner_id": "uuid",
    "kind": "int2",
    "debit": "int2",
    "credit": "int2",
    "part": "int2",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A posting to be made; kind, source and part make it unique for ever."""

    kind: PostingKind
    source_id: UUID
    owner_id: UUID
    debit: AccountName
    credit: AccountName
    amount_fen: int
    part: int = 0

    @property
    def key(self) -> Key:
        """What makes it unique."""
        return self.kind, self.source_id, self.part


@dataclass(frozen=True, slots=True)
class Release:
    """Money that becomes available to its owner."""

    source_id: UUID
    owner_id: UUID
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Figures:
    """A promoter's accounts, in fen. What the brand owes is positive, and so is what the promoter owes (`debt`).

    `fee` is what withdrawals cost the promoter so far.
    """

    estimated_fen: int = 0
    frozen_fen: int = 0
    available_fen: int = 0
    in_transfer_fen: int = 0
    paid_fen: int = 0
    tax_withheld_fen: int = 0
    fee_fen: int = 0
    debt_fen: int = 0

    @property
    def pending_fen(self) -> int:
        """Earned and not yet released: waiting for the receipt, or for the end of the after-sale window."""
        return self.estimated_fen + self.frozen_fen


FIGURE_NAMES = tuple(field.name for field in fields(Figures))
#: The figure of each account that has one.
_FIGURE_OF = {
    **{account: f"{account.word}_fen" for account in AccountName if f"{account.word}_fen" in FIGURE_NAMES},
    AccountName.FEE_INCOME: "fee_fen",
}


def lock_books() -> None:
    """Become the one writer of the bound brand's books until the transaction ends."""
    once_a_transaction("books_lock", _take_lock)


def lock_books_and_ask(*statements: Statement) -> list[list[tuple[Any, ...]]]:
    """Become the one writer and ask what the writer before has left, in one round trip; returns each one's rows.

    A statement of its own for each, because what a statement sees is decided when it begins: after the wait.
    """
    _locked, *answers = ask_together((_LOCK, ()), *statements)
    once_a_transaction("books_lock", lambda: True)
    return answers


def post(entries: Sequence[Entry], *, at: datetime | None = None) -> set[Key]:
    """Post entries and change the stored balances with them; entries posted before are left out.

    Returns the keys that were new. A balance that would fall below zero fails the whole transaction.
    """
    if not entries:
        return set()
    lock_books()
    wanted = {entry.key: entry for entry in entries}
    rows = session().execute(_INSERT, _columns(list(wanted.values())) | {"posted_at": at or brand_now()})
    new_keys: set[Key] = {(PostingKind(kind), source_id, part) for kind, source_id, part in rows}
    _move_balances(wanted[key] for key in new_keys)
    return new_keys


def append(
    kind: PostingKind,
    rows: Sequence[tuple[UUID, UUID, int, int]],
    *,
    debit: AccountName,
    credit: AccountName,
    at: datetime,
    newest: int | None = None,
) -> None:
    """Post (source, owner, amount, part) rows of one kind that are known to be new, however many.

    The accounts are not among the stored ones. A row that is there already fails the whole transaction. `newest` is
    what `NEWEST` answered, where the caller has the books locked and has asked already.
    """
    assert debit not in STORED_ACCOUNTS
    assert credit not in STORED_ACCOUNTS
    if not rows:
        return
    if newest is None:
        lock_books()
        newest = session().scalar(sa.text(NEWEST)) or 0
    numbers = (int(kind), int(debit), int(credit))
    add_rows(
        "posting",
        _COLUMNS,
        [
            (position, fen, at, source, owner, *numbers, part)
            for position, (source, owner, fen, part) in enumerate(rows, newest + 1)
        ],
    )


def release_to_available(
    kind: PostingKind, releases: Sequence[Release], *, out_of: AccountName, at: datetime | None = None
) -> None:
    """Move money into `available`, and from there repay each owner's debt first; two statements for any number.

    What was released before is left out.
    """
    if not releases:
        return
    lock_books()
    posted_at = at or brand_now()
    values = {
        "sources": [release.source_id for release in releases],
        "owners": [release.owner_id for release in releases],
        "amounts": [release.amount_fen for release in releases],
        "kind": int(kind),
        "out_of": int(out_of),
        "posted_at": posted_at,
    }
    available, debt = AccountName.AVAILABLE, AccountName.DEBT
    owed: dict[UUID, int] = {}
    offsets = []
    for source_id, owner_id, amount_fen, debt_fen in session().execute(_RELEASE, values):
        repaid = min(owed.setdefault(owner_id, debt_fen), amount_fen)
        owed[owner_id] -= repaid
        if repaid:
            offsets.append(Entry(PostingKind.OFFSET, source_id, owner_id, available, debt, repaid))
    post(offsets, at=posted_at)


def take_back(
    owner_id: UUID, *, amount_fen: int, source_id: UUID, part: int = 0, kind: PostingKind = PostingKind.REVERSE
) -> None:
    """Take released money back: from `available` as far as it goes, the rest as a booked debt.

    It makes up to two postings, of the parts `part` and `part + 1`.
    """
    lock_books()
    held = stored_balance(owner_id, AccountName.AVAILABLE)
    parts = ((AccountName.AVAILABLE, min(held, amount_fen)), (AccountName.DEBT, max(0, amount_fen - held)))
    post(
        [
            Entry(kind, source_id, owner_id, account, AccountName.COMMISSION_EXPENSE, fen, part + index)
            for index, (account, fen) in enumerate(parts)
            if fen
        ]
    )


def stored_balance(owner_id: UUID, account: AccountName) -> int:
    """Return a stored balance; call it with the books locked when the answer decides something."""
    value = session().scalar(
        sa.select(Balance.balance_fen).where(Balance.owner_id == owner_id, Balance.account == account)
    )
    return value or 0


def figures(owner_ids: Iterable[UUID]) -> dict[UUID, Figures]:
    """Return the accounts of promoters: what is sealed, added up before, and what was posted since."""
    sums: dict[UUID, dict[str, int]] = {owner: {} for owner in owner_ids}
    if not sums:
        return {}
    for owner, account, total in session().execute(_FIGURES, {"owners": list(sums)}):
        _add_figure(sums[owner], account, total)
    return {owner: Figures(**values) for owner, values in sums.items()}


def figures_of(owner_id: UUID) -> Figures:
    """Return the accounts of one promoter."""
    return figures([owner_id])[owner_id]


def totals() -> Figures:
    """Return the accounts of all promoters of the brand together."""
    sums: dict[str, int] = {}
    for account, fen in session().execute(_TOTALS):
        _add_figure(sums, account, fen)
    return Figures(**sums)


def statement(owner_id: UUID, *, account: AccountName | None = None) -> sa.Select[Posting]:
    """Return the query of the postings behind a promoter's figures, newest first."""
    query = sa.select(Posting).where(Posting.owner_id == owner_id).order_by(Posting.position.desc())
    if account is None:
        return query
    return query.where(sa.or_(Posting.debit == account, Posting.credit == account))


def account_of_figure(name: str) -> AccountName | None:
    """Return the account whose figure has this name (`fee_fen`), or None for a name that is no figure's."""
    return next((account for account, figure in _FIGURE_OF.items() if figure == name), None)


def change_of(posting: Posting, account: AccountName) -> int:
    """Return by how much a posting changes an account's figure, in fen; what is owed grows on the debit side."""
    change = posting.amount_fen * ((posting.credit == account) - (posting.debit == account))
    return -change if account == AccountName.DEBT else change


def _add_figure(sums: dict[str, int], account: int, total: int) -> None:
    name = _FIGURE_OF.get(AccountName(account))
    if name is not None:
        sums[name] = -total if account == AccountName.DEBT else total


def _columns(entries: list[Entry]) -> dict[str, object]:
    return {
        "kinds": [int(entry.kind) for entry in entries],
        "sources": [entry.source_id for entry in entries],
        "parts": [entry.part for entry in entries],
        "owners": [entry.owner_id for entry in entries],
        "debits": [int(entry.debit) for entry in entries],
        "credits": [int(entry.credit) for entry in entries],
        "amounts": [entry.amount_fen for entry in entries],
    }


def _take_lock() -> bool:
    session().execute(sa.text(_LOCK))
    return True


def _move_balances(entries: Iterable[Entry]) -> None:
    """Change the stored balances, in the order of their keys, by what the entries come to."""
    changes: dict[tuple[UUID, AccountName], int] = defaultdict(int)
    for entry in entries:
        for account, sign in ((entry.credit, 1), (entry.debit, -1)):
            if account in STORED_ACCOUNTS:
                # A debt is what the promoter owes, so it grows on the debit side.
                direction = -sign if account == AccountName.DEBT else sign
                changes[entry.owner_id, account] += direction * entry.amount_fen
    _increase([(owner, account, fen) for (owner, account), fen in sorted(changes.items()) if fen > 0])
    _decrease([(owner, account, -fen) for (owner, account), fen in sorted(changes.items()) if fen < 0])


def _increase(changes: list[tuple[UUID, AccountName, int]]) -> None:
    if changes:
        session().execute(_RAISE, _arrays(changes))


def _decrease(changes: list[tuple[UUID, AccountName, int]]) -> None:
    """Lower balances that have to be there; the table's own check keeps them from falling below zero."""
    if changes and len(session().execute(_LOWER, _arrays(changes)).all()) != len(changes):
        raise LookupError("a balance that was to be lowered is not there")


def _arrays(changes: list[tuple[UUID, AccountName, int]]) -> dict[str, object]:
    return {
        "owners": [owner for owner, _account, _fen in changes],
        "accounts": [int(account) for _owner, account, _fen in changes],
        "fens": [fen for _owner, _account, fen in changes],
    }
