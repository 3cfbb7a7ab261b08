"""WeChat Pay behind the payments port: neutral facts and errors on one side, the gateway on the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from typing import Literal

from fanyong.payments.models import MerchantAccount
from fanyong.payments.provider import (
    BillRow,
    CallbackFact,
    Fact,
    InvalidProviderCallback,
    PaymentFact,
    ProviderBillInvalid,
    ProviderBusy,
    ProviderDeclined,
    ProviderMisconfigured,
    ProviderUnknown,
    RefundFact,
    TransferFact,
)
from fanyong.wechat import errors
from fanyong.wechat.bills import TradeRow
from fanyong.wechat.credentials import Credentials
from fanyong.wechat.errors import ErrorKind
from fanyong.wechat.gateway import GatewayCache, WeChatGateway
from fanyong.wechat.states import (
    OrderState,
    RefundState,
    TransferState,
    order_state,
    refund_state,
    transfer_state,
)

_REFUND_STATES: dict[str, Literal["processing", "succeeded", "closed", "abnormal"]] = {
    "SUCCESS": "succeeded",
    "PROCESSING": "processing",
    "ABNORMAL": "abnormal",
    "CLOSED": "closed",
}
_TRANSFER_STATES: dict[str, Literal["wait_user", "paid", "failed", "canceled"]] = {
    "WAIT_USER_CONFIRM": "wait_user",
    "SUCCESS": "paid",
    "FAIL": "failed",
    "CANCELLED": "canceled",
}
_CLOSED_TRADES = frozenset({"CLOSED", "REVOKED", "PAYERROR"})


class WeChatProvider:
    """One merchant's WeChat Pay."""

    def __init__(self, gateway: WeChatGateway, *, mchid: str, appid: str) -> None:
        self._gateway = gateway
        self.mchid = mchid
        self.appid = appid

    def create_payment(
        self,
        *,
        number: str,
        description: str,
        amount_fen: int,
        openid: str,
        notify_url: str,
        expires_at: datetime,
    ) -> str:
        """Place a JSAPI order and return its prepay id."""
        with _translated():
            return self._gateway.create_jsapi_order(
                out_trade_no=number,
                description=description,
                amount_fen=amount_fen,
                openid=openid,
                notify_url=notify_url,
                expires_at=expires_at,
            )

    def payment_params(self, prepay_id: str) -> dict[str, str]:
        """Return the signed arguments of `wx.requestPayment`."""
        return self._gateway.payment_params(prepay_id=prepay_id)

    def query_payment(self, *, number: str) -> PaymentFact:
        """Return what WeChat says of a payment number."""
        with _translated():
            state = self._gateway.query_order(out_trade_no=number)
        return _payment_fact(state) if state else PaymentFact(number, "missing")

    def close_payment(self, *, number: str) -> None:
        """Close an unpaid order."""
        with _translated():
            self._gateway.close_order(out_trade_no=number)

    def refund(
        self,
        *,
        number: str,
        payment_number: str,
        amount_fen: int,
        total_fen: int,
        reason: str,
        notify_url: str,
    ) -> RefundFact:
        """Ask for a refund."""
        with _translated():
            state = self._gateway.refund(
                out_refund_no=number,
                out_trade_no=payment_number,
                refund_fen=amount_fen,
                total_fen=total_fen,
                reason=reason,
                notify_url=notify_url,
            )
        return _refund_fact(state)

    def query_refund(self, *, number: str) -> RefundFact:
        """Return what WeChat says of a refund number."""
        with _translated():
            state = self._gateway.query_refund(out_refund_no=number)
        return _refund_fact(state) if state else RefundFact(number, "missing")

    def transfer(
        self,
        *,
        number: str,
        openid: str,
        amount_fen: int,
        remark: str,
        user_name: str | None,
        notify_url: str,
    ) -> TransferFact:
        """Start a transfer of a commission."""
        with _translated():
            state = self._gateway.create_transfer(
                out_bill_no=number,
                openid=openid,
                amount_fen=amount_fen,
                remark=remark,
                notify_url=notify_url,
                user_name=user_name,
            )
        return _transfer_fact(state)

    def query_transfer(self, *, number: str) -> TransferFact:
        """Return what WeChat says of a transfer number."""
        with _translated():
            state = self._gateway.query_transfer(out_bill_no=number)
        return _transfer_fact(state) if state else TransferFact(number, "missing")

    def parse_callback(self, headers: Mapping[str, str], body: bytes) -> CallbackFact:
        """Verify and decrypt a callback."""
        try:
            callback = self._gateway.parse_callback(headers=headers, body=body)
            fact = _callback_fact(callback.event_type, callback.resource)
        except errors.InvalidCallback as error:
            raise InvalidProviderCallback("invalid_callback", error.reason) from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidProviderCallback("unreadable_callback", str(error)) from error
        return CallbackFact(callback.event_id, callback.event_type, fact, callback.resource)

    def bill(self, day: date) -> list[BillRow]:
        """Return the day's payments and refunds by the trade bill, its transfers by the fund bill."""
        with _translated():
            trades = self._gateway.trade_bill(day=day)
            funds = self._gateway.fund_bill(day=day, account_type="OPERATION")
        rows = [_trade_row(row) for row in trades]
        # What comes back under a transfer's number is an income, and is taken off.
        rows += [BillRow("transfer", f.our_no, -f.amount_fen) for f in funds if f.kind == "transfer"]
        return rows

    def open_id(self, code: str) -> str:
        """Return the openid behind a log-in code."""
        try:
            return self._gateway.code2session(code=code)
        except (errors.LoginCodeInvalid, errors.LoginBlocked) as error:
            raise ProviderDeclined("bad_login_code", str(error)) from error
        except errors.LoginRateLimited as error:
            raise ProviderBusy("login_rate", str(error)) from error
        except errors.LoginUnavailable as error:
            raise ProviderUnknown("no_answer", str(error)) from error
        except errors.LoginError as error:
            raise ProviderMisconfigured("login_config", str(error)) from error


def wechat_provider_factory(*, simulator_url: str) -> Callable[[MerchantAccount], WeChatProvider]:
    """Return how merchant accounts become providers: the sandbox speaks to the simulator, live to WeChat."""
    gateways = GatewayCache()

    def make(account: MerchantAccount) -> WeChatProvider:
        sandbox = {"base_url": simulator_url, "login_base_url": simulator_url} if account.mode == "sandbox" else {}
        credentials = Credentials(
            appid=account.appid,
            app_secret=account.app_secret,
            mchid=account.mchid,
            private_key_pem=account.private_key_pem,
            cert_serial_no=account.cert_serial_no,
            apiv3_key=account.apiv3_key,
            public_key_pem=account.public_key_pem,
            public_key_id=account.public_key_id,
            **sandbox,
        )
        return WeChatProvider(gateways.get(credentials), mchid=account.mchid, appid=account.appid)

    return make


@contextmanager
def _translated() -> Iterator[None]:
    kinds = {
        ErrorKind.DECLINED: ProviderDeclined,
        ErrorKind.RETRYABLE: ProviderBusy,
        ErrorKind.CONFIG: ProviderMisconfigured,
    }
    try:
        yield
    except errors.WeChatError as error:
        raise kinds[error.kind](error.code, error.message) from error
    except errors.InvalidBill as error:
        raise ProviderBillInvalid("invalid_bill", error.reason) from error
    except errors.WeChatUnknown as error:
        raise ProviderUnknown("no_answer", error.reason) from error


def _payment_fact(state: OrderState) -> PaymentFact:
    paid: Literal["paid", "pending", "closed"] = "paid" if state.is_paid else "pending"
    if state.trade_state in _CLOSED_TRADES:
        paid = "closed"
    return PaymentFact(
        number=state.out_trade_no,
        state=paid,
        amount_fen=state.amount_fen or 0,
        currency=state.currency or "CNY",
        openid=state.openid or "",
        mchid=state.mchid,
        appid=state.appid,
        transaction_id=state.transaction_id or "",
        at=state.success_at,
    )


def _refund_fact(state: RefundState) -> RefundFact:
    return RefundFact(state.out_refund_no, _REFUND_STATES[state.status], state.refund_fen, at=state.success_at)


def _transfer_fact(state: TransferState) -> TransferFact:
    return TransferFact(
        number=state.out_bill_no,
        state=_TRANSFER_STATES.get(state.state, "processing"),
        amount_fen=state.amount_fen or 0,
        package_info=state.package_info or "",
        reason=state.fail_reason or "",
        at=state.updated_at,
    )


def _callback_fact(event_type: str, resource: Mapping[str, object]) -> Fact | None:
    if event_type.startswith("TRANSACTION."):
        return _payment_fact(order_state(resource))
    if event_type.startswith("REFUND."):
        return _refund_fact(refund_state(resource))
    if event_type.startswith("MCHTRANSFER."):
        return _transfer_fact(transfer_state(resource))
    return None


def _trade_row(row: TradeRow) -> BillRow:
    if row.out_refund_no:
        return BillRow("refund", row.out_refund_no, row.refund_fen, row.out_trade_no)
    return BillRow("payment", row.out_trade_no, row.order_fen)
