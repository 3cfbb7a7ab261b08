"""The built-in payout channels: what they ask of a payee, the bank's file, and its result."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from flask import Flask
from pydantic import ValidationError

from fanyong.pluginhost.registry import registry
from fanyong.values import PayoutOrder, PayoutResult
from plugins.payout_bank import Payee, PayoutBank, Settings
from plugins.payout_offline import Payee as OfflinePayee
from tenants.payouts.channels import Channel, open_channel
from tenants.payouts.errors import UnknownChannel, UnreadableResults, UnwritableFile

CARD = "6222020200112230"
BANK, SETTINGS = PayoutBank(), Settings()
PAYEE = {"name": "张三", "card_number": CARD, "bank": "工商银行", "phone": ""}
ORDERS = (PayoutOrder("a1", 123_450, PAYEE, "2026年11月推广佣金"), PayoutOrder("b2", 5, PAYEE))


def test_the_built_in_channels_are_there(app: Flask) -> None:
    assert {plugin.name for plugin in registry.plugins("payout_channel")} >= {
        "payout_bank",
        "payout_offline",
        "payout_wechat",
    }


def test_export_payouts_gives_a_row_for_each_payout_in_yuan() -> None:
    file = BANK.export_payouts(SETTINGS, ORDERS)
    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert rows[1] == ["1", "a1", "张三", CARD, "工商银行", "1234.50", "2026年11月推广佣金"]
    assert rows[2][5] == "0.05"
    assert len(rows) == 3
    assert BANK.export_payouts(SETTINGS, ORDERS) == file


def test_the_file_can_be_in_the_encoding_of_chinese_banks() -> None:
    file = BANK.export_payouts(Settings(encoding="gb18030"), ORDERS)
    assert "张三" in file.content.decode("gb18030")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
@pytest.mark.parametrize("name", ["㐂田", "𠮷野家", "买买提·艾力", "Zoë"])
def test_a_rare_name_goes_to_the_bank_as_it_is(encoding: str, name: str) -> None:
    order = PayoutOrder("a1", 5, {**PAYEE, "name": name})
    content = BANK.export_payouts(Settings.model_validate({"encoding": encoding}), [order]).content
    assert next(csv.reader(io.StringIO(content.decode(encoding).splitlines()[1])))[2] == name


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_name_that_no_file_can_hold_is_refused_and_not_changed(app: Flask, encoding: str) -> None:
    channel = open_channel("payout_bank", {"encoding": encoding})
    with pytest.raises(UnwritableFile) as refused:
        channel.export([PayoutOrder("a1", 5, {**PAYEE, "name": "张\ud800"})])
    assert "\\ud800" in refused.value.text


def test_the_word_for_what_came_back_may_be_the_one_for_what_failed() -> None:
    content = f"{RESULT}a1,0.05,退票,销户\n".encode()
    assert BANK.read_results(SETTINGS, content) == [PayoutResult("a1", "returned", 5, "销户")]
    assert BANK.read_results(Settings(failed_word="退票"), content) == [PayoutResult("a1", "failed", 5, "销户")]
    for word in ("paid_word", "pending_word"):
        with pytest.raises(ValidationError):
            Settings.model_validate({word: "退票"})


RESULT = "批量代发结果\n业务参考号,金额,处理结果,失败原因\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_read_results_finds_the_header_whatever_stands_above(encoding: str) -> None:
    text = f'{RESULT}A1,"1,234.50",成功,\n\'b2,0.05,失败,账号不存在\n\tc3,,处理中,\n,合计,,\n'
    assert BANK.read_results(SETTINGS, text.encode(encoding)) == [
        PayoutResult("a1", "paid", 123_450),
        PayoutResult("b2", "failed", 5, "账号不存在"),
        PayoutResult("c3", "pending"),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no row with the columns"),
        (b"\xff\xff\xff\xff", "neither"),
        ("业务参考号,金额\na1,5\n".encode(), "no row with the columns"),
        (f"{RESULT}a1,5.00,大概,\n".encode(), "大概"),
        (f"{RESULT}a1,fünf,成功,\n".encode(), "fünf"),
        (f"{RESULT}a1,0.055,成功,\n".encode(), "0.055"),
    ],
)
def test_a_file_that_leaves_a_doubt_is_refused_whole(app: Flask, content: bytes, says: str) -> None:
    channel = open_channel("payout_bank", {})
    with pytest.raises(UnreadableResults) as refused:
        channel.read_results(content)
    assert says in refused.value.text


@pytest.mark.parametrize(
    "changes",
    [
        {"card_number": CARD[:-1] + "1"},
        {"card_number": "12345678901"},
        {"card_number": "６２２２０２０２００１１２２３０"},
        {"name": "=HYPERLINK(1)"},
        {"name": ""},
        {"bank": "A,B"},
        {"phone": "123"},
        {"extra": "x"},
    ],
)
def test_a_card_that_cannot_be_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Payee.model_validate({**PAYEE, **changes})


def test_a_card_may_be_typed_with_spaces() -> None:
    assert Payee.model_validate({**PAYEE, "card_number": "6222 0202 0011 2230"}).card_number == CARD


def test_a_payee_by_hand_is_plain_text() -> None:
    assert OfflinePayee(name="李四", account="li4@example.com").account == "li4@example.com"
    with pytest.raises(ValidationError):
        OfflinePayee(name="李四", account="=1+1")


@pytest.mark.parametrize("values", [{"minimum_fen": 0}, {"number_column": "金额"}, {"nonsense": 1}])
def test_settings_that_cannot_be_are_no_channel(app: Flask, values: dict[str, Any]) -> None:
    with pytest.raises(UnknownChannel):
        open_channel("payout_bank", values)


def test_payout_traits_and_payee_model_say_how_channels_deliver(app: Flask) -> None:
    opened: dict[str, Channel] = {name: open_channel(f"payout_{name}", {}) for name in ("wechat", "bank", "offline")}
    assert {name: channel.traits.delivery for name, channel in opened.items()} == {
        "wechat": "provider",
        "bank": "file",
        "offline": "manual",
    }
    assert opened["wechat"].payee_model is None
    assert opened["bank"].payee_model is Payee
