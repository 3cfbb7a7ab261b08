"""From a paid callback to the commission that everybody can see, at a steady rate of orders.

The load enters at two doors: signed callbacks over HTTP, through gunicorn, and behind all of that the transaction that
freezes and queues a paid order, one an order. A process of its own does what a worker does after wake-ups and ticks;
another connection looks for what was committed. An order counts from the moment when it should have come, however late
we take it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import psycopg

from fanyong.jobs.tending import tend_bound_tenant
from fanyong.tenancy.context import Tenant
from tests.bench import callbacks
from tests.bench.figures import Figure, percentile
from tests.bench.hands import Hands, hands
from tests.bench.lab import Lab, add_members, current_plan
from tests.bench.rows import LEVELS

GOAL_MS, GOAL_RATE = 1_000, 1_000
SENDERS = 4
LOOK_SECONDS, PATIENCE_SECONDS = 0.005, 60
_NEW = b"""
    SELECT p.position, a.order_id FROM posting p JOIN award a ON a.id = p.source_id
     WHERE p.position > %s ORDER BY p.position
"""
#: Orders by when they should have come.
Sent = list[tuple[UUID, float]]


@dataclass(frozen=True)
class _Door:
    """Where the load enters: what sends at a rate, and the background of the brand."""

    lab: Lab
    tenant: Tenant
    background: Hands
    send: Callable[[int], Sent]

    def double(self, slowest: int, fastest: int) -> dict[int, float]:
        """Return the p99 in milliseconds by the rate, up to the first rate at which orders wait too long."""
        found: dict[int, float] = {}
        rate = slowest
        while rate <= fastest:
            found[rate] = self.at(rate)
            if found[rate] > GOAL_MS:
                break
            rate *= 2
        return found

    def at(self, rate: int) -> float:
        """Return the p99 at a rate, in milliseconds; all orders are through afterwards."""
        with _watching(self.lab, self.tenant) as seen:
            self.background.start("tend", [{"tenant": self.tenant.id.hex}])
            sent = self.send(rate)
            until = time.monotonic() + PATIENCE_SECONDS
            while not all(order in seen for order, _due in sent):
                assert time.monotonic() < until, "orders never reached the books"
                time.sleep(LOOK_SECONDS)
            self.background.stop()
            self.background.answers()
        return percentile([seen[order] - due for order, due in sent], 0.99) * 1_000


def measure(
    lab: Lab,
    *,
    rate: int = 1_000,
    slowest: int = 125,
    callbacks_rate: int = 10,
    most_callbacks: int = 160,
    span: int = 5,
) -> list[Figure]:
    """Double the rate until orders wait too long, at each door."""
    with lab.brand(sandbox=True) as tenant, hands(lab.app, size=SENDERS) as senders:
        with lab.inside(tenant):
            # What is done once a day is over then, the bills of the day before for one.
            assert tend_bound_tenant() == []
            people = [person.hex for person in add_members(100)]
            plan = current_plan().activation_id.hex
        asked = {"tenant": tenant.id.hex, "plan": plan, "people": people, "span": span}
        with hands(lab.app, size=1) as background:
            door = _Door(lab, tenant, background, lambda r: _sell(senders, asked, r))
            queued = door.double(slowest, 4 * rate)
            wanted = queued[rate] if rate in queued else door.at(rate)
    with lab.brand(sandbox=True) as tenant, hands(lab.app, size=1) as background:
        door = _Door(lab, tenant, background, _calling(lab, tenant, span=span))
        over_http = door.double(callbacks_rate, most_callbacks)
    return [
        Figure("visible", f"frozen and queued, {rate:,} orders/s for {span} s: p99", wanted, "ms", goal=GOAL_MS),
        Figure(
            "visible", "frozen and queued: the highest rate with p99 <= 1 s", _best(queued), "orders/s", goal=GOAL_RATE
        ),
        *[Figure("visible", f"frozen and queued, {r:,} orders/s: p99", p99, "ms") for r, p99 in queued.items()],
        Figure("visible", "callbacks: the highest rate with p99 <= 1 s", _best(over_http), "orders/s", goal=GOAL_RATE),
        *[Figure("visible", f"callbacks, {r:,} orders/s: p99", p99, "ms") for r, p99 in over_http.items()],
    ]


def _best(found: dict[int, float]) -> int:
    return max((rate for rate, p99 in found.items() if p99 <= GOAL_MS), default=0)


def _sell(senders: Hands, asked: dict[str, object], rate: int) -> Sent:
    # The senders take turns: each begins a fraction of its own pause after the one before.
    begin = time.time() + 0.2
    requests = [asked | {"rate": rate / senders.size, "begin": begin + n / rate} for n in range(senders.size)]
    return [(UUID(order), due) for sent in senders.ask("sell_at_rate", requests) for order, due in sent]


def _calling(lab: Lab, tenant: Tenant, *, span: int) -> Callable[[int], Sent]:
    """Return what sends paid callbacks of orders that it places first."""
    with lab.inside(tenant):
        buyer = callbacks.buyer_with_upline(LEVELS)
    numbers = iter(range(10**9))

    def send(rate: int) -> Sent:
        with lab.inside(tenant):
            placed = [callbacks.place(buyer, next(numbers)) for _ in range(rate * span)]
            assert tend_bound_tenant() == []
        ready = callbacks.signed(lab, tenant, placed)
        begin = time.time() + 0.2

        def deliver(number: int) -> tuple[UUID, float]:
            due = begin + number / rate
            time.sleep(max(0.0, due - time.time()))
            callbacks.deliver(lab, ready[number])
            return ready[number].order_id, due

        with ThreadPoolExecutor(SENDERS) as threads:
            return list(threads.map(deliver, range(len(ready))))

    return send


@contextmanager
def _watching(lab: Lab, tenant: Tenant) -> Iterator[dict[UUID, float]]:
    """Note when each order's first posting can be seen from outside."""
    seen: dict[UUID, float] = {}
    stop = threading.Event()

    def look() -> None:
        with lab.owner_connection(tenant) as connection:
            connection.autocommit = True
            last = connection.execute("SELECT coalesce(max(position), 0) FROM posting").fetchall()[0][0]
            while not stop.wait(LOOK_SECONDS):
                last = _note(connection, seen, last)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _note(connection: psycopg.Connection, seen: dict[UUID, float], last: int) -> int:
    for position, order_id in connection.execute(_NEW, [last]).fetchall():
        seen.setdefault(order_id, time.time())
        last = position
    return last
