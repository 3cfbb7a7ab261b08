"""What a tier structure is told of promoters: figures by period, read for many at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.database import session
from fanyong.values import TierFacts
from tenants.members.models import Member
from tenants.promoters.days import Span, day_of, span_of, today
from tenants.promoters.models import Promoter, TierChange, TierGrant
from tenants.promoters.sales_models import SalesDay, TeamDay, TeamTotal

#: Commissions less reversals of members, earned in a span of days, or ever.
Earned = Callable[[Sequence[UUID], Span | None], Mapping[UUID, int]]
Sums = dict[str, dict[UUID, int]]

_OWN = (
    "own_paid_fen",
    "own_received_fen",
    "own_orders",
    "shared_paid_fen",
    "shared_received_fen",
    "shared_orders",
)
_TEAM = ("team_paid_fen", "team_received_fen", "team_orders")
METRICS = frozenset({*_OWN, *_TEAM, "direct_sellers", "commission_fen"})
_earned: list[Earned] = []


def register_earned(earned: Earned) -> None:
    """Say who knows what promoters earned; the last one that is registered is asked."""
    _earned[:] = [earned]


def is_quick(figures: Iterable[str]) -> bool:
    """Return whether figures follow from a sale of the promoter alone, so that a payment can look at once."""
    return all(key.partition(":")[0] in _OWN for key in figures)


def is_bound_to_time(figures: Iterable[str]) -> bool:
    """Return whether some figure changes although nothing happens, because a day or a month is over."""
    return any(not key.endswith(":ever") for key in figures)


def check_figures(figures: Iterable[str]) -> None:
    """Raise ValueError for a figure that does not exist."""
    for key in figures:
        metric, colon, period = key.partition(":")
        if not colon or metric not in METRICS:
            raise ValueError(f"there is no figure {key!r}")
        span_of(period, on=today())


def facts_of(promoters: Sequence[Promoter], *, figures: Sequence[str]) -> dict[UUID, TierFacts]:
    """Return the facts of promoters, with the figures that their structure asked for."""
    ids = [promoter.member_id for promoter in promoters]
    entries = _entries(ids)
    held = _held_before(ids) if figures else {}
    values = _figures(promoters, ids, figures)
    now = today()
    return {
        promoter.member_id: TierFacts(
            member_id=promoter.member_id,
            tier=promoter.tier,
            own_paid_fen=promoter.own_paid_fen,
            own_received_fen=promoter.own_received_fen,
            shared_paid_fen=promoter.shared_paid_fen,
            shared_received_fen=promoter.shared_received_fen,
            figures={key: values[key].get(promoter.member_id, 0) for key in figures},
            granted=entries[promoter.member_id][0],
            invited=entries[promoter.member_id][1],
            held_before=held.get(promoter.member_id, ()),
            today=now,
            tier_since=day_of(promoter.tier_since) if promoter.tier_since else None,
        )
        for promoter in promoters
    }


def month_sales(member_ids: Sequence[UUID], *, span: Span) -> dict[UUID, int]:
    """Return what others paid through the shares of members on the days of a span."""
    query = (
        sa.select(SalesDay.member_id, _sum(SalesDay.shared_paid_fen))
        .where(SalesDay.member_id.in_(member_ids), SalesDay.day.between(*span))
        .group_by(SalesDay.member_id)
    )
    return dict(session().execute(query).all()) if member_ids else {}


def _entries(ids: Sequence[UUID]) -> dict[UUID, tuple[tuple[str, ...], bool]]:
    """Return the tiers that were opened to members and not used yet, and whether a promoter brought them."""
    parent = sa.orm.aliased(Promoter)
    grants = (
        sa.select(sa.func.array_agg(TierGrant.tier))
        .where(TierGrant.member_id == Member.id, TierGrant.used_at.is_(None))
        .scalar_subquery()
    )
    query = (
        sa.select(Member.id, grants, parent.tier.is_not(None))
        .outerjoin(parent, parent.member_id == Member.parent_id)
        .where(Member.id.in_(ids))
    )
    return {row[0]: (tuple(row[1] or ()), bool(row[2])) for row in session().execute(query)}


def _held_before(ids: Sequence[UUID]) -> dict[UUID, tuple[str, ...]]:
    query = (
        sa.select(TierChange.member_id, sa.func.array_agg(sa.distinct(sa.func.coalesce(TierChange.to_tier, ""))))
        .where(TierChange.member_id.in_(ids), TierChange.to_tier.is_not(None))
        .group_by(TierChange.member_id)
    )
    return {member_id: tuple(sorted(tiers)) for member_id, tiers in session().execute(query)}


def _figures(promoters: Sequence[Promoter], ids: Sequence[UUID], figures: Sequence[str]) -> Sums:
    by_period: dict[str, set[str]] = defaultdict(set)
    for key in figures:
        metric, _colon, period = key.partition(":")
        by_period[period].add(metric)
    values: Sums = {}
    for period, metrics in by_period.items():
        span = span_of(period, on=today())
        found = _ever(promoters, ids, metrics) if span is None else _in_span(ids, metrics, span)
        if "direct_sellers" in metrics:
            found["direct_sellers"] = _direct_sellers(ids, span)
        if "commission_fen" in metrics:
            found["commission_fen"] = dict(_earned[0](ids, span)) if _earned else {}
        values |= {f"{metric}:{period}": found[metric] for metric in metrics}
    return values


def _ever(promoters: Sequence[Promoter], ids: Sequence[UUID], metrics: Iterable[str]) -> Sums:
    found: Sums = {name: {p.member_id: getattr(p, name) for p in promoters} for name in _OWN}
    if any(metric in _TEAM for metric in metrics):
        rows = session().scalars(sa.select(TeamTotal).where(TeamTotal.member_id.in_(ids))).all()
        for name in _TEAM:
            found[name] = {row.member_id: getattr(row, name.removeprefix("team_")) for row in rows}
    return found


def _in_span(ids: Sequence[UUID], metrics: Iterable[str], span: Span) -> Sums:
    found: Sums = {}
    if any(metric in _OWN for metric in metrics):
        found |= _day_sums(SalesDay, ids, span, {name: name for name in _OWN})
    if any(metric in _TEAM for metric in metrics):
        found |= _day_sums(TeamDay, ids, span, {name: name.removeprefix("team_") for name in _TEAM})
    return found


def _day_sums(
    table: type[SalesDay] | type[TeamDay], ids: Sequence[UUID], span: Span, columns: Mapping[str, str]
) -> Sums:
    """Return sums over the days of a span, by the names of the figures."""
    sums = [_sum(getattr(table, column)) for column in columns.values()]
    query = (
        sa.select(table.member_id, *sums)
        .where(table.member_id.in_(ids), table.day.between(*span))
        .group_by(table.member_id)
    )
    rows: Sequence[Any] = session().execute(query).all()
    return {name: {row[0]: row[at] for row in rows} for at, name in enumerate(columns, start=1)}


def _direct_sellers(ids: Sequence[UUID], span: Span | None) -> dict[UUID, int]:
    """Return how many promoters whom a member brought have sold something themselves."""
    sellers = (
        sa.select(Member.parent_id, Member.id)
        .join(Promoter, Promoter.member_id == Member.id)
        .where(Member.parent_id.in_(ids), Promoter.tier.is_not(None))
    )
    if span is None:
        sellers = sellers.where(Promoter.shared_paid_fen > 0)
    else:
        sellers = (
            sellers.join(SalesDay, SalesDay.member_id == Member.id)
            .where(SalesDay.day.between(*span))
            .group_by(Member.parent_id, Member.id)
            .having(sa.func.sum(SalesDay.shared_paid_fen) > 0)
        )
    found = sellers.subquery()
    query = sa.select(found.c.parent_id, sa.func.count()).group_by(found.c.parent_id)
    return dict(session().execute(query).all())


def _sum(column: sa.orm.InstrumentedAttribute[int]) -> sa.ColumnElement[int]:
    # A sum of bigint is numeric in PostgreSQL, which would come back as a Decimal.
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger)
