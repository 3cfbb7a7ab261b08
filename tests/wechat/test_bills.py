"""The daily bills: what the simulator writes and the gateway reads, and bills that are not right."""

import gzip
import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from fanyong.wechat import bills
from fanyong.wechat.errors import InvalidBill, WeChatError
from fanyong.wechat.gateway import WeChatGateway
from fanyong.wechat.simulator.crypto import Platform
from fanyong.wechat.times import BEIJING
from tests.wechat.parts import Receiver, Shop


def start_on(shop: Shop, *, hour: int) -> date:
    """Set the shop's clock to an hour in Beijing three days ahead, and return that day."""
    day = (datetime.now(BEIJING) + timedelta(days=3)).date()
    shop.advance(datetime.combine(day, time(hour, 30), BEIJING) - shop.now)
    return day


def test_the_bills_of_a_day_tell_what_moved(shop: Shop) -> None:
    day = start_on(shop, hour=10)
    shop.paid_order("order1", amount_fen=12_345)
    shop.paid_order("order2", amount_fen=7)
    shop.refund("refund1", of="order1", refund_fen=2_345, total_fen=12_345)
    shop.transfer("bill1", amount_fen=1_050)
    shop.transfer("bill2", amount_fen=9_999)
    shop.simulator.transfer(shop.mchid, "bill1", action="confirm")
    shop.advance(timedelta(days=1))

    trades = shop.gateway.trade_bill(day=day)
    assert [(row.out_trade_no, row.out_refund_no, row.amount_fen, row.refund_fen) for row in trades] == [
        ("order1", None, 12_345, 0),
        ("order2", None, 7, 0),
        ("order1", "refund1", 0, 2_345),
    ]
    assert {row.trade_state for row in trades} == {"SUCCESS", "REFUND"}
    assert {(row.mchid, row.appid, row.openid) for row in trades} == {
        (shop.mchid, shop.credentials.appid, shop.openid())
    }
    assert trades[0].description == "奶茶 大杯"
    assert trades[0].traded_at.tzinfo is UTC
    assert trades[0].traded_at.astimezone(BEIJING).date() == day

    basic = shop.gateway.fund_bill(day=day, account_type="BASIC")
    assert [(row.kind, row.our_no, row.amount_fen, row.balance_fen) for row in basic] == [
        ("payment", "order1", 12_345, 12_345),
        ("payment", "order2", 7, 12_352),
        ("refund", "refund1", -2_345, 10_007),
    ]
    # What still waits for its user has not moved, so it is in no bill.
    operation = shop.gateway.fund_bill(day=day, account_type="OPERATION")
    assert [(row.kind, row.our_no, row.amount_fen) for row in operation] == [("transfer", "bill1", -1_050)]


def test_a_day_ends_at_midnight_in_beijing(shop: Shop) -> None:
    day = start_on(shop, hour=23)
    shop.paid_order("order1")
    shop.advance(timedelta(hours=1))
    shop.paid_order("order2")
    shop.advance(timedelta(days=1))
    first, second = shop.gateway.trade_bill(day=day), shop.gateway.trade_bill(day=day + timedelta(days=1))
    assert [row.out_trade_no for row in first] == ["order1"]
    assert [row.out_trade_no for row in second] == ["order2"]


def test_a_top_up_is_in_the_bill_and_is_none_of_ours(shop: Shop) -> None:
    day = start_on(shop, hour=10)
    shop.simulator.set_funds(shop.mchid, account="operation", balance_fen=5)
    shop.simulator.set_funds(shop.mchid, account="operation", balance_fen=10)
    shop.advance(timedelta(days=1))
    rows = shop.gateway.fund_bill(day=day, account_type="OPERATION")
    assert [(row.kind, row.balance_fen) for row in rows] == [("other", 5), ("other", 10)]


def test_a_day_without_movements_is_empty(shop: Shop) -> None:
    day = start_on(shop, hour=10)
    shop.advance(timedelta(days=1))
    assert shop.gateway.trade_bill(day=day) == ()
    assert shop.gateway.fund_bill(day=day, account_type="BASIC") == ()


def test_there_is_no_bill_of_today_nor_of_long_ago(shop: Shop) -> None:
    day = start_on(shop, hour=10)
    with pytest.raises(WeChatError, match="bill_date"):
        shop.gateway.trade_bill(day=day)
    with pytest.raises(WeChatError, match="three months"):
        shop.gateway.trade_bill(day=day - timedelta(days=100))
    with pytest.raises(WeChatError, match="account_type"):
        shop.gateway.fund_bill(day=day - timedelta(days=1), account_type="SAVINGS")


@pytest.mark.parametrize("with_right_host", [True, False])
def test_a_bill_is_fetched_from_wechat_and_from_nobody_else(
    shop: Shop, receiver: Receiver, platform: Platform, with_right_host: bool
) -> None:
    plain = fund_file().encode()
    announced = {
        # The wrong host begins like the right one.
        "download_url": f"{receiver.url}{'' if with_right_host else '0'}/v3/billdownload/file?token=x",
        "hash_value": hashlib.sha1(plain, usedforsecurity=False).hexdigest(),
    }
    body = json.dumps(announced).encode()
    headers = platform.signature_headers(body) | {"Content-Type": "application/json"}
    receiver.answers.put((200, headers, body))
    receiver.will_answer(200, gzip.compress(plain), Content_Type="application/octet-stream")
    ours = {"public_key_pem": platform.public_pem, "public_key_id": platform.public_key_id}
    gateway = WeChatGateway(replace(shop.credentials, base_url=receiver.url, **ours))
    if with_right_host:
        assert len(gateway.fund_bill(day=date(2026, 1, 31), account_type="BASIC")) == 1
        return
    with pytest.raises(InvalidBill, match="host"):
        gateway.fund_bill(day=date(2026, 1, 31), account_type="BASIC")
    receiver.next()
    assert receiver.received.empty()


def test_money_is_neither_made_nor_lost(shop: Shop) -> None:
    shop.paid_order("order1")
    shop.refund("refund1", of="order1", refund_fen=300)
    shop.transfer("bill1")
    shop.simulator.transfer(shop.mchid, "bill1", action="confirm")
    ledger = shop.simulator.ledger(shop.mchid)
    accounts = ledger["accounts"]
    assert sum(account["balance_fen"] for account in accounts.values()) == 0
    assert accounts["users"]["balance_fen"] == -1000 + 300 + 500
    assert (ledger["paid_fen"], ledger["refunded_fen"], ledger["transferred_fen"]) == (1000, 300, 500)


@pytest.mark.parametrize(("text", "fen"), [("0.00", 0), ("0.07", 7), ("19.99", 1999), ("-3.10", -310), ("12", 1200)])
def test_yuan_become_fen_exactly(text: str, fen: int) -> None:
    assert bills.yuan_to_fen(text) == fen


@pytest.mark.parametrize("text", ["", "0.001", "NaN", "Infinity", "1,000.00", "ten"])
def test_what_is_no_amount_in_fen_is_refused(text: str) -> None:
    with pytest.raises(InvalidBill):
        bills.yuan_to_fen(text)


def fund_file(*, count: str = "1", income: str = "1.00", line: str | None = None) -> str:
    """Return a small fund bill, right unless asked otherwise."""
    row = line or "`2026-01-31 08:00:00,`w1,`f1,`交易,`交易,`收入,`1.00,`1.00,`system,`,`order1"
    return f"{bills.FUND_HEADER}\r\n{row}\r\n{bills.FUND_SUMMARY}\r\n`{count},`1,`{income},`0,`0.00\r\n"


def test_a_right_bill_is_read() -> None:
    (row,) = bills.parse_fund_bill(fund_file())
    assert (row.our_no, row.amount_fen) == ("order1", 100)
    assert row.recorded_at == datetime(2026, 1, 31, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (fund_file(count="2"), "add up"),
        (fund_file(count="many"), "number of lines"),
        (fund_file(income="1.01"), "add up"),
        (fund_file(line="`2026-01-31 08:00:00,`w1"), "values"),
        (fund_file().replace("记账时间", "时间"), "columns"),
        (fund_file().replace("`收入,", "`左,"), "income"),
        (fund_file().replace("08:00:00", "8 o'clock"), "time"),
        ("", "columns"),
    ],
)
def test_a_wrong_bill_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidBill, match=message):
        bills.parse_fund_bill(text)


def test_the_digest_is_of_the_file_before_compression() -> None:
    plain = "﻿hello".encode()
    packed, sha1 = gzip.compress(plain), hashlib.sha1(plain, usedforsecurity=False).hexdigest()
    assert bills.unpack(packed, sha1=sha1.upper()) == "hello"
    with pytest.raises(InvalidBill, match="announced"):
        bills.unpack(gzip.compress(plain + b"!"), sha1=sha1)
    for broken in (b"", plain, packed[:-4], packed[:12] + b"\xff" * 8):
        with pytest.raises(InvalidBill):
            bills.unpack(broken, sha1=sha1)
