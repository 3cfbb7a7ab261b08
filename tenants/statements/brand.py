"""A brand's books over a time: the trial balance, and a month with its commissions by plan version and kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from fanyong.pluginhost.models import PluginActivation
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.tenancy.months import Span, month_span, months_between
from fanyong.web.filters import beijing_day
from tenants.ledger.models import AccountName, Posting, PostingKind
from tenants.statements.chart import CHART, LIABILITIES, Account
from tenants.statements.postings import awards_behind
from tenants.statements.promoter import NoSuchMonth

_TOTAL = sa.cast(sa.func.coalesce(sa.func.sum(Posting.amount_fen), 0), sa.BigInteger)


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One account; balances are positive on the debit side and negative on the credit side."""

    account: Account
    opening_fen: int
    debit_fen: int
    credit_fen: int

    @property
    def closing_fen(self) -> int:
        """The balance at the end."""
        return self.opening_fen + self.debit_fen - self.credit_fen


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """Every account over a span of days; its balances add up to zero, and so do debits and credits."""

    span: Span
    rows: Sequence[TrialRow]

    @property
    def is_balanced(self) -> bool:
        """Whether it adds up, as it does by the shape of the postings."""
        opening = sum(row.opening_fen for row in self.rows)
        closing = sum(row.closing_fen for row in self.rows)
        return opening == closing == 0

    def row(self, name: AccountName) -> TrialRow:
        """Return one account's row."""
        return next(row for row in self.rows if row.account.name == name)


@dataclass(frozen=True, slots=True)
class ExpenseRow:
    """Commissions of one plan version and kind: what was awarded and what refunds took back, booked in the month."""

    plan_version_id: UUID | None
    #: "3 · plan_levels"; empty for what belongs to no plan.
    plan: str
    kind: str
    count: int
    awarded_fen: int
    reversed_fen: int

    @property
    def net_fen(self) -> int:
        """What the brand bears."""
        return self.awarded_fen - self.reversed_fen


@dataclass(frozen=True, slots=True)
class MovementRow:
    """All postings of one kind."""

    kind: PostingKind
    count: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class BrandMonth:
    """A brand's month."""

    month: str
    expenses: Sequence[ExpenseRow]
    movements: Sequence[MovementRow]
    balance: TrialBalance
    is_over: bool

    @property
    def liabilities_fen(self) -> int:
        """What the brand owes its promoters at the end of the month."""
        return -sum(self.balance.row(name).closing_fen for name in LIABILITIES)


def trial_balance(span: Span) -> TrialBalance:
    """Return the trial balance from the beginning of a span of days to its end."""
    before = Posting.posted_at < span.starts_at
    earlier_fen, within_fen = (
        sa.cast(sa.func.coalesce(sa.func.sum(Posting.amount_fen).filter(when), 0), sa.BigInteger)
        for when in (before, ~before)
    )
    query = (
        sa.select(Posting.debit, Posting.credit, earlier_fen, within_fen)
        .where(Posting.posted_at < span.ends_at)
        .group_by(Posting.debit, Posting.credit)
    )
    opening, debits, credits = ({account.name: 0 for account in CHART} for _ in range(3))
    for debit, credit, earlier, within in session().execute(query):
        opening[AccountName(debit)] += earlier
        opening[AccountName(credit)] -= earlier
        debits[AccountName(debit)] += within
        credits[AccountName(credit)] += within
    rows = [TrialRow(a, opening[a.name], debits[a.name], credits[a.name]) for a in CHART]
    return TrialBalance(span, rows)


def brand_month(month: str) -> BrandMonth:
    """Return a brand's month like `2026-11`; raises NoSuchMonth."""
    span = month_span(month)
    if span is None or span.starts_at > brand_now():
        raise NoSuchMonth
    return BrandMonth(month, _expenses(span), _movements(span), trial_balance(span), span.ends_at <= brand_now())


def months() -> list[str]:
    """Return the months with books, the newest first."""
    first = session().scalar(sa.select(Posting.posted_at).order_by(Posting.position).limit(1))
    return months_between(first or brand_now(), brand_now())


def today() -> date:
    """Return the present day of the bound brand."""
    return beijing_day(brand_now())


def _expenses(span: Span) -> list[ExpenseRow]:
    is_award = Posting.debit == AccountName.COMMISSION_EXPENSE
    total = sa.func.sum(Posting.amount_fen)
    query, version, kind = awards_behind(sa.select().select_from(Posting))
    query = (
        query.add_columns(
            version.label("version"),
            sa.func.coalesce(kind, "").label("kind"),
            sa.func.count().filter(is_award),
            sa.cast(sa.func.coalesce(total.filter(is_award), 0), sa.BigInteger),
            sa.cast(sa.func.coalesce(total.filter(~is_award), 0), sa.BigInteger),
        )
        .where(sa.or_(is_award, Posting.credit == AccountName.COMMISSION_EXPENSE))
        .where(Posting.posted_at >= span.starts_at, Posting.posted_at < span.ends_at)
        .group_by(sa.text("1"), sa.text("2"))
    )
    found = session().execute(query).all()
    plans = _plans({row[0] for row in found if row[0]})
    rows = [
        ExpenseRow(version_id, plans.get(version_id, ""), kind_of, count, awarded_fen, reversed_fen)
        for version_id, kind_of, count, awarded_fen, reversed_fen in found
    ]
    return sorted(rows, key=lambda row: (row.plan, row.kind))


def _movements(span: Span) -> list[MovementRow]:
    query = (
        sa.select(Posting.kind, sa.func.count(), _TOTAL)
        .where(Posting.posted_at >= span.starts_at, Posting.posted_at < span.ends_at)
        .group_by(Posting.kind)
        .order_by(Posting.kind)
    )
    return [MovementRow(PostingKind(kind), count, fen) for kind, count, fen in session().execute(query)]


def _plans(version_ids: set[UUID]) -> dict[UUID, str]:
    query = sa.select(PluginActivation.id, PluginActivation.number, PluginActivation.plugin).where(
        PluginActivation.id.in_(version_ids)
    )
    return {row.id: f"{row.number} · {row.plugin}" for row in session().execute(query)} if version_ids else {}
