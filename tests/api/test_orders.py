from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from flask import Flask

from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.runtime import in_tenant
from tenants.catalog import service as catalog
from tenants.orders import refunds
from tenants.orders import service as orders
from tests.api.conftest import Phone, Shop, wait_until

TEA = {"lines": [{"sku": "TEA", "quantity": 2}]}


def stock_of(shop: Shop, sku: str) -> int:
    with shop.app.app_context(), in_tenant(shop.brand.tenant):
        return catalog.by_sku([sku])[sku].stock


def refusal(answer: object) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]  # type: ignore[attr-defined]


def test_an_order_splits_the_coupon_and_reserves_the_goods(shop: Shop) -> None:
    order = shop.phone().order(("TEA", 2), ("CUP/1", 1), coupon_code="WELCOME", shipping_method="EXPRESS")
    # 1000 over 18000 and 3333: 843.76 and 156.23, so that the first line gets the fen that is left.
    assert [line["discount_fen"] for line in order["lines"]] == [844, 156]
    assert [line["paid_fen"] for line in order["lines"]] == [17_156, 3_177]
    assert (order["goods_fen"], order["coupon_fen"], order["freight_fen"]) == (21_333, 1_000, 800)
    assert order["total_fen"] == 21_133
    assert (order["state"], order["share"], order["paid_at"]) == ("created", None, None)
    assert (stock_of(shop, "TEA"), stock_of(shop, "CUP/1")) == (48, 2)


def test_the_same_key_again_returns_the_same_order(shop: Shop) -> None:
    phone = shop.phone()
    first = phone.ask("POST", "/orders", key="k1", **TEA)
    again = phone.ask("POST", "/orders", key="k1", **TEA)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert stock_of(shop, "TEA") == 48


@pytest.mark.parametrize(
    "other",
    [
        {"lines": [{"sku": "TEA", "quantity": 3}]},
        {**TEA, "coupon_code": "WELCOME"},
        {**TEA, "shipping_method": "EXPRESS"},
    ],
)
def test_the_same_key_with_another_body_is_refused(shop: Shop, other: dict[str, object]) -> None:
    phone = shop.phone()
    assert phone.ask("POST", "/orders", key="k1", **TEA).status_code == 201
    assert refusal(phone.ask("POST", "/orders", key="k1", **other)) == (409, "idempotency_mismatch")


def test_keys_of_two_members_are_two_keys(shop: Shop) -> None:
    first, second = (shop.phone().ask("POST", "/orders", key="k1", **TEA) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json["id"] != second.json["id"]


def test_a_double_submit_at_the_same_moment_makes_one_order(shop: Shop) -> None:
    phone = shop.phone()
    clients = [Phone(shop.client(), phone.token, "") for _ in range(6)]
    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(lambda one: one.ask("POST", "/orders", key="k1", **TEA), clients))
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert stock_of(shop, "TEA") == 48


@pytest.mark.parametrize("key", [None, "", "x" * 256, "tab\there", "schlüssel"])
def test_without_a_usable_key_there_is_no_order(still_shop: Shop, key: str | None) -> None:
    assert refusal(still_shop.phone().ask("POST", "/orders", key=key, **TEA)) == (422, "idempotency_key_missing")
    assert stock_of(still_shop, "TEA") == 50


def test_the_last_piece_is_sold_once(shop: Shop) -> None:
    phones = [shop.phone() for _ in range(5)]
    body = {"lines": [{"sku": "CUP/1", "quantity": 2}]}
    with ThreadPoolExecutor(len(phones)) as pool:
        answers = list(pool.map(lambda phone: phone.ask("POST", "/orders", key="k", **body), phones))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert {refusal(answer)[1] for answer in answers if answer.status_code == 409} == {"out_of_stock"}
    assert stock_of(shop, "CUP/1") == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"lines": []}, (422, "empty_order")),
        ({"lines": [{"sku": "TEA", "quantity": 0}]}, (422, "empty_order")),
        ({"lines": [{"sku": "TEA", "quantity": -1}]}, (422, "empty_order")),
        ({"lines": [{"sku": "TEA", "quantity": 10**30}]}, (422, "empty_order")),
        ({"lines": [{"sku": "TEA", "quantity": 1}, {"sku": "TEA", "quantity": 1}]}, (422, "empty_order")),
        ({"lines": [{"sku": "NO", "quantity": 1}]}, (422, "unknown_product")),
        ({"lines": [{"sku": "OLD", "quantity": 1}]}, (422, "unknown_product")),
        ({"lines": [{"sku": "TEA", "quantity": 51}]}, (409, "out_of_stock")),
        ({**TEA, "coupon_code": "NO"}, (422, "coupon_not_usable")),
        ({**TEA, "shipping_method": "NO"}, (422, "unknown_shipping_method")),
        ({"lines": [{"sku": "TEA", "quantity": 1.0}]}, (422, "invalid_request")),
        ({"lines": [{"sku": "TEA", "quantity": True}]}, (422, "invalid_request")),
        ({"lines": [{"sku": "TEA", "quantity": "1"}]}, (422, "invalid_request")),
        ({"lines": [{"sku": "T\0", "quantity": 1}]}, (422, "invalid_request")),
        ({**TEA, "total_fen": 1}, (422, "invalid_request")),
        ({}, (422, "invalid_request")),
    ],
)
def test_an_order_that_cannot_be_is_refused(
    still_shop: Shop, body: dict[str, object], expected: tuple[int, str]
) -> None:
    assert refusal(still_shop.phone().ask("POST", "/orders", key="k", **body)) == expected
    assert stock_of(still_shop, "TEA") == 50


def test_an_order_through_a_share_binds_the_buyer_first(shop: Shop) -> None:
    sharer, rival, buyer = shop.phone(), shop.phone(), shop.phone()
    link, other = (one.ask("POST", "/shares", sku="TEA").json["token"] for one in (sharer, rival))
    assert buyer.order(("TEA", 1), share_token="no such link")["share"] == "unknown"
    assert buyer.order(("TEA", 1), share_token=link)["share"] == "bound"
    assert buyer.order(("TEA", 1), share_token=other)["share"] == "kept"
    assert [one["member_id"] for one in sharer.get("/promoter/team")["items"]] == [buyer.member_id]


def test_a_refused_order_binds_nobody(shop: Shop) -> None:
    sharer, buyer = shop.phone(), shop.phone()
    link = sharer.ask("POST", "/shares").json["token"]
    body = {"lines": [{"sku": "TEA", "quantity": 51}], "share_token": link}
    assert buyer.ask("POST", "/orders", key="k", **body).status_code == 409
    assert sharer.get("/promoter/team")["items"] == []


def test_orders_are_listed_by_state(shop: Shop) -> None:
    phone = shop.phone()
    first, second = phone.order(("TEA", 1)), phone.order(("CUP/1", 1))
    shop.pay(phone, first)
    assert [order["id"] for order in phone.get("/orders")["items"]] == [second["id"], first["id"]]
    assert [order["id"] for order in phone.get("/orders?state=paid")["items"]] == [first["id"]]
    assert phone.get("/orders?state=closed")["items"] == []
    assert phone.ask("GET", "/orders?state=stolen").status_code == 422
    assert shop.phone().get("/orders")["total"] == 0


def test_an_order_goes_from_placing_to_receipt(shop: Shop) -> None:
    phone = shop.phone()
    order = phone.order(("TEA", 1))
    params = phone.ask("POST", f"/orders/{order['id']}/pay").json
    assert params["appId"] == shop.appid
    assert params["signType"] == "RSA"
    assert params["package"].startswith("prepay_id=")
    assert refusal(phone.ask("POST", f"/orders/{order['id']}/confirm-receipt")) == (409, "wrong_order_state")
    shop.pay(phone, order)
    assert refusal(phone.ask("POST", f"/orders/{order['id']}/pay")) == (409, "already_paid")
    shop.deliver(phone, order)
    received = phone.get(f"/orders/{order['id']}")
    assert (received["state"], received["refunds"]) == ("received", [])
    assert received["paid_at"] <= received["shipped_at"] <= received["received_at"]
    assert phone.ask("POST", f"/orders/{order['id']}/confirm-receipt").json["received_at"] == received["received_at"]


def test_paying_again_asks_for_the_same_payment(shop: Shop) -> None:
    phone = shop.phone()
    order = phone.order(("TEA", 1))
    first, again = (phone.ask("POST", f"/orders/{order['id']}/pay").json for _ in range(2))
    shop.simulator.pay(first["package"].removeprefix("prepay_id="))
    wait_until(lambda: phone.get(f"/orders/{order['id']}")["state"] == "paid")
    assert again["package"]
    assert shop.simulator.ledger(shop.mchid)["payments"][0]["amount_fen"] == 9_000
    assert len(shop.simulator.ledger(shop.mchid)["payments"]) == 1


def test_an_order_that_was_closed_cannot_be_paid(shop: Shop, app: Flask) -> None:
    phone = shop.phone()
    order = phone.order(("TEA", 1))
    with app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        assert orders.close_unpaid(UUID(order["id"]))
    assert refusal(phone.ask("POST", f"/orders/{order['id']}/pay")) == (409, "payment_closed")


def test_wechat_that_refuses_or_does_not_answer_is_told_apart(shop: Shop) -> None:
    phone = shop.phone()
    order = phone.order(("TEA", 1))
    for fault, expected in (
        ({"kind": "drop_answer"}, (503, "temporarily_unavailable")),
        ({"kind": "error", "status": 400, "code": "PARAM_ERROR"}, (502, "payment_refused")),
    ):
        shop.simulator.clear_faults()
        shop.simulator.fault("/v3/pay/transactions/jsapi", times=5, **fault)
        assert refusal(phone.ask("POST", f"/orders/{order['id']}/pay")) == expected
    shop.simulator.clear_faults()
    shop.pay(phone, order)


def test_refunds_are_shown_with_the_order(shop: Shop, app: Flask) -> None:
    phone = shop.phone()
    order = phone.order(("TEA", 2))
    shop.pay(phone, order)
    line_id = UUID(order["lines"][0]["id"])
    with app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        refunds.request_refund(
            UUID(order["id"]), quantities={line_id: 1}, reason="不喜欢", idempotency_key="r", actor="test"
        )
    shop.tend()
    wait_until(lambda: phone.get(f"/orders/{order['id']}")["refunds"][0]["state"] == "done")
    shown = phone.get(f"/orders/{order['id']}")
    assert (shown["refunded_fen"], shown["lines"][0]["refunded_quantity"]) == (9_000, 1)
    assert (shown["refunds"][0]["amount_fen"], shown["refunds"][0]["reason"]) == (9_000, "不喜欢")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/pay"), ("POST", "/confirm-receipt")])
def test_somebody_else_s_order_is_not_there(shop: Shop, other_shop: Shop, method: str, path: str) -> None:
    order = shop.phone().order(("TEA", 1))
    for stranger in (shop.phone(), other_shop.phone()):
        assert refusal(stranger.ask(method, f"/orders/{order['id']}{path}")) == (404, "not_found")


@pytest.mark.parametrize("order_id", ["nonsense", "019a9f5e-7c1b-7d52-9d1e-2f6c1a0b7e11", "%00", "0", "é"])
def test_an_unknown_order_is_not_there(still_shop: Shop, order_id: str) -> None:
    assert refusal(still_shop.phone().ask("GET", f"/orders/{order_id}")) == (404, "not_found")
