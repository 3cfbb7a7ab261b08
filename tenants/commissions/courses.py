"""Where an award is on its way: it follows from its order, its bucket and what refunds took back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.database import session
from tenants.commissions.models import Award, AwardReversal, OrderCommission, ReleaseBucket, ReleaseDetour

#: Joins that place an award: the bucket is the order's, unless the promoter's part of it took a detour.
_PLACES = (
    sa.join(Award, OrderCommission, OrderCommission.order_id == Award.order_id)
    .outerjoin(
        ReleaseDetour,
        sa.and_(ReleaseDetour.order_id == Award.order_id, ReleaseDetour.owner_id == Award.beneficiary_id),
    )
    .outerjoin(
        ReleaseBucket,
        sa.and_(
            ReleaseBucket.owner_id == Award.beneficiary_id,
            ReleaseBucket.due_at
            == sa.case((ReleaseDetour.order_id.is_(None), OrderCommission.due_at), else_=ReleaseDetour.due_at),
        ),
    )
)


def _taken(*where: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    taken = sa.select(sa.func.coalesce(sa.func.sum(AwardReversal.amount_fen), 0))
    return taken.where(AwardReversal.award_id == Award.id, *where).correlate(Award).scalar_subquery()


_REVERSED: sa.ColumnElement[int] = sa.cast(_taken(), sa.BigInteger)
_DUE_AT: sa.ColumnElement[datetime | None] = sa.case(
    (ReleaseDetour.order_id.is_(None), OrderCommission.due_at), else_=ReleaseDetour.due_at
)
_STATE: sa.ColumnElement[str] = sa.case(
    (Award.amount_fen == _REVERSED, "reversed"),
    (OrderCommission.due_at.is_(None), "estimated"),
    (sa.and_(ReleaseDetour.order_id.is_not(None), ReleaseDetour.due_at.is_(None)), "held"),
    (ReleaseBucket.released_at.is_not(None), "released"),
    else_="frozen",
)
_RELEASED_AT: sa.ColumnElement[datetime | None] = sa.case(
    (_STATE == "released", ReleaseBucket.released_at), else_=sa.null()
)
Courses = sa.Select[Award, str, int, datetime | None, datetime | None]


@dataclass(frozen=True, slots=True)
class Course:
    """How far an award has come. `due_at` is None before the receipt and while it is held."""

    #: `estimated`, `frozen`, `held`, `released` or `reversed` (refunds took all of it).
    state: str
    reversed_fen: int
    due_at: datetime | None
    released_at: datetime | None


def awards_of_member(member_id: UUID) -> Courses:
    """Return the query of a promoter's awards, newest first: award, state, reversed_fen, due_at, released_at."""
    return with_courses().where(Award.beneficiary_id == member_id).order_by(Award.id.desc())


def courses_of(award_ids: Iterable[UUID]) -> dict[UUID, Course]:
    """Return how far awards have come."""
    query = with_courses().where(Award.id.in_(list(award_ids)))
    return {
        award.id: Course(state, reversed_fen, due_at, released_at)
        for award, state, reversed_fen, due_at, released_at in session().execute(query)
    }


def with_courses() -> Courses:
    """Return the query of all awards with their courses, to be narrowed down."""
    return sa.select(
        Award,
        _STATE.label("state"),
        _REVERSED.label("reversed_fen"),
        _DUE_AT.label("due_at"),
        _RELEASED_AT.label("released_at"),
    ).select_from(_PLACES)


def in_buckets(query: sa.Select[*tuple[Any, ...]]) -> sa.Select[*tuple[Any, ...]]:
    """Return a query of release buckets joined with the awards that wait in them, or waited."""
    return query.select_from(_PLACES)
