"""Orders that were there before the sales figures get them from the migration, as if they had always been kept."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

from fanyong.devtools.paths import ROOT
from tenants.promoters import sales
from tests.money.parts import DAY, Till

TABLES = {
    "sale": "order_id, member_id, seller_id, depth, paid_on, received_on, paid_fen, received_fen",
    "sales_day": (
        "member_id, day, own_paid_fen, own_received_fen, own_orders, "
        "shared_paid_fen, shared_received_fen, shared_orders"
    ),
    "team_day": "member_id, day, paid_fen, received_fen, orders",
    "promoter": "member_id, own_orders, shared_orders",
}


def migration() -> ModuleType:
    """Load the revision that made the tables."""
    path = ROOT / "migrations" / "tenant" / "versions" / "0004_promoters.py"
    spec = importlib.util.spec_from_file_location("t0004", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def figures(till: Till) -> dict[str, list[Any]]:
    """Return every row that says something; a day on which everything came back says nothing."""
    found = {}
    with till.owner() as connection:
        for table, columns in TABLES.items():
            rows = connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2".encode()).fetchall()
            found[table] = [row for row in rows if table == "sale" or any(row[1:] if table == "promoter" else row[2:])]
    return found


def roll_up(till: Till) -> None:
    with till.inside():
        while sales.roll_up_teams():
            pass


def test_the_figures_of_old_orders_are_those_that_would_have_been_kept(till: Till) -> None:
    till.product("a", price_fen=1_001)
    top = till.member("top")
    parent = till.member("parent", under=top)
    buyer = till.member("buyer", under=parent)
    till.paid(parent)
    till.paid(buyer, [("a", 2)])
    till.order(buyer)
    till.advance(DAY)
    received = till.received(buyer, [("a", 3)])
    till.refunded(received, {"a": 1})
    till.refunded(till.paid(buyer), {"a": 1})
    roll_up(till)
    kept = figures(till)
    assert len(kept["sale"]) == 4
    with till.owner() as connection:
        connection.execute("TRUNCATE sale, sales_day, team_day, team_total")
        connection.execute("UPDATE promoter SET own_orders = 0, shared_orders = 0")
        for statement in migration().BACKFILL:
            connection.execute(statement.encode())
    roll_up(till)
    assert figures(till) == kept
