"""The control routes: what they refuse, and that doing a thing twice changes nothing."""

from dataclasses import replace

import httpx
import pytest

from fanyong.wechat.errors import WeChatError
from fanyong.wechat.gateway import WeChatGateway
from fanyong.wechat.keys import make_apiv3_key, make_cert_serial, make_rsa_key_pair
from fanyong.wechat.simulator.client import SimulatorClient, SimulatorRefused
from tests.wechat.parts import Shop


def test_it_is_healthy_and_has_one_platform_key(simulator: SimulatorClient, shop: Shop) -> None:
    assert simulator.ask("GET", "health") == {"ok": True}
    key = simulator.ask("GET", "platform-key")
    assert key == {
        "public_key_pem": shop.credentials.public_key_pem,
        "public_key_id": shop.credentials.public_key_id,
    }


@pytest.mark.parametrize(
    ("method", "path", "values", "status", "message"),
    [
        ("PUT", "merchants/abc", {}, 400, "mchid"),
        ("PUT", "merchants/1900000001", {}, 400, "appid: Field required"),
        ("GET", "merchants/1900000001/ledger", {}, 404, "no merchant"),
        ("GET", "nowhere", {}, 404, "not found"),
        ("PATCH", "health", {}, 405, "not allowed"),
        ("POST", "login", {"appid": "wx-unknown", "user": "amy"}, 404, "appid"),
        ("POST", "login", {"appid": "wx-unknown", "user": ""}, 400, "user"),
        ("POST", "payments/nothing", {}, 404, "prepay"),
        ("POST", "payments/nothing", {"amount_fen": 0}, 400, "amount_fen"),
        ("POST", "payments/nothing", {"amount_fen": "5"}, 400, "amount_fen"),
        ("POST", "payments/nothing", {"times": 0}, 400, "times"),
        ("POST", "payments/nothing", {"typo": 1}, 400, "typo"),
        ("POST", "transfers/{mchid}/nothing", {"action": "confirm"}, 404, "no such transfer"),
        ("POST", "transfers/{mchid}/nothing", {"action": "steal"}, 400, "action"),
        ("POST", "refunds/{mchid}/nothing", {"action": "succeed"}, 404, "no such refund"),
        ("POST", "refunds/{mchid}/nothing", {}, 400, "action"),
        ("PUT", "clocks/{mchid}", {"offset_seconds": 1.5}, 400, "offset_seconds"),
        ("PUT", "clocks/{mchid}", {"offset_seconds": 10**12}, 400, "offset_seconds"),
        ("PUT", "clocks/1900000001", {"offset_seconds": 1}, 404, "no merchant"),
        ("PUT", "callbacks-mode/{mchid}", {"mode": "sometimes"}, 400, "mode"),
        ("PUT", "refunds-mode/{mchid}", {"mode": "delay", "seconds": -1}, 400, "seconds"),
        ("PUT", "merchants/{mchid}/funds", {"account": "users", "balance_fen": 1}, 400, "account"),
        ("PUT", "faults", {"match": "/_sim/", "kind": "error"}, 400, "match"),
        ("PUT", "faults", {"match": "/v3/", "kind": "explode"}, 400, "kind"),
        ("PUT", "faults", {"match": "/v3/", "kind": "error", "status": 200}, 400, "status"),
        ("POST", "forge", {"mchid": "1900000001", "kind": "stale", "number": "x"}, 404, "no merchant"),
        ("POST", "forge", {"mchid": "{mchid}", "kind": "stale", "number": "x"}, 404, "number"),
        ("POST", "forge", {"mchid": "{mchid}", "kind": "odd", "number": "x"}, 400, "kind"),
    ],
)
def test_a_mistake_is_explained(
    shop: Shop, method: str, path: str, values: dict[str, object], status: int, message: str
) -> None:
    given = {name: shop.mchid if value == "{mchid}" else value for name, value in values.items()}
    with pytest.raises(SimulatorRefused, match=message) as caught:
        shop.simulator.ask(method, path.replace("{mchid}", shop.mchid), **given)
    assert caught.value.status == status


@pytest.mark.parametrize(("body", "kind"), [(b"{", "application/json"), (b"{}", "text/plain")])
def test_only_json_is_taken(simulator: SimulatorClient, body: bytes, kind: str) -> None:
    url = f"{simulator.url}/_sim/login"
    response = httpx.post(url, content=body, headers={"Content-Type": kind}, trust_env=False)
    assert response.status_code == 400
    assert "error" in response.json()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("apiv3_key", "x" * 31),
        ("apiv3_key", "密" * 32),
        ("public_key_pem", "not a key"),
        ("appid", "wx/1"),
        ("app_secret", ""),
    ],
)
def test_a_merchants_keys_are_checked(simulator: SimulatorClient, field: str, value: str) -> None:
    values = {
        "appid": "wx1234",
        "app_secret": "secret",
        "apiv3_key": make_apiv3_key(),
        "cert_serial_no": make_cert_serial(),
        "public_key_pem": make_rsa_key_pair()[1],
    }
    with pytest.raises(SimulatorRefused, match=field):
        simulator.ask("PUT", "merchants/1900000002", **(values | {field: value}))


def test_registering_again_changes_keys_and_nothing_else(shop: Shop) -> None:
    shop.paid_order("order1")
    rotated = shop.simulator.open_merchant(mchid=shop.mchid, appid=shop.credentials.appid)
    with pytest.raises(WeChatError, match="SIGN_ERROR"):
        shop.gateway.query_order(out_trade_no="order1")
    found = WeChatGateway(rotated).query_order(out_trade_no="order1")
    assert found is not None
    assert found.is_paid
    accounts = shop.simulator.ledger(shop.mchid)["accounts"]
    assert accounts["operation"]["balance_fen"] == 1_000_000_000
    assert rotated.public_key_id == shop.credentials.public_key_id


def test_a_number_made_up_takes_over_nobody(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter([int(shop.mchid[2:]), int(shop.mchid[2:]), 7])
    monkeypatch.setattr("fanyong.wechat.simulator.client.secrets.randbelow", lambda _: next(numbers))
    assert shop.simulator.open_merchant().mchid == "1900000007"
    assert shop.gateway.query_order(out_trade_no="order1") is None


def test_callbacks_follow_a_rotated_key(shop: Shop) -> None:
    shop.receiver.will_answer(500)
    shop.simulator.pay(shop.order("order1"))
    before = shop.callback()
    rotated = shop.simulator.open_merchant(mchid=shop.mchid, appid=shop.credentials.appid)
    got = shop.receiver.next()
    after = WeChatGateway(rotated).parse_callback(headers=got.headers, body=got.body)
    assert after == before


def test_a_receiver_that_is_not_there_is_reported(shop: Shop) -> None:
    shop.order("order1")
    with pytest.raises(SimulatorRefused, match="receiver") as caught:
        shop.simulator.forge(shop.mchid, kind="stale", number="order1", url="http://127.0.0.1:9/x")
    assert caught.value.status == 502


def test_what_is_listed_as_a_fault_is_what_was_asked_for(shop: Shop) -> None:
    shop.simulator.fault("/v3/refund", kind="error", status=503, code="BUSY", mchid=shop.mchid, times=3)
    (fault,) = shop.simulator.ask("GET", "faults")
    assert (fault["match"], fault["status"], fault["code"], fault["times"]) == ("/v3/refund", 503, "BUSY", 3)


def test_the_appid_has_to_be_the_merchants(shop: Shop) -> None:
    gateway = WeChatGateway(replace(shop.credentials, appid="wx0000"))
    shop.gateway = gateway
    openid = shop.simulator.login(appid=shop.credentials.appid, user="amy")[1]
    with pytest.raises(WeChatError, match="APPID_MCHID_NOT_MATCH"):
        shop.order("order1", openid=openid)
