"""Callbacks: which ones get through, and how they come."""

import json
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from fanyong.wechat.credentials import Credentials
from fanyong.wechat.errors import InvalidCallback
from fanyong.wechat.gateway import WeChatGateway
from fanyong.wechat.keys import make_apiv3_key, make_rsa_key_pair
from fanyong.wechat.simulator.crypto import Platform, encrypt_resource
from fanyong.wechat.states import order_state, refund_state, transfer_state
from tests.wechat.parts import PATIENCE, Shop


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("bad_signature", "bad signature"),
        ("stale", "stale"),
        ("wrong_key", "not encrypted with this merchant's key"),
        ("foreign_merchant", "another merchant"),
        ("unknown_serial", "unknown serial"),
        ("signature_probe", "probe"),
    ],
)
def test_a_forged_callback_does_not_get_through(shop: Shop, kind: str, reason: str) -> None:
    shop.order("order1")
    shop.receiver.always = 401
    assert shop.simulator.forge(shop.mchid, kind=kind, number="order1") == 401
    with pytest.raises(InvalidCallback, match=reason):
        shop.callback()


def test_a_callback_with_another_amount_shows_it(shop: Shop) -> None:
    shop.order("order1", amount_fen=1000)
    shop.simulator.forge(shop.mchid, kind="amount_changed", number="order1")
    told = order_state(shop.callback().resource)
    assert (told.trade_state, told.amount_fen) == ("SUCCESS", 1001)
    # WeChat's record is untouched: a query tells the truth.
    asked = shop.gateway.query_order(out_trade_no="order1")
    assert asked is not None
    assert (asked.trade_state, asked.amount_fen) == ("NOTPAY", 1000)


def test_refunds_and_transfers_are_forged_too(shop: Shop) -> None:
    shop.simulator.set_refunds(shop.mchid, mode="manual")
    shop.paid_order("order1")
    shop.refund("refund1", of="order1", refund_fen=300)
    shop.transfer("bill1", amount_fen=500)
    shop.simulator.forge(shop.mchid, kind="amount_changed", number="refund1", event="REFUND.SUCCESS")
    refund = refund_state(shop.callback().resource)
    assert (refund.status, refund.refund_fen) == ("SUCCESS", 301)
    event = "MCHTRANSFER.BILL.FINISHED"
    shop.simulator.forge(shop.mchid, kind="amount_changed", number="bill1", event=event)
    transfer = transfer_state(shop.callback().resource)
    assert (transfer.state, transfer.amount_fen) == ("SUCCESS", 501)
    shop.simulator.forge(shop.mchid, kind="foreign_merchant", number="bill1", event=event)
    with pytest.raises(InvalidCallback, match="another merchant"):
        shop.callback()


def test_a_callback_for_one_merchant_means_nothing_to_another(shop: Shop, other: Shop) -> None:
    shop.simulator.pay(shop.order("order1"))
    got = shop.receiver.next()
    with pytest.raises(InvalidCallback, match="key"):
        other.gateway.parse_callback(headers=got.headers, body=got.body)


def test_header_names_come_in_any_case(shop: Shop) -> None:
    shop.simulator.pay(shop.order("order1"))
    got = shop.receiver.next()
    for spelled in (str.lower, str.upper):
        headers = {spelled(name): value for name, value in got.headers.items()}
        assert shop.gateway.parse_callback(headers=headers, body=got.body).event_type == "TRANSACTION.SUCCESS"
    bare = {name: value for name, value in got.headers.items() if name != "Wechatpay-Signature-Type"}
    assert shop.gateway.parse_callback(headers=bare, body=got.body).event_type == "TRANSACTION.SUCCESS"


def test_a_callback_comes_until_it_is_accepted(shop: Shop) -> None:
    for status in (500, 302):
        shop.receiver.will_answer(status)
    shop.simulator.pay(shop.order("order1"))
    attempts = [shop.receiver.next() for _ in range(3)]
    events = {shop.gateway.parse_callback(headers=got.headers, body=got.body).event_id for got in attempts}
    assert len(events) == 1
    # The event is the same; its envelope is made anew each time.
    assert len({got.headers["Wechatpay-Nonce"] for got in attempts}) == 3
    assert len({got.body for got in attempts}) == 3


def test_duplicates_are_the_same_event(shop: Shop) -> None:
    shop.simulator.pay(shop.order("order1"), times=3)
    assert len({shop.callback().event_id for _ in range(3)}) == 1
    shop.simulator.set_callbacks(shop.mchid, mode="repeat", times=2)
    shop.simulator.pay(shop.order("order2"))
    assert len({shop.callback().event_id for _ in range(2)}) == 1


def deliveries(shop: Shop, done: Callable[[list[dict[str, object]]], bool]) -> list[dict[str, object]]:
    """Return the shop's callbacks once they are as wanted."""
    deadline = time.monotonic() + PATIENCE
    while not done(found := shop.simulator.notifications(shop.mchid)):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_a_callback_can_stay_away(shop: Shop) -> None:
    shop.simulator.set_callbacks(shop.mchid, mode="never")
    shop.simulator.pay(shop.order("unheard1"))
    shop.simulator.set_callbacks(shop.mchid, mode="normal")
    shop.simulator.pay(shop.order("unsaid1"), notify=False)
    shop.simulator.pay(shop.order("heard1"))
    assert shop.callback().resource["out_trade_no"] == "heard1"
    found = deliveries(shop, lambda rows: rows[-1]["state"] == "delivered")
    assert [row["state"] for row in found] == ["suppressed", "delivered"]
    assert [row["attempts"] for row in found] == [0, 1]
    assert shop.receiver.received.empty()


def test_callbacks_can_come_in_reverse(shop: Shop) -> None:
    shop.simulator.set_callbacks(shop.mchid, mode="reverse")
    for number in ("order1", "order2", "order3"):
        shop.simulator.pay(shop.order(number))
    told = [shop.callback().resource["out_trade_no"] for _ in range(3)]
    assert told == ["order3", "order2", "order1"]


def test_callbacks_can_be_delayed(shop: Shop) -> None:
    shop.simulator.set_callbacks(shop.mchid, mode="delay", seconds=1)
    began = time.monotonic()
    shop.simulator.pay(shop.order("order1"))
    shop.callback()
    assert time.monotonic() - began >= 1


@pytest.fixture
def gateway(platform: Platform) -> WeChatGateway:
    """A gateway that trusts it."""
    return WeChatGateway(credentials_for(platform))


def credentials_for(platform: Platform) -> Credentials:
    """Return a merchant's credentials under a platform; its own key does not matter here."""
    private_pem, _ = make_rsa_key_pair()
    return Credentials(
        appid="wx1",
        app_secret="secret",
        mchid="1900000001",
        private_key_pem=private_pem,
        cert_serial_no="ABCD",
        apiv3_key=make_apiv3_key(),
        public_key_pem=platform.public_pem,
        public_key_id=platform.public_key_id,
    )


@pytest.mark.parametrize(
    "change",
    [
        b"",
        b"null",
        b"[]",
        b"not json",
        b"\xff\xfe",
        {"resource": None},
        {"resource_type": "plain"},
        {"id": ""},
        {"id": 5},
        {"create_time": "yesterday"},
        {"create_time": "2026-01-01T00:00:00"},
        {"event_type": None},
    ],
)
def test_a_signed_callback_of_the_wrong_shape_is_refused(platform: Platform, change: bytes | dict[str, object]) -> None:
    credentials = credentials_for(platform)
    gateway = WeChatGateway(credentials)
    sealed = encrypt_resource({"mchid": credentials.mchid}, apiv3_key=credentials.apiv3_key, associated_data="x")
    event: dict[str, object] = {
        "id": "1",
        "create_time": "2026-01-01T00:00:00+08:00",
        "event_type": "TRANSACTION.SUCCESS",
        "resource_type": "encrypt-resource",
        "resource": sealed,
    }
    right = json.dumps(event).encode()
    assert gateway.parse_callback(headers=platform.signature_headers(right), body=right).event_id == "1"
    body = change if isinstance(change, bytes) else json.dumps(event | change).encode()
    with pytest.raises(InvalidCallback):
        gateway.parse_callback(headers=platform.signature_headers(body), body=body)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Wechatpay-Serial": ""}, "serial"),
        ({"Wechatpay-Timestamp": "soon"}, "stale"),
        ({"Wechatpay-Timestamp": "9" * 5000}, "stale"),
        ({"Wechatpay-Timestamp": "-1"}, "stale"),
        ({"Wechatpay-Signature-Type": "WECHATPAY2-SM2-WITH-SM3"}, "type"),
        ({"Wechatpay-Signature": ""}, "signature"),
        ({"Wechatpay-Signature": "§"}, "signature"),
        ({"Wechatpay-Nonce": "another"}, "signature"),
    ],
)
def test_headers_that_do_not_fit_are_refused(
    platform: Platform, gateway: WeChatGateway, headers: dict[str, str], reason: str
) -> None:
    with pytest.raises(InvalidCallback, match=reason):
        gateway.parse_callback(headers=platform.signature_headers(b"{}") | headers, body=b"{}")


def test_the_future_is_as_stale_as_the_past(platform: Platform, gateway: WeChatGateway) -> None:
    for drift in (-400, 400):
        headers = platform.signature_headers(b"{}", timestamp=int(time.time()) + drift)
        with pytest.raises(InvalidCallback, match="stale"):
            gateway.parse_callback(headers=headers, body=b"{}")


def test_a_callback_for_another_app_is_refused(platform: Platform) -> None:
    credentials = credentials_for(platform)
    resource = {"mchid": credentials.mchid, "appid": "wx2"}
    sealed = encrypt_resource(resource, apiv3_key=credentials.apiv3_key, associated_data="x")
    event = {"id": "1", "create_time": "2026-01-01T00:00:00+08:00", "event_type": "TRANSACTION.SUCCESS"}
    body = json.dumps(event | {"resource_type": "encrypt-resource", "resource": sealed}).encode()
    headers = platform.signature_headers(body)
    with pytest.raises(InvalidCallback, match="appid"):
        WeChatGateway(credentials).parse_callback(headers=headers, body=body)
    moved = WeChatGateway(replace(credentials, appid="wx2"))
    assert moved.parse_callback(headers=headers, body=body).resource == resource
