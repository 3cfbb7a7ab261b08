"""Reading a callback: only what WeChat sent to this merchant, just now, gets through."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wechatpayv3 import WeChatPay

from fanyong.wechat.credentials import Credentials
from fanyong.wechat.errors import InvalidCallback
from fanyong.wechat.library import SIGNATURE_TYPE, is_fresh
from fanyong.wechat.times import parse_rfc3339

_HEADERS = (
    "Wechatpay-Serial",
    "Wechatpay-Timestamp",
    "Wechatpay-Nonce",
    "Wechatpay-Signature",
    "Wechatpay-Signature-Type",
)
# WeChat sends calls with a deliberately wrong signature to see whether the receiver refuses them.
_PROBE = "WECHATPAY/SIGNTEST/"


@dataclass(frozen=True, kw_only=True)
class Callback:
    """A callback that was verified and decrypted."""

    event_id: str
    event_type: str
    created_at: datetime
    resource: dict[str, Any]


def read_callback(client: WeChatPay, *, credentials: Credentials, headers: Mapping[str, str], body: bytes) -> Callback:
    """Return the verified, decrypted callback or raise `InvalidCallback`."""
    signed = _signature_headers(headers)
    # The library would fetch certificates for a serial it does not know, for anybody who asks.
    if signed["Wechatpay-Serial"] != credentials.public_key_id:
        raise InvalidCallback("unknown serial")
    if not is_fresh(signed["Wechatpay-Timestamp"]):
        raise InvalidCallback("stale timestamp")
    if signed["Wechatpay-Signature"].startswith(_PROBE):
        raise InvalidCallback("signature probe")
    if signed["Wechatpay-Signature-Type"] != SIGNATURE_TYPE:
        raise InvalidCallback("unknown signature type")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise InvalidCallback("not UTF-8") from None
    if not client._core.signature_matches(signed, text):
        raise InvalidCallback("bad signature")
    event = _decrypt(client, signed, text)
    callback = _callback(event)
    _belongs_to(credentials, callback.resource)
    return callback


def _signature_headers(headers: Mapping[str, str]) -> dict[str, str]:
    by_name = {name.lower(): value for name, value in headers.items()}
    found = {name: by_name.get(name.lower(), "") for name in _HEADERS}
    found["Wechatpay-Signature-Type"] = found["Wechatpay-Signature-Type"] or SIGNATURE_TYPE
    return found


def _decrypt(client: WeChatPay, signed: Mapping[str, str], text: str) -> dict[str, Any]:
    try:
        event = client.callback(signed, text)
    except Exception as error:
        # The library raises bare exceptions for whatever it did not expect in the body.
        raise InvalidCallback("malformed body") from error
    if event is None:
        raise InvalidCallback("not encrypted with this merchant's key")
    if not isinstance(event, dict) or not isinstance(event.get("resource"), dict):
        raise InvalidCallback("malformed body")
    return event


def _callback(event: Mapping[str, Any]) -> Callback:
    try:
        event_id, event_type = event["id"], event["event_type"]
        created_at = parse_rfc3339(event["create_time"])
    except (KeyError, TypeError, ValueError):
        raise InvalidCallback("malformed body") from None
    if not (isinstance(event_id, str) and event_id and isinstance(event_type, str) and event_type):
        raise InvalidCallback("malformed body")
    return Callback(event_id=event_id, event_type=event_type, created_at=created_at, resource=event["resource"])


def _belongs_to(credentials: Credentials, resource: Mapping[str, Any]) -> None:
    # Payments and refunds say `mchid`, transfers say `mch_id`.
    if (resource.get("mchid") or resource.get("mch_id")) != credentials.mchid:
        raise InvalidCallback("another merchant")
    # Refunds and transfers name no appid.
    if resource.get("appid", credentials.appid) != credentials.appid:
        raise InvalidCallback("another appid")
