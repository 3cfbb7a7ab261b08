"""The daily bills: written from the movements of a merchant's accounts, by the day in Beijing."""

import csv
import gzip
import hashlib
import io
import re
import secrets
import time
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from fanyong.wechat.simulator import accounts
from fanyong.wechat.simulator.errors import ApiError, param_error
from fanyong.wechat.simulator.store import Database, Merchant, Row
from fanyong.wechat.times import BEIJING

DOWNLOAD_SECONDS = 300
MAX_AGE_DAYS = 92
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
BUSINESS = {
    "payment": "交易",
    "refund": "退款",
    "transfer": "商家转账",
    "deposit": "充值",
    "withdrawal": "提现",
}
ACCOUNTS = {"BASIC": accounts.BASIC, "OPERATION": accounts.OPERATION}


def trade_bill(
    db: Database, merchant: Merchant, *, day: str, bill_type: str, tar_type: str, host: str
) -> dict[str, Any]:
    """Announce the bill of a day's payments and refunds."""
    if bill_type != "ALL":
        raise param_error("bill_type: only ALL is offered")
    rows = [row for row in _movements(db, merchant, day) if row["kind"] in {"payment", "refund"}]
    lines = [_trade_line(db, merchant, row) for row in rows]
    paid = sum(row["amount_fen"] for row in rows if row["kind"] == "payment")
    refunded = sum(row["amount_fen"] for row in rows if row["kind"] == "refund")
    summary = [str(len(rows)), *map(yuan, (paid, refunded, 0, 0, paid, refunded))]
    text = _file(TRADE_HEADER, lines, TRADE_SUMMARY, summary)
    return _announce(db, merchant, rows, text, tar_type=tar_type, host=host)


def fund_bill(
    db: Database, merchant: Merchant, *, day: str, account_type: str, tar_type: str, host: str
) -> dict[str, Any]:
    """Announce the bill of a day's movements of one account."""
    account = ACCOUNTS.get(account_type)
    if account is None:
        raise param_error("account_type: BASIC or OPERATION")
    rows = [row for row in _movements(db, merchant, day) if account in {row["source"], row["target"]}]
    incomes = [row["amount_fen"] for row in rows if row["target"] == account]
    expenses = [row["amount_fen"] for row in rows if row["source"] == account]
    lines = [_fund_line(row, account) for row in rows]
    counts = (str(len(rows)), str(len(incomes)), yuan(sum(incomes)), str(len(expenses)), yuan(sum(expenses)))
    text = _file(FUND_HEADER, lines, FUND_SUMMARY, counts)
    return _announce(db, merchant, rows, text, tar_type=tar_type, host=host)


def download(db: Database, merchant: Merchant, token: str) -> bytes:
    """Return an announced bill while its address is valid."""
    row = db.execute(
        "SELECT content FROM bill_files WHERE token = ? AND mchid = ? AND expires_at > ?",
        (token, merchant.mchid, time.time()),
    ).fetchone()
    if row is None:
        raise ApiError(404, "RESOURCE_NOT_EXISTS", "the bill's address is unknown or too old")
    return bytes(row["content"])


def yuan(fen: int) -> str:
    """Return an amount of fen the way bills write it."""
    return f"{Decimal(fen).scaleb(-2):.2f}"


def _movements(db: Database, merchant: Merchant, day: str) -> list[Row]:
    today = datetime.fromtimestamp(merchant.now(), BEIJING).date()
    try:
        wanted = date.fromisoformat(day if re.fullmatch(r"\d{4}-\d\d-\d\d", day) else "")
    except ValueError:
        raise param_error("bill_date: not a date like 2026-01-31") from None
    if wanted >= today:
        raise param_error("bill_date: the bill of a day is made after it")
    if wanted < today - timedelta(days=MAX_AGE_DAYS):
        raise param_error("bill_date: bills are kept for three months")
    start = int(datetime(wanted.year, wanted.month, wanted.day, tzinfo=BEIJING).timestamp())
    return db.execute(
        "SELECT * FROM movements WHERE mchid = ? AND at >= ? AND at < ? ORDER BY id",
        (merchant.mchid, start, start + 86_400),
    ).fetchall()


def _trade_line(db: Database, merchant: Merchant, row: Row) -> list[str]:
    is_refund = row["kind"] == "refund"
    refund = order_no = None
    if is_refund:
        refund = db.execute(
            "SELECT * FROM refunds WHERE mchid = ? AND out_refund_no = ?", (merchant.mchid, row["our_no"])
        ).fetchone()
        order_no = refund["out_trade_no"]
    order = db.execute(
        "SELECT * FROM orders WHERE mchid = ? AND out_trade_no = ?",
        (merchant.mchid, order_no or row["our_no"]),
    ).fetchone()
    paid, refunded = (0, row["amount_fen"]) if is_refund else (row["amount_fen"], 0)
    head = [_local(row["at"]), order["appid"], merchant.mchid, "0", "", order["transaction_id"]]
    trade = [order["out_trade_no"], order["openid"], "JSAPI", "REFUND" if is_refund else "SUCCESS"]
    money = ["OTHERS", "CNY", yuan(paid), yuan(0)]
    back = ["0", "0", yuan(0), yuan(0), "", ""]
    if refund is not None:
        numbers = [refund["refund_id"], refund["out_refund_no"]]
        back = [*numbers, yuan(refunded), yuan(0), "ORIGINAL", "SUCCESS"]
    tail = [_plain(order["description"]), _plain(order["attach"]), yuan(0), "0.00%"]
    return [*head, *trade, *money, *back, *tail, yuan(paid), yuan(refunded), ""]


def _fund_line(row: Row, account: str) -> list[str]:
    is_income = row["target"] == account
    balance = row["target_balance_fen"] if is_income else row["source_balance_fen"]
    business = BUSINESS[row["kind"]]
    return [
        _local(row["at"]),
        row["wechat_no"],
        f"10{row['id']:018d}",
        business,
        business,
        "收入" if is_income else "支出",
        yuan(row["amount_fen"]),
        yuan(balance),
        "system",
        "",
        row["our_no"],
    ]


def _file(header: str, lines: Iterable[Sequence[str]], summary_header: str, summary: Sequence[str]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    out.write(header + "\r\n")
    writer.writerows(["`" + value for value in line] for line in lines)
    out.write(summary_header + "\r\n")
    writer.writerow(["`" + value for value in summary])
    return out.getvalue().encode("utf-8-sig")


def _announce(
    db: Database, merchant: Merchant, rows: Sequence[Row], plain: bytes, *, tar_type: str, host: str
) -> dict[str, Any]:
    if tar_type not in {"", "GZIP"}:
        raise param_error("tar_type: GZIP or nothing")
    if not rows:
        raise ApiError(400, "NO_STATEMENT_EXIST", "nothing happened on that day")
    token = secrets.token_urlsafe(24)
    content = gzip.compress(plain) if tar_type else plain
    db.execute("DELETE FROM bill_files WHERE expires_at < ?", (time.time(),))
    db.execute(
        "INSERT INTO bill_files VALUES (?, ?, ?, ?)",
        (token, merchant.mchid, content, time.time() + DOWNLOAD_SECONDS),
    )
    return {
        "hash_type": "SHA1",
        # Of the file before it is compressed.
        "hash_value": hashlib.sha1(plain, usedforsecurity=False).hexdigest(),
        "download_url": f"{host}/v3/billdownload/file?token={token}",
    }


def _local(at: int) -> str:
    return datetime.fromtimestamp(at, BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def _plain(text: str) -> str:
    # WeChat replaces what would break the file's columns.
    return " ".join(text.replace(",", " ").replace("`", " ").replace('"', " ").split())
