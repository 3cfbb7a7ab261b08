"""The chain over the books, and what is added up with it: both follow behind the write path.

Each posting's hash covers its row and the hash before it, so that a posting that is changed, removed or slipped in
afterwards breaks the chain at its place. A seal closes a number of postings in a row. In the transaction of the seals
`account_sum` and `earning` are brought up to the last sealed posting; whoever reads them adds what came after.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.bulk import driver
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session, unit_of_work
from tenants.ledger.models import PostingKind, Seal

#: Postings of one seal at most, and seals of one transaction: the more, the fewer times a promoter's sums are touched.
SEAL_ROWS = 10_000
SEALS_AT_ONCE = 30
#: How much of each posting's hash is kept.
KEPT_BYTES = 16
GENESIS = bytes(32)
#: Whether `seal_books` has something to do.
POSTINGS_UNSEALED = """
    (SELECT coalesce(max(position), 0) FROM posting) > (SELECT coalesce(max(last_position), 0) FROM seal)"""

_SEAL_LOCK = 3
#: Positions are given under the books lock, which lasts until the commit: whatever is seen has nothing before it.
#: A posting as the chain takes it: position, amount, microseconds since 2000, source, owner, kind, debit, credit, part,
#: all in network byte order. PostgreSQL puts it together several times faster than we would.
_ROWS = b"""
    SELECT int8send(position) || int8send(amount_fen) || timestamptz_send(posted_at) || uuid_send(source_id)
           || uuid_send(owner_id) || int2send(kind) || int2send(debit) || int2send(credit) || int2send(part)
      FROM posting WHERE position BETWEEN %s AND %s ORDER BY position
"""
_POSITION = slice(0, 8)
_SOURCE = slice(24, 40)
_SUM = sa.text(
    """
    INSERT INTO account_sum AS s (owner_id, account, fen)
    SELECT owner_id, account, sum(fen) FROM (
        SELECT owner_id, credit AS account, amount_fen AS fen FROM posting WHERE position BETWEEN :first AND :last
        UNION ALL SELECT owner_id, debit, -amount_fen FROM posting WHERE position BETWEEN :first AND :last) legs
     GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (owner_id, account) DO UPDATE SET fen = s.fen + excluded.fen
    """
)
_EARN = sa.text(
    """
    INSERT INTO earning AS e (period, owner_id, earned_fen, reversed_fen, net_fen, awards)
    SELECT p.period, d.owner_id, sum(d.earned), sum(d.taken), sum(d.earned - d.taken), sum(d.awards)
      FROM (SELECT owner_id, CAST(posted_at AT TIME ZONE 'Asia/Shanghai' AS date) AS day,
                   coalesce(sum(amount_fen) FILTER (WHERE kind = :award), 0) AS earned,
                   coalesce(sum(amount_fen) FILTER (WHERE kind = :back), 0) AS taken,
                   count(*) FILTER (WHERE kind = :award) AS awards
              FROM posting WHERE position BETWEEN :first AND :last AND kind IN (:award, :back) GROUP BY 1, 2) d
     CROSS JOIN LATERAL (VALUES ('all'), (to_char(d.day, '"m:"YYYY-MM')), (to_char(d.day, '"d:"YYYY-MM-DD')))
                p (period)
     GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (period, owner_id) DO UPDATE
       SET earned_fen = e.earned_fen + excluded.earned_fen, reversed_fen = e.reversed_fen + excluded.reversed_fen,
           net_fen = e.net_fen + excluded.net_fen, awards = e.awards + excluded.awards
    """
)


@dataclass(frozen=True, slots=True)
class Broken:
    """Where the chain breaks first: `changed`, `missing`, `inserted`, or a seal itself that is `missing`."""

    position: int
    what: str
    source_id: UUID | None = None

    def __str__(self) -> str:
        source = f" (source {self.source_id})" if self.source_id else ""
        return f"posting {self.position}{source}: {self.what}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What walking the chain found. Whoever keeps `head` elsewhere can tell later that all of it is still the same."""

    seals: int
    sealed: int
    unsealed: int
    head: str
    broken: Broken | None


def seal_books() -> int:
    """Seal what was posted since the last seal; returns how many seals."""
    with unit_of_work():
        session().execute(
            sa.select(sa.func.pg_advisory_xact_lock(_SEAL_LOCK, sa.func.hashtext(sa.func.current_schema())))
        )
        number, before, head = _last_seal()
        newest = min(_newest_position(), before + SEAL_ROWS * SEALS_AT_ONCE)
        if newest <= before:
            return 0
        first = before + 1
        for start in range(first, newest + 1, SEAL_ROWS):
            number, head = number + 1, _close(number + 1, (start, min(start + SEAL_ROWS - 1, newest)), head)
        session().flush()
        span = {"first": first, "last": newest}
        session().execute(_SUM, span)
        session().execute(_EARN, span | {"award": int(PostingKind.AWARD), "back": int(PostingKind.REVERSE)})
        return -(-(newest - before) // SEAL_ROWS)


def verify() -> Verdict:
    """Walk the whole chain of the bound brand and name the first posting that is not as it was sealed."""
    head, upto, count = GENESIS, 0, 0
    broken = _before_the_first()
    for number in session().scalars(sa.select(Seal.number).order_by(Seal.number)).all():
        if broken:
            break
        seal = session().get_one(Seal, number, populate_existing=True)
        broken, head = _walk(seal, number=count + 1, first=upto + 1, head=head)
        count, upto = number, seal.last_position
        session().expunge(seal)
    newest = _newest_position()
    return Verdict(count, upto, max(newest - upto, 0), head.hex(), broken or _gap_after(upto, newest))


def _walk(seal: Seal, *, number: int, first: int, head: bytes) -> tuple[Broken | None, bytes]:
    """Compare the postings of one seal with what it says; `number` and `first` are what should come next."""
    if (seal.number, seal.first_position) != (number, first):
        return Broken(first, "missing (a seal was removed)"), head
    kept, rows = seal.row_hashes, _rows(seal.first_position, seal.last_position)
    row = next(rows, None)
    for index, position in enumerate(range(seal.first_position, seal.last_position + 1)):
        if row is None or row[_POSITION] != _number(position):
            return Broken(position, "missing"), head
        before, head = head, _chain(head, row)
        following = next(rows, None)
        if head[:KEPT_BYTES] != kept[index * KEPT_BYTES : (index + 1) * KEPT_BYTES]:
            # A row that was slipped in pushed the one that was here one place on.
            pushed = following and _chain(before, _number(position) + following[_POSITION.stop :])
            what = "inserted" if pushed and kept[index * KEPT_BYTES :].startswith(pushed[:KEPT_BYTES]) else "changed"
            return Broken(position, what, UUID(bytes=row[_SOURCE])), head
        row = following
    if head != seal.hash:
        return Broken(seal.last_position, "changed (the seal does not fit)"), head
    return None, head


def _before_the_first() -> Broken | None:
    stray = session().scalar(sa.text("SELECT min(position) FROM posting WHERE position < 1"))
    return None if stray is None else Broken(stray, "inserted")


def _gap_after(upto: int, newest: int) -> Broken | None:
    """Return the first position that no posting has behind the seals, where the chain does not reach yet."""
    there = session().scalar(sa.text("SELECT count(*) FROM posting WHERE position > :upto"), {"upto": upto})
    if there == max(newest - upto, 0):
        return None
    query = (
        "SELECT min(n) FROM generate_series(CAST(:first AS bigint), :newest) n"
        " WHERE NOT EXISTS (SELECT FROM posting WHERE position = n)"
    )
    return Broken(session().scalars(sa.text(query), {"first": upto + 1, "newest": newest}).one(), "missing")


def _last_seal() -> tuple[int, int, bytes]:
    found = (
        session()
        .execute(sa.select(Seal.number, Seal.last_position, Seal.hash).order_by(Seal.number.desc()).limit(1))
        .first()
    )
    return (found[0], found[1], found[2]) if found else (0, 0, GENESIS)


def _newest_position() -> int:
    return session().scalar(sa.text("SELECT coalesce(max(position), 0) FROM posting")) or 0


def _close(number: int, span: tuple[int, int], head: bytes) -> bytes:
    """Write one seal over the postings of `span` and return its hash."""
    hashes = bytearray()
    for row in _rows(*span):
        head = _chain(head, row)
        hashes += head[:KEPT_BYTES]
    if len(hashes) != (span[1] - span[0] + 1) * KEPT_BYTES:
        raise LookupError(f"postings are missing between {span[0]} and {span[1]}")
    session().add(
        Seal(
            number=number,
            first_position=span[0],
            last_position=span[1],
            hash=head,
            row_hashes=bytes(hashes),
            sealed_at=brand_now(),
        )
    )
    return head


def _rows(first: int, last: int) -> Iterator[bytes]:
    with driver().cursor(binary=True) as cursor:
        for (row,) in cursor.execute(_ROWS, [first, last]):
            yield row


def _number(position: int) -> bytes:
    return position.to_bytes(8, "big")


def _chain(head: bytes, row: bytes) -> bytes:
    """Return the hash of a posting after the one before it: SHA-256 over that and the row's columns, in order."""
    return sha256(head + row).digest()
