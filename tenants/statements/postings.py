"""The lines behind every figure: postings by account, kind, promoter, plan version and time, and their sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by

from fanyong.tenancy.database import session
from fanyong.tenancy.months import Span
from tenants.commissions.courses import in_buckets
from tenants.commissions.models import Award, AwardReversal, ReleaseBucket
from tenants.ledger.models import AccountName, Posting, PostingKind
from tenants.members.models import Member
from tenants.orders.models import Order, OrderRefund
from tenants.payouts.models import TaxCorrection, Withdrawal
from tenants.periods.models import PeriodRun


@dataclass(frozen=True, slots=True)
class Filter:
    """Which postings; what is None does not matter."""

    account: AccountName | None = None
    #: Only where the account is on this side.
    side: Literal["debit", "credit"] | None = None
    kind: PostingKind | None = None
    owner_id: UUID | None = None
    #: Awards of this plan version and kind, and their reversals.
    plan_version_id: UUID | None = None
    award_kind: str | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """What postings come to; of an account, what it was debited and credited."""

    count: int
    debit_fen: int
    credit_fen: int


@dataclass(frozen=True, slots=True)
class Reference:
    """What a posting is about, with the number people know: an order or a refund of it, a withdrawal, a month."""

    #: `order`, `refund`, `withdrawal` or `month`.
    kind: str
    id: UUID
    number: str
    #: How many orders more were released in one posting.
    more: int = 0


_FIRST_ORDER: sa.ColumnElement[UUID] = sa.func.array_agg(
    aggregate_order_by(Order.id, Order.number), type_=ARRAY(sa.Uuid())
)[1]
_MORE_ORDERS = sa.func.count(Order.id.distinct()) - 1


def postings(wanted: Filter) -> sa.Select[Posting, Member]:
    """Return the query of postings with their promoters, newest first."""
    query = sa.select(Posting, Member).outerjoin(Member, Member.id == Posting.owner_id)
    found: sa.Select[Posting, Member] = _narrowed(query, wanted).order_by(Posting.position.desc())
    return found


def sums(wanted: Filter) -> Sums:
    """Return what the postings of a filter come to."""
    is_debit = Posting.debit == wanted.account if wanted.account else sa.true()
    is_credit = Posting.credit == wanted.account if wanted.account else sa.true()
    amounts = [
        sa.cast(sa.func.coalesce(sa.func.sum(Posting.amount_fen).filter(side), 0), sa.BigInteger)
        for side in (is_debit, is_credit)
    ]
    query = _narrowed(sa.select(sa.func.count(), *amounts).select_from(Posting), wanted)
    return Sums(*session().execute(query).one())


def awards_behind(query: sa.Select[*tuple[Any, ...]]) -> tuple[sa.Select[*tuple[Any, ...]], Any, Any]:
    """Join postings with their award, directly or through its reversal; returns plan version and kind, too."""
    direct, taken = sa.orm.aliased(Award), sa.orm.aliased(Award)
    joined = (
        query.outerjoin(direct, direct.id == Posting.source_id)
        .outerjoin(AwardReversal, AwardReversal.id == Posting.source_id)
        .outerjoin(taken, taken.id == AwardReversal.award_id)
    )
    version = sa.func.coalesce(direct.plan_version_id, taken.plan_version_id)
    return joined, version, sa.func.coalesce(direct.kind, taken.kind)


def references(source_ids: Iterable[UUID]) -> dict[UUID, Reference]:
    """Return what the sources of postings are; of many orders that were released together, the first one is told."""
    ids = list(set(source_ids))
    if not ids:
        return {}
    found: dict[UUID, Reference] = {}
    for query in _sources(ids):
        for source_id, *told in session().execute(query):
            found[source_id] = Reference(*told)
    return found


def _sources(ids: Sequence[UUID]) -> list[sa.Select[*tuple[Any, ...]]]:
    # One array, however many: a statement takes 65,535 parameters at most.
    wanted = sa.any_(sa.literal(ids, ARRAY(sa.Uuid())))
    order, refund, withdrawal, month = (sa.literal(kind) for kind in ("order", "refund", "withdrawal", "month"))
    return [
        # A bucket with a month's reward and orders in it is told by its orders, which come later.
        in_buckets(sa.select(ReleaseBucket.id, month, PeriodRun.id, PeriodRun.month))
        .join(PeriodRun, PeriodRun.id == Award.order_id)
        .where(ReleaseBucket.id == wanted),
        in_buckets(sa.select(ReleaseBucket.id, order, _FIRST_ORDER, sa.func.min(Order.number), _MORE_ORDERS))
        .join(Order, Order.id == Award.order_id)
        .where(ReleaseBucket.id == wanted)
        .group_by(ReleaseBucket.id),
        sa.select(Award.id, month, PeriodRun.id, PeriodRun.month)
        .join(PeriodRun, PeriodRun.id == Award.order_id)
        .where(Award.id == wanted),
        sa.select(Award.id, order, Order.id, Order.number)
        .join(Order, Order.id == Award.order_id)
        .where(Award.id == wanted),
        sa.select(Order.id, order, Order.id, Order.number).where(Order.id == wanted),
        sa.select(AwardReversal.id, refund, Order.id, Order.number)
        .join(Award, Award.id == AwardReversal.award_id)
        .join(Order, Order.id == Award.order_id)
        .where(AwardReversal.id == wanted),
        sa.select(OrderRefund.refund_id, refund, Order.id, Order.number)
        .join(Order, Order.id == OrderRefund.order_id)
        .where(OrderRefund.refund_id == wanted),
        sa.select(Withdrawal.id, withdrawal, Withdrawal.id, Withdrawal.payout_number).where(Withdrawal.id == wanted),
        sa.select(TaxCorrection.id, withdrawal, Withdrawal.id, Withdrawal.payout_number)
        .join(Withdrawal, Withdrawal.id == TaxCorrection.withdrawal_id)
        .where(TaxCorrection.id == wanted),
    ]


def _narrowed(query: sa.Select[*tuple[Any, ...]], wanted: Filter) -> Any:
    if wanted.account is not None:
        sides = {"debit": [Posting.debit], "credit": [Posting.credit], None: [Posting.debit, Posting.credit]}
        query = query.where(sa.or_(*(side == wanted.account for side in sides[wanted.side])))
    if wanted.kind is not None:
        query = query.where(Posting.kind == wanted.kind)
    if wanted.owner_id is not None:
        query = query.where(Posting.owner_id == wanted.owner_id)
    if wanted.plan_version_id is not None or wanted.award_kind is not None:
        query, version, kind = awards_behind(query)
        if wanted.plan_version_id is not None:
            query = query.where(version == wanted.plan_version_id)
        if wanted.award_kind is not None:
            query = query.where(kind == wanted.award_kind)
    if wanted.span is not None:
        query = query.where(Posting.posted_at >= wanted.span.starts_at, Posting.posted_at < wanted.span.ends_at)
    return query
