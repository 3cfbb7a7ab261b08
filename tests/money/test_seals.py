"""The chain over the books: whatever somebody with all rights does to a sealed posting, the first one is named."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest
from flask import Flask

from fanyong.tenancy.clock import brand_now
from fanyong.web.filters import beijing_day
from tenants.ledger import board, sealing
from tenants.ledger.service import Figures
from tests.money.parts import Till

ROWS = 5


@pytest.fixture
def books(till: Till, monkeypatch: pytest.MonkeyPatch) -> Till:
    """A brand with 14 sealed postings in three seals, and some behind them."""
    monkeypatch.setattr(sealing, "SEAL_ROWS", ROWS)
    till.product("a", price_fen=10_000)
    till.plan()
    till.window(0)
    promoter = till.member("promoter")
    buyer = till.member("buyer", under=promoter)
    for _ in range(4):
        till.received(buyer)
    till.settle()
    till.withdraw(promoter, 500)
    till.paid(buyer)
    till.settle()
    assert seal(till) == 3
    till.paid(buyer)
    till.settle()
    return till


def seal(till: Till) -> int:
    """Seal what can be sealed."""
    with till.inside():
        return sealing.seal_books()


def verdict(till: Till) -> sealing.Verdict:
    """Walk the chain."""
    with till.work():
        return sealing.verify()


def tamper(till: Till, *statements: str) -> str:
    """Do something to the postings and return what the walk says."""
    with till.owner() as connection:
        connection.execute("ALTER TABLE posting DISABLE TRIGGER USER")
        connection.execute("ALTER TABLE seal DISABLE TRIGGER USER")
        for statement in statements:
            assert connection.execute(statement.encode()).rowcount > 0, "it changed nothing"
        connection.execute("ALTER TABLE posting ENABLE TRIGGER USER")
        connection.execute("ALTER TABLE seal ENABLE TRIGGER USER")
    return str(verdict(till).broken)


def test_books_that_nobody_touched_are_whole(books: Till) -> None:
    found = verdict(books)
    assert found.broken is None
    assert (found.seals, found.sealed, found.unsealed) == (3, 14, 1)
    assert seal(books) == 1
    assert seal(books) == 0
    after = verdict(books)
    assert (after.broken, after.sealed, after.unsealed) == (None, 15, 0)
    assert after.head != found.head
    books.check()


@pytest.mark.parametrize(
    "column",
    [
        "amount_fen = amount_fen + 1",
        "posted_at = posted_at + interval '1 microsecond'",
        "owner_id = gen_random_uuid()",
        "source_id = gen_random_uuid()",
        "kind = 9",
        "debit = 17",
        "credit = 17",
        "part = 7",
    ],
)
def test_a_posting_that_was_changed_is_named(books: Till, column: str) -> None:
    assert verdict(books).broken is None
    with books.owner() as connection:
        row = connection.execute("SELECT source_id FROM posting WHERE position = 7").fetchone()
    assert row is not None
    told = tamper(books, f"UPDATE posting SET {column} WHERE position = 7")
    assert told.startswith("posting 7 ")
    assert told.endswith("changed")
    if not column.startswith("source_id"):
        assert str(row[0]) in told


#: Positions are unique, so that postings are pushed on over numbers that nobody has.
AWAY = "UPDATE posting SET position = position + 1000 WHERE position >= 7"
BACK = "UPDATE posting SET position = position - 999 WHERE position > 1000"


def test_a_posting_that_was_removed_is_named(books: Till) -> None:
    assert tamper(books, "DELETE FROM posting WHERE position = 7") == "posting 7: missing"


def test_the_last_posting_of_the_seals_that_was_removed_is_named(books: Till) -> None:
    assert tamper(books, "DELETE FROM posting WHERE position >= 14") == "posting 14: missing"


def test_a_posting_behind_the_seals_that_was_removed_is_named(books: Till) -> None:
    buyer = books.member("second", under=books.member("above"))
    for _ in range(2):
        books.paid(buyer)
    books.settle()
    assert verdict(books).unsealed == 3
    assert tamper(books, "DELETE FROM posting WHERE position = 16") == "posting 16: missing"


def test_a_posting_that_was_slipped_in_is_named(books: Till) -> None:
    told = tamper(
        books,
        AWAY,
        BACK,
        "INSERT INTO posting SELECT 7, 1, now(), gen_random_uuid(), owner_id, 12, 1, 13, 0 FROM posting LIMIT 1",
    )
    assert told.startswith("posting 7 ")
    assert told.endswith("inserted")


def test_a_posting_slipped_in_before_all_others_is_named(books: Till) -> None:
    insert = "INSERT INTO posting SELECT 0, 1, now(), gen_random_uuid(), owner_id, 12, 1, 13, 0 FROM posting LIMIT 1"
    assert tamper(books, insert) == "posting 0: inserted"


def test_two_postings_that_changed_places_are_named(books: Till) -> None:
    told = tamper(
        books,
        "UPDATE posting SET position = 1000 WHERE position = 6",
        "UPDATE posting SET position = 6 WHERE position = 8",
        "UPDATE posting SET position = 8 WHERE position = 1000",
    )
    assert told.startswith("posting 6 ")
    assert "changed" in told or "inserted" in told


def test_a_seal_that_was_removed_or_changed_is_noticed(books: Till) -> None:
    assert "a seal was removed" in tamper(books, "DELETE FROM seal WHERE number = 2")


def test_a_seal_that_was_changed_is_noticed(books: Till) -> None:
    told = tamper(books, "UPDATE seal SET hash = sha256(hash) WHERE number = 2")
    assert told == "posting 10: changed (the seal does not fit)"


def test_a_hash_that_was_changed_is_noticed(books: Till) -> None:
    told = tamper(books, "UPDATE seal SET row_hashes = set_byte(row_hashes, 16, (get_byte(row_hashes, 16) + 1) % 256)")
    assert told.startswith("posting 2 ")


def test_the_command_names_the_posting_and_fails(app: Flask, books: Till) -> None:
    run = app.test_cli_runner().invoke
    whole = run(args=["ledger", "verify", "--tenant", books.tenant.slug])
    assert (whole.exit_code, " ok (seals 3, sealed 14, unsealed 1, head " in whole.output) == (0, True), whole.output
    tamper(books, "UPDATE posting SET amount_fen = 1 WHERE position = 3")
    broken = run(args=["ledger", "verify", "--all"])
    assert broken.exit_code == 1
    assert f"{books.tenant.slug}: BROKEN at posting 3 " in broken.output


def test_figures_and_boards_follow_the_seals(books: Till) -> None:
    seal(books)
    books.check()
    with books.work():
        today: date = beijing_day(brand_now())
        standings = board.leader_board()
        promoter: UUID = standings[0].owner_id
        assert [(s.rank, s.net_fen, s.awards) for s in standings] == [(1, 6_000, 6)]
        assert board.rank_of(promoter, board.month(today)) == standings[0]
        assert board.rank_of(promoter, board.day(today)) == standings[0]
        assert board.trend(promoter, first=today, last=today) == {f"{today}": 6_000}
    expected = Figures(estimated_fen=2_000, available_fen=3_500, in_transfer_fen=500)
    assert books.figures(promoter) == expected
    with books.owner() as connection:
        connection.execute("TRUNCATE posting")
    assert books.figures(promoter) == expected, "what is sealed is not added up again"
