"""The unmodified `wechatpayv3`, with its one network function replaced.

The library signs, encrypts and knows the endpoints. It has no timeouts, no pool, no
freshness check and a fixed host, so `GatewayCore.request` does the talking instead. It relies
on private names of version 2.0.4 (`_core`, `_gate_way`, `_verify_signature`), which
is why that version is pinned.
"""

import json
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.core import Core
from wechatpayv3.type import RequestType
from wechatpayv3.utils import build_authorization

from fanyong.wechat.credentials import Credentials
from fanyong.wechat.errors import WeChatUnknown

FRESHNESS_SECONDS = 300
SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
BACKUP_URLS = {"https://api.mch.weixin.qq.com": "https://api2.mch.weixin.qq.com"}


def is_loopback(url: str) -> bool:
    """Tell whether `url` points at this machine, where no proxy stands in between."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def is_fresh(timestamp: str) -> bool:
    """Tell whether a signature's timestamp lies within WeChat's five minutes."""
    # The length is limited because Python refuses to read a number of thousands of digits.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return abs(time.time() - int(timestamp)) <= FRESHNESS_SECONDS


# The library carries no types.
class GatewayCore(Core):  # type: ignore[misc]
    """The library's core, over a pooled session, with timeouts and a full check of every answer."""

    def __init__(self, loaded: Core, *, base_url: str, timeouts: tuple[float, float]) -> None:
        # The library's own core has loaded the keys; loading them again would cost 60 ms.
        self.__dict__.update(loaded.__dict__)
        self._timeout = timeouts
        self._gate_way = base_url.rstrip("/")
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_connections=2, pool_maxsize=16)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._session.trust_env = not is_loopback(self._gate_way)
        # A cookie would be state shared between threads; WeChat needs none.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def request(
        self,
        path: str,
        method: Any = RequestType.GET,
        data: Mapping[str, Any] | None = None,
        skip_verify: bool = False,
        sign_data: Any = None,
        files: Any = None,
        cipher_data: bool = False,
        headers: Any = None,
    ) -> tuple[int, str | bytes]:
        """Send one request and return (status, body), or raise `WeChatUnknown`.

        The parameters are those with which the library calls. Nothing is repeated, except when no
        connection came about: only then is it certain that WeChat saw nothing.
        """
        if files is not None or sign_data is not None:
            raise NotImplementedError("uploads are not part of this gateway")
        body = _json({name: value for name, value in data.items() if value is not None}) if data else ""
        first, second = self._gate_way, BACKUP_URLS.get(self._gate_way, self._gate_way)
        try:
            response = self._send(first, path, method=method.value, body=body)
        except requests.ConnectionError as error:
            if not _never_connected(error):
                raise WeChatUnknown("the connection broke before the answer") from error
            response = self._send_again(second, path, method=method.value, body=body)
        except requests.RequestException as error:
            raise WeChatUnknown(f"no answer: {type(error).__name__}") from error
        return self._read(response, skip_verify=skip_verify)

    def _send_again(self, base_url: str, path: str, *, method: str, body: str) -> requests.Response:
        try:
            return self._send(base_url, path, method=method, body=body)
        except requests.RequestException as error:
            raise WeChatUnknown(f"no answer: {type(error).__name__}") from error

    def _send(self, base_url: str, path: str, *, method: str, body: str) -> requests.Response:
        prepared = self._session.prepare_request(
            requests.Request(
                method,
                base_url + path,
                data=body.encode() if body else None,
                headers={
                    "Accept": "application/json",
                    "Content-Type": "application/json",
                    "User-Agent": "fanyong",
                    "Wechatpay-Serial": self._public_key_id,
                },
            )
        )
        # What is signed is the target as it goes over the wire, not as it was written above.
        prepared.headers["Authorization"] = build_authorization(
            prepared.path_url, method, self._mchid, self._cert_serial_no, self._private_key, data=body
        )
        settings = self._session.merge_environment_settings(prepared.url, {}, None, None, None)
        return self._session.send(prepared, timeout=self._timeout, allow_redirects=False, **settings)

    def _read(self, response: requests.Response, *, skip_verify: bool) -> tuple[int, str | bytes]:
        status = response.status_code
        if status >= 500:
            raise WeChatUnknown(f"WeChat answered {status}")
        if 300 <= status < 400:
            raise WeChatUnknown(f"WeChat answered {status}, a redirection")
        response.encoding = "utf-8"
        is_signed = "Wechatpay-Signature" in response.headers
        # Whether WeChat signs each refusal is not documented; one that is signed has to be right.
        if (status < 300 and not skip_verify) or (status >= 400 and is_signed):
            self._check(response)
        if status == 202:
            raise WeChatUnknown("WeChat accepted the request and has not finished it")
        is_json = "application/json" in response.headers.get("Content-Type", "")
        return status, response.text if is_json else response.content

    def _check(self, response: requests.Response) -> None:
        headers = response.headers
        if headers.get("Wechatpay-Serial") != self._public_key_id:
            raise WeChatUnknown("the answer is signed with a key that is not known")
        if not is_fresh(headers.get("Wechatpay-Timestamp", "")):
            raise WeChatUnknown("the answer is not of this moment: a replay, or a clock that is wrong")
        if not self.signature_matches(headers, response.text):
            raise WeChatUnknown("the answer's signature is wrong")

    def signature_matches(self, headers: Mapping[str, str], body: str) -> bool:
        """Tell whether `body` carries WeChat's signature, once its serial is known to be the right one."""
        checked = {
            name: headers.get(name, "")
            for name in ("Wechatpay-Signature", "Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Serial")
        }
        checked["Wechatpay-Signature-Type"] = headers.get("Wechatpay-Signature-Type") or SIGNATURE_TYPE
        if checked["Wechatpay-Signature-Type"] != SIGNATURE_TYPE:
            return False
        return bool(self._verify_signature(checked, body))


def build_client(credentials: Credentials, *, timeouts: tuple[float, float]) -> WeChatPay:
    """Return the library's client in public-key mode, with `GatewayCore` behind it."""
    client = WeChatPay(
        wechatpay_type=WeChatPayType.MINIPROG,
        mchid=credentials.mchid,
        private_key=credentials.private_key_pem,
        cert_serial_no=credentials.cert_serial_no,
        appid=credentials.appid,
        apiv3_key=credentials.apiv3_key,
        public_key=credentials.public_key_pem,
        public_key_id=credentials.public_key_id,
    )
    client._core = GatewayCore(client._core, base_url=credentials.base_url, timeouts=timeouts)
    return client


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _never_connected(error: requests.ConnectionError) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError | ConnectTimeoutError)
