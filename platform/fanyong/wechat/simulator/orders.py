"""Mini-program orders: placed, paid by a shopper's tap, queried, closed."""

import secrets
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from fanyong.wechat.simulator import accounts, notifications
from fanyong.wechat.simulator.errors import ApiError, ControlError, param_error
from fanyong.wechat.simulator.rules import (
    Body,
    Fen,
    NotifyUrl,
    canonical,
    check_appid,
    check_notify_url,
    check_openid,
    new_number,
    read_body,
    wire_time,
)
from fanyong.wechat.simulator.store import Database, Merchant, Row
from fanyong.wechat.times import BEIJING

DAY = 86_400
PREPAY_SECONDS = 2 * 3600
STATE_TEXTS = {"NOTPAY": "订单未支付", "SUCCESS": "支付成功", "CLOSED": "订单已关闭", "REFUND": "转入退款"}


class Amount(Body):
    total: Fen
    currency: Literal["CNY"] = "CNY"


class Payer(Body):
    openid: Annotated[str, Field(min_length=1, max_length=128)]


class OrderBody(Body):
    appid: str
    mchid: str
    description: Annotated[str, Field(min_length=1, max_length=127)]
    out_trade_no: Annotated[str, Field(pattern=r"^[0-9A-Za-z_\-|*]{6,32}$")]
    notify_url: NotifyUrl
    amount: Amount
    payer: Payer
    attach: Annotated[str, Field(max_length=128)] = ""
    time_expire: str = ""


class CloseBody(Body):
    mchid: str


def place(db: Database, merchant: Merchant, raw: bytes) -> dict[str, Any]:
    """Place an order, or give a fresh prepay id for one that was placed with the same parameters."""
    body = read_body(OrderBody, raw)
    check_appid(merchant, body.appid)
    check_mchid(merchant, body.mchid)
    check_notify_url(body.notify_url)
    check_openid(db, appid=body.appid, openid=body.payer.openid)
    # The first order fixes when it expires; a repetition may name another time.
    params = canonical(body.model_dump(exclude={"time_expire"}))
    row = find(db, merchant, body.out_trade_no)
    if row is None:
        _insert(db, merchant, body, params)
    elif row["params"] != params:
        raise ApiError(403, "OUT_TRADE_NO_USED", "the number was used with other parameters")
    elif row["state"] == "CLOSED":
        raise ApiError(400, "ORDER_CLOSED", "the order is closed")
    elif row["state"] != "NOTPAY":
        raise ApiError(403, "ORDERPAID", "the order is paid")
    day = datetime.fromtimestamp(merchant.now(), BEIJING).strftime("%Y%m%d%H%M%S")
    prepay_id = f"wx{day}{secrets.token_hex(10)}"
    db.execute(
        "INSERT INTO prepays VALUES (?, ?, ?, ?)",
        (prepay_id, merchant.mchid, body.out_trade_no, merchant.now()),
    )
    return {"prepay_id": prepay_id}


def query(db: Database, merchant: Merchant, *, mchid: str, **number: str) -> dict[str, Any]:
    """Answer a query by `out_trade_no` or by `transaction_id`."""
    check_mchid(merchant, mchid)
    return view(db, _existing(db, merchant, **number))


def close(db: Database, merchant: Merchant, out_trade_no: str, raw: bytes) -> None:
    """Close an order that was not paid."""
    check_mchid(merchant, read_body(CloseBody, raw).mchid)
    row = _existing(db, merchant, out_trade_no=out_trade_no)
    if row["state"] not in {"NOTPAY", "CLOSED"}:
        raise ApiError(403, "ORDERPAID", "the order is paid")
    _set_state(db, row, "CLOSED")


def pay(
    db: Database,
    prepay_id: str,
    *,
    merchant: Merchant,
    payer_openid: str | None,
    amount_fen: int | None,
    times: int,
    notify: bool,
) -> dict[str, Any]:
    """Play the shopper who taps pay; paying a second time changes nothing.

    Another payer or amount than the order's makes WeChat's own record differ from what was asked.
    """
    prepay = db.execute("SELECT * FROM prepays WHERE prepay_id = ?", (prepay_id,)).fetchone()
    row = _existing(db, merchant, out_trade_no=prepay["out_trade_no"])
    if row["state"] == "NOTPAY":
        if merchant.now() - prepay["created_at"] > PREPAY_SECONDS:
            raise ControlError("the prepay id is older than two hours", status=409)
        row = _settle(db, merchant, row, payer_openid=payer_openid, amount_fen=amount_fen)
        if notify:
            notifications.enqueue(
                db,
                merchant,
                url=row["notify_url"],
                event_type="TRANSACTION.SUCCESS",
                resource=view(db, row),
                times=times,
            )
    elif row["state"] == "CLOSED":
        raise ControlError("the order is closed or has expired", status=409)
    return view(db, row)


def find(db: Database, merchant: Merchant, out_trade_no: str) -> Row | None:
    """Return an order, closed first if its time is over."""
    return _current(
        db,
        merchant,
        db.execute(
            "SELECT * FROM orders WHERE mchid = ? AND out_trade_no = ?", (merchant.mchid, out_trade_no)
        ).fetchone(),
    )


def find_by_transaction(db: Database, merchant: Merchant, transaction_id: str) -> Row | None:
    """Return the order that was paid with this transaction."""
    row: Row | None = db.execute(
        "SELECT * FROM orders WHERE mchid = ? AND transaction_id = ?", (merchant.mchid, transaction_id)
    ).fetchone()
    return row


def view(db: Database, row: Row) -> dict[str, Any]:
    """Return an order as queries and callbacks show it."""
    state = row["state"]
    answer: dict[str, Any] = {
        "appid": row["appid"],
        "mchid": row["mchid"],
        "out_trade_no": row["out_trade_no"],
        "trade_state": state,
        "trade_state_desc": STATE_TEXTS[state],
        "attach": row["attach"],
        "amount": {"total": row["amount_fen"], "currency": "CNY"},
        "payer": {"openid": row["openid"]},
    }
    if row["transaction_id"]:
        answer |= {
            "transaction_id": row["transaction_id"],
            "trade_type": "JSAPI",
            "bank_type": "OTHERS",
            "success_time": wire_time(row["paid_at"]),
        }
        answer["amount"] |= {"payer_total": row["amount_fen"], "payer_currency": "CNY"}
        refunds = db.execute(
            "SELECT 1 FROM refunds WHERE mchid = ? AND out_trade_no = ? AND status != 'CLOSED'",
            (row["mchid"], row["out_trade_no"]),
        ).fetchone()
        if refunds:
            answer |= {"trade_state": "REFUND", "trade_state_desc": STATE_TEXTS["REFUND"]}
    return answer


def check_mchid(merchant: Merchant, mchid: str) -> None:
    """Refuse a merchant number other than the one that signed."""
    if mchid != merchant.mchid:
        raise param_error("mchid: not the merchant that signed the request")


def _insert(db: Database, merchant: Merchant, body: OrderBody, params: str) -> None:
    now = merchant.now()
    expires_at = now + 7 * DAY
    if body.time_expire:
        try:
            moment = datetime.fromisoformat(body.time_expire)
        except ValueError:
            raise param_error("time_expire: not RFC 3339") from None
        if moment.tzinfo is None:
            raise param_error("time_expire: the zone is missing")
        expires_at = int(moment.timestamp())
    if not now + 60 <= expires_at <= now + 90 * DAY:
        raise param_error("time_expire: at least one minute and at most 90 days ahead")
    db.execute(
        "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'NOTPAY', NULL, NULL)",
        (
            merchant.mchid,
            body.out_trade_no,
            params,
            body.appid,
            body.description,
            body.attach,
            body.amount.total,
            body.payer.openid,
            body.notify_url,
            expires_at,
        ),
    )


def _settle(db: Database, merchant: Merchant, row: Row, *, payer_openid: str | None, amount_fen: int | None) -> Row:
    transaction_id = new_number("4200", at=merchant.now())
    paid: Row = db.execute(
        "UPDATE orders SET state = 'SUCCESS', transaction_id = ?, paid_at = ?, openid = ?, amount_fen = ?"
        " WHERE mchid = ? AND out_trade_no = ? RETURNING *",
        (
            transaction_id,
            merchant.now(),
            payer_openid or row["openid"],
            amount_fen or row["amount_fen"],
            row["mchid"],
            row["out_trade_no"],
        ),
    ).fetchone()
    accounts.move(
        db,
        merchant,
        kind="payment",
        source=accounts.USERS,
        target=accounts.BASIC,
        amount_fen=paid["amount_fen"],
        wechat_no=transaction_id,
        our_no=row["out_trade_no"],
    )
    return paid


def _existing(db: Database, merchant: Merchant, *, out_trade_no: str = "", transaction_id: str = "") -> Row:
    by_transaction = bool(transaction_id)
    row = find_by_transaction(db, merchant, transaction_id) if by_transaction else find(db, merchant, out_trade_no)
    if row is None:
        raise ApiError(404, "ORDER_NOT_EXIST", "there is no such order")
    return row


def _current(db: Database, merchant: Merchant, row: Row | None) -> Row | None:
    if row is not None and row["state"] == "NOTPAY" and merchant.now() > row["expires_at"]:
        return _set_state(db, row, "CLOSED")
    return row


def _set_state(db: Database, row: Row, state: str) -> Row:
    updated: Row = db.execute(
        "UPDATE orders SET state = ? WHERE mchid = ? AND out_trade_no = ? RETURNING *",
        (state, row["mchid"], row["out_trade_no"]),
    ).fetchone()
    return updated
