"""A promoter's month: what stood there, every movement with the balances after it, what stands there now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError, NotFound
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.tenancy.months import month_of, month_span, months_between
from tenants.ledger.models import AccountName, Posting, PostingKind
from tenants.members.models import Member
from tenants.statements.chart import LIABILITIES
from tenants.statements.postings import Reference, references

#: Paper ends here; the file for spreadsheets goes on.
MAX_PRINTED = 5_000
MAX_LINES = 200_000


class StatementTooLong(FanyongError):
    code = "statement_too_long"
    status = 422
    message = _l("This month has more movements than fit on paper: please take the CSV file.")


class NoSuchMonth(NotFound):
    code = "no_such_month"
    message = _l("There is no statement of this month.")


@dataclass(frozen=True, slots=True)
class Balances:
    """What a promoter has in a brand's books at one moment, in fen; `debt` is what the promoter owes."""

    pending_fen: int = 0
    available_fen: int = 0
    in_transfer_fen: int = 0
    debt_fen: int = 0

    @property
    def balance_fen(self) -> int:
        """What the brand owes the promoter, less what the promoter owes the brand."""
        return self.pending_fen + self.available_fen + self.in_transfer_fen - self.debt_fen


@dataclass(frozen=True, slots=True)
class Line:
    """One movement; `change_fen` is what it does to the balance, 0 where money only moves on within it."""

    position: int
    at: datetime
    kind: PostingKind
    amount_fen: int
    change_fen: int
    after: Balances
    source_id: UUID


@dataclass(frozen=True, slots=True)
class PromoterStatement:
    """One month of one promoter."""

    member_id: UUID
    nickname: str
    month: str
    opening: Balances
    lines: Sequence[Line]
    closing: Balances
    #: What the lines changed the balance by, in the order of the kinds.
    totals: dict[PostingKind, int]
    references: dict[UUID, Reference]
    is_over: bool


def statement_of(member_id: UUID, month: str) -> PromoterStatement:
    """Return a promoter's statement of a month like `2026-11`; raises NoSuchMonth, NotFound or StatementTooLong."""
    span = month_span(month)
    if span is None or span.starts_at > brand_now():
        raise NoSuchMonth
    member = session().get(Member, member_id)
    if member is None:
        raise NotFound
    mine = sa.select(Posting).where(Posting.owner_id == member_id, Posting.posted_at < span.ends_at)
    rows = session().scalars(
        mine.where(Posting.posted_at >= span.starts_at).order_by(Posting.position).limit(MAX_LINES)
    )
    opening = _balances_before(member_id, span.starts_at)
    lines = list(_lines(rows, opening))
    if len(lines) == MAX_LINES:
        raise StatementTooLong
    return PromoterStatement(
        member_id=member_id,
        nickname=member.nickname,
        month=month,
        opening=opening,
        lines=lines,
        closing=lines[-1].after if lines else opening,
        totals=_totals(lines),
        references=references(line.source_id for line in lines),
        is_over=span.ends_at <= brand_now(),
    )


def months_of(member_id: UUID) -> list[str]:
    """Return the months a promoter has statements of, the newest first: from the first movement to the present."""
    first = session().scalar(
        sa.select(Posting.posted_at).where(Posting.owner_id == member_id).order_by(Posting.position).limit(1)
    )
    return months_between(first, brand_now()) if first else []


def month_now() -> str:
    """Return the present month of the bound brand."""
    return month_of(brand_now())


def change_of(posting: Posting) -> int:
    """Return by how much a posting changes what the brand owes its promoter."""
    inside = (*LIABILITIES, AccountName.DEBT)
    return posting.amount_fen * ((posting.credit in inside) - (posting.debit in inside))


def moved(before: Balances, *, account: int, amount_fen: int) -> Balances:
    """Return the balances after `amount_fen` was credited to an account (debited where it is negative)."""
    pending, available = before.pending_fen, before.available_fen
    in_transfer, debt = before.in_transfer_fen, before.debt_fen
    if account in (AccountName.ESTIMATED, AccountName.FROZEN):
        pending += amount_fen
    elif account == AccountName.AVAILABLE:
        available += amount_fen
    elif account == AccountName.IN_TRANSFER:
        in_transfer += amount_fen
    elif account == AccountName.DEBT:
        debt -= amount_fen
    return Balances(pending, available, in_transfer, debt)


def _lines(rows: sa.ScalarResult[Posting], opening: Balances) -> Iterator[Line]:
    after = opening
    for row in rows:
        after = moved(after, account=row.debit, amount_fen=-row.amount_fen)
        after = moved(after, account=row.credit, amount_fen=row.amount_fen)
        kind, change_fen = PostingKind(row.kind), change_of(row)
        yield Line(row.position, row.posted_at, kind, row.amount_fen, change_fen, after, row.source_id)


def _balances_before(member_id: UUID, moment: datetime) -> Balances:
    total = sa.cast(sa.func.sum(Posting.amount_fen), sa.BigInteger)
    query = (
        sa.select(Posting.debit, Posting.credit, total)
        .where(Posting.owner_id == member_id, Posting.posted_at < moment)
        .group_by(Posting.debit, Posting.credit)
    )
    balances = Balances()
    for debit, credit, fen in session().execute(query):
        balances = moved(moved(balances, account=debit, amount_fen=-fen), account=credit, amount_fen=fen)
    return balances


def _totals(lines: Sequence[Line]) -> dict[PostingKind, int]:
    totals = dict.fromkeys(PostingKind, 0)
    for line in lines:
        totals[line.kind] += line.change_fen
    return {kind: fen for kind, fen in totals.items() if fen}
