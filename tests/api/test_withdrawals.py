from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from flask import Flask

from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.runtime import in_tenant
from fanyong.tenancy.settings import save
from tenants.payouts import channels, policies
from tenants.payouts import service as payouts
from tenants.payouts.rules import WithdrawalRules
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


CARD = {"name": "张三", "card_number": "6222020200112230", "bank": "工商银行"}


def open_channels(shop: Shop, *names: str) -> None:
    with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        for name in names:
            channels.save_channel(name, {}, active=True, actor="test")


def test_the_preview_tells_the_parts_and_the_problem(shop: Shop, earner: Phone) -> None:
    with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        save(WithdrawalRules(fee_fixed_fen=50, fee_bp=100), actor="test")
        policies.save_tax_policy(
            {"method": "labour_monthly", "deduction_fen": 0},
            effective_from=policies.today().replace(day=1),
            note="",
            actor="test",
        )
    seen = earner.get("/withdrawal-preview?amount_fen=1500")
    assert seen == {
        "amount_fen": 1_500,
        "tax_fen": 300,
        "fee_fen": 65,
        "net_fen": 1_135,
        "period_gross_fen": 1_500,
        "period_tax_fen": 300,
        "withheld_before_fen": 0,
        "channel": "payout_wechat",
        "problem": None,
    }
    made = earner.ask("POST", "/withdrawals", key="w", amount_fen=1_500).json
    assert {name: made[name] for name in ("tax_fen", "fee_fen", "net_fen")} == {
        "tax_fen": 300,
        "fee_fen": 65,
        "net_fen": 1_135,
    }
    assert earner.get(f"/withdrawals/{made['id']}")["tax_details"]["period_gross_fen"] == 1_500
    assert "¥3.00" in earner.get("/withdrawal-preview?amount_fen=301")["problem"]
    assert refusal(earner.ask("GET", "/withdrawal-preview?amount_fen=1&channel=x")) == (422, "unknown_channel")
    assert refusal(earner.ask("GET", "/withdrawal-preview")) == (422, "invalid_request")


def test_a_member_chooses_a_bank_card(shop: Shop, earner: Phone) -> None:
    assert [one["channel"] for one in earner.get("/payout-channels")["items"]] == ["payout_wechat"]
    refused = earner.ask("POST", "/payout-channels/payout_bank/payee", fields=CARD)
    assert refusal(refused) == (422, "unknown_channel")
    open_channels(shop, "payout_bank")
    bank = earner.get("/payout-channels")["items"][1]
    assert (bank["channel"], bank["payee"]) == ("payout_bank", None)
    assert [(field["name"], field["required"], field["max_length"]) for field in bank["fields"]] == [
        ("name", True, 64),
        ("card_number", True, 25),
        ("bank", True, 64),
        ("phone", False, None),
    ]
    asked = earner.ask("POST", "/withdrawals", key="w", amount_fen=500, channel="payout_bank")
    assert refusal(asked) == (422, "payee_missing")
    wrong = earner.ask("POST", "/payout-channels/payout_bank/payee", fields={**CARD, "card_number": "1" * 16})
    assert refusal(wrong) == (422, "bad_payee")
    assert [problem["path"] for problem in wrong.json["error"]["details"]] == ["card_number"]
    saved = earner.ask("POST", "/payout-channels/payout_bank/payee", fields=CARD)
    assert (saved.status_code, saved.json["payee"]) == (200, "**** 2230 张*")
    made = earner.ask("POST", "/withdrawals", key="w", amount_fen=500, channel="payout_bank").json
    assert (made["channel"], made["payee"], made["transfer_state"]) == ("payout_bank", "**** 2230 张*", None)
    assert CARD["card_number"] not in str(earner.get("/withdrawals")) + str(earner.get("/payout-channels"))


def test_the_device_is_kept_and_nonsense_in_it_refuses_nothing(shop: Shop, earner: Phone) -> None:
    for number, (sent, kept) in enumerate([("phone-1", "phone-1"), ("x" * 200, "x" * 128), ("ü ", None)]):
        answer = earner.client.post(
            "/api/v1/withdrawals",
            json={"amount_fen": 100},
            headers={
                "Authorization": f"Bearer {earner.token}",
                "Idempotency-Key": str(number),
                "X-Device-Id": sent.encode().decode("latin-1"),
            },
        )
        assert answer.status_code == 201
        with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
            assert answer.json is not None
            assert payouts.get_withdrawal(UUID(answer.json["id"]))[0].device_id == kept


def test_a_held_withdrawal_says_so_and_not_why(shop: Shop, earner: Phone) -> None:
    with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        policies.save_screening_rules({"single_fen": 1_000}, note="", actor="test")
    made = earner.ask("POST", "/withdrawals", key="w", amount_fen=1_000).json
    assert (made["state"], made["reason"]) == ("held", None)
    assert "single" not in str(made)
    assert earner.get("/withdrawals?state=held")["total"] == 1
