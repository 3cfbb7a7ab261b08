"""What several endpoints have in common: reading a body, checking addresses, making numbers."""

import json
import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fanyong.wechat.simulator.errors import ApiError, param_error
from fanyong.wechat.simulator.store import Database, Merchant
from fanyong.wechat.times import BEIJING, rfc3339

Fen = Annotated[int, Field(ge=1, le=10_000_000_000)]
NotifyUrl = Annotated[str, Field(max_length=255)]


class Body(BaseModel):
    """A request's body: exact types, no nulls, unknown fields ignored as WeChat does."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


B = TypeVar("B", bound=Body)


def read_body(model: type[B], raw: bytes) -> B:
    """Return the body as `model`, or refuse with PARAM_ERROR naming the field."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise param_error(f"{where}: {first['msg']}") from None


def check_appid(merchant: Merchant, appid: str) -> None:
    """Refuse an appid that is not bound to the merchant."""
    if appid != merchant.appid:
        raise ApiError(400, "APPID_MCHID_NOT_MATCH", "the appid is not bound to this merchant")


def check_openid(db: Database, *, appid: str, openid: str) -> None:
    """Refuse an openid that was never given out for this appid."""
    if not db.execute("SELECT 1 FROM openids WHERE appid = ? AND openid = ?", (appid, openid)).fetchone():
        raise param_error("the openid does not belong to this appid")


def check_notify_url(url: str) -> None:
    """Refuse an address for callbacks that WeChat would not call."""
    parts = urlsplit(url)
    loopback = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost"}
    if not parts.hostname or not (parts.scheme == "https" or loopback):
        raise param_error("notify_url: https is required, or http on the loopback address")
    if parts.query or "?" in url or parts.fragment:
        raise param_error("notify_url: a query string is not allowed")


def canonical(params: Any) -> str:
    """Return one fixed text for a request's parameters, by which a repetition is recognised."""
    return json.dumps(params, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def new_number(prefix: str, *, at: int) -> str:
    """Return a number of the kind WeChat gives to transactions: a prefix, the day, random digits."""
    day = datetime.fromtimestamp(at, BEIJING).strftime("%Y%m%d")
    return f"{prefix}{day}{secrets.randbelow(10**16):016d}"


def wire_time(at: int) -> str:
    """Return a moment the way WeChat writes it."""
    return rfc3339(datetime.fromtimestamp(at, UTC))
