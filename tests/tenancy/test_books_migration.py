"""The books of a brand that is older than their present form: after the migration every sum is what it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from psycopg.types.json import Jsonb

from fanyong.ids import new_id
from fanyong.tenancy import migrate
from tenants.invariants.checks import CHECKS, SHARED

#: What the accounts were called, and their numbers now.
ACCOUNTS = {"estimated": 11, "frozen": 12, "available": 13, "in_transfer": 14, "paid": 15, "debt": 17}

FACTS = {"order_id": new_id().hex, "levels_allowed": 1}
EXPLANATION = {
    "rule": "r",
    "because": "",
    "sku": "TEA",
    "tier": "gold",
    "level": 1,
    "line_paid_fen": 5,
    "base_fen": 5,
    "rate_bp": 10_000,
    "exact_fen_times_10000": 50_000,
    "rounding": "floor",
    "amount_fen": 5,
    "plan": "plan_levels",
    "plan_version": 3,
}


@pytest.fixture
def old_brand(spare_app: Flask, spare_owner: psycopg.Connection) -> Iterator[str]:
    """A schema as it was at the first revision."""
    schema = f"t_{new_id().hex}"
    spare_owner.execute(f"CREATE SCHEMA {schema}; CREATE ROLE {schema}".encode())
    with spare_app.app_context():
        script = migrate.script_for(schema, start=migrate.BASE, end="t0001")
    spare_owner.execute(f"SET search_path TO {schema}; {script}".encode())
    yield schema
    spare_owner.execute(
        f"RESET search_path; DROP SCHEMA {schema} CASCADE; DROP OWNED BY {schema}; DROP ROLE {schema}".encode()
    )


class OldBooks:
    """Writes rows as they were written then."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.owner, self.refund, self.withdrawal = new_id(), new_id(), new_id()
        connection.execute(
            "INSERT INTO member (id, openid, nickname, ancestors, joined_at) VALUES (%s, 'o', 'n', '{}', now())",
            [self.owner],
        )

    def post(self, key: str, debit: str, credit: str, amount_fen: int, source: object) -> None:
        """Post an amount between accounts of the promoter and the brand."""
        owners = [None if name == "commission_expense" else self.owner for name in (debit, credit)]
        self.connection.execute(
            "INSERT INTO posting VALUES (%s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp())",
            [new_id(), key, debit, owners[0], credit, owners[1], amount_fen, source],
        )

    def award(
        self,
        amount_fen: int,
        *,
        state: str = "estimated",
        due: str | None = None,
        holds: int = 0,
        left: int | None = None,
    ) -> UUID:
        """Pay an order with one award, and bring it as far as `state` says; `due` is an SQL interval from now."""
        award, order_id = new_id(), new_id()
        plan = new_id()
        frozen = Jsonb({"facts": FACTS, "plan_version_id": plan.hex, "policy": "2026-1", "window_days": 7})
        self.connection.execute(
            """INSERT INTO "order" VALUES (%s, %s, %s, 'paid', 1, 0, 0, 1, 0, %s, '', %s, now(), now(), now(), NULL,
                                           '', NULL, NULL)""",
            [order_id, order_id.hex, self.owner, order_id.hex, frozen],
        )
        self.connection.execute(
            "INSERT INTO order_commission VALUES (%s, %s, '[]', now(), %s)", [order_id, plan, holds]
        )
        self.connection.execute(
            "INSERT INTO award VALUES (%s, %s, %s, %s, 'r', %s, 'share', 1, %s, 10000, %s, %s, now())",
            [award, order_id, new_id(), plan, self.owner, amount_fen, amount_fen, Jsonb(EXPLANATION)],
        )
        at = f"now() + interval '{due}'" if due else "NULL"
        released = "now()" if state == "released" else "NULL"
        self.connection.execute(
            f"INSERT INTO accrual VALUES (%s, %s, %s, %s, %s, %s, {at}, {released})".encode(),
            [award, order_id, new_id(), self.owner, amount_fen if left is None else left, state],
        )
        self.post(f"award:{award}", "commission_expense", "estimated", amount_fen, award)
        if due:
            self.post(f"receive:{award}", "estimated", "frozen", amount_fen, award)
        if state == "released":
            self.post(f"release:{award}", "frozen", "available", amount_fen, award)
        return award

    def take_back(self, award: UUID, parts: dict[str, int]) -> None:
        """Take an award back from some accounts."""
        self.connection.execute(
            "INSERT INTO award_reversal VALUES (%s, %s, %s, %s, now())",
            [new_id(), award, self.refund, sum(parts.values())],
        )
        for account, amount_fen in parts.items():
            tail = "" if len(parts) == 1 else f":{account}"
            self.post(f"reverse:{award}:{self.refund}{tail}", account, "commission_expense", amount_fen, self.refund)


def write_old_books(books: OldBooks) -> None:
    """Write something of every kind: waiting, held, released, taken back with a debt, repaid, paid out, returned."""
    with books.connection.transaction():
        books.award(1_000, state="released", due="-3 days")
        gone = books.award(700, state="released", due="-2 days", left=0)
        books.award(50)
        for amount, holds in ((300, 0), (20, 0), (80, 1)):
            books.award(amount, state="frozen", due="5 days", holds=holds)
        half = books.award(60, state="frozen", due="6 days", left=25)
        books.take_back(half, {"frozen": 35})
        cancelled = books.award(90, state="reversed", left=0)
        books.take_back(cancelled, {"estimated": 90})
        for number in (1, 2):
            books.post(f"hold:{number}", "available", "in_transfer", 600, books.withdrawal if number == 1 else new_id())
        books.post("paid:1", "in_transfer", "paid", 600, books.withdrawal)
        books.take_back(gone, {"available": 500, "debt": 200})
        repaying = books.award(500, state="released", due="-1 days")
        books.post(f"offset:release:{repaying}", "available", "debt", 200, repaying)
        for account, amount in (("available", 300), ("debt", 0)):
            books.connection.execute("INSERT INTO balance VALUES (%s, %s, %s)", [books.owner, account, amount])
        waiting = new_id()
        for kind, done in (("paid", True), ("received", True), ("refunded", False)):
            books.connection.execute(
                "INSERT INTO commission_work VALUES (%s, %s, %s, %s, '{}', now(), %s, NULL, 1, now())",
                [new_id(), f"{kind}:{waiting}", kind, waiting, datetime.now(UTC) if done else None],
            )


def test_an_old_brands_books_come_to_the_same(
    spare_app: Flask, spare_owner: psycopg.Connection, old_brand: str
) -> None:
    books = OldBooks(spare_owner)
    write_old_books(books)
    before = _sums(spare_owner, "credit_account", "debit_account")
    with spare_app.app_context():
        script = migrate.script_for(old_brand, start="t0001", end="t0002")
    spare_owner.execute(script.encode())
    after = _sums(spare_owner, "credit", "debit")
    assert after == {ACCOUNTS.get(str(name), 1): fen for name, fen in before.items()}
    rows = spare_owner.execute("SELECT position, owner_id FROM posting ORDER BY 1").fetchall()
    assert rows == [(number, books.owner) for number in range(1, len(rows) + 1)]
    balances = spare_owner.execute("SELECT account, balance_fen FROM balance ORDER BY 1").fetchall()
    assert balances == [(13, 300), (17, 0)]
    reversals = spare_owner.execute(
        "SELECT p.part, p.debit, p.amount_fen, r.after_release FROM posting p"
        " JOIN award_reversal r ON r.id = p.source_id ORDER BY p.amount_fen"
    ).fetchall()
    assert reversals == [(0, 12, 35, False), (0, 11, 90, False), (1, 17, 200, True), (0, 13, 500, True)]
    buckets = spare_owner.execute(
        "SELECT amount_fen, released_at IS NOT NULL FROM release_bucket ORDER BY due_at"
    ).fetchall()
    assert buckets == [(1_000, True), (700, True), (500, True), (320, False), (25, False)]
    held = spare_owner.execute("SELECT owner_id, due_at FROM release_detour").fetchall()
    assert held == [(books.owner, None)]
    assert spare_owner.execute("SELECT kind FROM commission_work").fetchall() == [("refunded",)]
    award = spare_owner.execute("SELECT tier, details FROM award LIMIT 1").fetchone()
    assert award == ("gold", {"because": "", "sku": "TEA", "line_paid_fen": 5})
    for name in PROVED:
        assert _violations(spare_owner, name) == [], name


#: The invariants that a schema of this revision has all tables for.
PROVED = [
    name
    for name in CHECKS
    if name[:2] in ("1 ", "2 ", "3 ") or name.startswith(("5 every frozen", "6 ", "9 every paid"))
]


def _violations(connection: psycopg.Connection, name: str) -> list[tuple[object, ...]]:
    shared = ", ".join(f"{part} AS ({query})" for part, query in SHARED.items())
    return connection.execute(f"WITH {shared} {CHECKS[name]}".encode()).fetchall()


def _sums(connection: psycopg.Connection, credit: str, debit: str) -> dict[object, int]:
    rows = connection.execute(
        f"SELECT account, sum(fen)::bigint FROM (SELECT {credit} AS account, amount_fen AS fen FROM posting"
        f" UNION ALL SELECT {debit}, -amount_fen FROM posting) legs GROUP BY 1".encode()
    ).fetchall()
    return dict(rows)
