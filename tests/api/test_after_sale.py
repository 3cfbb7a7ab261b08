"""What a shopper and a promoter see of regions, exchanges, refunds by amount, holds, and what they never see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from fanyong.tenancy import settings
from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.runtime import in_tenant
from tenants.catalog import service as catalog
from tenants.orders import exchanges, holds, refunds
from tenants.settlement.triggers import Settlement
from tests.api.conftest import Shop

TEA = {"lines": [{"sku": "TEA", "quantity": 1}]}


@contextmanager
def at_the_brand(shop: Shop) -> Iterator[None]:
    """Do something as the brand's own people."""
    with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        yield


def test_a_region_is_optional_and_checked(shop: Shop) -> None:
    phone = shop.phone()
    assert phone.order(("TEA", 1))["region"] == ""
    order = phone.order(("TEA", 1), region="440305")
    assert order["region"] == phone.get(f"/orders/{order['id']}")["region"] == "440305"
    for region, code in {"44030": "unknown_region", "04305x": "unknown_region", "4403051": "invalid_request"}.items():
        answer = phone.ask("POST", "/orders", key=region, region=region, **TEA)
        assert answer.json is not None
        assert (answer.status_code, answer.json["error"]["code"]) == (422, code)


def test_shoppers_never_see_what_goods_cost(shop: Shop) -> None:
    with at_the_brand(shop):
        tea = catalog.by_sku(["TEA"])["TEA"]
        tea.cost_fen, tea.tax_bp, tea.commission_base_fen, tea.product_code = 1_234, 1_300, 4_321, "SECRET-GROUP"
    phone = shop.phone()
    order = phone.order(("TEA", 2))
    seen = json.dumps([phone.get("/products"), phone.get("/products/TEA"), order, phone.get(f"/orders/{order['id']}")])
    for secret in ("cost", "1234", "2468", "4321", "tax_bp", "SECRET-GROUP"):
        assert secret not in seen


def test_a_buyer_sees_refunds_by_amount_and_exchanges(shop: Shop) -> None:
    phone = shop.phone()
    order = phone.order(("TEA", 2))
    shop.pay(phone, order)
    shop.deliver(phone, order)
    line = UUID(order["lines"][0]["id"])
    with at_the_brand(shop):
        refunds.request_refund(UUID(order["id"]), amounts={line: 500}, reason="刮痕", idempotency_key="r", actor="test")
        exchanges.exchange(
            UUID(order["id"]),
            line_id=line,
            quantity=1,
            sku="CUP/1",
            replacement_quantity=3,
            reason="太小",
            idempotency_key="x",
            actor="test",
        )
    seen = phone.get(f"/orders/{order['id']}")
    assert (seen["lines"][0]["refunded_quantity"], seen["lines"][0]["refunded_fen"]) == (0, 500)
    made = seen["exchanges"][0]
    # (18,000 - 500) / 2 for one that comes back, against three at 3,333.
    assert (made["returned_fen"], made["replacement_sku"], made["replacement_fen"]) == (8_750, "CUP/1", 9_999)
    new = phone.get(f"/orders/{made['new_order_id']}")
    assert (new["exchange_credit_fen"], new["total_fen"], new["state"]) == (8_750, 1_249, "created")
    shop.pay(phone, new)
    stranger = shop.phone()
    assert stranger.ask("GET", f"/orders/{new['id']}").status_code == 404


def test_a_promoter_sees_what_is_held(shop: Shop) -> None:
    promoter = shop.phone("promoter")
    share = promoter.ask("POST", "/shares").json
    assert share is not None
    buyer = shop.phone("buyer", via=share["token"])
    first, second = buyer.order(("TEA", 1)), buyer.order(("TEA", 1))
    shop.pay(buyer, first)
    shop.pay(buyer, second)

    def held() -> dict[str, bool]:
        return {award["order_id"]: award["held"] for award in promoter.get("/promoter/awards")["items"]}

    assert held() == {first["id"]: False, second["id"]: False}
    with at_the_brand(shop):
        holds.hold_order(UUID(first["id"]), reason="odd", actor="test")
    assert held() == {first["id"]: True, second["id"]: False}
    with at_the_brand(shop):
        holds.let_order_go(UUID(first["id"]), reason="fine", actor="test")
        holds.hold_promoter(UUID(promoter.member_id), reason="odd", actor="test")
    assert held() == {first["id"]: True, second["id"]: True}


def test_the_brand_tells_its_settlement_in_words(shop: Shop) -> None:
    with at_the_brand(shop):
        settings.save(Settlement(trigger="cycle", cycle="week", weekday="friday", window_days=3), actor="test")
    told = shop.client().get("/api/v1/brand", headers={"Accept-Language": "en"}).json
    assert told is not None
    assert told["window_days"] == 3
    assert "every Friday" in told["settlement"]
