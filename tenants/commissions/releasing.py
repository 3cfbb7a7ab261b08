"""Releasing what is due: the buckets whose moment has come, a chunk at a time."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.sql.dml import ReturningUpdate

from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session, unit_of_work
from tenants.commissions.models import ReleaseBucket
from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, PostingKind
from tenants.ledger.service import Release
from tenants.settlement import service as settlement

#: Buckets of one transaction. A withdrawal that comes meanwhile waits for it, so it is small rather than fastest.
RELEASE_CHUNK = 400
#: Whether `release_due` has something to do.
RELEASES_DUE = """
    EXISTS (SELECT FROM release_bucket b WHERE b.released_at IS NULL AND b.due_at <= clock.brand_now
               AND NOT EXISTS (SELECT FROM release_hold h WHERE h.member_id = b.owner_id AND h.lifted_at IS NULL))"""


def release_due() -> int:
    """Release a chunk of buckets whose time has come by the database's clock; returns how many."""
    with unit_of_work():
        ledger.lock_books()
        now = brand_now()
        rows = session().execute(_claim(now)).all()
        release(now, [(bucket_id, owner, fen) for bucket_id, owner, fen in rows])
        return len(rows)


def release(now: datetime, claimed: list[tuple[UUID, UUID, int]]) -> None:
    """Book the release of (bucket, owner, amount); one that refunds have emptied needs no posting."""
    ledger.release_to_available(
        PostingKind.RELEASE,
        [Release(bucket_id, owner, fen) for bucket_id, owner, fen in claimed if fen],
        out_of=AccountName.FROZEN,
        at=now,
    )


def due_buckets(now: datetime) -> sa.Select[UUID]:
    """Return the query of the buckets whose time has come, but for promoters whose commissions are on hold."""
    return sa.select(ReleaseBucket.id).where(
        ReleaseBucket.released_at.is_(None),
        ReleaseBucket.due_at <= now,
        ReleaseBucket.owner_id.not_in(settlement.held_members()),
    )


def _claim(now: datetime) -> ReturningUpdate[UUID, UUID, int]:
    chosen = (
        due_buckets(now)
        .order_by(ReleaseBucket.due_at, ReleaseBucket.owner_id)
        .limit(RELEASE_CHUNK)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    return (
        sa.update(ReleaseBucket)
        .where(ReleaseBucket.id == chosen.c.id)
        .values(released_at=now)
        .returning(ReleaseBucket.id, ReleaseBucket.owner_id, ReleaseBucket.amount_fen)
        .execution_options(synchronize_session=False)
    )
