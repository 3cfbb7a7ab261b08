"""How long it takes to prove a brand's books, and to walk the chain over them."""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa

from fanyong.tenancy.database import session
from tenants.invariants.checks import CHECKS, statement
from tenants.invariants.service import check_books
from tenants.ledger.models import Posting
from tenants.ledger.sealing import seal_books, verify
from tests.bench import posted
from tests.bench.figures import Figure, medians, seconds, side_by_side
from tests.bench.lab import Lab, be_patient

#: 3 M postings in 10 seconds.
GOAL = 300_000


def measure(lab: Lab, *, orders: int = 1_000_000, rounds: int = 3) -> list[Figure]:
    """Prove the books of a large brand beside adding all postings up once, which any proof has to do; then the chain.

    The books are sealed first, as they are at rest.
    """
    tenant = posted.brand_with(lab, orders=orders)
    with lab.inside(tenant):
        started = time.perf_counter()
        while seal_books():
            pass
        sealing = time.perf_counter() - started
        report = check_books()
        assert report.ok, report.problems
        ways: dict[str, Callable[[], object]] = {"check": check_books, "queries": _queries, "sum": _sum}
        taken = medians(side_by_side(ways, rounds=rounds))
        walked = seconds(_walk)
    count = report.figures["postings"]
    speed = {name: count / value for name, value in taken.items()}
    again = report.figures["orders_recomputed"]
    whole = f"prove {count:,} postings, {again} orders computed again"
    return [
        Figure("audit", whole, speed["check"], "postings/s", speed["sum"], goal=GOAL),
        Figure("audit", f"the {len(CHECKS)} queries alone", speed["queries"], "postings/s", speed["sum"], goal=GOAL),
        Figure("audit", "the whole of it takes", taken["check"], "s", taken["sum"]),
        Figure(
            "audit", f"walk the chain over {count:,} postings", count / walked, "postings/s", speed["sum"], goal=GOAL
        ),
        Figure("audit", "seal postings, with the sums behind the figures", count / sealing, "postings/s"),
    ]


def _queries() -> None:
    be_patient()
    assert not session().execute(sa.text(statement())).all()


def _sum() -> None:
    be_patient()
    session().scalar(sa.select(sa.func.sum(Posting.amount_fen)))


def _walk() -> None:
    verdict = verify()
    assert verdict.broken is None
    assert verdict.unsealed == 0
