"""Everything Fanyong asks of WeChat, as one typed client for one merchant."""

import json
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar

from fanyong.wechat import bills, login
from fanyong.wechat.callbacks import Callback, read_callback
from fanyong.wechat.credentials import Credentials
from fanyong.wechat.errors import ErrorKind, InvalidBill, WeChatError, WeChatUnknown, kind_of
from fanyong.wechat.library import build_client
from fanyong.wechat.states import (
    OrderState,
    RefundState,
    TransferState,
    order_state,
    refund_state,
    transfer_state,
)
from fanyong.wechat.times import rfc3339

T = TypeVar("T")

COMMISSION_SCENE = "1005"
NAME_REQUIRED_FROM_FEN = 200_000
# Numbers travel in paths that are signed; these characters mean the same to everybody.
_NUMBER = re.compile(r"[0-9A-Za-z_-]{1,64}\Z")
_BILL_NUMBER = re.compile(r"[0-9A-Za-z]{1,32}\Z")


class WeChatGateway:
    """One merchant's line to WeChat; safe to share between threads."""

    def __init__(self, credentials: Credentials, *, timeouts: tuple[float, float] = (5, 20)) -> None:
        self._credentials = credentials
        self._timeouts = timeouts
        self._client = build_client(credentials, timeouts=timeouts)

    def close(self) -> None:
        """Close the pooled connections."""
        self._client._core.close()

    def create_jsapi_order(
        self,
        *,
        out_trade_no: str,
        description: str,
        amount_fen: int,
        openid: str,
        notify_url: str,
        expires_at: datetime,
    ) -> str:
        """Place an order for a mini-program payment and return its prepay id."""
        data = self._call(
            self._client.pay,
            description=description,
            out_trade_no=_checked(out_trade_no, _NUMBER),
            amount={"total": _fen(amount_fen), "currency": "CNY"},
            payer={"openid": openid},
            time_expire=rfc3339(expires_at),
            notify_url=notify_url,
        )
        return _parsed(lambda answer: str(answer["prepay_id"]), data)

    def payment_params(self, *, prepay_id: str) -> dict[str, str]:
        """Return the signed parameters with which the mini-program calls `wx.requestPayment`."""
        timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
        package = f"prepay_id={prepay_id}"
        return {
            "appId": self._credentials.appid,
            "timeStamp": timestamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": self._client.sign([self._credentials.appid, timestamp, nonce, package]),
        }

    def query_order(self, *, out_trade_no: str) -> OrderState | None:
        """Return what WeChat knows about an order, or None when it knows nothing."""
        return self._query(order_state, self._client.query, out_trade_no=_checked(out_trade_no, _NUMBER))

    def close_order(self, *, out_trade_no: str) -> None:
        """Close an order, so that it cannot be paid any more."""
        self._call(self._client.close, out_trade_no=_checked(out_trade_no, _NUMBER))

    def refund(
        self,
        *,
        out_refund_no: str,
        out_trade_no: str,
        refund_fen: int,
        total_fen: int,
        reason: str,
        notify_url: str,
    ) -> RefundState:
        """Ask for a refund of a paid order; the answer only says that it was accepted."""
        data = self._call(
            self._client.refund,
            out_refund_no=_checked(out_refund_no, _NUMBER),
            out_trade_no=_checked(out_trade_no, _NUMBER),
            amount={"refund": _fen(refund_fen), "total": _fen(total_fen), "currency": "CNY"},
            reason=reason,
            notify_url=notify_url,
        )
        return _parsed(refund_state, data)

    def query_refund(self, *, out_refund_no: str) -> RefundState | None:
        """Return what WeChat knows about a refund, or None when it knows nothing."""
        return self._query(refund_state, self._client.query_refund, out_refund_no=_checked(out_refund_no, _NUMBER))

    def create_transfer(
        self,
        *,
        out_bill_no: str,
        openid: str,
        amount_fen: int,
        remark: str,
        notify_url: str,
        user_name: str | None = None,
    ) -> TransferState:
        """Start the transfer of a commission, which the user confirms in the mini-program."""
        if _fen(amount_fen) >= NAME_REQUIRED_FROM_FEN and not user_name:
            raise WeChatError(
                ErrorKind.DECLINED,
                code="NAME_REQUIRED",
                status=400,
                message="the payee's name is required from 2,000 CNY",
            )
        data = self._call(
            self._client.mch_transfer_bills,
            out_bill_no=_checked(out_bill_no, _BILL_NUMBER),
            transfer_scene_id=COMMISSION_SCENE,
            openid=openid,
            transfer_amount=amount_fen,
            transfer_remark=remark,
            user_name=user_name,
            user_recv_perception="劳务报酬",
            transfer_scene_report_infos=[
                {"info_type": "岗位类型", "info_content": "推广员"},
                {"info_type": "报酬说明", "info_content": remark},
            ],
            notify_url=notify_url,
        )
        return _parsed(transfer_state, data)

    def query_transfer(self, *, out_bill_no: str) -> TransferState | None:
        """Return what WeChat knows about a transfer, or None when it knows nothing."""
        return self._query(
            transfer_state,
            self._client.mch_transfer_bills_query,
            out_bill_no=_checked(out_bill_no, _BILL_NUMBER),
        )

    def cancel_transfer(self, *, out_bill_no: str) -> TransferState:
        """Take back a transfer that the user has not confirmed yet."""
        data = self._call(self._client.mch_transfer_bills_cancel, out_bill_no=_checked(out_bill_no, _BILL_NUMBER))
        return _parsed(transfer_state, data)

    def trade_bill(self, *, day: date) -> tuple[bills.TradeRow, ...]:
        """Return the payments and refunds of a day in Beijing; a day without any is empty."""
        text = self._bill(self._client.trade_bill, bill_date=day.isoformat())
        return bills.parse_trade_bill(text) if text is not None else ()

    def fund_bill(self, *, day: date, account_type: str) -> tuple[bills.FundRow, ...]:
        """Return the movements of an account (BASIC or OPERATION) on a day in Beijing."""
        text = self._bill(self._client.fundflow_bill, bill_date=day.isoformat(), account_type=account_type)
        return bills.parse_fund_bill(text) if text is not None else ()

    def code2session(self, *, code: str) -> str:
        """Return the openid of the user whose mini-program obtained `code`."""
        return login.code2session(self._credentials, code=code, timeouts=self._timeouts)

    def parse_callback(self, *, headers: Mapping[str, str], body: bytes) -> Callback:
        """Return the verified, decrypted callback or raise `InvalidCallback`."""
        return read_callback(self._client, credentials=self._credentials, headers=headers, body=body)

    def _bill(self, announce: Callable[..., Any], **arguments: str) -> str | None:
        try:
            data = self._call(announce, **arguments)
        except WeChatError as error:
            if error.code == "NO_STATEMENT_EXIST":
                return None
            raise
        url, sha1 = _parsed(lambda answer: (str(answer["download_url"]), str(answer["hash_value"])), data)
        # The request is signed with the merchant's key: it goes to WeChat and to nobody else.
        if not url.startswith(self._client._core._gate_way + "/"):
            raise InvalidBill("the bill lies on a host that is not WeChat's")
        status, content = self._client.download_bill(url)
        if status != 200:
            raise _refusal(status, content)
        return bills.unpack(content.encode() if isinstance(content, str) else content, sha1=sha1)

    def _query(self, read: Callable[[Any], T], function: Callable[..., Any], **arguments: str) -> T | None:
        try:
            return _parsed(read, self._call(function, **arguments))
        except WeChatError as error:
            if error.is_not_found:
                return None
            raise

    def _call(self, function: Callable[..., Any], **arguments: Any) -> Any:
        status, body = function(**arguments)
        if status == 204:
            return {}
        if status != 200:
            raise _refusal(status, body)
        return _parsed(json.loads, body)


class GatewayCache:
    """Keeps the gateways of the merchants in use, since loading an RSA key costs milliseconds."""

    def __init__(self, *, maxsize: int = 256, timeouts: tuple[float, float] = (5, 20)) -> None:
        self._maxsize = maxsize
        self._timeouts = timeouts
        self._lock = threading.Lock()
        self._gateways: OrderedDict[str, WeChatGateway] = OrderedDict()

    def get(self, credentials: Credentials) -> WeChatGateway:
        """Return the gateway for these very credentials, building it on first use."""
        key = credentials.fingerprint()
        with self._lock:
            gateway = self._gateways.get(key)
            if gateway is not None:
                self._gateways.move_to_end(key)
                return gateway
        # Built outside the lock; when two threads build the same one, the first to return wins.
        built = WeChatGateway(credentials, timeouts=self._timeouts)
        with self._lock:
            gateway = self._gateways.setdefault(key, built)
            self._gateways.move_to_end(key)
            while len(self._gateways) > self._maxsize:
                # Not closed here: another thread may still be using it.
                self._gateways.popitem(last=False)
        return gateway


def _refusal(status: int, body: str | bytes) -> WeChatError:
    try:
        data = json.loads(body)
        code, message = str(data["code"]), str(data.get("message", ""))
    except (ValueError, TypeError, KeyError):
        # Something on the way answered, not WeChat.
        raise WeChatUnknown(f"an answer {status} that is not WeChat's") from None
    return WeChatError(kind_of(status, code), code=code, status=status, message=message)


def _parsed(read: Callable[[Any], T], data: Any) -> T:
    try:
        return read(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeChatUnknown(f"an answer of an unexpected shape: {error}") from error


def _checked(number: str, pattern: re.Pattern[str]) -> str:
    if not pattern.match(number):
        raise ValueError(f"not a number that WeChat accepts: {number!r}")
    return number


def _fen(amount: int) -> int:
    if not isinstance(amount, int) or isinstance(amount, bool) or amount <= 0:
        raise ValueError(f"not an amount in fen: {amount!r}")
    return amount
