"""How fast due commissions are released, and how long a withdrawal has to wait meanwhile.

Commissions that are due at one moment wait in one bucket a promoter. The floor is one statement that releases all of
them at once and keeps everybody from the books meanwhile; naive is the ORM, a commission and a commit at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session, unit_of_work
from tenants.commissions import processing
from tenants.commissions.models import ReleaseBucket
from tenants.invariants.service import check_books
from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, Balance, Posting, PostingKind
from tests.bench import posted
from tests.bench.figures import Figure
from tests.bench.hands import Hands, hands
from tests.bench.lab import Lab, be_patient
from tests.bench.rows import LEVELS

#: 1 M commissions in 10 seconds, and the longest that a withdrawal may wait for the books in the meantime.
GOAL, GOAL_STALL_MS = 100_000, 100
#: Calendar moments that the orders of a day share.
MOMENTS = 10
QUIET_SECONDS = 2.0

#: Receive the oldest orders that were not received yet, as `holding.receive` does: due at one of so many moments in
#: the past, or each commission at a moment of its own.
_RECEIVE = """
WITH chosen AS (
    SELECT order_id, row_number() OVER (ORDER BY order_id) AS n FROM order_commission WHERE due_at IS NULL
     ORDER BY order_id LIMIT %(orders)s
), received AS (
    UPDATE order_commission o
       SET due_at = %(base)s + c.n %% %(moments)s * interval '1 microsecond'
      FROM chosen c WHERE c.order_id = o.order_id RETURNING o.order_id, o.due_at
), parts AS (
    SELECT a.order_id, a.beneficiary_id AS owner_id, r.due_at, sum(a.amount_fen) AS fen,
           row_number() OVER (PARTITION BY a.order_id ORDER BY a.beneficiary_id) - 1 AS part
      FROM received r JOIN award a ON a.order_id = r.order_id GROUP BY 1, 2, 3
), posted AS (
    INSERT INTO posting (position, amount_fen, posted_at, source_id, owner_id, kind, debit, credit, part)
    SELECT (SELECT max(position) FROM posting) + row_number() OVER (ORDER BY order_id, part), fen, clock_timestamp(),
           order_id, owner_id, 2, 11, 12, part FROM parts
)
INSERT INTO release_bucket (id, due_at, owner_id, amount_fen)
SELECT gen_random_uuid(), due_at, owner_id, sum(fen) FROM parts GROUP BY 2, 3
"""
_AT_ONCE = """
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


@dataclass(frozen=True, slots=True)
class _Run:
    """Commissions released a second, and how long withdrawals meanwhile waited for the books, and took, in ms."""

    commissions: int
    buckets: int
    seconds: float
    waits: list[float]
    whole: list[float]

    @property
    def speed(self) -> float:
        return self.commissions / self.seconds


def measure(lab: Lab, *, orders: int = 333_334, naive: int = 100) -> list[Figure]:
    """Release what is due while somebody withdraws without a pause: shared moments, and the worst case of none."""
    few = max(orders // 20, LEVELS)
    tenant = posted.brand_with(lab, orders=2 * (orders + few) + naive)
    with hands(lab.app, size=1) as withdrawer:
        _make_due(lab, tenant, orders=orders, moments=MOMENTS)
        shared_floor = _released(lab, tenant, None, _at_once)
        _make_due(lab, tenant, orders=few, moments=few)
        worst_floor = _released(lab, tenant, None, _at_once)
        _make_due(lab, tenant, orders=naive, moments=naive)
        plain = _released(lab, tenant, None, _one_by_one)
        withdrawer.start("withdraw", [{"tenant": tenant.id.hex}])
        time.sleep(QUIET_SECONDS)
        withdrawer.stop()
        quiet = _milliseconds(withdrawer)[1]
        _make_due(lab, tenant, orders=few, moments=few)
        worst = _released(lab, tenant, withdrawer, processing.release_due)
        _make_due(lab, tenant, orders=orders, moments=MOMENTS)
        shared = _released(lab, tenant, withdrawer, processing.release_due)
    with lab.inside(tenant):
        report = check_books()
        be_patient()
        left = session().scalar(sa.select(sa.func.count()).where(ReleaseBucket.released_at.is_(None)))
    assert report.ok, report.problems
    assert left == 0
    return [
        _speed(f"{shared.commissions:,} commissions in {shared.buckets:,} buckets", shared, shared_floor, plain),
        _speed(f"{worst.commissions:,} commissions, a bucket each", worst, worst_floor, plain),
        Figure("release", f"a withdrawal in quiet times, whole (median of {len(quiet):,})", median(quiet), "ms"),
        Figure("release", "the longest one in quiet times, whole", max(quiet), "ms"),
        *_stalls("beside shared buckets", shared, quiet),
        *_stalls("beside a bucket each", worst, quiet),
    ]


def _speed(what: str, run: _Run, floor: _Run, plain: _Run) -> Figure:
    return Figure("release", what, run.speed, "commissions/s", floor.speed, plain.speed, GOAL)


def _stalls(what: str, run: _Run, quiet: list[float]) -> list[Figure]:
    """Return the longest wait for the books, which releasing is to blame for, and the longest request, which it is not
    alone: the machine's cores and disk are shared, as the longest one in quiet times shows.
    """
    count = f"{len(run.waits):,}"
    return [
        Figure("release", f"{what}: longest wait for the books of {count}", max(run.waits), "ms", goal=GOAL_STALL_MS),
        Figure("release", f"{what}: longest withdrawal, whole", max(run.whole), "ms", floor=max(quiet)),
        Figure("release", f"{what}: median withdrawal, whole", median(run.whole), "ms", floor=median(quiet)),
    ]


def _milliseconds(withdrawer: Hands) -> tuple[list[float], list[float]]:
    """Return how long the withdrawals waited for the books, and took."""
    answers = withdrawer.answers()[0]
    return [1_000 * waited for waited, _whole in answers], [1_000 * whole for _waited, whole in answers]


def _make_due(lab: Lab, tenant: Tenant, *, orders: int, moments: int) -> None:
    base = datetime.now(UTC) - timedelta(hours=1)
    with lab.owner_connection(tenant) as connection:
        connection.execute(_RECEIVE.encode(), {"orders": orders, "moments": moments, "base": base})
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE release_bucket, order_commission, posting")


def _released(lab: Lab, tenant: Tenant, withdrawer: Hands | None, release: Callable[[], int]) -> _Run:
    """Release all that is due; with a withdrawer, while it withdraws."""
    open_ = ReleaseBucket.released_at.is_(None)
    with lab.inside(tenant):
        be_patient()
        buckets = session().scalar(sa.select(sa.func.count()).where(open_)) or 0
        count = sa.text(
            "SELECT count(*) FROM award a JOIN order_commission o USING (order_id) WHERE o.due_at IN"
            " (SELECT due_at FROM release_bucket WHERE released_at IS NULL)"
        )
        commissions = session().scalar(count) or 0
    if withdrawer:
        withdrawer.start("withdraw", [{"tenant": tenant.id.hex}])
    started = time.perf_counter()
    done = 1
    while done:
        # A context for each chunk, as the background has it.
        with lab.inside(tenant):
            done = release()
    taken = time.perf_counter() - started
    waits: list[float] = []
    whole: list[float] = []
    if withdrawer:
        withdrawer.stop()
        waits, whole = _milliseconds(withdrawer)
    return _Run(commissions, buckets, taken, waits, whole)


def _at_once() -> int:
    with unit_of_work():
        be_patient()
        ledger.lock_books()
        return int(session().execute(sa.text(_AT_ONCE)).rowcount)  # type: ignore[attr-defined]


def _one_by_one() -> int:
    """Release the oldest open bucket with the ORM, its balance locked."""
    with unit_of_work():
        ledger.lock_books()
        query = sa.select(ReleaseBucket).where(ReleaseBucket.released_at.is_(None)).order_by(ReleaseBucket.due_at)
        bucket = session().scalars(query.limit(1).with_for_update()).first()
        if bucket is None:
            return 0
        now = session().scalars(sa.select(sa.func.clock_timestamp())).one()
        bucket.released_at = now
        last = session().scalar(sa.select(sa.func.max(Posting.position))) or 0
        session().add(_release_of(bucket, position=last + 1))
        _raise_balance(bucket.owner_id, bucket.amount_fen)
        return 1


def _release_of(bucket: ReleaseBucket, *, position: int) -> Posting:
    return Posting(
        position=position,
        amount_fen=bucket.amount_fen,
        posted_at=bucket.released_at,
        source_id=bucket.id,
        owner_id=bucket.owner_id,
        kind=int(PostingKind.RELEASE),
        debit=int(AccountName.FROZEN),
        credit=int(AccountName.AVAILABLE),
        part=0,
    )


def _raise_balance(owner_id: UUID, fen: int) -> None:
    balance = session().get(Balance, (owner_id, int(AccountName.AVAILABLE)), with_for_update=True)
    if balance is None:
        balance = Balance(owner_id=owner_id, account=int(AccountName.AVAILABLE), balance_fen=0)
        session().add(balance)
    balance.balance_fen += fen
