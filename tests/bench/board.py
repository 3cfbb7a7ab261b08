"""The leader board and one's own rank in a brand with many commissions, beside adding them up."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.database import session, unit_of_work
from tenants.commissions import service as commissions
from tenants.commissions.models import Award
from tenants.ledger.sealing import seal_books
from tests.bench import posted
from tests.bench.figures import Figure, medians, percentile, seconds, side_by_side
from tests.bench.lab import Lab, be_patient

GOAL_MS = 50
#: Promoters whose rank is asked, one after the other.
ASKED = 50


def measure(lab: Lab, *, orders: int = 333_334, rounds: int = 9) -> list[Figure]:
    """Read the best hundred and a rank, beside adding all awards up."""
    tenant = posted.brand_with(lab, orders=orders)
    with lab.inside(tenant):
        while seal_books():
            pass
        be_patient()
        people = session().scalars(sa.select(Award.beneficiary_id).distinct()).all()
        middle = people[len(people) // 2]
        ways: dict[str, Callable[[], object]] = {
            "ours": lambda: _read(middle),
            "naive": lambda: _add_up(middle),
        }
        taken = {name: value * 1_000 for name, value in medians(side_by_side(ways, rounds=rounds)).items()}
        some = people[:: max(1, len(people) // ASKED)]
        slowest = percentile([seconds(lambda member=member: _read(member)) for member in some], 0.99) * 1_000
        awards = session().scalar(sa.select(sa.func.count()).select_from(Award)) or 0
    what = f"first 100 and one's own rank, {awards:,} commissions of {len(people):,} promoters"
    return [
        Figure("board", f"{what} (median)", taken["ours"], "ms", naive=taken["naive"], goal=GOAL_MS),
        Figure("board", f"the same for {len(some)} promoters (p99)", slowest, "ms", naive=taken["naive"], goal=GOAL_MS),
    ]


def _read(member: UUID) -> None:
    with unit_of_work():
        assert commissions.leader_board(limit=100)
        assert commissions.rank_of(member) is not None


def _add_up(member: UUID) -> None:
    """What one would do without sums: add up all awards, order them, and count those ahead."""
    query = (
        sa.select(Award.beneficiary_id, sa.func.sum(Award.amount_fen))
        .group_by(Award.beneficiary_id)
        .order_by(sa.func.sum(Award.amount_fen).desc())
    )
    with unit_of_work():
        be_patient()
        ranks = {owner: place for place, (owner, _fen) in enumerate(session().execute(query), 1)}
        assert member in ranks
