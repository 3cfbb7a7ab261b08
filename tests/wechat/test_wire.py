"""The simulator as a stranger sees it: what it refuses, and that all it says is signed."""

import json
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from wechatpayv3.utils import build_authorization

from fanyong.wechat.errors import ErrorKind, WeChatError, WeChatUnknown
from fanyong.wechat.gateway import WeChatGateway
from fanyong.wechat.keys import make_cert_serial, make_rsa_key_pair
from fanyong.wechat.times import BEIJING
from tests.wechat.parts import Shop


def send(shop: Shop, method: str, target: str, *, sign: str | None = None, body: str = "", **how: Any) -> Any:
    """Send a request whose signature is over `sign` instead of its target."""
    core: Any = shop.gateway._client._core
    values = {"data": body, "nonce_str": None} | how
    authorization = build_authorization(
        sign or target, method, shop.mchid, shop.credentials.cert_serial_no, core._private_key, **values
    )
    return requests.request(
        method,
        shop.credentials.base_url + target,
        headers={"Authorization": authorization},
        data=body.encode(),
        timeout=30,
    )


def is_signed(shop: Shop, response: requests.Response) -> bool:
    """Tell whether an answer carries WeChat's signature."""
    core: Any = shop.gateway._client._core
    return bool(core.signature_matches(response.headers, response.text))


def test_every_answer_is_signed(shop: Shop) -> None:
    shop.order("order1")
    path = "/v3/pay/transactions/out-trade-no/order1"
    found = send(shop, "GET", f"{path}?mchid={shop.mchid}")
    closed = send(shop, "POST", f"{path}/close", body=json.dumps({"mchid": shop.mchid}))
    missing = send(shop, "GET", f"{path}x?mchid={shop.mchid}")
    nowhere = send(shop, "GET", "/v3/nowhere")
    forbidden = send(shop, "GET", "/v3/nowhere", sign="/v3/elsewhere")
    answers = [found, closed, missing, nowhere, forbidden]
    assert [answer.status_code for answer in answers] == [200, 204, 404, 404, 401]
    assert all(is_signed(shop, answer) for answer in answers)
    assert all(answer.headers["Request-ID"] for answer in answers)


def test_the_signature_is_over_the_raw_target(shop: Shop) -> None:
    path = f"/v3/pay/transactions/out-trade-no/a%7Cb?mchid={shop.mchid}"
    assert send(shop, "GET", path).status_code == 404
    assert send(shop, "GET", path, sign=path.replace("%7C", "|")).status_code == 401


def test_the_signature_is_over_the_body(shop: Shop) -> None:
    path = "/v3/pay/transactions/out-trade-no/order1/close"
    shop.order("order1")
    answer = send(shop, "POST", path, body='{"mchid": "1"}', data='{"mchid": "2"}')
    assert (answer.status_code, answer.json()["code"]) == (401, "SIGN_ERROR")


def test_a_nonce_is_good_once(shop: Shop) -> None:
    target = f"/v3/pay/transactions/out-trade-no/order1?mchid={shop.mchid}"
    assert send(shop, "GET", target, nonce_str="once").status_code == 404
    assert send(shop, "GET", target, nonce_str="once").status_code == 401


@pytest.mark.parametrize("drift", [-400, 400])
def test_a_request_of_another_time_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch, drift: int) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + drift)
    answer = send(shop, "GET", "/v3/refund/domestic/refunds/refund1")
    assert (answer.status_code, answer.json()["code"]) == (401, "SIGN_ERROR")
    # With a wrong clock no answer can be told from a replayed one.
    with pytest.raises(WeChatUnknown, match="clock"):
        shop.gateway.query_refund(out_refund_no="refund1")


def test_wrong_keys_are_a_matter_of_configuration(shop: Shop) -> None:
    for change in (
        {"private_key_pem": make_rsa_key_pair()[0]},
        {"cert_serial_no": make_cert_serial()},
        {"mchid": "1234567890"},
    ):
        with pytest.raises(WeChatError) as caught:
            WeChatGateway(replace(shop.credentials, **change)).query_refund(out_refund_no="refund1")
        assert (caught.value.code, caught.value.kind) == ("SIGN_ERROR", ErrorKind.CONFIG)


def test_one_merchant_cannot_ask_for_another(shop: Shop, other: Shop) -> None:
    other.order("order1")
    answer = send(shop, "GET", f"/v3/pay/transactions/out-trade-no/order1?mchid={other.mchid}")
    assert (answer.status_code, answer.json()["code"]) == (400, "PARAM_ERROR")


def test_orders_and_transfers_are_found_by_wechats_numbers_too(shop: Shop) -> None:
    paid = shop.paid_order("order1").resource
    answer = send(shop, "GET", f"/v3/pay/transactions/id/{paid['transaction_id']}?mchid={shop.mchid}")
    assert answer.json() == paid
    created = shop.transfer("bill1")
    path = "/v3/fund-app/mch-transfer/transfer-bills/transfer-bill-no/"
    assert send(shop, "GET", path + created.transfer_bill_no).json()["out_bill_no"] == "bill1"
    assert send(shop, "GET", path + "nothing").status_code == 404


@pytest.mark.parametrize("body", ["", "null", "[]", "{", '{"mchid": null}', '{"mchid": 5}'])
def test_a_malformed_body_is_refused(shop: Shop, body: str) -> None:
    shop.order("order1")
    answer = send(shop, "POST", "/v3/pay/transactions/out-trade-no/order1/close", body=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "PARAM_ERROR")
    assert is_signed(shop, answer)


def test_a_bill_belongs_to_its_merchant(shop: Shop, other: Shop) -> None:
    other.paid_order("order1")
    day = datetime.now(BEIJING).date()
    other.advance(timedelta(days=1))
    announced = send(other, "GET", f"/v3/bill/tradebill?bill_date={day}").json()
    target = announced["download_url"].removeprefix(shop.credentials.base_url)
    assert send(shop, "GET", target).status_code == 404
    plain = send(other, "GET", target)
    assert plain.content.decode("utf-8-sig").startswith("交易时间,")
