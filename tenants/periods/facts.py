"""What a month came to: sales, commissions and promoters, added up for the plan to look at."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fanyong.compliance import service as compliance
from fanyong.tenancy.database import session
from fanyong.tenancy.months import Span
from fanyong.values import PeriodFacts, PeriodPerson
from tenants.commissions.models import Attribution, Award, AwardReversal, CommissionWork
from tenants.promoters import service as promoters
from tenants.promoters.models import Promoter
from tenants.promoters.sales_models import Sale, SalesDay, TeamDay


def is_settled(span: Span) -> bool:
    """Return whether sales and commissions of a time are all worked off; work that fails is not waited for."""
    unpaid = (
        sa.select(CommissionWork.id)
        .join(Attribution, Attribution.order_id == CommissionWork.order_id)
        .where(CommissionWork.error.is_(None), Attribution.frozen_at < span.ends_at)
    )
    behind = sa.select(Sale.order_id).where(Sale.dirty, Sale.paid_on <= span.last)
    return not session().scalar(sa.select(sa.or_(unpaid.exists(), behind.exists())))


def gather(month: str, span: Span) -> PeriodFacts:
    """Return what a month came to, as it stands now: refunds so far are off the days of their orders.

    Tiers and freezes are the present ones. Rewards of other months are no commissions of this one.
    """
    own = _sums(SalesDay.own_paid_fen)
    turnover = session().scalar(sa.select(own).where(SalesDay.day.between(span.first, span.last))) or 0
    return PeriodFacts(
        period=month,
        starts_at=span.starts_at,
        ends_at=span.ends_at,
        turnover_fen=turnover,
        people=_people(span),
        team_allowed=compliance.team_allowed(),
    )


def _people(span: Span) -> tuple[PeriodPerson, ...]:
    ranks = {tier.key: tier.rank for tier in promoters.tiers()}
    earned = _earned(span)
    return tuple(
        PeriodPerson(
            member_id=row.member_id,
            tier=row.tier,
            rank=ranks.get(row.tier, 0),
            frozen=row.frozen,
            own_fen=row.own,
            shared_fen=row.shared,
            shared_orders=row.orders,
            team_fen=row.team,
            commission_fen=sum(earned[row.member_id].values()) if row.member_id in earned else 0,
            by_rule=earned.get(row.member_id, {}),
        )
        for row in session().execute(_figures(span))
    )


def _figures(span: Span) -> sa.Select[*tuple[Any, ...]]:
    """Return the query of all promoters with their sales in a time, in the order of their ids."""
    days = (
        sa.select(
            SalesDay.member_id,
            _sums(SalesDay.own_paid_fen).label("own"),
            _sums(SalesDay.shared_paid_fen).label("shared"),
            _sums(SalesDay.shared_orders).label("orders"),
        )
        .where(SalesDay.day.between(span.first, span.last))
        .group_by(SalesDay.member_id)
        .subquery()
    )
    teams = (
        sa.select(TeamDay.member_id, _sums(TeamDay.paid_fen).label("team"))
        .where(TeamDay.day.between(span.first, span.last))
        .group_by(TeamDay.member_id)
        .subquery()
    )
    return (
        sa.select(
            Promoter.member_id,
            Promoter.tier,
            Promoter.frozen_at.is_not(None).label("frozen"),
            sa.func.coalesce(days.c.own, 0).label("own"),
            sa.func.coalesce(days.c.shared, 0).label("shared"),
            sa.func.coalesce(days.c.orders, 0).label("orders"),
            sa.func.coalesce(teams.c.team, 0).label("team"),
        )
        .outerjoin(days, days.c.member_id == Promoter.member_id)
        .outerjoin(teams, teams.c.member_id == Promoter.member_id)
        .where(Promoter.tier.is_not(None))
        .order_by(Promoter.member_id)
    )


def _earned(span: Span) -> dict[UUID, dict[str, int]]:
    """Return commissions of orders paid in a time, less reversals, by promoter and rule."""
    within = (Award.awarded_at >= span.starts_at, Award.awarded_at < span.ends_at, Award.kind != "period")
    key = (Award.beneficiary_id, Award.rule)
    awarded = sa.select(*key, _sums(Award.amount_fen)).where(*within).group_by(*key)
    taken = (
        sa.select(*key, _sums(AwardReversal.amount_fen))
        .join(AwardReversal, AwardReversal.award_id == Award.id)
        .where(*within)
        .group_by(*key)
    )
    found: dict[UUID, dict[str, int]] = defaultdict(dict)
    # What was taken back is read first: its award is then among the awards.
    back = {(owner, rule): fen for owner, rule, fen in session().execute(taken)}
    for owner, rule, fen in session().execute(awarded):
        found[owner][rule] = fen - back.get((owner, rule), 0)
    return found


def _sums(column: sa.orm.InstrumentedAttribute[int]) -> sa.ColumnElement[int]:
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger)
