"""Each invariant is shown to bite: somebody with the owner's rights spoils the books, and the check says where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from fanyong.pluginhost import service as plugins
from fanyong.tenancy.database import session
from tenants.commissions import service as commissions
from tenants.commissions.models import Award
from tenants.invariants import service
from tenants.invariants.checks import CHECKS
from tenants.invariants.service import RECONCILED, Report, check_books
from tenants.ledger import sealing
from tenants.reconciliation import differences
from tenants.reconciliation import service as reconciliation
from tests.money.parts import Till

RECOMPUTED = "10 computing an order again gives the same fen"

#: What spoils the books, by the invariants that have to notice. `{...}` are things of the scene.
CORRUPTIONS: dict[str, tuple[list[str], str]] = {
    "a posting of nothing": (
        ["1 every posting moves an amount between two accounts"],
        "UPDATE posting SET amount_fen = 0 WHERE kind = 3",
    ),
    "a posting from an account to itself": (
        ["1 every posting moves an amount between two accounts"],
        "UPDATE posting SET debit = credit WHERE kind = 3",
    ),
    "a posting to an account that does not exist": (
        ["1 every posting moves an amount between two accounts"],
        "UPDATE posting SET credit = 99 WHERE kind = 7",
    ),
    "a posting between two accounts of the brand": (
        ["1 every posting moves an amount between two accounts"],
        "UPDATE posting SET debit = 2, credit = 3 WHERE kind = 7",
    ),
    "a posting of an unknown kind": (
        ["1 every posting moves an amount between two accounts"],
        "UPDATE posting SET kind = 99 WHERE kind = 7",
    ),
    "a limit that counts what nobody earned": (
        ["4 limits over several orders count what they let through"],
        "INSERT INTO plan_spending (scope_id, period, spent_fen) VALUES ('{promoter}', 'd:2026-11-22', 1)",
    ),
    "a reward of a month that nobody looked at": (
        ["10 every posted reward of a month stands in the books once"],
        "UPDATE award SET kind = 'period'",
    ),
    "a day whose bill says more than its differences": (
        [RECONCILED],
        "INSERT INTO reconciled_day (day, payments, refunds, transfers, payments_fen, refunds_fen, transfers_fen,"
        " bill_payments_fen, bill_refunds_fen, bill_transfers_fen, differences, problem, try_count)"
        " VALUES ('2026-11-01', 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, '', 0)",
    ),
    "a posting of a stranger": (
        ["11 every posting is of a member of this brand"],
        "UPDATE posting SET owner_id = gen_random_uuid() WHERE kind = 7",
    ),
    "a balance that nobody posted": (
        ["1 a stored balance equals the sum of its postings"],
        "UPDATE balance SET balance_fen = balance_fen + 1 WHERE account = 13",
    ),
    "a balance that is gone": (
        ["1 a stored balance equals the sum of its postings"],
        "DELETE FROM balance WHERE account = 13",
    ),
    "a debt that is forgotten": (
        ["1 a stored balance equals the sum of its postings"],
        "UPDATE balance SET balance_fen = 0 WHERE account = 17",
    ),
    "money that no award explains": (
        ["2 commissions less reversals equal the promoter's accounts"],
        "INSERT INTO posting SELECT max(position) + 1, 5, now(), gen_random_uuid(), '{promoter}', 12, 1, 15, 0"
        " FROM posting",
    ),
    "an award that lost its posting": (
        [
            "2 commissions less reversals equal the promoter's accounts",
            "10 every award stands in the books with its amount",
        ],
        "DELETE FROM posting WHERE kind = 1",
    ),
    "an award of another amount": (
        ["10 every award stands in the books with its amount", RECOMPUTED],
        "UPDATE award SET amount_fen = amount_fen - 1",
    ),
    "an award that was made up": (
        ["10 every award stands in the books with its amount", RECOMPUTED],
        "INSERT INTO award SELECT gen_random_uuid(), order_id, line_id, plan_version_id, beneficiary_id, base_fen, 1,"
        " awarded_at, rate_bp, level, kind, 'gift', tier, details FROM award LIMIT 1",
    ),
    "an award that is gone": ([RECOMPUTED], "DELETE FROM award"),
    "a receipt that is forgotten": (
        [
            "2 what is not received equals the account estimated",
            "2 a bucket holds what is left of its awards",
            "5 every received order is on its way to the release",
        ],
        "UPDATE order_commission SET due_at = NULL WHERE due_at IS NOT NULL",
    ),
    "a commission in nobody's bucket": (
        ["2 a bucket holds what is left of its awards", "2 what waits and what is held equals the account frozen"],
        "DELETE FROM release_bucket WHERE released_at IS NULL",
    ),
    "a bucket that grew": (
        ["2 a bucket holds what is left of its awards", "2 what waits and what is held equals the account frozen"],
        "UPDATE release_bucket SET amount_fen = amount_fen + 1 WHERE released_at IS NULL",
    ),
    "a bucket that changed hands": (
        ["2 a bucket holds what is left of its awards", "6 what is released was due, and was posted once"],
        "UPDATE release_bucket SET owner_id = '{buyer}' WHERE released_at IS NOT NULL",
    ),
    "a hold that nobody posted": (
        ["2 a bucket holds what is left of its awards", "2 what waits and what is held equals the account frozen"],
        "INSERT INTO release_detour SELECT order_id, '{promoter}', NULL FROM order_commission WHERE due_at > now()",
    ),
    "a figure that nobody posted": (
        ["1 the sums behind the figures equal the sealed postings"],
        "UPDATE account_sum SET fen = fen + 1 WHERE account = 11",
    ),
    "earnings that nobody posted": (
        ["1 earnings equal the sealed awards and reversals"],
        "UPDATE earning SET earned_fen = earned_fen + 1, net_fen = net_fen + 1 WHERE period = 'all'",
    ),
    "a month that forgot something": (
        ["1 earnings equal the sealed awards and reversals"],
        "DELETE FROM earning WHERE period LIKE 'm:%'",
    ),
    "a posting that vanished": (
        ["10 postings are numbered without gaps"],
        "DELETE FROM posting WHERE position = 1",
    ),
    "an overdrawn account": (
        ["3 no account of a promoter is overdrawn"],
        "UPDATE posting SET amount_fen = amount_fen + 100000 WHERE kind = 7",
    ),
    "a line that awards more than it cost": (
        ["4 commissions of a line never exceed what was paid for it"],
        "UPDATE order_line SET paid_fen = 1, discount_fen = unit_price_fen * quantity - 1, refunded_fen = 0",
    ),
    "a reversal that is gone": (
        [
            "4 reversals stay within the award and follow the refunds",
            "2 commissions less reversals equal the promoter's accounts",
        ],
        "DELETE FROM award_reversal",
    ),
    "a reversal of another amount": (
        ["4 reversals stay within the award and follow the refunds"],
        "UPDATE award_reversal SET amount_fen = amount_fen + 1",
    ),
    "a refund the books never heard of": (
        ["4 reversals stay within the award and follow the refunds"],
        "UPDATE order_refund SET state = 'done' WHERE state = 'failed'",
    ),
    "a paid order that never reached the books": (
        ["5 every frozen order was computed, or waits for it, exactly once"],
        "UPDATE order_commission SET computed_at = NULL",
    ),
    "a paid order that waits once more": (
        ["5 every frozen order was computed, or waits for it, exactly once"],
        "INSERT INTO commission_work (id, kind, order_id) SELECT gen_random_uuid(), 'paid', order_id FROM attribution",
    ),
    "an attribution of an order that was never paid": (
        ["9 every paid order has its attribution frozen"],
        'UPDATE "order" SET paid_at = NULL',
    ),
    "a release before its time": (
        ["6 what is released was due, and was posted once"],
        "UPDATE release_bucket SET released_at = due_at - interval '1 second' WHERE released_at IS NOT NULL",
    ),
    "a release without its posting": (
        ["6 what is released was due, and was posted once"],
        "DELETE FROM posting WHERE kind = 3",
    ),
    "a posting whose release is forgotten": (
        ["6 what is released was due, and was posted once"],
        "UPDATE release_bucket SET released_at = NULL WHERE released_at IS NOT NULL",
    ),
    "a tax that nobody booked": (
        ["7 every withdrawal is held, and then paid or returned exactly once"],
        "UPDATE withdrawal SET tax_fen = 1, net_fen = net_fen - 1 WHERE state = 'paid'",
    ),
    "a withdrawal that was never held": (
        ["7 every withdrawal is held, and then paid or returned exactly once"],
        "DELETE FROM posting WHERE kind = 6",
    ),
    "a withdrawal that was paid and not booked": (
        ["7 every withdrawal is held, and then paid or returned exactly once"],
        "DELETE FROM posting WHERE kind = 7",
    ),
    "a withdrawal that came back and was paid": (
        ["7 every withdrawal is held, and then paid or returned exactly once"],
        "UPDATE withdrawal SET state = 'paid' WHERE state = 'rejected'",
    ),
    "a rejected withdrawal whose money is gone": (
        ["7 every withdrawal is held, and then paid or returned exactly once"],
        "DELETE FROM posting WHERE kind = 8",
    ),
    "a transfer of another amount": (
        ["7 every withdrawal is held, and then paid or returned exactly once"],
        "UPDATE transfer SET amount_fen = amount_fen + 1",
    ),
    "a transfer that was paid behind our back": (
        ["7 every withdrawal is held, and then paid or returned exactly once"],
        "UPDATE transfer SET state = 'paid' WHERE state <> 'paid'",
    ),
    "a debt that was given up outside the books": (
        ["7 every debt given up stands in the books"],
        "INSERT INTO debt_write_off (id, member_id, amount_fen, reason, written_off_at, written_off_by)"
        " VALUES (gen_random_uuid(), '{promoter}', 1, 'x', now(), 'x')",
    ),
    "a payout that came back and was not booked": (
        ["7 every withdrawal is held, and then paid or returned exactly once"],
        "UPDATE withdrawal SET state = 'returned', returned_at = now(), transfer_id = NULL WHERE state = 'paid'",
    ),
    "tax given back outside the books": (
        ["7 tax given back stands in the books, and was withheld before"],
        "INSERT INTO tax_correction (id, member_id, withdrawal_id, tax_month, cause_id, amount_fen, cause_state,"
        " withheld_before_fen, booked_at)"
        " SELECT gen_random_uuid(), member_id, id, tax_month, id, 1, 'paid', 1, now() FROM withdrawal"
        " WHERE state = 'paid'",
    ),
    "two members above each other": (
        ["9 the relations form no circle and ancestors follow the parent"],
        "UPDATE member SET parent_id = '{buyer}', ancestors = ARRAY['{buyer}', '{promoter}']::uuid[]"
        " WHERE id = '{promoter}'",
    ),
    "ancestors that lag behind": (
        ["9 the relations form no circle and ancestors follow the parent"],
        "UPDATE member SET ancestors = '{}' WHERE id = '{buyer}'",
    ),
    "ancestors without a parent": (
        ["9 the relations form no circle and ancestors follow the parent"],
        "UPDATE member SET ancestors = ARRAY['{buyer}']::uuid[] WHERE parent_id IS NULL",
    ),
    "an attribution that was never frozen": (
        ["9 every paid order has its attribution frozen"],
        "DELETE FROM attribution",
    ),
    "facts that were changed afterwards": (
        [RECOMPUTED],
        """UPDATE attribution SET facts = replace(facts, '"levels_allowed":1', '"levels_allowed":0')""",
    ),
    "a plan that was changed afterwards": ([RECOMPUTED], "UPDATE attribution SET plan_version_id = NULL"),
    "a payment of another amount": (
        ["11 payments and refunds of orders add up"],
        "UPDATE payment_intent SET amount_fen = amount_fen + 1",
    ),
    "a paid order without a payment": (
        ["11 payments and refunds of orders add up"],
        "UPDATE payment_intent SET state = 'canceled'",
    ),
    "an order that forgot a refund": (
        ["11 payments and refunds of orders add up"],
        'UPDATE "order" SET refunded_fen = 0',
    ),
    "more given back than was paid": (
        ["11 refunds never exceed their payment"],
        "UPDATE refund SET amount_fen = 1000000 WHERE state = 'succeeded'",
    ),
}


@dataclass(frozen=True)
class Scene:
    """A brand with something of everything in its books."""

    till: Till
    promoter: UUID
    buyer: UUID


@pytest.fixture
def scene(till: Till) -> Scene:
    """Awards estimated, frozen, released and reversed, a debt, and withdrawals paid, waiting and rejected."""
    till.product("a", price_fen=10_000)
    till.plan()
    till.window(0)
    promoter = till.member("promoter")
    buyer = till.member("buyer", under=promoter)
    debtor = till.member("debtor")
    borrowed = till.received(till.member("friend", under=debtor))
    for quantity in (1, 3):
        till.received(buyer, [("a", quantity)])
    till.settle()
    spent = till.withdraw(debtor, 1_000)
    till.approve(spent)
    till.apply(till.transfer_fact(spent))
    till.refunded(borrowed, {"a": 1})
    paid, rejected = till.withdraw(promoter, 500), till.withdraw(promoter, 600)
    till.withdraw(promoter, 700)
    till.approve(paid)
    till.apply(till.transfer_fact(paid))
    till.reject(rejected)
    half = till.paid(buyer, [("a", 2)])
    till.refunded(half, {"a": 1})
    till.apply(till.refund_fact(till.refund(half, {"a": 1}), state="closed"))
    till.window(7)
    till.received(buyer)
    till.settle()
    with till.inside():
        sealing.seal_books()
    # Something behind the seals, too.
    till.paid(buyer)
    till.settle()
    return Scene(till, promoter, buyer)


@contextmanager
def spoiled(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Let the checks see what the owner spoils, in a transaction that is rolled back in the end."""
    url = sa.make_url(scene.till.app.extensions["settings"].database_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection, Session(connection) as owner, monkeypatch.context() as patch:
        driver: Any = connection.connection.dbapi_connection

        def spoil(statement: str) -> None:
            for name in ("promoter", "buyer"):
                statement = statement.replace(f"{{{name}}}", str(getattr(scene, name)))
            cursor = driver.execute(statement.encode())
            assert cursor.rowcount > 0, "it spoiled nothing"

        driver.execute(f"SET search_path TO {scene.till.tenant.schema}".encode())
        lift_the_locks(driver)
        # Whatever the check asks, it asks the owner's transaction: the tables are locked for all others.
        for module in (service, commissions, plugins, reconciliation, differences):
            patch.setattr(module, "session", lambda: owner)
        yield spoil
        connection.rollback()


def lift_the_locks(driver: psycopg.Connection) -> None:
    """Take away, until the rollback, what keeps anybody from spoiling the books."""
    for table, constraint in driver.execute(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint"
        " WHERE connamespace = current_schema()::regnamespace AND contype IN ('f', 'c')"
    ).fetchall():
        driver.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}".encode())
    for (table,) in driver.execute(
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger t"
        " JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE c.relnamespace = current_schema()::regnamespace AND NOT tgisinternal"
    ).fetchall():
        driver.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER".encode())


def report(scene: Scene) -> Report:
    """Check the books."""
    with scene.till.work():
        return check_books()


def test_every_invariant_is_shown_to_bite() -> None:
    assert {name for names, _ in CORRUPTIONS.values() for name in names} == {*CHECKS, RECONCILED, RECOMPUTED}


def test_the_scene_has_something_of_everything(scene: Scene) -> None:
    found = report(scene)
    assert found.ok, found.problems
    counts = scene.till.counts()
    tables = ("award", "award_reversal", "posting", "balance", "withdrawal", "transfer", "refund", "seal", "earning")
    assert all(counts[table] for table in tables)
    with scene.till.work():
        awards = session().scalars(sa.select(Award.id)).all()
        states = {course.state for course in commissions.courses_of(awards).values()}
    assert states == {"estimated", "frozen", "released", "reversed"}


def test_what_is_spoiled_is_found_and_named(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for case, (names, statement) in CORRUPTIONS.items():
        with spoiled(scene, monkeypatch) as spoil:
            assert report(scene).ok, f"before {case}"
            spoil(statement)
            found = report(scene)
        for name in names:
            assert [problem for problem in found.problems if problem.startswith(f"{name}: ")], (case, name, found)
    assert report(scene).ok, "everything was rolled back"


@pytest.mark.parametrize(
    "table",
    [
        "posting",
        "award",
        "award_reversal",
        "attribution",
        "seal",
        "event",
        "tier_change",
        "member_binding",
        "admin_action",
    ],
)
def test_what_is_append_only_cannot_be_changed(scene: Scene, table: str) -> None:
    """Neither by the brand's own role nor, without lifting the trigger, by the owner."""
    column = {"posting": "position", "attribution": "order_id", "seal": "number"}.get(table, "id")
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}"):
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"), scene.till.work():
            session().execute(sa.text(statement))
        with scene.till.owner() as connection:
            if not connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() > (0,):  # type: ignore[operator]
                continue
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append only"):
                connection.execute(statement.encode())
            connection.rollback()


def test_a_balance_below_zero_fails_as_a_whole(scene: Scene) -> None:
    for statement in (
        "UPDATE balance SET balance_fen = -1",
        "UPDATE release_bucket SET amount_fen = -1",
        "UPDATE release_bucket SET released_at = due_at - interval '1 second'",
        "UPDATE product SET stock = -1",
        "UPDATE order_line SET refunded_quantity = quantity + 1",
    ):
        with pytest.raises(sa.exc.IntegrityError), scene.till.work():
            session().execute(sa.text(statement))
