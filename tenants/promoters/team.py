"""The team below a member: its pages, and its totals, which are rolled up and not counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.database import session, unit_of_work
from tenants.members.models import Member
from tenants.promoters.days import month_of, today
from tenants.promoters.models import Promoter
from tenants.promoters.sales_models import TeamDay, TeamTotal

PAGE = 25
#: Up to here a team is counted when it is asked for; a larger one is as large as the job has counted.
COUNTED = 1_000
COUNT_CHUNK = 2_000
#: Whether `count_teams` has something to do.
MEMBERS_UNCOUNTED = "EXISTS (SELECT FROM member WHERE cardinality(ancestors) > counted_depth)"
#: Levels that have an index of their own; deeper ones are found through all ancestors.
NEAR_LEVELS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class TeamMember:
    """Somebody below a member, and what they bought and sold since ever."""

    member_id: UUID
    nickname: str
    level: int
    tier: str | None
    joined_at: datetime
    own_paid_fen: int
    shared_paid_fen: int


@dataclass(frozen=True, slots=True)
class TeamPage:
    """Some of a team, the newest members first; `after` asks for those that follow, None at the end."""

    items: Sequence[TeamMember]
    after: UUID | None


@dataclass(frozen=True, slots=True)
class Sales:
    """Sales of a team in a period: goods paid after discounts and refunds, without freight."""

    paid_fen: int = 0
    received_fen: int = 0
    orders: int = 0


@dataclass(frozen=True, slots=True)
class TeamTotals:
    """How large a team is, by level, and what it sold; a job keeps it, some seconds behind."""

    level_1: int = 0
    level_2: int = 0
    level_3: int = 0
    members: int = 0
    ever: Sales = Sales()
    this_month: Sales = Sales()
    last_month: Sales = Sales()
    today: Sales = Sales()

    @property
    def deeper(self) -> int:
        """How many are below the third level."""
        return self.members - self.level_1 - self.level_2 - self.level_3


def team_page(
    member_id: UUID,
    *,
    level: int | None = None,
    deeper: bool = False,
    search: str = "",
    after: UUID | None = None,
    offset: int = 0,
    limit: int = PAGE,
) -> TeamPage:
    """Return members of one level, of the levels below the third, or of the first three together, newest first.

    `after` is the last one of the page before, `offset` skips some behind it; `search` looks into nicknames.
    """
    query = _page_query(member_id, level, deeper=deeper, search=search, after=after, limit=offset + limit + 1)
    rows = session().execute(query.offset(offset).limit(limit + 1)).all()
    items = [
        TeamMember(
            member_id=row.id,
            nickname=row.nickname,
            level=row.level,
            tier=row.tier,
            joined_at=row.joined_at,
            own_paid_fen=row.own_paid_fen or 0,
            shared_paid_fen=row.shared_paid_fen or 0,
        )
        for row in rows[:limit]
    ]
    return TeamPage(items, items[-1].member_id if len(rows) > limit else None)


def team_totals(member_id: UUID) -> TeamTotals:
    """Return the size of a team and its sales ever, this and last month, and today."""
    total = session().get(TeamTotal, member_id, populate_existing=True)
    if total is None:
        return TeamTotals()
    day = today()
    this_month = month_of(day)
    last_month = month_of(this_month[0] - (date.resolution))
    return TeamTotals(
        level_1=total.level_1,
        level_2=total.level_2,
        level_3=total.level_3,
        members=total.members,
        ever=Sales(total.paid_fen, total.received_fen, total.orders),
        this_month=_sales(member_id, this_month),
        last_month=_sales(member_id, last_month),
        today=_sales(member_id, (day, day)),
    )


def count_teams() -> int:
    """Count members who came in, or whose upline grew, in the teams above them; returns how many members."""
    with unit_of_work():
        # Not FOR UPDATE: that would stop whoever refers to the member, an order for example.
        query = (
            sa.select(Member.id, Member.counted_depth)
            .where(uncounted())
            .order_by(Member.id)
            .limit(COUNT_CHUNK)
            .with_for_update(skip_locked=True, key_share=True)
        )
        rows = session().execute(query).all()
        if rows:
            values = {"ids": [row.id for row in rows], "depths": [row.counted_depth for row in rows]}
            session().execute(_COUNT, values)
            session().execute(_MARK_COUNTED, values)
        return len(rows)


def uncounted() -> sa.ColumnElement[bool]:
    """Return the condition of members whom some team above them does not count yet."""
    return sa.func.cardinality(Member.ancestors) > Member.counted_depth


def size(member_id: UUID, *, level: int | None = None, deeper: bool = False, search: str = "") -> int:
    """Return how many there are of what `team_page` shows: counted up to a thousand, beyond that as rolled up."""
    found = _page_query(member_id, level, deeper=deeper, search=search, after=None, limit=COUNTED + 1).subquery()
    counted = session().scalar(sa.select(sa.func.count()).select_from(found)) or 0
    if counted <= COUNTED or search:
        return counted
    totals = session().get(TeamTotal, member_id, populate_existing=True) or TeamTotal(level_1=0, level_2=0, level_3=0)
    near = [totals.level_1, totals.level_2, totals.level_3]
    if deeper:
        return max(counted, totals.members - sum(near))
    return max(counted, near[level - 1] if level else sum(near))


def _page_query(
    member_id: UUID, level: int | None, *, deeper: bool, search: str, after: UUID | None, limit: int
) -> sa.Select[*tuple[Any, ...]]:
    """Return the query of the first rows in the order of joining; each level is read from an index of its own."""
    levels = [None] if deeper else [level] if level else list(NEAR_LEVELS)
    parts = [_level_query(member_id, one, search, after).order_by(Member.id.desc()).limit(limit) for one in levels]
    team = sa.union_all(*(sa.select(part.subquery()) for part in parts)).subquery()
    return (
        sa.select(team, Promoter.tier, Promoter.own_paid_fen, Promoter.shared_paid_fen)
        .outerjoin(Promoter, Promoter.member_id == team.c.id)
        .order_by(team.c.id.desc())
        .limit(limit)
    )


def _level_query(member_id: UUID, level: int | None, search: str, after: UUID | None) -> sa.Select[*tuple[Any, ...]]:
    shown = [Member.id, Member.nickname, Member.joined_at]
    if level is None:
        depth = sa.func.array_position(Member.ancestors, member_id)
        query = sa.select(*shown, depth.label("level")).where(
            Member.ancestors.contains([member_id]), depth > NEAR_LEVELS[-1]
        )
    else:
        # Spelled out, because a number sent as a parameter would not match the index.
        above = Member.parent_id if level == 1 else sa.literal_column(f"member.ancestors[{level:d}]", sa.Uuid())
        query = sa.select(*shown, sa.literal_column(f"{level:d}", sa.BigInteger()).label("level"))
        query = query.where(above == member_id)
    if search:
        query = query.where(Member.nickname.icontains(search, autoescape=True))
    return query.where(Member.id < after) if after else query


def _sales(member_id: UUID, span: tuple[date, date]) -> Sales:
    query = sa.select(_sum(TeamDay.paid_fen), _sum(TeamDay.received_fen), _sum(TeamDay.orders)).where(
        TeamDay.member_id == member_id, TeamDay.day.between(*span)
    )
    paid_fen, received_fen, orders = session().execute(query).one()
    return Sales(paid_fen, received_fen, orders)


def _sum(column: sa.orm.InstrumentedAttribute[int]) -> sa.ColumnElement[int]:
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger)


_COUNT = sa.text(
    """
    INSERT INTO team_total AS t (member_id, level_1, level_2, level_3, members, paid_fen, received_fen, orders)
    SELECT a.id, count(*) FILTER (WHERE a.level = 1), count(*) FILTER (WHERE a.level = 2),
           count(*) FILTER (WHERE a.level = 3), count(*), 0, 0, 0
      FROM unnest(CAST(:ids AS uuid[]), CAST(:depths AS bigint[])) c(id, depth)
      JOIN member m ON m.id = c.id
     CROSS JOIN LATERAL unnest(m.ancestors) WITH ORDINALITY a(id, level)
     WHERE a.level > c.depth
     GROUP BY a.id ORDER BY a.id
        ON CONFLICT (member_id) DO UPDATE SET level_1 = t.level_1 + excluded.level_1,
           level_2 = t.level_2 + excluded.level_2, level_3 = t.level_3 + excluded.level_3,
           members = t.members + excluded.members
    """
)
_MARK_COUNTED = sa.text(
    """
    UPDATE member SET counted_depth = cardinality(ancestors) WHERE id = ANY(CAST(:ids AS uuid[]))
    """
)
