"""A page and the totals of a large team, beside asking the tree itself for them."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fanyong.ids import new_id
from fanyong.tenancy.clock import server_now
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session, unit_of_work
from tenants.members.models import Member
from tenants.promoters import team
from tenants.promoters.days import today
from tenants.promoters.models import Promoter
from tenants.promoters.sales_models import SalesDay, TeamDay
from tests.bench.figures import Figure, medians, seconds, side_by_side
from tests.bench.lab import Lab

BLOCK = 50_000
DAYS = 60
#: A page and the totals together, in milliseconds.
GOAL_MS = 50


def measure(lab: Lab, *, members: int = 100_000, others: int = 200_000, rounds: int = 7) -> list[Figure]:
    """Read pages of a team and its totals; the team is the oldest part of the brand, the worst place for a page."""
    with lab.brand() as tenant:
        root, middle = _fill(lab, tenant, members=members, others=others)
        with lab.inside(tenant):
            counted = seconds(_count_all)
            ways: dict[str, Callable[[], object]] = {
                "page": lambda: _in_work(lambda: team.team_page(root)),
                "last": lambda: _in_work(lambda: team.team_page(root, level=2, after=middle)),
                "size": lambda: _in_work(lambda: team.size(root)),
                "totals": lambda: _in_work(lambda: team.team_totals(root)),
                "both": lambda: _in_work(lambda: (team.team_page(root), team.size(root), team.team_totals(root))),
                "tree page": lambda: _in_work(lambda: _tree_page(root)),
                "tree totals": lambda: _in_work(lambda: _tree_totals(root)),
            }
            taken = {name: value * 1_000 for name, value in medians(side_by_side(ways, rounds=rounds)).items()}
    tree = taken["tree page"] + taken["tree totals"]
    whole = f"first page, size and totals of a team of {members:,}; naive: asked of the tree"
    return [
        Figure("team", whole, taken["both"], "ms", naive=tree, goal=GOAL_MS),
        Figure("team", "first page", taken["page"], "ms", naive=taken["tree page"], goal=GOAL_MS),
        Figure("team", "a page in the middle of level 2", taken["last"], "ms", goal=GOAL_MS),
        Figure("team", "size of the first three levels", taken["size"], "ms", goal=GOAL_MS),
        Figure("team", "totals", taken["totals"], "ms", naive=taken["tree totals"], goal=GOAL_MS),
        Figure("team", "members counted in all teams above them", members / counted, "members/s"),
    ]


def _in_work(read: Callable[[], object]) -> None:
    with unit_of_work():
        read()


def _count_all() -> None:
    while team.count_teams():
        pass


def _tree_page(root: UUID) -> None:
    query = sa.select(Member).where(Member.ancestors.contains([root])).order_by(Member.id.desc()).limit(team.PAGE)
    session().execute(query).all()


def _tree_totals(root: UUID) -> None:
    level = sa.func.array_position(Member.ancestors, root)
    sizes = sa.select(level, sa.func.count()).where(Member.ancestors.contains([root])).group_by(level)
    session().execute(sizes).all()
    sold = sa.select(sa.func.sum(SalesDay.own_paid_fen)).join(Member, Member.id == SalesDay.member_id)
    session().execute(sold.where(Member.ancestors.contains([root]))).all()


def _fill(lab: Lab, tenant: Tenant, *, members: int, others: int) -> tuple[UUID, UUID]:
    """Give the brand a root with its team, then strangers, and sales of each day for the root."""
    rng = random.Random(20261122)
    root = new_id()
    upline: list[list[UUID]] = [[root]]
    people: list[tuple[UUID, list[UUID]]] = [(root, [])]
    for _ in range(members):
        above = upline[rng.randrange(len(upline))]
        member = new_id()
        people.append((member, above))
        upline.append([member, *above])
    people += [(new_id(), []) for _ in range(others)]
    for at in range(0, len(people), BLOCK):
        _copy(lab, tenant, people[at : at + BLOCK])
    with lab.inside(tenant):
        day = today()
    days = [{"member_id": root, "day": day - timedelta(days=n), **_sold()} for n in range(DAYS)]
    lab.copy(tenant, {TeamDay: days})
    with lab.owner_connection(tenant) as connection:
        connection.execute("ANALYZE")
    second = [member for member, above in people if len(above) == 2]
    return root, second[len(second) // 2] if second else root


def _sold() -> dict[str, int]:
    return {"paid_fen": 9_000, "received_fen": 0, "orders": 1}


def _copy(lab: Lab, tenant: Tenant, people: list[tuple[UUID, list[UUID]]]) -> None:
    with lab.inside(tenant), unit_of_work():
        now = server_now()
    with lab.owner_connection(tenant) as connection, connection.cursor() as cursor:
        columns = "id, openid, nickname, parent_id, ancestors, joined_at, counted_depth"
        with cursor.copy(f"COPY member ({columns}) FROM STDIN".encode()) as copy:
            for member, above in people:
                parent = above[0] if above else None
                copy.write_row([member, f"o{member.hex}", "n", parent, list(above), now, 0])
        connection.commit()
    rows: list[dict[str, Any]] = [
        {"member_id": member, "tier": "promoter", **_nothing(), "own_paid_fen": 100} for member, _above in people
    ]
    lab.copy(tenant, {Promoter: rows})


def _nothing() -> dict[str, int]:
    sides = ("own", "shared")
    return {f"{side}_{name}": 0 for side in sides for name in ("paid_fen", "received_fen", "orders")}
