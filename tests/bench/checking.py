"""How long it takes to prove a brand's books."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from fanyong.tenancy.database import session
from tenants.invariants.checks import CHECKS, statement
from tenants.invariants.service import check_books
from tenants.ledger.models import Posting
from tests.bench.figures import Figure, medians, side_by_side
from tests.bench.lab import Lab, add_members, current_plan
from tests.bench.rows import due_rows, make_orders


def measure(lab: Lab, *, orders: int = 20_000, members: int = 2_000, rounds: int = 3) -> list[Figure]:
    """Run the ledger check beside adding all postings up once, which any check has to do."""
    with lab.brand() as tenant:
        with lab.inside(tenant):
            made = make_orders(add_members(members), count=orders)
            rows = due_rows(made, plan=current_plan(), due_at=datetime.now(UTC) + timedelta(days=1))
        lab.copy(tenant, rows)
        with lab.owner_connection(tenant) as connection:
            connection.execute("ANALYZE")
        with lab.inside(tenant):
            report = check_books()
            assert report.ok, report.problems
            ways = {"check": check_books, "queries": _queries, "sum": _sum}
            taken = {name: value * 1_000 for name, value in medians(side_by_side(ways, rounds=rounds)).items()}
    postings = report.figures["postings"]
    again = report.figures["orders_recomputed"]
    return [
        Figure("check", f"prove {postings:,} postings, {again} orders computed again", taken["check"], "ms"),
        _beside(f"the {len(CHECKS)} queries alone", taken, "queries"),
        _beside("add all postings up once", taken, "sum"),
        Figure("check", "postings proved", postings / taken["check"] * 1_000, "1/s"),
    ]


def _beside(what: str, taken: dict[str, float], name: str) -> Figure:
    return Figure("check", what, taken[name], "ms", "the check to this", taken["check"] / taken[name])


def _queries() -> None:
    assert not session().execute(sa.text(statement())).all()


def _sum() -> None:
    session().scalar(sa.select(sa.func.sum(Posting.amount_fen)))
