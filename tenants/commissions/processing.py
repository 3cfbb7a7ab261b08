"""Working the inbox off: the tender of this feature.

A portion is one transaction: rows are claimed and deleted, orders computed, and only then the books locked for a few
statements. What goes wrong rolls all of it back, and the portion is done again row by row, so that one row that cannot
be worked off delays no other. A crash before the commit leaves every row for the next call.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa

from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import PluginFailed
from fanyong.tenancy.bulk import driver
from fanyong.tenancy.clock import server_now
from fanyong.tenancy.database import session, unit_of_work
from tenants.commissions import awarding, holding, reversing
from tenants.commissions.awarding import Computed, PaidOrder
from tenants.commissions.holding import Receipt
from tenants.commissions.models import CommissionWork
from tenants.commissions.plans import propose
from tenants.commissions.releasing import release_due

__all__ = ["process_portion", "propose", "release_due"]

log = logging.getLogger(__name__)
#: Rows of one transaction at most; with less waiting a portion is smaller.
PORTION = 2_000
#: Pauses before failed work is tried again, in seconds; the last one repeats.
RETRY_PAUSES = (5, 30, 120, 600, 3_600)
MAX_ERROR = 500

#: A receipt or a refund waits until its order was computed; claiming is deleting, the effect is in the same commit.
_CLAIM = b"""
    WITH chosen AS MATERIALIZED (
        SELECT w.id FROM commission_work w
         WHERE w.next_try_at <= clock_timestamp()
           AND (w.kind = 'paid' OR EXISTS (SELECT FROM order_commission c
                                            WHERE c.order_id = w.order_id AND c.computed_at IS NOT NULL))
         ORDER BY w.id LIMIT %s FOR UPDATE OF w SKIP LOCKED
    ), claimed AS (
        DELETE FROM commission_work w USING chosen WHERE w.id = chosen.id
        RETURNING w.id, w.kind, w.order_id, w.payload, w.created_at, w.try_count
    )
    SELECT c.*, a.plan_version_id, a.facts FROM claimed c
      LEFT JOIN attribution a ON a.order_id = c.order_id AND c.kind = 'paid'
     ORDER BY c.id
"""


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed row of the inbox; of a paid order with its attribution."""

    id: UUID
    kind: str
    order_id: UUID
    payload: dict[str, Any] | None
    created_at: datetime
    try_count: int
    plan_version_id: UUID | None
    facts: str | None


@dataclass
class _Portion:
    """What is being worked off, and what could not be."""

    works: Sequence[Work]
    failed: dict[UUID, Exception] = field(default_factory=dict)


def process_portion(*, limit: int = PORTION) -> int:
    """Work up to `limit` inbox rows off, the oldest first; returns how many."""
    try:
        return _work_off(_together, limit)
    except (sa.exc.OperationalError, psycopg.OperationalError):
        # The server is away, or somebody else was faster: the next call finds everything as it was.
        raise
    except Exception:
        log.exception("a portion failed and is done again row by row")
        return _work_off(_one_by_one, limit)


def _work_off(way: Callable[[_Portion], None], limit: int) -> int:
    with unit_of_work(), _uncollected():
        portion = _Portion(_claim(limit))
        if portion.works:
            way(portion)
            _put_back(portion)
        return len(portion.works)


def _claim(limit: int) -> list[Work]:
    with driver().cursor(binary=True) as cursor:
        return [Work(*row) for row in cursor.execute(_CLAIM, [limit])]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from going through the objects of a portion again and again: it took half the time.

    They hold on to each other in no circle and go when the portion is over.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _together(portion: _Portion) -> None:
    computed = []
    for work in portion.works:
        if work.kind == "paid":
            try:
                computed.append(compute(work))
            except PluginFailed as failure:
                portion.failed[work.id] = failure
    _book(computed, portion.works)


def _one_by_one(portion: _Portion) -> None:
    for work in portion.works:
        try:
            with session().begin_nested():
                _book([compute(work)] if work.kind == "paid" else [], [work])
        except (sa.exc.OperationalError, psycopg.OperationalError):
            raise
        except Exception as error:
            log.warning("work %s of order %s failed: %s", work.kind, work.order_id, error)
            portion.failed[work.id] = error


def compute(work: Work) -> Computed:
    """Return what a paid order comes to; raises PluginFailed."""
    if work.facts is None:
        raise LookupError(f"order {work.order_id} was never frozen")
    return awarding.compute(PaidOrder(work.order_id, work.plan_version_id, work.facts))


def _book(computed: Sequence[Computed], works: Sequence[Work]) -> None:
    """Bring everything into the books: payments, then receipts, then refunds, whose order makes no difference."""
    if computed:
        awarding.write(computed)
    receipts = [
        Receipt(work.order_id, datetime.fromisoformat(work.payload["due_at"]))
        for work in works
        if work.kind == "received" and work.payload
    ]
    if receipts:
        holding.receive(receipts)
    for work in works:
        if work.kind == "refunded" and work.payload:
            reversing.reverse(work.order_id, work.payload)


def _put_back(portion: _Portion) -> None:
    """Leave what failed in the inbox with its error, for a later try; each way of failing is recorded once."""
    failures = {str(e): e for e in portion.failed.values() if isinstance(e, PluginFailed)}
    for failure in failures.values():
        plugins.record_failure(failure)
    rows = [_failed_row(work, portion.failed[work.id]) for work in portion.works if work.id in portion.failed]
    if rows:
        session().execute(sa.insert(CommissionWork), rows)


def _failed_row(work: Work, error: Exception) -> dict[str, Any]:
    tries = work.try_count + 1
    pause = RETRY_PAUSES[min(tries, len(RETRY_PAUSES)) - 1]
    return {
        "id": work.id,
        "kind": work.kind,
        "order_id": work.order_id,
        "payload": work.payload,
        "created_at": work.created_at,
        "error": str(error).replace("\0", " ")[:MAX_ERROR] or type(error).__name__,
        "try_count": tries,
        "next_try_at": server_now() + timedelta(seconds=pause),
    }
