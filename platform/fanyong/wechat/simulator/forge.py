"""Callbacks that an attacker, or a WeChat gone wrong, would send."""

import time
from collections.abc import Callable
from typing import Any

from fanyong.wechat.keys import make_apiv3_key
from fanyong.wechat.simulator import notifications, orders, refunds, transfers
from fanyong.wechat.simulator.crypto import Platform
from fanyong.wechat.simulator.errors import ControlError
from fanyong.wechat.simulator.rules import new_number, wire_time
from fanyong.wechat.simulator.store import Database, Merchant, Row

STALE_SECONDS = 3600


def prepare(db: Database, merchant: Merchant, *, kind: str, event: str, number: str) -> tuple[dict[str, Any], str]:
    """Return an event that claims success for an order, refund or transfer, and its usual address.

    It makes its claim whatever the truth: an unpaid order is said to be paid.
    """
    resource, url = _CLAIMS[event](db, merchant, number)
    if kind == "foreign_merchant":
        name = "mch_id" if "mch_id" in resource else "mchid"
        resource[name] = "1" + merchant.mchid[1:] if merchant.mchid[0] != "1" else "2" + merchant.mchid[1:]
    if kind == "amount_changed":
        _change_amount(resource)
    return notifications.make_event(merchant, event_type=event, resource=resource), url


def send(platform: Platform, merchant: Merchant, *, kind: str, event: dict[str, Any], url: str) -> int:
    """Send the event with the wanted flaw and return the HTTP status it was answered with."""
    key = make_apiv3_key() if kind == "wrong_key" else merchant.apiv3_key
    body = notifications.seal(event, apiv3_key=key)
    timestamp = int(time.time()) - (STALE_SECONDS if kind == "stale" else 0)
    # A signature over another body is what a body changed on its way looks like.
    signed = body + b" " if kind == "bad_signature" else body
    headers = platform.signature_headers(signed, timestamp=timestamp)
    if kind == "unknown_serial":
        headers["Wechatpay-Serial"] = "PUB_KEY_ID_" + "0" * 32
    if kind == "signature_probe":
        headers["Wechatpay-Signature"] = "WECHATPAY/SIGNTEST/" + headers["Wechatpay-Signature"]
    return notifications.post(url, body, headers)


def _order_claim(db: Database, merchant: Merchant, number: str) -> tuple[dict[str, Any], str]:
    row = _found(orders.find(db, merchant, number))
    resource = orders.view(db, row)
    if row["state"] != "SUCCESS":
        now = merchant.now()
        resource |= {
            "trade_state": "SUCCESS",
            "trade_state_desc": orders.STATE_TEXTS["SUCCESS"],
            "transaction_id": new_number("4200", at=now),
            "trade_type": "JSAPI",
            "bank_type": "OTHERS",
            "success_time": wire_time(now),
        }
    return resource, row["notify_url"]


def _refund_claim(db: Database, merchant: Merchant, number: str) -> tuple[dict[str, Any], str]:
    row = _found(refunds.find(db, merchant, number))
    claim = {"refund_status": "SUCCESS", "success_time": wire_time(merchant.now())}
    return refunds.resource(row) | claim, row["notify_url"]


def _transfer_claim(db: Database, merchant: Merchant, number: str) -> tuple[dict[str, Any], str]:
    row = _found(transfers.find(db, merchant, number))
    return transfers.view(row) | {"state": "SUCCESS"}, row["notify_url"]


_CLAIMS: dict[str, Callable[[Database, Merchant, str], tuple[dict[str, Any], str]]] = {
    "TRANSACTION.SUCCESS": _order_claim,
    "REFUND.SUCCESS": _refund_claim,
    "MCHTRANSFER.BILL.FINISHED": _transfer_claim,
}


def _found(row: Row | None) -> Row:
    if row is None:
        raise ControlError("there is no order, refund or transfer with this number", status=404)
    return row


def _change_amount(resource: dict[str, Any]) -> None:
    if "transfer_amount" in resource:
        resource["transfer_amount"] += 1
        return
    name = "refund" if "refund_status" in resource else "total"
    resource["amount"][name] += 1
    resource["amount"][f"payer_{name}"] = resource["amount"][name]
