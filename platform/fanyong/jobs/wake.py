"""Tell the workers, after the commit, that a brand has something to do.

The wake-up is only a hint: what is to be done stands in the brand's tables, and the scheduler's tick finds it
when Redis lost the hint.
"""

from __future__ import annotations

import logging
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
#: A second hint within this time is dropped; the job clears the mark before it looks for work.
MARK_SECONDS = 10


def queue() -> Queue:
    """Return the work queue."""
    return Queue(QUEUE, connection=redis())


def redis() -> Redis:
    """Return the application's Redis connection."""
    connection: Redis = current_app.extensions["redis"]
    return connection


def wake_mark(tenant_id: UUID) -> str:
    """Return the Redis key that says a wake-up of this brand is on its way."""
    return f"wake:{tenant_id.hex}"


def request_wake() -> None:
    """Ask that the bound brand be tended to once the present unit of work has committed."""
    session().info["wake"] = current_tenant().id


def wake(tenant_id: UUID) -> None:
    """Queue the job that tends to a brand, unless one is queued already; a lost Redis costs only time."""
    try:
        if redis().set(wake_mark(tenant_id), "1", nx=True, ex=MARK_SECONDS):
            queue().enqueue(TEND_JOB, tenant_id.hex, result_ttl=0, failure_ttl=7 * 86_400, job_timeout=300)
    except RedisError as error:
        log.warning("the wake-up of %s was lost: %s", tenant_id, error)


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
