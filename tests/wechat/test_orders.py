"""Orders from the gateway to the simulator and back."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from fanyong.wechat.errors import ErrorKind, WeChatError
from fanyong.wechat.simulator.client import SimulatorRefused
from fanyong.wechat.states import order_state
from tests.wechat.parts import Shop


def test_an_order_is_placed_paid_told_and_found(shop: Shop) -> None:
    prepay_id = shop.order("order1", amount_fen=1234)
    waiting = shop.gateway.query_order(out_trade_no="order1")
    assert waiting is not None
    assert (waiting.trade_state, waiting.is_paid, waiting.success_at) == ("NOTPAY", False, None)

    shop.simulator.pay(prepay_id)
    callback = shop.callback()
    assert callback.event_type == "TRANSACTION.SUCCESS"
    told = order_state(callback.resource)
    found = shop.gateway.query_order(out_trade_no="order1")
    assert told == found
    assert (told.trade_state, told.amount_fen, told.currency) == ("SUCCESS", 1234, "CNY")
    assert (told.openid, told.mchid, told.appid) == (shop.openid(), shop.mchid, shop.credentials.appid)
    assert told.success_at is not None
    assert abs(told.success_at - datetime.now(UTC)) < timedelta(minutes=5)


def test_paying_twice_moves_money_once(shop: Shop) -> None:
    prepay_id = shop.order("order1")
    first, second = shop.simulator.pay(prepay_id), shop.simulator.pay(prepay_id)
    assert first == second
    ledger = shop.simulator.ledger(shop.mchid)
    assert ledger["paid_fen"] == 1000
    assert len(shop.simulator.notifications(shop.mchid)) == 1


def test_the_same_number_with_the_same_order_gives_a_fresh_prepay_id(shop: Shop) -> None:
    first = shop.order("order1")
    # Another expiry is no other order: the first one fixed it.
    second = shop.order("order1", expires_at=shop.now + timedelta(hours=2))
    assert first != second
    shop.simulator.pay(second)
    assert shop.simulator.pay(first)["trade_state"] == "SUCCESS"
    assert shop.simulator.ledger(shop.mchid)["paid_fen"] == 1000


@pytest.mark.parametrize("change", [{"amount_fen": 999}, {"description": "something else"}])
def test_the_same_number_with_another_order_is_declined(shop: Shop, change: dict[str, object]) -> None:
    shop.order("order1")
    with pytest.raises(WeChatError) as caught:
        shop.order("order1", **change)  # type: ignore[arg-type]
    assert (caught.value.kind, caught.value.code) == (ErrorKind.DECLINED, "OUT_TRADE_NO_USED")


def test_a_paid_number_cannot_be_ordered_again(shop: Shop) -> None:
    shop.paid_order("order1")
    with pytest.raises(WeChatError, match="ORDERPAID"):
        shop.order("order1")


def test_two_merchants_may_use_the_same_number(shop: Shop, other: Shop) -> None:
    shop.paid_order("order1", amount_fen=100)
    assert other.gateway.query_order(out_trade_no="order1") is None
    other.paid_order("order1", amount_fen=200)
    assert shop.simulator.ledger(shop.mchid)["paid_fen"] == 100
    assert shop.simulator.ledger(other.mchid)["paid_fen"] == 200


def test_an_openid_of_another_app_is_refused(shop: Shop, other: Shop) -> None:
    with pytest.raises(WeChatError, match="openid") as caught:
        shop.order("order1", openid=other.openid())
    assert caught.value.kind is ErrorKind.DECLINED


def test_an_unknown_order_is_not_found(shop: Shop) -> None:
    assert shop.gateway.query_order(out_trade_no="nothing") is None
    with pytest.raises(WeChatError) as caught:
        shop.gateway.close_order(out_trade_no="nothing")
    assert caught.value.is_not_found


def test_a_closed_order_cannot_be_paid(shop: Shop) -> None:
    prepay_id = shop.order("order1")
    shop.gateway.close_order(out_trade_no="order1")
    shop.gateway.close_order(out_trade_no="order1")
    found = shop.gateway.query_order(out_trade_no="order1")
    assert found is not None
    assert found.trade_state == "CLOSED"
    with pytest.raises(SimulatorRefused, match="closed"):
        shop.simulator.pay(prepay_id)
    with pytest.raises(WeChatError, match="ORDER_CLOSED"):
        shop.order("order1")


def test_a_paid_order_cannot_be_closed(shop: Shop) -> None:
    shop.paid_order("order1")
    with pytest.raises(WeChatError, match="ORDERPAID"):
        shop.gateway.close_order(out_trade_no="order1")


def test_an_order_expires_by_the_merchants_clock(shop: Shop) -> None:
    prepay_id = shop.order("order1")
    shop.advance(timedelta(hours=1, minutes=5))
    with pytest.raises(SimulatorRefused, match="expired"):
        shop.simulator.pay(prepay_id)
    found = shop.gateway.query_order(out_trade_no="order1")
    assert found is not None
    assert found.trade_state == "CLOSED"


def test_a_prepay_id_is_good_for_two_hours(shop: Shop) -> None:
    old = shop.order("order1", expires_at=shop.now + timedelta(days=2))
    shop.advance(timedelta(hours=3))
    with pytest.raises(SimulatorRefused, match="two hours"):
        shop.simulator.pay(old)
    shop.simulator.pay(shop.order("order1", expires_at=shop.now + timedelta(days=2)))
    assert shop.simulator.ledger(shop.mchid)["paid_fen"] == 1000


def test_the_success_time_follows_the_merchants_clock(shop: Shop) -> None:
    shop.advance(timedelta(days=40))
    told = order_state(shop.paid_order("order1").resource)
    assert told.success_at is not None
    assert abs(told.success_at - shop.now) < timedelta(minutes=5)


def test_a_lie_about_payer_and_amount_is_visible(shop: Shop) -> None:
    stranger = shop.openid("eve")
    shop.simulator.pay(shop.order("order1"), payer_openid=stranger, amount_fen=1)
    told = order_state(shop.callback().resource)
    assert (told.openid, told.amount_fen) == (stranger, 1)
    assert told == shop.gateway.query_order(out_trade_no="order1")
    assert shop.simulator.ledger(shop.mchid)["paid_fen"] == 1


def test_the_payment_parameters_are_signed_by_the_merchant(shop: Shop) -> None:
    params = shop.gateway.payment_params(prepay_id="wx123")
    assert params["package"] == "prepay_id=wx123"
    assert params["signType"] == "RSA"
    names = ("appId", "timeStamp", "nonceStr", "package")
    message = "".join(params[name] + "\n" for name in names).encode()
    key = load_pem_private_key(shop.credentials.private_key_pem.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    key.public_key().verify(base64.b64decode(params["paySign"]), message, PKCS1v15(), SHA256())


@pytest.mark.parametrize("number", ["", "a|b/c", "no spaces", "x" * 65, "order1\n"])
def test_a_number_that_would_bend_the_path_is_not_sent(shop: Shop, number: str) -> None:
    with pytest.raises(ValueError, match="number"):
        shop.gateway.query_order(out_trade_no=number)


@pytest.mark.parametrize("amount", [0, -1, True, 1.5])
def test_an_amount_that_is_none_is_not_sent(shop: Shop, amount: int) -> None:
    with pytest.raises(ValueError, match="amount"):
        shop.order("order1", amount_fen=amount)


def test_a_time_without_a_zone_is_not_sent(shop: Shop) -> None:
    with pytest.raises(ValueError, match="zone"):
        shop.order("order1", expires_at=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"description": "x" * 128}, "description"),
        ({"notify_url": "http://example.com/x"}, "notify_url"),
        ({"notify_url": "https://example.com/x?y=1"}, "notify_url"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "time_expire"),
    ],
)
def test_wechat_names_the_field_it_refuses(shop: Shop, change: dict[str, object], field: str) -> None:
    with pytest.raises(WeChatError, match=field) as caught:
        shop.order("order1", **change)  # type: ignore[arg-type]
    assert (caught.value.kind, caught.value.code) == (ErrorKind.DECLINED, "PARAM_ERROR")
