"""Turning a mini-program's log-in code into an openid."""

import functools
import logging
from typing import Any

import httpx

from fanyong.wechat.credentials import Credentials
from fanyong.wechat.errors import (
    LoginBlocked,
    LoginCodeInvalid,
    LoginError,
    LoginMisconfigured,
    LoginRateLimited,
    LoginUnavailable,
)
from fanyong.wechat.library import is_loopback

# WeChat wants the app's secret in the address, and httpx logs every address at INFO.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

_REFUSALS: dict[int, type[LoginError]] = {
    40029: LoginCodeInvalid,
    40163: LoginCodeInvalid,
    45011: LoginRateLimited,
    40226: LoginBlocked,
    40013: LoginMisconfigured,
    40125: LoginMisconfigured,
    41002: LoginMisconfigured,
    41004: LoginMisconfigured,
}


def code2session(credentials: Credentials, *, code: str, timeouts: tuple[float, float]) -> str:
    """Return the openid of the user whose mini-program obtained `code`."""
    connect, read = timeouts
    try:
        response = _client(not is_loopback(credentials.login_base_url)).get(
            credentials.login_base_url.rstrip("/") + "/sns/jscode2session",
            params={
                "appid": credentials.appid,
                "secret": credentials.app_secret,
                "js_code": code,
                "grant_type": "authorization_code",
            },
            timeout=httpx.Timeout(read, connect=connect),
        )
        data = response.json()
    except (httpx.HTTPError, ValueError) as error:
        # The original error is left out of the chain: it carries the address, and with it the secret.
        raise LoginUnavailable(f"no answer: {type(error).__name__}") from None
    if response.status_code != 200 or not isinstance(data, dict):
        raise LoginUnavailable(f"WeChat answered {response.status_code}")
    return _openid(data)


def _openid(data: dict[str, Any]) -> str:
    errcode = data.get("errcode", 0)
    if errcode != 0:
        refusal = _REFUSALS.get(errcode, LoginUnavailable) if isinstance(errcode, int) else LoginUnavailable
        raise refusal(f"{errcode}: {data.get('errmsg', '')}", errcode=errcode)
    openid = data.get("openid")
    if not isinstance(openid, str) or not openid:
        raise LoginUnavailable("WeChat named no openid")
    return openid


@functools.cache
def _client(trust_env: bool) -> httpx.Client:
    return httpx.Client(trust_env=trust_env, follow_redirects=False)
