from __future__ import annotations

from collections import Counter
from typing import Any, get_args
from uuid import UUID

import pytest
from flask import Flask

from fanyong.compliance import service as compliance
from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.runtime import in_tenant
from tenants.api import words
from tenants.api.schemas.promoter import MovementKind
from tenants.commissions import service as commissions
from tenants.commissions.explain import award_sentence
from tenants.orders import refunds
from tenants.promoters import service as promoters
from tests.api.conftest import Phone, Shop, wait_until

ACCOUNTS = ("estimated", "frozen", "available", "in_transfer", "paid", "debt")


def figures(phone: Phone) -> dict[str, int]:
    shown = phone.get("/promoter")
    assert shown["pending_fen"] == shown["estimated_fen"] + shown["frozen_fen"]
    return {account: shown[f"{account}_fen"] for account in ACCOUNTS}


def whole_statement(phone: Phone, **arguments: str) -> list[dict[str, Any]]:
    query = "".join(f"&{name}={value}" for name, value in arguments.items())
    first = phone.get(f"/promoter/statement?page=1{query}")
    rest = [phone.get(f"/promoter/statement?page={n}{query}")["items"] for n in range(2, first["pages"] + 1)]
    return first["items"] + [item for items in rest for item in items]


def changes(movements: list[dict[str, Any]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for movement in movements:
        for change in movement["changes"]:
            sums[change["account"]] += change["change_fen"]
    return {account: sums[account] for account in ACCOUNTS}


@pytest.fixture
def pair(shop: Shop) -> tuple[Phone, Phone]:
    """A promoter, and a buyer who came through their share."""
    promoter = shop.phone("qiao", nickname="乔木")
    link = promoter.ask("POST", "/shares").json["token"]
    return promoter, shop.phone("moli", via=link, nickname="茉莉")


def refund(shop: Shop, buyer: Phone, order: Any, *, quantity: int) -> None:
    with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        refunds.request_refund(
            UUID(order["id"]),
            quantities={UUID(order["lines"][0]["id"]): quantity},
            reason="test",
            idempotency_key=f"r{quantity}",
            actor="test",
        )
    shop.tend()
    wait_until(lambda: {one["state"] for one in buyer.get(f"/orders/{order['id']}")["refunds"]} == {"done"})
    shop.tend()


def test_a_new_member_has_nothing_yet(still_shop: Shop) -> None:
    phone = still_shop.phone(nickname="新人")
    shown = phone.get("/promoter")
    assert (shown["nickname"], shown["tier"], shown["tier_name"], shown["frozen"]) == (
        "新人",
        "promoter",
        "推广员",
        False,
    )
    assert set(figures(phone).values()) == {0}
    empty = {"items": [], "page": 1, "pages": 1, "total": 0}
    for path in ("/promoter/awards", "/promoter/statement", "/withdrawals", "/orders"):
        assert phone.get(path) == empty
    assert phone.get("/promoter/team") == {**empty, "after": None}


def test_an_award_says_who_got_nothing_of_the_same_line(shop: Shop, pair: tuple[Phone, Phone]) -> None:
    promoter, buyer = pair
    rates = {"rates": [{"level": 1, "rate_bp": 1000}, {"level": 2, "rate_bp": 1}]}
    with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        compliance.accept_notice(actor="test")
        commissions.activate_plan("plan_levels", rates, actor="test")
    shop.pay(buyer, buyer.order(("TEA", 1)))
    (award,) = promoter.get("/promoter/awards")["items"]
    assert award["explanation"]["rule"] == "levels:1"
    text = "买家上方第 2 级没有人。 规则 levels:2。"
    assert award["not_given"] == [{"level": 2, "rule": "levels:2", "reason": "no_upline", "text": text, "mine": False}]


def test_an_award_is_shown_on_its_way_to_the_balance(shop: Shop, pair: tuple[Phone, Phone]) -> None:
    promoter, buyer = pair
    order = buyer.order(("TEA", 1), coupon_code="WELCOME", shipping_method="EXPRESS")
    shop.pay(buyer, order)
    assert figures(promoter) == {**dict.fromkeys(ACCOUNTS, 0), "estimated": 800}
    award = promoter.get("/promoter/awards")["items"][0]
    assert (award["order_number"], award["sku"], award["position"]) == (order["number"], "TEA", 0)
    assert (award["kind"], award["level"], award["rule"]) == ("share", 1, award["explanation"]["rule"])
    assert (award["base_fen"], award["rate_bp"], award["amount_fen"], award["reversed_fen"]) == (8_000, 1_000, 800, 0)
    assert (award["state"], award["due_at"], award["released_at"]) == ("estimated", None, None)
    shop.deliver(buyer, order)
    assert figures(promoter) == {**dict.fromkeys(ACCOUNTS, 0), "frozen": 800}
    waiting = promoter.get("/promoter/awards")["items"][0]
    assert waiting["state"] == "frozen"
    assert waiting["due_at"] > award["awarded_at"]
    shop.days_pass(8)
    assert figures(promoter) == {**dict.fromkeys(ACCOUNTS, 0), "available": 800}
    released = promoter.get("/promoter/awards")["items"][0]
    assert released["state"] == "released"
    assert released["released_at"] >= waiting["due_at"]
    assert figures(buyer) == dict.fromkeys(ACCOUNTS, 0)
    assert buyer.get("/promoter/awards")["items"] == []


def test_an_award_explains_itself_in_words(shop: Shop, pair: tuple[Phone, Phone]) -> None:
    promoter, buyer = pair
    shop.pay(buyer, buyer.order(("CUP/1", 1)))
    path = "/api/v1/promoter/awards"
    headers = {"Authorization": f"Bearer {promoter.token}", "Accept-Language": "en"}
    explanation = promoter.client.get(path, headers=headers).json["items"][0]["explanation"]
    assert explanation["exact_fen_times_10000"] == 3_333_000
    assert explanation["amount_fen"] == 333
    assert "10.00% of ¥33.33 (line paid after discounts) = ¥3.333" in explanation["text"]


def test_a_cap_is_explained(app: Flask) -> None:
    facts = {
        "rule": "r",
        "sku": "S",
        "level": 1,
        "plan_version": 3,
        "base_fen": 1_000,
        "rate_bp": 8_000,
        "exact_fen_times_10000": 8_000_000,
        "line_paid_fen": 1_000,
        "amount_fen": 500,
        "cap": "line_paid",
        "cap_fen": 1_000,
    }
    with app.test_request_context("/api/v1/", headers={"Accept-Language": "en"}):
        text = award_sentence(facts)
    assert "= ¥8.00" in text
    assert "cut to ¥5.00" in text


def test_the_statement_adds_up_to_the_figures_at_every_stage(shop: Shop, pair: tuple[Phone, Phone]) -> None:
    promoter, buyer = pair
    first, second = buyer.order(("TEA", 2)), buyer.order(("TEA", 1))
    shop.pay(buyer, first)
    shop.pay(buyer, second)
    assert changes(whole_statement(promoter)) == figures(promoter) == {**dict.fromkeys(ACCOUNTS, 0), "estimated": 2_700}
    shop.deliver(buyer, first)
    shop.deliver(buyer, second)
    shop.days_pass(8)
    assert promoter.ask("POST", "/withdrawals", key="w", amount_fen=2_600).status_code == 201
    assert changes(whole_statement(promoter)) == figures(promoter)
    # 1800 of the first order are taken back, 100 are left: the rest is owed.
    refund(shop, buyer, first, quantity=2)
    owing = {**dict.fromkeys(ACCOUNTS, 0), "in_transfer": 2_600, "debt": 1_700}
    assert changes(whole_statement(promoter)) == figures(promoter) == owing
    movements = whole_statement(promoter)
    assert {movement["kind"] for movement in movements} == {"award", "receive", "release", "hold", "reverse"}
    assert [m["at"] for m in movements] == sorted((m["at"] for m in movements), reverse=True)
    assert changes(whole_statement(promoter, account="debt"))["debt"] == 1_700
    assert {c["account"] for m in whole_statement(promoter, account="debt") for c in m["changes"]} == {"debt"}
    third = buyer.order(("TEA", 1))
    shop.pay(buyer, third)
    shop.deliver(buyer, third)
    shop.days_pass(16)
    assert changes(whole_statement(promoter)) == figures(promoter) == {**owing, "debt": 800}
    assert "offset" in {movement["kind"] for movement in whole_statement(promoter)}


def test_a_refund_is_seen_at_the_award(shop: Shop, pair: tuple[Phone, Phone]) -> None:
    promoter, buyer = pair
    order = buyer.order(("TEA", 3))
    shop.pay(buyer, order)
    refund(shop, buyer, order, quantity=1)
    award = promoter.get("/promoter/awards")["items"][0]
    assert (award["amount_fen"], award["reversed_fen"], award["state"]) == (2_700, 900, "estimated")
    refund(shop, buyer, order, quantity=2)
    award = promoter.get("/promoter/awards")["items"][0]
    assert (award["amount_fen"], award["reversed_fen"], award["state"]) == (2_700, 2_700, "reversed")
    assert set(figures(promoter).values()) == {0}


def test_every_kind_of_movement_has_words() -> None:
    assert set(words.MOVEMENTS) == set(get_args(MovementKind))


def test_the_team_goes_three_levels_down_and_no_further(shop: Shop) -> None:
    chain = [shop.phone(nickname="0")]
    for number in range(1, 6):
        link = chain[-1].ask("POST", "/shares").json["token"]
        chain.append(shop.phone(nickname=str(number), via=link))
    team = chain[0].get("/promoter/team")["items"]
    assert [(one["nickname"], one["level"]) for one in team] == [("3", 3), ("2", 2), ("1", 1)]
    assert [one["nickname"] for one in chain[1].get("/promoter/team?level=2")["items"]] == ["3"]
    assert [one["nickname"] for one in chain[4].get("/promoter/team")["items"]] == ["5"]
    assert {one["tier"] for one in team} == {"promoter"}
    assert chain[0].ask("GET", "/promoter/team?level=4").status_code == 422


def test_a_frozen_promoter_is_told(shop: Shop, app: Flask) -> None:
    phone = shop.phone()
    with app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        promoters.freeze(UUID(phone.member_id), reason="test")
    assert phone.get("/promoter")["frozen"] is True


def test_nothing_of_one_brand_shows_in_another(shop: Shop, pair: tuple[Phone, Phone], other_shop: Shop) -> None:
    promoter, buyer = pair
    shop.pay(buyer, buyer.order(("TEA", 1)))
    other = other_shop.phone("qiao", nickname="乔木")
    assert figures(promoter)["estimated"] == 900
    assert set(figures(other).values()) == {0}
    for path in ("/promoter/awards", "/promoter/statement", "/promoter/team", "/orders"):
        assert other.get(path)["total"] == 0
