"""Tiers, applications, invitations and teams, as the mini-program sees them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.runtime import in_tenant
from tenants.promoters import applications, invitations
from tenants.promoters import service as promoters
from tests.api.conftest import Phone, Shop

LADDER: dict[str, Any] = {
    "count_when": "paid",
    "tiers": [
        {"key": "low", "name": "低"},
        {"key": "high", "name": "高", "icon": "🥇", "rights": "生日礼物\n优先发货"},
    ],
    "conditions": [
        {"tier": "high", "stage": "rise", "metric": "shared_fen", "amount_fen": 10_000, "period": "this_month"},
        {"tier": "high", "stage": "rise", "metric": "shared_orders", "count": 1},
        {"tier": "high", "stage": "rise", "way": 2, "metric": "own_orders", "count": 9},
    ],
}


@pytest.fixture
def tiers(shop: Shop) -> Any:
    """Choose a tier structure."""

    def choose(name: str, values: dict[str, Any]) -> None:
        with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
            promoters.activate_structure(name, values, actor="test")
        shop.tend()

    return choose


def child(shop: Shop, parent: Phone, user: str) -> Phone:
    return shop.phone(user, via=parent.ask("POST", "/shares").json["token"], nickname=user)  # type: ignore[index]


def test_the_next_tier_says_what_is_missing(shop: Shop, tiers: Any) -> None:
    tiers("tiers_ladder", LADDER)
    promoter = shop.phone("qiao")
    buyer = child(shop, promoter, "moli")
    shop.pay(buyer, buyer.order(("TEA", 1)))
    shown = promoter.get("/promoter/tier")
    assert (shown["tier"], shown["next"]["tier"], shown["next"]["how"]) == ("low", "high", "conditions")
    first, second = shown["next"]["ways"]
    assert [
        (row["metric"], row["period"], row["have"], row["need"], row["missing"]) for row in first["conditions"]
    ] == [
        ("shared_paid_fen", "this_month", 9_000, 10_000, 1_000),
        ("shared_orders", "ever", 1, 1, 0),
    ]
    assert (first["reached"], second["reached"]) == (False, False)
    assert shown["tiers"][1] == {
        "key": "high",
        "name": "高",
        "rank": 1,
        "icon": "🥇",
        "rights": ["生日礼物", "优先发货"],
    }
    shop.pay(buyer, buyer.order(("TEA", 1)))
    shown = promoter.get("/promoter/tier")
    assert (shown["tier"], shown["next"]) == ("high", None)
    assert [change["to_tier"] for change in shown["history"]] == ["high", "low"]


def test_an_application_from_the_form_to_the_answer(shop: Shop, tiers: Any) -> None:
    tiers("tiers_flat", {"join": "application"})
    phone = shop.phone("qiao")
    assert phone.get("/promoter")["tier"] is None
    assert phone.get("/promoter/tier")["next"]["how"] == "application"
    form = phone.get("/promoter/application")
    assert form["tiers"] == ["promoter"]
    assert [question["key"] for question in form["questions"]] == ["name", "phone", "why"]
    assert form["latest"] is None
    refused = phone.ask("POST", "/promoter/application", answers={"name": "林一", "spouse": "x"})
    assert refused.status_code == 422
    assert refused.json is not None
    assert refused.json["error"]["code"] == "bad_answers"
    assert [problem["path"] for problem in refused.json["error"]["details"]] == ["answers.spouse", "answers.phone"]
    answers = {"name": "林一", "phone": "138"}
    first = phone.ask("POST", "/promoter/application", answers=answers)
    again = phone.ask("POST", "/promoter/application", answers={**answers, "phone": "139"})
    assert first.json is not None
    assert again.json is not None
    assert (first.status_code, again.json["id"], again.json["state"]) == (200, first.json["id"], "open")
    assert again.json["answers"][1]["value"] == "139"
    with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        applications.reject(UUID(first.json["id"]), reason="资料不全", actor="test")
    assert phone.get("/promoter/application")["latest"]["reason"] == "资料不全"
    second = phone.ask("POST", "/promoter/application", answers=answers).json
    assert second is not None
    with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        applications.approve(UUID(second["id"]), actor="test")
    assert phone.get("/promoter")["tier"] == "promoter"
    refused = phone.ask("POST", "/promoter/application", answers=answers)
    assert refused.json is not None
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "tier_already_held")


def test_nobody_applies_where_nobody_has_to(still_shop: Shop) -> None:
    phone = still_shop.phone()
    assert phone.get("/promoter/application")["tiers"] == []
    answer = phone.ask("POST", "/promoter/application", answers={})
    assert answer.json is not None
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "not_by_application")


def test_an_invitation_is_followed_once(shop: Shop, tiers: Any) -> None:
    tiers("tiers_flat", {"join": "invitation"})
    phone, other = shop.phone("qiao"), shop.phone("moli")
    with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        code = invitations.invite(tier="promoter", days=3, note="", actor="test").code
    for _ in range(2):
        answer = phone.ask("POST", "/promoter/invitation", code=code)
        assert answer.json is not None
        assert (answer.status_code, answer.json["tier"]) == (200, "promoter")
    assert other.ask("POST", "/promoter/invitation", code=code).status_code == 409
    assert other.ask("POST", "/promoter/invitation", code="nonsense").status_code == 404
    # A promoter's share invites too.
    assert child(shop, phone, "brought").get("/promoter")["tier"] == "promoter"
    assert other.get("/promoter")["tier"] is None


def test_the_team_is_paged_and_added_up(shop: Shop) -> None:
    root = shop.phone("root")
    near = [child(shop, root, f"n{number}") for number in range(3)]
    deep = child(shop, near[0], "deep")
    shop.pay(deep, deep.order(("TEA", 1)))
    first = root.get("/promoter/team")
    assert [one["nickname"] for one in first["items"]] == ["deep", "n2", "n1", "n0"]
    assert [one["own_paid_fen"] for one in first["items"]] == [9_000, 0, 0, 0]
    assert [one["shared_paid_fen"] for one in first["items"]] == [0, 0, 0, 9_000]
    assert (first["total"], first["pages"], first["after"]) == (4, 1, None)
    after = first["items"][1]["member_id"]
    assert [one["nickname"] for one in root.get(f"/promoter/team?after={after}")["items"]] == ["n1", "n0"]
    assert [one["nickname"] for one in root.get("/promoter/team?search=n1")["items"]] == ["n1"]
    assert root.get("/promoter/team?level=1")["total"] == 3
    totals = root.get("/promoter/team/totals")
    assert (totals["members"], totals["level_1"], totals["level_2"], totals["level_3"]) == (4, 3, 1, 0)
    sold = {"paid_fen": 9_000, "received_fen": 0, "orders": 1}
    assert (totals["ever"], totals["today"], totals["this_month"]) == (sold, sold, sold)
    assert totals["last_month"] == {"paid_fen": 0, "received_fen": 0, "orders": 0}
    assert deep.get("/promoter/team/totals")["members"] == 0


def test_the_board_ranks_by_what_was_earned(shop: Shop) -> None:
    first, second = shop.phone("first", nickname="茉莉"), shop.phone("second", nickname="青松")
    for promoter, pieces in ((first, 2), (second, 1)):
        buyer = child(shop, promoter, f"buyer-of-{pieces}")
        shop.pay(buyer, buyer.order(("TEA", pieces)))
    shop.tend()
    for period in ("ever", "month", "day"):
        board = second.get(f"/promoter/board?period={period}")
        assert [(row["rank"], row["nickname"], row["is_me"], row["earned_fen"]) for row in board["places"]] == [
            (1, "茉莉", False, 1_800),
            (2, "青松", True, 900),
        ]
        assert (board["mine"]["rank"], board["mine"]["earned_fen"]) == (2, 900)
    assert shop.phone("third").get("/promoter/board")["mine"] is None
    assert first.ask("GET", "/promoter/board?period=year").status_code == 422
