"""Release buckets: what a promoter gets at one moment. Whoever changes one holds the books lock."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from fanyong.ids import new_id
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session

#: A promoter's bucket: its moment and its owner.
Place = tuple[datetime, UUID]

_KEYS = "unnest(CAST(:dues AS timestamptz[]), CAST(:owners AS uuid[]))"
_PUT = sa.text(
    """
    INSERT INTO release_bucket AS b (id, due_at, owner_id, amount_fen)
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:dues AS timestamptz[]), CAST(:owners AS uuid[]),
                         CAST(:fens AS bigint[]))
    ON CONFLICT (due_at, owner_id) DO UPDATE SET amount_fen = b.amount_fen + excluded.amount_fen
     WHERE b.released_at IS NULL
    RETURNING b.id
    """
)
_TAKE = sa.text(
    """
    UPDATE release_bucket b SET amount_fen = b.amount_fen - t.fen
      FROM unnest(CAST(:dues AS timestamptz[]), CAST(:owners AS uuid[]), CAST(:fens AS bigint[]))
           AS t (due_at, owner_id, fen)
     WHERE b.due_at = t.due_at AND b.owner_id = t.owner_id AND b.released_at IS NULL
    RETURNING b.id
    """
)
_RELEASED = sa.text(
    f"""
    SELECT b.due_at, b.owner_id FROM {_KEYS} AS k (due_at, owner_id)
      JOIN release_bucket b ON b.due_at = k.due_at AND b.owner_id = k.owner_id
     WHERE b.released_at IS NOT NULL
    """
)


def put(amounts: Mapping[Place, int]) -> None:
    """Add amounts to the buckets of their places; raises LookupError when one of them was released already."""
    _change(_PUT, amounts)


def take(amounts: Mapping[Place, int]) -> None:
    """Take amounts out of buckets; raises LookupError when one of them is not there or was released already."""
    _change(_TAKE, amounts)


def released(places: Collection[Place]) -> set[Place]:
    """Return which of the places have buckets that were released."""
    if not places:
        return set()
    keys = {"dues": [due for due, _owner in places], "owners": [owner for _due, owner in places]}
    return {(due, owner) for due, owner in session().execute(_RELEASED, keys)}


def free_moment(due_at: datetime, owners: Collection[UUID]) -> datetime:
    """Return `due_at`, or where the bucket of one of the owners was released at that moment, the next free one."""
    moment = due_at
    while released([(moment, owner) for owner in owners]):
        moment = max(brand_now(), moment + timedelta(microseconds=1))
    return moment


def _change(statement: sa.TextClause, amounts: Mapping[Place, int]) -> None:
    rows = sorted((due, owner, fen) for (due, owner), fen in amounts.items() if fen)
    if not rows:
        return
    values = {
        # Only new buckets need one.
        "ids": [new_id() for _ in rows],
        "dues": [due for due, _owner, _fen in rows],
        "owners": [owner for _due, owner, _fen in rows],
        "fens": [fen for _due, _owner, fen in rows],
    }
    if len(session().execute(statement, values).all()) != len(rows):
        raise LookupError("a bucket of commissions is not there, or was released already")
