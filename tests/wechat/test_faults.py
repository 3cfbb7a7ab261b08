"""When WeChat fails: what the gateway says, what really happened, and that the same number heals it."""

import socket
from dataclasses import replace

import pytest

from fanyong.wechat import library
from fanyong.wechat.errors import ErrorKind, WeChatError, WeChatUnknown, kind_of
from fanyong.wechat.gateway import WeChatGateway
from fanyong.wechat.keys import make_rsa_key_pair
from tests.wechat.parts import Receiver, Shop

ORDERS = "/v3/pay/transactions/jsapi"
REFUNDS = "/v3/refund"
TRANSFERS = "/v3/fund-app"


def closed_port() -> int:
    """Return a port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_is_no_answer(shop: Shop, status: int) -> None:
    shop.simulator.fault(ORDERS, kind="error", status=status, code="SYSTEM_ERROR", mchid=shop.mchid)
    with pytest.raises(WeChatUnknown, match=str(status)):
        shop.order("order1")
    assert shop.gateway.query_order(out_trade_no="order1") is None
    assert shop.order("order1")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "FREQUENCY_LIMITED", ErrorKind.RETRYABLE),
        (429, "ANYTHING", ErrorKind.RETRYABLE),
        (403, "NOT_ENOUGH", ErrorKind.RETRYABLE),
        (401, "SIGN_ERROR", ErrorKind.CONFIG),
        (403, "NO_AUTH", ErrorKind.CONFIG),
        (403, "RULE_LIMIT", ErrorKind.CONFIG),
        (403, "OUT_TRADE_NO_USED", ErrorKind.DECLINED),
        (400, "PARAM_ERROR", ErrorKind.DECLINED),
    ],
)
def test_a_refusal_says_what_to_do(shop: Shop, status: int, code: str, kind: ErrorKind) -> None:
    shop.simulator.fault(TRANSFERS, kind="error", status=status, code=code, mchid=shop.mchid)
    with pytest.raises(WeChatError) as caught:
        shop.transfer("bill1")
    assert (caught.value.status, caught.value.code, caught.value.kind) == (status, code, kind)
    assert kind_of(status, code) is kind
    # A refusal moved nothing, and the same number may come again.
    assert shop.gateway.query_transfer(out_bill_no="bill1") is None
    assert shop.transfer("bill1").state == "WAIT_USER_CONFIRM"


def test_silence_before_anything_happened(shop: Shop) -> None:
    shop.simulator.fault(TRANSFERS, kind="hang_before", seconds=1, mchid=shop.mchid)
    gateway, shop.gateway = shop.gateway, shop.impatient()
    with pytest.raises(WeChatUnknown, match="ReadTimeout"):
        shop.transfer("bill1")
    assert gateway.query_transfer(out_bill_no="bill1") is None


def test_silence_after_it_happened(shop: Shop) -> None:
    shop.simulator.fault(TRANSFERS, kind="hang_after", seconds=1, mchid=shop.mchid)
    patient, shop.gateway = shop.gateway, shop.impatient()
    with pytest.raises(WeChatUnknown, match="ReadTimeout"):
        shop.transfer("bill1")
    happened = patient.query_transfer(out_bill_no="bill1")
    assert happened is not None
    assert happened.state == "WAIT_USER_CONFIRM"
    shop.gateway = patient
    assert shop.transfer("bill1").transfer_bill_no == happened.transfer_bill_no
    assert shop.simulator.ledger(shop.mchid)["accounts"]["operation"]["held_fen"] == 500


@pytest.mark.parametrize(
    ("kind", "message"), [("drop_answer", "connection broke"), ("bad_signature", "signature is wrong")]
)
def test_an_answer_that_cannot_be_trusted(shop: Shop, kind: str, message: str) -> None:
    shop.paid_order("order1")
    shop.simulator.fault(REFUNDS, kind=kind, mchid=shop.mchid)
    with pytest.raises(WeChatUnknown, match=message):
        shop.refund("refund1", of="order1", refund_fen=300)
    # It happened all the same: repeating it with the same number is safe.
    again = shop.refund("refund1", of="order1", refund_fen=300)
    assert again.status == "SUCCESS"
    assert shop.simulator.ledger(shop.mchid)["refunded_fen"] == 300


def test_a_refusal_with_a_wrong_signature_is_no_answer(shop: Shop) -> None:
    shop.simulator.fault("/v3/pay", kind="bad_signature", mchid=shop.mchid)
    with pytest.raises(WeChatUnknown, match="signature is wrong"):
        shop.gateway.query_order(out_trade_no="nothing")


def test_a_late_answer_is_an_answer(shop: Shop) -> None:
    shop.simulator.fault(ORDERS, kind="late", seconds=0.5, mchid=shop.mchid)
    assert shop.order("order1")


def test_faults_strike_the_chosen_merchant_as_often_as_asked(shop: Shop, other: Shop) -> None:
    shop.simulator.fault(ORDERS, kind="error", mchid=shop.mchid, times=2)
    assert other.order("order1")
    for _ in range(2):
        with pytest.raises(WeChatUnknown):
            shop.order("order1")
    assert shop.order("order1")
    shop.simulator.fault("/v3/", kind="error", mchid=shop.mchid)
    shop.simulator.clear_faults()
    assert shop.order("order1")


def test_a_closed_door_is_no_answer(shop: Shop) -> None:
    gateway = shop.elsewhere(f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(WeChatUnknown, match="no answer"):
        gateway.query_order(out_trade_no="order1")


def test_when_the_first_host_cannot_be_reached_the_second_is_asked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = f"http://127.0.0.1:{closed_port()}"
    monkeypatch.setitem(library.BACKUP_URLS, closed, shop.credentials.base_url)
    shop.gateway = shop.elsewhere(closed)
    assert shop.order("order1")
    assert shop.gateway.query_order(out_trade_no="order1") is not None


def test_nothing_is_sent_twice_when_an_answer_is_missing(shop: Shop, receiver: Receiver) -> None:
    receiver.always = 500
    with pytest.raises(WeChatUnknown):
        shop.elsewhere(receiver.url).query_order(out_trade_no="order1")
    receiver.next()
    assert receiver.received.empty()


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, b'{"prepay_id": "wx1"}', {"Content_Type": "application/json"}),
        (204, b"", {}),
        (302, b"", {"Location": "http://127.0.0.1/"}),
        (404, b"<html>not found</html>", {"Content_Type": "text/html"}),
        (404, b'{"error": "no such page"}', {"Content_Type": "application/json"}),
        (404, b"[]", {"Content_Type": "application/json"}),
        (202, b"{}", {"Content_Type": "application/json"}),
    ],
)
def test_an_answer_that_is_not_wechats_is_no_answer(
    shop: Shop, receiver: Receiver, status: int, body: bytes, headers: dict[str, str]
) -> None:
    receiver.will_answer(status, body, **headers)
    with pytest.raises(WeChatUnknown):
        shop.elsewhere(receiver.url).query_order(out_trade_no="order1")


def test_a_redirection_is_not_followed(shop: Shop, receiver: Receiver) -> None:
    receiver.will_answer(307, Location=f"{receiver.url}/elsewhere")
    with pytest.raises(WeChatUnknown, match="redirection"):
        shop.elsewhere(receiver.url).query_order(out_trade_no="order1")
    receiver.next()
    assert receiver.received.empty()


def test_an_answer_signed_by_another_wechat_is_no_answer(shop: Shop) -> None:
    _, stranger = make_rsa_key_pair()
    gateway = WeChatGateway(replace(shop.credentials, public_key_pem=stranger))
    with pytest.raises(WeChatUnknown, match="signature is wrong"):
        gateway.query_order(out_trade_no="order1")
