from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from flask import Flask

from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.runtime import in_tenant
from tenants.payouts import service as payouts
from tenants.promoters import service as promoters
from tests.api.conftest import Phone, Shop, wait_until
from tests.conftest import Brand

EARNED_FEN = 1_800


@pytest.fixture
def earner(shop: Shop) -> Phone:
    """A promoter with ¥18.00 to withdraw."""
    return earn(shop)


@pytest.fixture(scope="module")
def still_earner(open_shop: Callable[[Brand], Shop], new_brand: Callable[..., Brand]) -> Phone:
    """A promoter for all tests in which the ¥18.00 stay where they are."""
    return earn(open_shop(new_brand()))


def earn(shop: Shop) -> Phone:
    promoter = shop.phone("qiao")
    buyer = shop.phone("moli", via=promoter.ask("POST", "/shares").json["token"])
    order = buyer.order(("TEA", 2))
    shop.pay(buyer, order)
    shop.deliver(buyer, order)
    shop.days_pass(8)
    assert promoter.get("/promoter")["available_fen"] == EARNED_FEN
    return promoter


def refusal(answer: object) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]  # type: ignore[attr-defined]


def decide(shop: Shop, withdrawal_id: str, *, reject: str = "") -> None:
    with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        if reject:
            payouts.reject(UUID(withdrawal_id), reason=reject, actor="test")
        else:
            payouts.approve(UUID(withdrawal_id), actor="test")
    shop.tend()


def test_money_reaches_the_wallet(shop: Shop, earner: Phone) -> None:
    asked = earner.ask("POST", "/withdrawals", key="w", amount_fen=1_500)
    assert asked.status_code == 201
    shown = earner.get(f"/withdrawals/{asked.json['id']}")
    assert (shown["state"], shown["amount_fen"], shown["confirm"]) == ("requested", 1_500, None)
    assert (earner.get("/promoter")["available_fen"], earner.get("/promoter")["in_transfer_fen"]) == (300, 1_500)
    decide(shop, shown["id"])
    waiting = earner.get(f"/withdrawals/{shown['id']}")
    assert (waiting["state"], waiting["transfer_state"]) == ("approved", "requires_action")
    assert waiting["confirm"]["mchId"] == shop.mchid
    assert waiting["confirm"]["appId"] == shop.appid
    assert waiting["confirm"]["package"]
    shop.simulator.transfer(shop.mchid, waiting["transfer_number"], action="confirm")
    wait_until(lambda: earner.get(f"/withdrawals/{shown['id']}")["state"] == "paid")
    paid = earner.get(f"/withdrawals/{shown['id']}")
    assert paid["confirm"] is None
    assert paid["finished_at"] >= paid["decided_at"] >= paid["requested_at"]
    assert earner.get("/promoter")["paid_fen"] == 1_500
    assert earner.get("/withdrawals?state=paid")["total"] == 1
    assert earner.get("/withdrawals?state=requested")["total"] == 0


def test_a_rejected_withdrawal_tells_why_and_gives_the_money_back(shop: Shop, earner: Phone) -> None:
    withdrawal = earner.ask("POST", "/withdrawals", key="w", amount_fen=1_500).json
    decide(shop, withdrawal["id"], reject="请先实名")
    shown = earner.get("/withdrawals")["items"][0]
    assert (shown["state"], shown["reason"]) == ("rejected", "请先实名")
    assert earner.get("/promoter")["available_fen"] == EARNED_FEN


def test_the_same_key_again_returns_the_same_withdrawal(earner: Phone) -> None:
    first, again = (earner.ask("POST", "/withdrawals", key="w", amount_fen=1_000) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert earner.get("/promoter")["in_transfer_fen"] == 1_000
    assert refusal(earner.ask("POST", "/withdrawals", key="w", amount_fen=500)) == (409, "idempotency_mismatch")


def test_a_double_submit_at_the_same_moment_makes_one_withdrawal(shop: Shop, earner: Phone) -> None:
    phones = [Phone(shop.client(), earner.token, "") for _ in range(6)]
    with ThreadPoolExecutor(len(phones)) as pool:
        answers = list(pool.map(lambda one: one.ask("POST", "/withdrawals", key="w", amount_fen=500), phones))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert earner.get("/promoter")["available_fen"] == EARNED_FEN - 500


def test_two_withdrawals_at_once_never_take_more_than_there_is(shop: Shop, earner: Phone) -> None:
    phones = [Phone(shop.client(), earner.token, str(n)) for n in range(5)]
    with ThreadPoolExecutor(len(phones)) as pool:
        answers = list(
            pool.map(lambda one: one.ask("POST", "/withdrawals", key=one.member_id, amount_fen=1_000), phones)
        )
    assert sorted(answer.status_code for answer in answers) == [201, 422, 422, 422, 422]
    assert earner.get("/promoter")["available_fen"] == EARNED_FEN - 1_000


@pytest.mark.parametrize("key", [None, "", "x" * 256])
def test_without_a_usable_key_there_is_no_withdrawal(still_earner: Phone, key: str | None) -> None:
    answer = still_earner.ask("POST", "/withdrawals", key=key, amount_fen=1_000)
    assert refusal(answer) == (422, "idempotency_key_missing")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"amount_fen": 99}, "withdrawal_below_minimum"),
        ({"amount_fen": 0}, "withdrawal_below_minimum"),
        ({"amount_fen": -(10**30)}, "withdrawal_below_minimum"),
        ({"amount_fen": EARNED_FEN + 1}, "not_enough_available"),
        ({"amount_fen": 10**30}, "not_enough_available"),
        ({"amount_fen": 1_000.0}, "invalid_request"),
        ({"amount_fen": "1000"}, "invalid_request"),
        ({"amount_fen": None}, "invalid_request"),
        ({"amount_fen": 1_000, "openid": "o-mine"}, "invalid_request"),
        ({"amount_fen": 1_000, "real_name": 5}, "invalid_request"),
        ({}, "invalid_request"),
    ],
)
def test_a_withdrawal_that_cannot_be_is_refused(still_earner: Phone, body: dict[str, object], code: str) -> None:
    assert refusal(still_earner.ask("POST", "/withdrawals", key="w", **body)) == (422, code)
    assert still_earner.get("/promoter")["available_fen"] == EARNED_FEN


def test_a_frozen_promoter_gets_nothing_out(shop: Shop, earner: Phone, app: Flask) -> None:
    with app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        promoters.freeze(UUID(earner.member_id), reason="test")
    assert refusal(earner.ask("POST", "/withdrawals", key="w", amount_fen=1_000)) == (403, "promoter_frozen")


def test_somebody_else_s_withdrawal_is_not_there(shop: Shop, earner: Phone, other_shop: Shop) -> None:
    withdrawal = earner.ask("POST", "/withdrawals", key="w", amount_fen=1_000).json
    for stranger in (shop.phone(), other_shop.phone()):
        assert refusal(stranger.ask("GET", f"/withdrawals/{withdrawal['id']}")) == (404, "not_found")
        assert stranger.get("/withdrawals")["total"] == 0


@pytest.mark.parametrize("withdrawal_id", ["nonsense", "019a9f5e-7c1b-7d52-9d1e-2f6c1a0b7e11", "%00"])
def test_an_unknown_withdrawal_is_not_there(still_shop: Shop, withdrawal_id: str) -> None:
    assert refusal(still_shop.phone().ask("GET", f"/withdrawals/{withdrawal_id}")) == (404, "not_found")
