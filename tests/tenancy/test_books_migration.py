"""The books of a brand that is older than their present form: after the migration every sum is what it was."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from flask import Flask

from fanyong.ids import new_id
from fanyong.tenancy import migrate

#: What the accounts were called, and their numbers now.
ACCOUNTS = {"estimated": 11, "frozen": 12, "available": 13, "in_transfer": 14, "paid": 15, "debt": 17}


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

    def award(self, amount_fen: int) -> object:
        """Make an award with its posting."""
        award = new_id()
        self.connection.execute(
            "INSERT INTO award VALUES (%s, %s, %s, %s, 'r', %s, 'share', 1, %s, 10000, %s, '{}', now())",
            [award, new_id(), new_id(), new_id(), self.owner, amount_fen, amount_fen],
        )
        self.post(f"award:{award}", "commission_expense", "estimated", amount_fen, award)
        return award

    def take_back(self, award: object, parts: dict[str, int]) -> None:
        """Take an award back from some accounts."""
        self.connection.execute(
            "INSERT INTO award_reversal VALUES (%s, %s, %s, %s, now())",
            [new_id(), award, self.refund, sum(parts.values())],
        )
        for account, amount_fen in parts.items():
            tail = "" if len(parts) == 1 else f":{account}"
            self.post(f"reverse:{award}:{self.refund}{tail}", account, "commission_expense", amount_fen, self.refund)


def write_old_books(books: OldBooks) -> None:
    """Write something of every kind: released, taken back with a debt, repaid, held, paid and returned."""
    released, gone, repaying = (books.award(amount) for amount in (1_000, 700, 500))
    books.award(50)
    for award, amount in ((released, 1_000), (gone, 700)):
        books.post(f"receive:{award}", "estimated", "frozen", amount, award)
        books.post(f"release:{award}", "frozen", "available", amount, award)
    for number in (1, 2):
        books.post(f"hold:{number}", "available", "in_transfer", 600, books.withdrawal if number == 1 else new_id())
    books.post("paid:1", "in_transfer", "paid", 600, books.withdrawal)
    books.take_back(gone, {"available": 500, "debt": 200})
    books.post(f"receive:{repaying}", "estimated", "frozen", 500, repaying)
    books.post(f"release:{repaying}", "frozen", "available", 500, repaying)
    books.post(f"offset:release:{repaying}", "available", "debt", 200, repaying)
    for account, amount in (("available", 300), ("debt", 0)):
        books.connection.execute("INSERT INTO balance VALUES (%s, %s, %s)", [books.owner, account, amount])


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
    reversed_ = spare_owner.execute(
        "SELECT p.part, p.debit, p.amount_fen FROM posting p JOIN award_reversal r ON r.id = p.source_id ORDER BY 1"
    ).fetchall()
    assert reversed_ == [(0, 13, 500), (1, 17, 200)]


def _sums(connection: psycopg.Connection, credit: str, debit: str) -> dict[object, int]:
    rows = connection.execute(
        f"SELECT account, sum(fen)::bigint FROM (SELECT {credit} AS account, amount_fen AS fen FROM posting"
        f" UNION ALL SELECT {debit}, -amount_fen FROM posting) legs GROUP BY 1".encode()
    ).fetchall()
    return dict(rows)
