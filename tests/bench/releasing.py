"""How fast due commissions are released, and how long a withdrawal has to wait meanwhile."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count as numbers
from itertools import cycle
from statistics import median
from uuid import UUID

import sqlalchemy as sa

from fanyong.ids import new_token
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session, unit_of_work
from tenants.commissions import processing
from tenants.commissions.models import ReleaseBucket
from tenants.invariants.service import check_books
from tenants.ledger import service as ledger
from tenants.ledger.models import Posting
from tenants.members.models import Member
from tenants.payouts import service as payouts
from tests.bench.figures import Figure, seconds
from tests.bench.lab import Lab, add_members, current_plan
from tests.bench.rows import LEVELS, due_rows, make_orders

WITHDRAWN_FEN = 100
#: So much that nobody's balance runs out.
RICH_FEN = 50_000_000
PAUSE_SECONDS = 0.005

#: The other extreme: everything that is due in one statement, with the books locked until it is through.
ALL_AT_ONCE = """
WITH due AS (
    UPDATE release_bucket SET released_at = clock_timestamp() WHERE released_at IS NULL AND due_at <= now()
    RETURNING id, owner_id, amount_fen
), posted AS (
    INSERT INTO posting (position, amount_fen, posted_at, source_id, owner_id, kind, debit, credit, part)
    SELECT (SELECT max(position) FROM posting) + row_number() OVER (), amount_fen, now(), id, owner_id, 3, 12, 13, 0
      FROM due
)
INSERT INTO balance (owner_id, account, balance_fen)
SELECT owner_id, 13, sum(amount_fen) FROM due GROUP BY 1
ON CONFLICT (owner_id, account) DO UPDATE SET balance_fen = balance.balance_fen + excluded.balance_fen
"""


def measure(lab: Lab, *, due: int = 60_000, rounds: int = 2, members: int = 2_000, moments: int = 10) -> list[Figure]:
    """Release chunk by chunk and all at once, in turn, while somebody withdraws without a pause."""
    taken: dict[str, list[float]] = {"chunks": [], "at once": []}
    waits: dict[str, list[float]] = {"quiet": [], "chunks": [], "at once": []}
    sent: Counter[str] = Counter()
    ways: dict[str, Callable[[], int]] = {"chunks": _in_chunks, "at once": _at_once}
    with lab.brand() as tenant:
        owners = _prepare(lab, tenant, members=members)
        for _ in range(rounds):
            for name, release in ways.items():
                _make_due(lab, tenant, owners, count=due, moments=moments)
                with _withdrawing(lab, tenant, waits["quiet"]):
                    time.sleep(0.5)
                with _withdrawing(lab, tenant, waits[name]):
                    taken[name].append(seconds(partial(_release_all, lab, tenant, release)))
        _make_due(lab, tenant, owners, count=due, moments=moments)
        with lab.counting(sent, "chunks"):
            _release_all(lab, tenant, _in_chunks)
        with lab.inside(tenant):
            report = check_books()
            left = session().scalar(sa.select(sa.func.count()).where(ReleaseBucket.released_at.is_(None)))
    assert report.ok, report.problems
    assert left == 0
    each = sent["chunks"] / due
    statements = Figure("release", "statements for a commission released", each, "statements")
    speed = {name: due / median(values) for name, values in taken.items()}
    return [*_figures(speed=speed, waits=waits), statements]


def _figures(*, speed: dict[str, float], waits: dict[str, list[float]]) -> list[Figure]:
    quiet = median(waits["quiet"]) * 1_000
    figures = [
        Figure("release", "commissions released in chunks", speed["chunks"], "1/s"),
        _beside("commissions released in one statement", speed["at once"], "1/s", "chunks to this", speed["chunks"]),
        Figure("release", "a withdrawal's request in quiet times (median)", quiet, "ms"),
    ]
    for name, title in (("quiet", "in quiet times"), ("chunks", "beside chunks"), ("at once", "beside one statement")):
        longest = max(waits[name]) * 1_000
        what = f"the longest request of {len(waits[name])} {title}"
        figures.append(Figure("release", what, longest, "ms", "to the quiet median", longest / quiet))
    return figures


def _beside(what: str, value: float, unit: str, compared_to: str, other: float) -> Figure:
    return Figure("release", what, value, unit, compared_to, other / value)


def _prepare(lab: Lab, tenant: Tenant, *, members: int) -> list[UUID]:
    """Make promoters whose balances no number of small withdrawals uses up."""
    with lab.inside(tenant):
        owners = add_members(members)
    _make_due(lab, tenant, owners, count=members + LEVELS, paid_fen=RICH_FEN)
    with lab.inside(tenant):
        assert _at_once() > 0
    return owners


def _make_due(
    lab: Lab, tenant: Tenant, owners: list[UUID], *, count: int, paid_fen: int = 19_900, moments: int = 1
) -> None:
    with lab.inside(tenant):
        orders = make_orders(owners, count=count // LEVELS, paid_fen=paid_fen)
        last = session().scalar(sa.select(sa.func.coalesce(sa.func.max(Posting.position), 0))) or 0
        due_at = datetime.now(UTC) - timedelta(hours=1)
        rows = due_rows(orders, plan=current_plan(), due_at=due_at, positions=numbers(last + 1), moments=moments)
    lab.copy(tenant, rows)


def _release_all(lab: Lab, tenant: Tenant, release: Callable[[], int]) -> None:
    while True:
        with lab.inside(tenant):
            if not release():
                return


def _in_chunks() -> int:
    return processing.release_due()


def _at_once() -> int:
    with unit_of_work():
        ledger.lock_books()
        return int(session().execute(sa.text(ALL_AT_ONCE)).rowcount)  # type: ignore[attr-defined]


@contextmanager
def _withdrawing(lab: Lab, tenant: Tenant, waits: list[float]) -> Iterator[None]:
    """Let a thread withdraw a little again and again; collect how long each request took."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def withdraw() -> None:
        try:
            with lab.inside(tenant):
                members = session().scalars(sa.select(Member)).all()
            for member in cycle(members):
                if stop.is_set():
                    return
                waits.append(seconds(partial(_withdraw, lab, tenant, member)))
                time.sleep(PAUSE_SECONDS)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=withdraw)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not failures, failures


def _withdraw(lab: Lab, tenant: Tenant, member: Member) -> None:
    with lab.inside(tenant), unit_of_work():
        payouts.request_withdrawal(member, amount_fen=WITHDRAWN_FEN, idempotency_key=new_token())
