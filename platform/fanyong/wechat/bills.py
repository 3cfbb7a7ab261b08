"""Reading WeChat's daily bills.

A bill is UTF-8 with a byte order mark, a line of Chinese column names, values that begin with a
backtick, amounts in yuan, and a summary of two lines. Every row is checked against the columns
and the whole against its summary: a bill that does not add up is no ground for a reconciliation.
"""

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from fanyong.wechat.errors import InvalidBill
from fanyong.wechat.times import BEIJING

TRADE_HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
    "手续费,费率,订单金额,申请退款金额,费率备注"
)
TRADE_SUMMARY = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
FUND_HEADER = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
    "资金变更提交申请人,备注,业务凭证号"
)
FUND_SUMMARY = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
INCOME, EXPENSE = "收入", "支出"

# What the fund bill calls the movements that Fanyong reconciles.
FUND_KINDS = {"交易": "payment", "退款": "refund", "商家转账": "transfer"}


@dataclass(frozen=True, kw_only=True)
class TradeRow:
    """One payment (`out_refund_no` is None) or one refund in a trade bill."""

    traded_at: datetime
    appid: str
    mchid: str
    transaction_id: str
    out_trade_no: str
    openid: str
    trade_type: str
    trade_state: str
    amount_fen: int
    refund_id: str | None
    out_refund_no: str | None
    refund_fen: int
    refund_status: str | None
    description: str
    fee_fen: int
    order_fen: int


@dataclass(frozen=True, kw_only=True)
class FundRow:
    """One movement of a merchant's account; `amount_fen` is negative for money that left."""

    recorded_at: datetime
    wechat_no: str
    flow_no: str
    business_name: str
    business_type: str
    amount_fen: int
    balance_fen: int
    remark: str
    our_no: str

    @property
    def kind(self) -> str:
        """Return payment, refund, transfer, or other (a top-up, a bank withdrawal, a fee)."""
        return FUND_KINDS.get(self.business_type, "other")


def unpack(content: bytes, *, sha1: str) -> str:
    """Return the text of a gzipped bill whose digest matches the announced one."""
    try:
        plain = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidBill("the bill is not a gzip file") from error
    # WeChat announces the digest of the file as it is before compression.
    if hashlib.sha1(plain, usedforsecurity=False).hexdigest() != sha1.lower():
        raise InvalidBill("the bill is not the file that was announced")
    try:
        return plain.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidBill("the bill is not UTF-8") from error


def parse_trade_bill(text: str) -> tuple[TradeRow, ...]:
    """Return the rows of a trade bill, checked against its summary."""
    lines, summary = _split(text, header=TRADE_HEADER, summary_header=TRADE_SUMMARY)
    rows = tuple(_trade_row(line) for line in lines)
    _same("trades", len(rows), _count(summary["总交易单数"]))
    _same("paid", sum(row.amount_fen for row in rows), yuan_to_fen(summary["应结订单总金额"]))
    _same("refunded", sum(row.refund_fen for row in rows), yuan_to_fen(summary["退款总金额"]))
    _same("fees", sum(row.fee_fen for row in rows), yuan_to_fen(summary["手续费总金额"]))
    return rows


def parse_fund_bill(text: str) -> tuple[FundRow, ...]:
    """Return the rows of a fund bill, checked against its summary."""
    lines, summary = _split(text, header=FUND_HEADER, summary_header=FUND_SUMMARY)
    rows = tuple(_fund_row(line) for line in lines)
    incomes = [row.amount_fen for row in rows if row.amount_fen >= 0]
    expenses = [-row.amount_fen for row in rows if row.amount_fen < 0]
    _same("movements", len(rows), _count(summary["资金流水总笔数"]))
    _same("incomes", len(incomes), _count(summary["收入笔数"]))
    _same("income", sum(incomes), yuan_to_fen(summary["收入金额"]))
    _same("expenses", len(expenses), _count(summary["支出笔数"]))
    _same("expense", sum(expenses), yuan_to_fen(summary["支出金额"]))
    return rows


def yuan_to_fen(text: str) -> int:
    """Return the fen of an amount in yuan, without ever passing through a float."""
    try:
        fen = Decimal(text) * 100
    except InvalidOperation:
        raise InvalidBill(f"not an amount: {text!r}") from None
    if not fen.is_finite() or fen != fen.to_integral_value():
        raise InvalidBill(f"not an amount in yuan and fen: {text!r}")
    return int(fen)


def _split(text: str, *, header: str, summary_header: str) -> tuple[list[dict[str, str]], dict[str, str]]:
    columns, summary_columns = header.split(","), summary_header.split(",")
    lines = [line for line in csv.reader(io.StringIO(text)) if line]
    if len(lines) < 3 or lines[0] != columns or lines[-2] != summary_columns:
        raise InvalidBill("the bill's columns are not the documented ones")
    rows = [_named(line, columns) for line in lines[1:-2]]
    return rows, _named(lines[-1], summary_columns)


def _named(line: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    if len(line) != len(columns):
        raise InvalidBill(f"a line has {len(line)} values instead of {len(columns)}")
    return {name: value.strip().removeprefix("`") for name, value in zip(columns, line, strict=True)}


def _trade_row(line: dict[str, str]) -> TradeRow:
    return TradeRow(
        traded_at=_moment(line["交易时间"]),
        appid=line["公众账号ID"],
        mchid=line["商户号"],
        transaction_id=line["微信订单号"],
        out_trade_no=line["商户订单号"],
        openid=line["用户标识"],
        trade_type=line["交易类型"],
        trade_state=line["交易状态"],
        amount_fen=yuan_to_fen(line["应结订单金额"]),
        refund_id=_number(line["微信退款单号"]),
        out_refund_no=_number(line["商户退款单号"]),
        refund_fen=yuan_to_fen(line["退款金额"]),
        refund_status=line["退款状态"] or None,
        description=line["商品名称"],
        fee_fen=yuan_to_fen(line["手续费"]),
        order_fen=yuan_to_fen(line["订单金额"]),
    )


def _fund_row(line: dict[str, str]) -> FundRow:
    direction = line["收支类型"]
    if direction not in {INCOME, EXPENSE}:
        raise InvalidBill(f"neither income nor expense: {direction!r}")
    amount_fen = yuan_to_fen(line["收支金额(元)"])
    return FundRow(
        recorded_at=_moment(line["记账时间"]),
        wechat_no=line["微信支付业务单号"],
        flow_no=line["资金流水单号"],
        business_name=line["业务名称"],
        business_type=line["业务类型"],
        amount_fen=amount_fen if direction == INCOME else -amount_fen,
        balance_fen=yuan_to_fen(line["账户结余(元)"]),
        remark=line["备注"],
        our_no=line["业务凭证号"],
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise InvalidBill(f"not a number of lines: {text!r}")
    return int(text)


def _number(text: str) -> str | None:
    # A payment's row carries a zero where a refund's row carries its number.
    return text if text not in {"", "0"} else None


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING).astimezone(UTC)
    except ValueError:
        raise InvalidBill(f"not a time: {text!r}") from None


def _same(what: str, counted: int, announced: int) -> None:
    if counted != announced:
        raise InvalidBill(f"the bill's {what} add up to {counted}, its summary says {announced}")
