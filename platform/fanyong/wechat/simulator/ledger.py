"""What really moved, for whoever wants to compare it with Fanyong's books."""

import json
from typing import Any

from fanyong.wechat.simulator.rules import wire_time
from fanyong.wechat.simulator.store import Database, Merchant

PAYMENTS = """
SELECT out_trade_no, transaction_id, openid, amount_fen, paid_at FROM orders
WHERE mchid = ? AND state = 'SUCCESS' ORDER BY paid_at, out_trade_no
"""
REFUNDS = """
SELECT out_refund_no, refund_id, out_trade_no, refund_fen AS amount_fen, success_at FROM refunds
WHERE mchid = ? AND status = 'SUCCESS' ORDER BY success_at, out_refund_no
"""
TRANSFERS = """
SELECT out_bill_no, transfer_bill_no, openid, amount_fen, updated_at AS success_at FROM transfers
WHERE mchid = ? AND state = 'SUCCESS' ORDER BY updated_at, out_bill_no
"""
MOVEMENTS = "SELECT at, kind, source, target, amount_fen, our_no FROM movements WHERE mchid = ? ORDER BY id"
ACCOUNTS = "SELECT name, balance_fen, held_fen FROM accounts WHERE mchid = ?"
NOTIFICATIONS = "SELECT * FROM notifications WHERE mchid = ? ORDER BY seq"


def ledger(db: Database, merchant: Merchant) -> dict[str, Any]:
    """Return a merchant's payments, refunds and transfers that took place, and its accounts."""
    payments, refunds, transfers = (_rows(db, merchant, query) for query in (PAYMENTS, REFUNDS, TRANSFERS))
    accounts = {row.pop("name"): row for row in _rows(db, merchant, ACCOUNTS)}
    return {
        "mchid": merchant.mchid,
        "now": wire_time(merchant.now()),
        "payments": payments,
        "refunds": refunds,
        "transfers": transfers,
        "paid_fen": sum(row["amount_fen"] for row in payments),
        "refunded_fen": sum(row["amount_fen"] for row in refunds),
        "transferred_fen": sum(row["amount_fen"] for row in transfers),
        "accounts": accounts,
        "movements": _rows(db, merchant, MOVEMENTS),
    }


def deliveries(db: Database, merchant: Merchant) -> list[dict[str, Any]]:
    """Return a merchant's callbacks: what they tell and how far their delivery is."""
    shown = []
    for row in _rows(db, merchant, NOTIFICATIONS):
        event = json.loads(row["body"])
        entry = {"event_id": event["id"], "event_type": event["event_type"], "resource": event["resource"]}
        names = ("url", "state", "attempts", "answer")
        shown.append(entry | {name: row[name] for name in names})
    return shown


def _rows(db: Database, merchant: Merchant, query: str) -> list[dict[str, Any]]:
    rows = [dict(row) for row in db.execute(query, (merchant.mchid,))]
    for row in rows:
        for name in ("at", "paid_at", "success_at"):
            if isinstance(row.get(name), int):
                row[name] = wire_time(row[name])
    return rows
