"""Transfers from a merchant to a user (商家转账), which the user confirms within 24 hours."""

import secrets
import time
from typing import Annotated, Any

from pydantic import Field

from fanyong.wechat.simulator import accounts, notifications
from fanyong.wechat.simulator.crypto import Platform
from fanyong.wechat.simulator.errors import ApiError, ControlError, invalid_request, param_error
from fanyong.wechat.simulator.rules import (
    Body,
    NotifyUrl,
    canonical,
    check_appid,
    check_notify_url,
    check_openid,
    new_number,
    read_body,
    wire_time,
)
from fanyong.wechat.simulator.store import Database, Merchant, Row, find_merchant

CONFIRM_SECONDS = 24 * 3600
NAME_FROM_FEN, NAME_REQUIRED_FROM_FEN = 30, 200_000
# The commission scene demands exactly these two reports and knows these reasons.
SCENE, REPORTS = "1005", {"岗位类型", "报酬说明"}
PERCEPTIONS = {"", "劳务报酬", "报销款", "企业补贴", "开工利是"}
RESULTS = {
    "confirm": ("SUCCESS", None),
    "expire": ("FAIL", "OVERDUE_CLOSE"),
    "fail": ("FAIL", "PAYEE_ACCOUNT_ABNORMAL"),
    "cancel": ("CANCELLED", None),
}


class Report(Body):
    info_type: Annotated[str, Field(min_length=1, max_length=15)]
    info_content: Annotated[str, Field(min_length=1, max_length=32)]


class TransferBody(Body):
    appid: str
    out_bill_no: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,32}$")]
    transfer_scene_id: str
    openid: str
    transfer_amount: Annotated[int, Field(ge=10)]
    transfer_remark: Annotated[str, Field(min_length=1, max_length=32)]
    transfer_scene_report_infos: list[Report]
    user_name: str = ""
    user_recv_perception: str = ""
    notify_url: NotifyUrl = ""


def create(db: Database, merchant: Merchant, raw: bytes, *, platform: Platform, serial: str) -> dict[str, Any]:
    """Accept a transfer, or repeat the state of one that was accepted with the same parameters."""
    body = read_body(TransferBody, raw)
    check_appid(merchant, body.appid)
    _check_reports(body)
    if body.notify_url:
        check_notify_url(body.notify_url)
    name = _real_name(body, platform=platform, serial=serial)
    check_openid(db, appid=body.appid, openid=body.openid)
    # An encrypted name looks different each time: only the decrypted one tells a repetition.
    params = canonical(body.model_dump() | {"user_name": name})
    known = find(db, merchant, body.out_bill_no)
    if known is not None:
        if known["params"] != params:
            raise ApiError(400, "ALREADY_EXISTS", "the number was used with other parameters")
        return _created(known)
    accounts.hold(db, merchant.mchid, account=accounts.OPERATION, amount_fen=body.transfer_amount)
    return _created(_insert(db, merchant, body, params))


def query(db: Database, merchant: Merchant, **number: str) -> dict[str, Any]:
    """Answer a query by `out_bill_no` or `transfer_bill_no`."""
    return view(_existing(db, merchant, **number))


def cancel(db: Database, merchant: Merchant, out_bill_no: str) -> dict[str, Any]:
    """Take back a transfer that waits for its user."""
    row = _existing(db, merchant, out_bill_no=out_bill_no)
    if row["state"] == "WAIT_USER_CONFIRM":
        cancelled = _finish(db, merchant, row, state="CANCELLED", reason=None)
        # WeChat answers that it has begun; the callback and the query tell the end.
        return _brief(cancelled) | {"state": "CANCELING"}
    if row["state"] != "CANCELLED":
        raise invalid_request(f"a transfer in state {row['state']} cannot be cancelled")
    return _brief(row)


def act(db: Database, merchant: Merchant, out_bill_no: str, *, action: str) -> dict[str, Any]:
    """Play the user or time: confirm, expire, fail or cancel; the same action twice changes nothing."""
    row = find(db, merchant, out_bill_no)
    if row is None:
        raise ControlError("there is no such transfer", status=404)
    state, reason = RESULTS[action]
    if row["state"] == "WAIT_USER_CONFIRM":
        row = _finish(db, merchant, row, state=state, reason=reason)
    elif (row["state"], row["fail_reason"]) != (state, reason):
        raise ControlError(f"the transfer is already {row['state']} ({row['fail_reason']})", status=409)
    return view(row)


def expire_due(db: Database) -> None:
    """Close the transfers that nobody confirmed within a day of their merchant's clock."""
    due = db.execute(
        "SELECT t.* FROM transfers t JOIN merchants m ON m.mchid = t.mchid"
        " WHERE t.state = 'WAIT_USER_CONFIRM' AND t.created_at + ? <= ? + m.offset_seconds",
        (CONFIRM_SECONDS, int(time.time())),
    ).fetchall()
    for row in due:
        merchant = find_merchant(db, row["mchid"])
        if merchant is not None:
            _expire(db, merchant, row)


def find(db: Database, merchant: Merchant, out_bill_no: str) -> Row | None:
    """Return a transfer by the merchant's number, closed first if its day is over."""
    row: Row | None = db.execute(
        "SELECT * FROM transfers WHERE mchid = ? AND out_bill_no = ?", (merchant.mchid, out_bill_no)
    ).fetchone()
    return _current(db, merchant, row)


def view(row: Row) -> dict[str, Any]:
    """Return a transfer as queries and callbacks show it."""
    answer = _brief(row) | {
        "mch_id": row["mchid"],
        "appid": row["appid"],
        "openid": row["openid"],
        "transfer_amount": row["amount_fen"],
        "transfer_remark": row["remark"],
        "create_time": wire_time(row["created_at"]),
    }
    if row["fail_reason"]:
        answer["fail_reason"] = row["fail_reason"]
    return answer


def _created(row: Row) -> dict[str, Any]:
    answer = {
        "out_bill_no": row["out_bill_no"],
        "transfer_bill_no": row["transfer_bill_no"],
        "create_time": wire_time(row["created_at"]),
        "state": row["state"],
    }
    # Only a transfer that still waits can open the confirmation page.
    if row["state"] == "WAIT_USER_CONFIRM":
        answer["package_info"] = row["package_info"]
    elif row["fail_reason"]:
        answer["fail_reason"] = row["fail_reason"]
    return answer


def _brief(row: Row) -> dict[str, Any]:
    return {
        "out_bill_no": row["out_bill_no"],
        "transfer_bill_no": row["transfer_bill_no"],
        "state": row["state"],
        "update_time": wire_time(row["updated_at"]),
    }


def _check_reports(body: TransferBody) -> None:
    if body.transfer_scene_id != SCENE:
        raise ApiError(403, "NO_AUTH", "the merchant has no right to this transfer scene")
    reports = [report.info_type for report in body.transfer_scene_report_infos]
    if len(reports) != len(REPORTS) or set(reports) != REPORTS:
        raise param_error("未传入完整且对应的转账场景报备信息")
    if body.user_recv_perception not in PERCEPTIONS:
        raise param_error("user_recv_perception: not one of the scene's")


def _real_name(body: TransferBody, *, platform: Platform, serial: str) -> str:
    if not body.user_name:
        if body.transfer_amount >= NAME_REQUIRED_FROM_FEN:
            raise param_error("user_name is required from 2,000 CNY")
        return ""
    if body.transfer_amount < NAME_FROM_FEN:
        raise param_error("user_name cannot be checked below 0.30 CNY")
    if serial != platform.public_key_id:
        raise param_error("Wechatpay-Serial does not name the key that encrypted user_name")
    try:
        return platform.decrypt(body.user_name)
    except ValueError:
        raise param_error("user_name cannot be decrypted") from None


def _insert(db: Database, merchant: Merchant, body: TransferBody, params: str) -> Row:
    now = merchant.now()
    row: Row = db.execute(
        "INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'WAIT_USER_CONFIRM', ?, NULL, ?, ?) RETURNING *",
        (
            merchant.mchid,
            body.out_bill_no,
            new_number("1330", at=now),
            params,
            body.appid,
            body.openid,
            body.transfer_amount,
            body.transfer_remark,
            body.notify_url,
            secrets.token_urlsafe(48),
            now,
            now,
        ),
    ).fetchone()
    return row


def _existing(db: Database, merchant: Merchant, *, out_bill_no: str = "", transfer_bill_no: str = "") -> Row:
    if transfer_bill_no:
        row = _current(
            db,
            merchant,
            db.execute(
                "SELECT * FROM transfers WHERE mchid = ? AND transfer_bill_no = ?",
                (merchant.mchid, transfer_bill_no),
            ).fetchone(),
        )
    else:
        row = find(db, merchant, out_bill_no)
    if row is None:
        raise ApiError(404, "NOT_FOUND", "there is no such transfer")
    return row


def _current(db: Database, merchant: Merchant, row: Row | None) -> Row | None:
    if row is None or row["state"] != "WAIT_USER_CONFIRM":
        return row
    overdue = merchant.now() >= row["created_at"] + CONFIRM_SECONDS
    return _expire(db, merchant, row) if overdue else row


def _expire(db: Database, merchant: Merchant, row: Row) -> Row:
    state, reason = RESULTS["expire"]
    return _finish(db, merchant, row, state=state, reason=reason)


def _finish(db: Database, merchant: Merchant, row: Row, *, state: str, reason: str | None) -> Row:
    finished: Row = db.execute(
        "UPDATE transfers SET state = ?, fail_reason = ?, updated_at = ?"
        " WHERE mchid = ? AND out_bill_no = ? RETURNING *",
        (state, reason, merchant.now(), row["mchid"], row["out_bill_no"]),
    ).fetchone()
    accounts.release(db, merchant.mchid, account=accounts.OPERATION, amount_fen=row["amount_fen"])
    if state == "SUCCESS":
        accounts.move(
            db,
            merchant,
            kind="transfer",
            source=accounts.OPERATION,
            target=accounts.USERS,
            amount_fen=row["amount_fen"],
            wechat_no=row["transfer_bill_no"],
            our_no=row["out_bill_no"],
        )
    notifications.enqueue(
        db,
        merchant,
        url=row["notify_url"],
        event_type="MCHTRANSFER.BILL.FINISHED",
        resource=view(finished),
    )
    return finished
