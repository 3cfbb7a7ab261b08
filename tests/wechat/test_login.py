"""Turning log-in codes into openids."""

import json
import logging

import pytest

from fanyong.wechat.errors import (
    LoginBlocked,
    LoginCodeInvalid,
    LoginError,
    LoginMisconfigured,
    LoginRateLimited,
    LoginUnavailable,
)
from tests.wechat.parts import Receiver, Shop


def test_a_code_is_good_once_and_for_one_user(shop: Shop) -> None:
    code, openid = shop.simulator.login(appid=shop.credentials.appid, user="amy")
    assert shop.gateway.code2session(code=code) == openid
    with pytest.raises(LoginCodeInvalid) as caught:
        shop.gateway.code2session(code=code)
    assert caught.value.errcode == 40163
    assert shop.openid("amy") == openid
    assert shop.openid("ben") != openid


def test_the_same_user_has_another_openid_in_another_app(shop: Shop, other: Shop) -> None:
    assert shop.openid("amy") != other.openid("amy")


def test_a_code_of_another_app_is_invalid(shop: Shop, other: Shop) -> None:
    code, _ = other.simulator.login(appid=other.credentials.appid, user="amy")
    with pytest.raises(LoginCodeInvalid) as caught:
        shop.gateway.code2session(code=code)
    assert caught.value.errcode == 40029


@pytest.mark.parametrize(
    ("errcode", "error"),
    [
        (40029, LoginCodeInvalid),
        (45011, LoginRateLimited),
        (40226, LoginBlocked),
        (40013, LoginMisconfigured),
        (40125, LoginMisconfigured),
        (-1, LoginUnavailable),
        (99999, LoginUnavailable),
    ],
)
def test_wechats_codes_become_errors(shop: Shop, receiver: Receiver, errcode: int, error: type[LoginError]) -> None:
    receiver.will_answer(200, json.dumps({"errcode": errcode, "errmsg": "why"}).encode())
    with pytest.raises(error, match="why") as caught:
        shop.elsewhere(receiver.url).code2session(code="x")
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"not json"), (200, b"[]"), (200, b"{}"), (200, b'{"openid": 5}'), (502, b"{}")],
)
def test_nonsense_is_no_login(shop: Shop, receiver: Receiver, status: int, body: bytes) -> None:
    receiver.will_answer(status, body)
    with pytest.raises(LoginUnavailable):
        shop.elsewhere(receiver.url).code2session(code="x")


def test_a_fault_is_no_login(shop: Shop) -> None:
    code, openid = shop.simulator.login(appid=shop.credentials.appid, user="amy")
    for kind in ("error", "drop_answer"):
        shop.simulator.fault("/sns/", kind=kind, mchid=shop.mchid)
        with pytest.raises(LoginUnavailable):
            shop.gateway.code2session(code=code if kind == "error" else "other")
    assert shop.gateway.code2session(code=code) == openid


def test_the_secret_is_never_written_down(shop: Shop, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shop.gateway.code2session(code=shop.simulator.login(appid=shop.credentials.appid, user="amy")[0])
    receiver.will_answer(200, b"not json")
    with pytest.raises(LoginUnavailable) as caught:
        shop.elsewhere(receiver.url).code2session(code="x")
    assert shop.credentials.app_secret not in caplog.text
    assert shop.credentials.app_secret not in repr(caught.value)
    assert caught.value.__cause__ is None
