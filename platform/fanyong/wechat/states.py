"""What WeChat says about an order, a refund or a transfer, in answers and in callbacks alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fanyong.wechat.times import parse_rfc3339


@dataclass(frozen=True, kw_only=True)
class OrderState:
    """An order as WeChat knows it."""

    out_trade_no: str
    trade_state: str
    transaction_id: str | None
    amount_fen: int | None
    currency: str | None
    openid: str | None
    mchid: str
    appid: str
    success_at: datetime | None

    @property
    def is_paid(self) -> bool:
        """Tell whether the shopper paid; a refunded order was paid too."""
        return self.trade_state in {"SUCCESS", "REFUND"}


@dataclass(frozen=True, kw_only=True)
class RefundState:
    """A refund as WeChat knows it: SUCCESS, PROCESSING, ABNORMAL or CLOSED."""

    out_refund_no: str
    refund_id: str
    out_trade_no: str
    status: str
    refund_fen: int
    total_fen: int
    success_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class TransferState:
    """A transfer as WeChat knows it; `package_info` opens the confirmation page while it waits."""

    out_bill_no: str
    transfer_bill_no: str
    state: str
    package_info: str | None
    amount_fen: int | None
    openid: str | None
    fail_reason: str | None
    updated_at: datetime | None

    @property
    def is_final(self) -> bool:
        """Tell whether nothing can change any more."""
        return self.state in {"SUCCESS", "FAIL", "CANCELLED"}


def order_state(data: Mapping[str, Any]) -> OrderState:
    """Read an order from a query's answer or from the resource of a callback."""
    amount = data.get("amount") or {}
    payer = data.get("payer") or {}
    return OrderState(
        out_trade_no=_text(data, "out_trade_no"),
        trade_state=_text(data, "trade_state"),
        transaction_id=_optional(data, "transaction_id"),
        amount_fen=_fen(amount, "total") if "total" in amount else None,
        currency=_optional(amount, "currency"),
        openid=_optional(payer, "openid"),
        mchid=_text(data, "mchid"),
        appid=_text(data, "appid"),
        success_at=_moment(data, "success_time"),
    )


def refund_state(data: Mapping[str, Any]) -> RefundState:
    """Read a refund from an answer or from the resource of a callback."""
    amount = data["amount"]
    return RefundState(
        out_refund_no=_text(data, "out_refund_no"),
        refund_id=_text(data, "refund_id"),
        out_trade_no=_text(data, "out_trade_no"),
        # A callback calls `refund_status` what an answer calls `status`.
        status=_text(data, "refund_status" if "refund_status" in data else "status"),
        refund_fen=_fen(amount, "refund"),
        total_fen=_fen(amount, "total"),
        success_at=_moment(data, "success_time"),
    )


def transfer_state(data: Mapping[str, Any]) -> TransferState:
    """Read a transfer from an answer or from the resource of a callback."""
    return TransferState(
        out_bill_no=_text(data, "out_bill_no"),
        transfer_bill_no=_text(data, "transfer_bill_no"),
        state=_text(data, "state"),
        package_info=_optional(data, "package_info"),
        amount_fen=_fen(data, "transfer_amount") if "transfer_amount" in data else None,
        openid=_optional(data, "openid"),
        fail_reason=_optional(data, "fail_reason"),
        updated_at=_moment(data, "update_time") or _moment(data, "create_time"),
    )


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is not a text")
    return value


def _optional(data: Mapping[str, Any], name: str) -> str | None:
    return _text(data, name) if data.get(name) else None


def _fen(data: Mapping[str, Any], name: str) -> int:
    value = data[name]
    # JSON's true would pass for the number 1.
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} is not a whole number of fen")
    return value


def _moment(data: Mapping[str, Any], name: str) -> datetime | None:
    text = _optional(data, name)
    return parse_rfc3339(text) if text else None
