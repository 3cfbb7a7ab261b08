"""Tell the workers, after the commit, that a brand has something to do.

The wake-up is only a hint: what is to be done stands in the brand's tables, and the scheduler's tick finds it
when Redis lost the hint.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from flask import current_app
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from sqlalchemy import event
from sqlalchemy.orm import Session

from fanyong.tenancy.context import current_tenant
from fanyong.tenancy.database import session

log = logging.getLogger(__name__)
QUEUE = "default"
TEND_JOB = "fanyong.jobs.tending.tend_tenant"
LOOK_JOB = "fanyong.jobs.tending.look_at"
#: So few that a wake-up never waits long behind them.
BRANDS_A_LOOK = 20
#: A second hint within this time is dropped; the job clears the mark before it looks for work.
MARK_SECONDS = 10


def queue() -> Queue:
    """Return the work queue."""
    return Queue(QUEUE, connection=redis())


def redis() -> Redis:
    """Return the application's Redis connection."""
    connection: Redis = current_app.extensions["redis"]
    return connection


def wake_mark(tenant_id: UUID, *, whole: bool = False) -> str:
    """Return the Redis key that says a wake-up of this brand is on its way."""
    return f"{'tick' if whole else 'wake'}:{tenant_id.hex}"


def request_wake() -> None:
    """Ask that the bound brand be tended to once the present unit of work has committed."""
    session().info["wake"] = current_tenant().id


def look_mark(tenant_ids: Sequence[UUID]) -> str:
    """Return the Redis key that says that somebody will look at these brands."""
    return f"look:{tenant_ids[0].hex}"


def wake(tenant_id: UUID, *, whole: bool = False) -> None:
    """Queue the job that tends to a brand, unless one is queued already; a lost Redis costs only time.

    `whole` does everything that is due, otherwise what can wait for the next tick does.
    """
    _send_once(wake_mark(tenant_id, whole=whole), TEND_JOB, tenant_id.hex, whole=whole)


def send_look(tenant_ids: Sequence[UUID]) -> None:
    """Queue the job that wakes those of some brands that have something to do, unless one is queued already."""
    _send_once(look_mark(tenant_ids), LOOK_JOB, [tenant_id.hex for tenant_id in tenant_ids])


def _send_once(mark: str, job: str, argument: str | list[str], **options: bool) -> None:
    try:
        if redis().set(mark, "1", nx=True, ex=MARK_SECONDS):
            queue().enqueue(job, argument, **options, result_ttl=0, failure_ttl=7 * 86_400, job_timeout=300)
    except RedisError as error:
        log.warning("a wake-up was lost (%s): %s", mark, error)


@event.listens_for(Session, "after_commit")
def _send(work: Session) -> None:
    # The end of a savepoint is no commit: nobody sees the work yet, and it may still be rolled back.
    tenant_id = None if work.in_nested_transaction() else work.info.pop("wake", None)
    if tenant_id is not None:
        wake(tenant_id)


@event.listens_for(Session, "after_rollback")
def _forget(work: Session) -> None:
    if not work.in_nested_transaction():
        work.info.pop("wake", None)
