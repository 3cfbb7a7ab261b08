"""Refunds: accepted at once, settled by themselves or, in other modes, late or by hand."""

import time
from typing import Annotated, Any, Literal

from pydantic import Field

from fanyong.wechat.simulator import accounts, notifications, orders
from fanyong.wechat.simulator.errors import ApiError, ControlError, invalid_request, param_error
from fanyong.wechat.simulator.rules import (
    Body,
    Fen,
    NotifyUrl,
    canonical,
    check_notify_url,
    new_number,
    read_body,
    wire_time,
)
from fanyong.wechat.simulator.store import Database, Merchant, Row, find_merchant

MAX_PER_ORDER = 50
MAX_AGE_SECONDS = 365 * 86_400
RECEIVED_BY = "支付用户零钱"
RESULTS = {"succeed": "SUCCESS", "abnormal": "ABNORMAL", "close": "CLOSED"}


class RefundAmount(Body):
    refund: Fen
    total: Fen
    currency: Literal["CNY"]


class RefundBody(Body):
    out_refund_no: Annotated[str, Field(pattern=r"^[0-9A-Za-z_\-|*@]{1,64}$")]
    amount: RefundAmount
    transaction_id: str = ""
    out_trade_no: str = ""
    reason: Annotated[str, Field(max_length=80)] = ""
    notify_url: NotifyUrl = ""


def request(db: Database, merchant: Merchant, raw: bytes) -> dict[str, Any]:
    """Accept a refund, or repeat the answer for one that was accepted with the same parameters."""
    body = read_body(RefundBody, raw)
    if body.notify_url:
        check_notify_url(body.notify_url)
    params = canonical(body.model_dump())
    known = find(db, merchant, body.out_refund_no)
    if known is not None:
        if known["params"] != params:
            raise invalid_request("the refund number was used with other parameters")
        return view(known)
    order = _paid_order(db, merchant, body)
    _check_amounts(db, merchant, order, body.amount)
    accounts.hold(db, merchant.mchid, account=accounts.BASIC, amount_fen=body.amount.refund)
    accepted = view(_insert(db, merchant, order, body, params))
    if merchant.refunds_mode == "at_once":
        settle(db, merchant, body.out_refund_no, action="succeed")
    # The answer only says that WeChat accepted; success is told by the callback and the query.
    return accepted


def query(db: Database, merchant: Merchant, out_refund_no: str) -> dict[str, Any]:
    """Answer a query for a refund."""
    row = find(db, merchant, out_refund_no)
    if row is None:
        raise ApiError(404, "RESOURCE_NOT_EXISTS", "there is no such refund")
    return view(row)


def settle(db: Database, merchant: Merchant, out_refund_no: str, *, action: str) -> dict[str, Any]:
    """Let a refund succeed, become abnormal or close; the same result twice changes nothing."""
    row = find(db, merchant, out_refund_no)
    if row is None:
        raise ControlError("there is no such refund", status=404)
    status = RESULTS[action]
    if row["status"] == status:
        return view(row)
    # An abnormal refund (the shopper's card is gone) can still be brought to an end by hand.
    if row["status"] not in {"PROCESSING", "ABNORMAL"}:
        raise ControlError(f"the refund is already {row['status']}", status=409)
    row = _set_status(db, merchant, row, status)
    notifications.enqueue(db, merchant, url=row["notify_url"], event_type=f"REFUND.{status}", resource=resource(row))
    return view(row)


def settle_due(db: Database) -> None:
    """Let the refunds succeed whose delay is over."""
    due = db.execute(
        "SELECT mchid, out_refund_no FROM refunds WHERE status = 'PROCESSING' AND due_at <= ?", (time.time(),)
    ).fetchall()
    for row in due:
        merchant = find_merchant(db, row["mchid"])
        if merchant is not None:
            settle(db, merchant, row["out_refund_no"], action="succeed")


def find(db: Database, merchant: Merchant, out_refund_no: str) -> Row | None:
    """Return a refund by the merchant's number."""
    row: Row | None = db.execute(
        "SELECT * FROM refunds WHERE mchid = ? AND out_refund_no = ?", (merchant.mchid, out_refund_no)
    ).fetchone()
    return row


def view(row: Row) -> dict[str, Any]:
    """Return a refund as answers show it."""
    refund_fen, total_fen = row["refund_fen"], row["total_fen"]
    answer: dict[str, Any] = {
        "refund_id": row["refund_id"],
        "out_refund_no": row["out_refund_no"],
        "transaction_id": row["transaction_id"],
        "out_trade_no": row["out_trade_no"],
        "channel": "ORIGINAL",
        "user_received_account": RECEIVED_BY,
        "create_time": wire_time(row["created_at"]),
        "status": row["status"],
        "funds_account": "AVAILABLE",
        "amount": {
            "total": total_fen,
            "refund": refund_fen,
            "payer_total": total_fen,
            "payer_refund": refund_fen,
            "settlement_total": total_fen,
            "settlement_refund": refund_fen,
            "discount_refund": 0,
            "currency": "CNY",
        },
    }
    if row["success_at"]:
        answer["success_time"] = wire_time(row["success_at"])
    return answer


def resource(row: Row) -> dict[str, Any]:
    """Return a refund as callbacks show it."""
    shown = view(row)
    names = ("total", "refund", "payer_total", "payer_refund")
    answer = {
        "mchid": row["mchid"],
        "refund_status": row["status"],
        "amount": {name: shown["amount"][name] for name in names},
    }
    for name in ("transaction_id", "out_trade_no", "refund_id", "out_refund_no", "user_received_account"):
        answer[name] = shown[name]
    if "success_time" in shown:
        answer["success_time"] = shown["success_time"]
    return answer


def _paid_order(db: Database, merchant: Merchant, body: RefundBody) -> Row:
    if body.transaction_id:
        order = orders.find_by_transaction(db, merchant, body.transaction_id)
    elif body.out_trade_no:
        order = orders.find(db, merchant, body.out_trade_no)
    else:
        raise param_error("out_trade_no or transaction_id is required")
    if order is None:
        raise ApiError(404, "RESOURCE_NOT_EXISTS", "there is no such order")
    if order["state"] != "SUCCESS":
        raise invalid_request("the order is not paid")
    if merchant.now() - order["paid_at"] > MAX_AGE_SECONDS:
        raise invalid_request("the order was paid more than a year ago")
    return order


def _check_amounts(db: Database, merchant: Merchant, order: Row, amount: RefundAmount) -> None:
    if amount.total != order["amount_fen"]:
        raise invalid_request("amount.total is not what the order paid")
    count, refunded = db.execute(
        "SELECT count(*), coalesce(sum(refund_fen), 0) FROM refunds"
        " WHERE mchid = ? AND out_trade_no = ? AND status != 'CLOSED'",
        (merchant.mchid, order["out_trade_no"]),
    ).fetchone()
    if refunded + amount.refund > order["amount_fen"]:
        raise invalid_request("the refunds would exceed what the order paid")
    if count >= MAX_PER_ORDER:
        raise invalid_request(f"an order has at most {MAX_PER_ORDER} refunds")


def _insert(db: Database, merchant: Merchant, order: Row, body: RefundBody, params: str) -> Row:
    due_at = time.time() + merchant.refunds_value if merchant.refunds_mode == "delay" else None
    row: Row = db.execute(
        "INSERT INTO refunds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'PROCESSING', ?, NULL, ?) RETURNING *",
        (
            merchant.mchid,
            body.out_refund_no,
            new_number("5030", at=merchant.now()),
            params,
            order["out_trade_no"],
            order["transaction_id"],
            body.amount.refund,
            body.amount.total,
            body.notify_url,
            merchant.now(),
            due_at,
        ),
    ).fetchone()
    return row


def _set_status(db: Database, merchant: Merchant, row: Row, status: str) -> Row:
    updated: Row = db.execute(
        "UPDATE refunds SET status = ?, success_at = ? WHERE mchid = ? AND out_refund_no = ? RETURNING *",
        (status, merchant.now() if status == "SUCCESS" else None, row["mchid"], row["out_refund_no"]),
    ).fetchone()
    # The money of an abnormal refund has left the merchant's hands and reached nobody: it stays held.
    if status != "ABNORMAL":
        accounts.release(db, merchant.mchid, account=accounts.BASIC, amount_fen=row["refund_fen"])
    if status == "SUCCESS":
        accounts.move(
            db,
            merchant,
            kind="refund",
            source=accounts.BASIC,
            target=accounts.USERS,
            amount_fen=row["refund_fen"],
            wechat_no=row["refund_id"],
            our_no=row["out_refund_no"],
        )
    return updated
