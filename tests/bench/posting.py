"""How many paid orders reach the books a second: the product, a naive way, and what PostgreSQL can take at all.

An order has one line and three beneficiaries. Worker processes claim portions from the inbox, compute, and post; the
floor is a bare COPY of the very rows they wrote, made ready before, with the same indexes and checks and as many orders
a transaction; naive is the ORM row by row, the balances locked, a commit an order.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import count
from statistics import median
from uuid import UUID

import psycopg
import sqlalchemy as sa

from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import TenantBase, session, unit_of_work
from tenants.commissions import processing
from tenants.commissions.models import Award, OrderCommission
from tenants.invariants.service import check_books
from tenants.ledger.models import AccountName, Balance, Posting
from tests.bench import posted
from tests.bench.figures import Figure, seconds
from tests.bench.hands import Hands, hands
from tests.bench.lab import Lab, add_members, current_plan, members_of
from tests.bench.rows import LEVELS, Rows, fill_inbox, make_orders, posted_rows, round_robin

WORKERS = 2
#: Orders of a round at least, if there are enough.
ROUND = 20_000
#: Tells a worker to do nothing.
NONE = -1
GOALS = {"speed": 15_000, "floor": 40, "naive": 120}
#: The rows of orders by the positions of their postings, in the order of the floor's tables.
ROWS_OF = {
    "award": "SELECT a.* FROM posting p JOIN award a ON a.id = p.source_id WHERE p.position BETWEEN {} AND {}"
    " ORDER BY p.position",
    "posting": "SELECT * FROM posting WHERE position BETWEEN {} AND {} ORDER BY position",
    "order_commission": "SELECT o.* FROM order_commission o WHERE order_id IN (SELECT a.order_id FROM posting p"
    " JOIN award a ON a.id = p.source_id WHERE p.position BETWEEN {} AND {}) ORDER BY order_id",
}


def measure(
    lab: Lab, *, orders: int = 1_000_000, rounds: int = 10, naive: int = 40, members: int = 20_000
) -> list[Figure]:
    """Post all orders, round by round: most with two workers, some with one, each beside the floor and naively."""
    # Rounds are so long that nearly all portions are full.
    each = max(orders // rounds, min(orders // 2, ROUND))
    rounds = orders // each
    alone = max(each // 5, 1)
    speed: dict[str, list[float]] = defaultdict(list)
    with lab.brand() as floor, lab.brand() as other, hands(lab.app, size=WORKERS) as workers:
        ours = posted.open_brand(lab, members=members)
        before = posted.count_posted(lab, ours)
        posted.add_orders(lab, ours, count=each * rounds)
        with lab.inside(other):
            add_members(members)
        numbers = count(1)
        for _ in range(rounds):
            last = _last_position(lab, ours)
            speed["one"].append(post(workers, ours, alone, among=1))
            speed["two"].append(post(workers, ours, each - alone, among=WORKERS))
            speed["floor"].append(_copy_again(lab, ours, floor, since=last))
            speed["naive"].append(_post_naively(lab, other, numbers, orders=naive))
        workers.ask("work_off", [{"tenant": ours.id.hex}] * WORKERS)
    with lab.inside(ours):
        report = check_books()
    assert report.ok, report.problems
    assert report.figures["open_work"] == 0, report.figures
    assert report.figures["awards"] == LEVELS * (before + each * rounds), report.figures
    return _figures(speed, orders=each * rounds, naive=naive * rounds)


def profile(lab: Lab, *, orders: int = 40_000, members: int = 20_000) -> str:
    """Return where the time goes when one worker posts orders, for people."""
    with lab.brand() as tenant, hands(lab.app, size=1) as workers:
        with lab.inside(tenant):
            people = add_members(members)
        fill_inbox(lab, tenant, round_robin(people), count=orders)
        answer = workers.ask("work_off", [{"tenant": tenant.id.hex, "profile": True}])[0]
    return str(answer["profile"])


def post(workers: Hands, tenant: Tenant, orders: int, *, among: int) -> float:
    """Let some of the workers post about so many orders; return how many a second."""
    share = -(-orders // among)
    requests = [
        {"tenant": tenant.id.hex, "count": share if number < among else NONE, "portion": min(share, processing.PORTION)}
        for number in range(workers.size)
    ]
    started = time.perf_counter()
    done = sum(answer["done"] for answer in workers.ask("work_off", requests))
    return float(done / (time.perf_counter() - started))


def _figures(speed: dict[str, list[float]], *, orders: int, naive: int) -> list[Figure]:
    one, two, floor, plain = (median(speed[name]) for name in ("one", "two", "floor", "naive"))
    what = f"{orders:,} paid orders worked off, {LEVELS} awards each"
    best = max(one, two)
    return [
        _figure(f"{what}: {WORKERS} workers", two, "orders/s", floor, plain, GOALS["speed"]),
        _figure("one worker", one, "orders/s", floor, plain, GOALS["speed"]),
        _figure(f"the slowest of {len(speed['two'])} rounds, {WORKERS} workers", min(speed["two"]), "orders/s"),
        _figure("the faster of both, part of the floor", 100 * best / floor, "%", goal=GOALS["floor"]),
        _figure(f"the faster of both, to {naive:,} orders posted naively", best / plain, "x", goal=GOALS["naive"]),
    ]


def _figure(
    what: str,
    value: float,
    unit: str,
    floor: float | None = None,
    naive: float | None = None,
    goal: float | None = None,
) -> Figure:
    return Figure("posting", what, value, unit, floor, naive, goal)


def _last_position(lab: Lab, tenant: Tenant) -> int:
    with lab.inside(tenant):
        return session().scalar(sa.select(sa.func.coalesce(sa.func.max(Posting.position), 0))) or 0


def _copy_again(lab: Lab, ours: Tenant, floor: Tenant, *, since: int) -> float:
    """COPY what was posted since a position into the other brand's tables; return how many orders a second."""
    taken, step, last = 0.0, LEVELS * processing.PORTION, _last_position(lab, ours)
    with lab.owner_connection(ours) as source, lab.owner_connection(floor) as target:
        for first in range(since + 1, last + 1, step):
            rows = {table: _read(source, query, first, first + step - 1) for table, query in ROWS_OF.items()}
            taken += seconds(partial(_write, target, rows))
    return (last - since) / LEVELS / taken


def _read(source: psycopg.Connection, query: str, first: int, last: int) -> bytes:
    statement = f"COPY ({query.format(first, last)}) TO STDOUT (FORMAT BINARY)".encode()
    with source.cursor() as cursor, cursor.copy(statement) as copy:
        return b"".join(copy)


def _write(target: psycopg.Connection, rows: dict[str, bytes]) -> None:
    for table, data in rows.items():
        with target.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)".encode()) as copy:
            copy.write(data)
    target.commit()


def _post_naively(lab: Lab, tenant: Tenant, numbers: Iterator[int], *, orders: int) -> float:
    with lab.inside(tenant):
        made = make_orders(members_of(), count=orders)
        plan = current_plan()
    started = time.perf_counter()
    for facts in made:
        with lab.inside(tenant), unit_of_work():
            _add_order(posted_rows(facts, plan=plan, positions=numbers))
    return orders / (time.perf_counter() - started)


def _add_order(rows: Rows) -> None:
    for award, posting in zip(rows[Award], rows[Posting], strict=True):
        _add(Award(**award))
        _add(Posting(**posting))
        _add_to_balance(award["beneficiary_id"], amount_fen=award["amount_fen"])
    for record in rows[OrderCommission]:
        _add(OrderCommission(**record))


def _add(row: TenantBase) -> None:
    session().add(row)
    session().flush()


def _add_to_balance(owner_id: UUID, *, amount_fen: int) -> None:
    key = {"owner_id": owner_id, "account": AccountName.AVAILABLE}
    balance = session().get(Balance, key, with_for_update=True)
    if balance is None:
        balance = Balance(**key, balance_fen=0)
        session().add(balance)
    balance.balance_fen += amount_fen
    session().flush()
