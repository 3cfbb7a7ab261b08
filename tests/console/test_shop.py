"""Products, coupons, shipping methods and orders."""

from __future__ import annotations

import re

from tests.console.parts import Browser, Busy, audited
from tests.money.parts import Till

PRODUCT = {
    "name": "龙井",
    "sku": "lj",
    "category": "tea",
    "description": "明前",
    "price": "168.5",
    "stock": "7",
    "on_sale": "yes",
}


def test_a_product_is_added_and_changed(owner: Browser, till: Till) -> None:
    assert "There are no products yet." in owner.get("/products")
    page = owner.post("/products/new", PRODUCT)
    assert "“龙井” is saved." in page
    assert "¥168.50" in page
    product = f"/products/{re.findall('/console/products/([0-9a-f-]{36})', page)[0]}"
    assert 'value="168.50"' in owner.get(product)
    assert "Not on sale" in owner.post(product, {**PRODUCT, "price": "1,200", "stock": "0", "on_sale": ""})
    row = ["lj", "龙井", "tea", "lj", "1200.00", "0", "", "0.00", "", "no", "明前"]
    assert owner.table("/products?format=csv")[1] == row
    assert audited(till)[-2:] == ["product.saved", "product.saved"]


BAD_PRODUCTS = [
    ({"name": ""}, "Please fill this in."),
    ({"sku": ""}, "Please fill this in."),
    ({"price": "0"}, "more than ¥0.00"),
    ({"price": "1.005"}, "an amount like 12.50"),
    ({"price": "99999999"}, "at most"),
    ({"stock": "-1"}, "at least 0"),
    ({"stock": "some"}, "a whole number"),
    ({"name": "x" * 101}, "100 characters at most"),
]


def test_a_product_that_cannot_be_comes_back_as_typed(owner: Browser) -> None:
    for change, message in BAD_PRODUCTS:
        page = owner.refused("/products/new", {**PRODUCT, **change})
        assert message in page
        assert "明前" in page
        assert "There are no products yet." in owner.get("/products")


def test_a_second_product_of_a_sku_is_refused_at_the_field(owner: Browser) -> None:
    owner.post("/products/new", PRODUCT)
    page = owner.refused("/products/new", {**PRODUCT, "name": "again"}, status=409)
    assert "Another product has the SKU “lj”." in page
    assert 'value="again"' in page


def test_products_are_found_by_any_of_their_words(owner: Browser, till: Till) -> None:
    till.product("cup", category="ware")
    till.product("tea", category="green")
    assert "cup" not in owner.get("/products?q=gree").partition('id="list"')[2]
    assert "No product matches." in owner.get("/products?q=%25")


def test_long_lists_come_in_pages(owner: Browser, till: Till) -> None:
    for number in range(27):
        till.product(f"sku-{number:02}")
    first = owner.get("/products")
    assert "1–25 of 27" in first
    assert "26–27 of 27" in owner.get("/products?page=2")
    assert "26–27 of 27" in owner.get("/products?page=99")
    assert "1–25 of 27" in owner.get("/products?page=-1")
    assert len(owner.table("/products?format=csv&page=2")) == 28


def test_a_file_cannot_run_what_a_shopper_typed(owner: Browser) -> None:
    owner.post("/products/new", {**PRODUCT, "name": "=cmd()"})
    assert owner.table("/products?format=csv")[1][1] == "'=cmd()"


def test_coupons_and_shipping_methods(owner: Browser, till: Till) -> None:
    page = owner.get("/offers")
    assert "There are no coupons yet." in page
    assert "There are no shipping methods yet." in page
    assert "¥10.00" in owner.post("/offers/coupons", {"code": "TEN", "amount": "10", "threshold": "99"})
    owner.post("/offers/shipping", {"code": "sf", "name": "顺丰", "fee": "0"})
    page = owner.post("/offers/coupons", {"code": "TEN", "amount": "10", "threshold": "99", "active": ""})
    assert "Switched off" in page
    assert audited(till)[-3:] == ["coupon.saved", "shipping_method.saved", "coupon.saved"]


BAD_OFFERS = [
    ("coupons", {"code": "a b", "amount": "10"}, "does not have the right form"),
    ("coupons", {"code": "TEN", "amount": "0"}, "more than ¥0.00"),
    ("coupons", {"code": "TEN", "amount": "ten"}, "an amount like 12.50"),
    ("shipping", {"code": "sf", "name": "顺丰", "fee": "-1"}, "at least ¥0.00"),
    ("shipping", {"code": "sf", "fee": "1"}, "Please fill this in."),
]


def test_bad_offers_are_refused(owner: Browser) -> None:
    for path, values, message in BAD_OFFERS:
        assert message in owner.refused(f"/offers/{path}", values)


def test_orders_are_listed_searched_and_exported(owner: Browser, busy: Busy) -> None:
    number = busy.till.order_row(busy.paid).number
    assert number in owner.get("/orders?state=paid")
    assert number not in owner.get("/orders?state=received")
    assert number in owner.get(f"/orders?q={number}")
    assert "No order matches." in owner.get("/orders?q=nobody")
    rows = owner.table("/orders?format=csv&state=received")
    assert [rows[1][i] for i in (1, 2, 4, 9, 10)] == ["青松", "Received", "300.00", "300.00", "100.00"]


def test_without_orders_the_list_says_what_to_do(owner: Browser) -> None:
    assert "/api/v1/docs" in owner.get("/orders")


def test_an_order_says_who_earns_what_and_why(owner: Browser, busy: Busy) -> None:
    page = owner.get(f"/orders/{busy.released}")
    assert "10.00% of ¥300.00 (line paid after discounts) = ¥30.00, rule levels:1, plan version 1" in page
    assert "¥10.00 of it taken back by refunds" in page
    assert "¥30.00 awarded, ¥20.00 after refunds" in page
    assert "Commissions are worked out when the order is paid." in owner.get(f"/orders/{busy.unpaid}")


def test_an_order_says_who_earns_nothing_and_why(owner: Browser, busy: Busy) -> None:
    owner.post(f"/promoters/{busy.promoter}/freeze", {"reason": "test"})
    order = busy.till.paid(busy.buyer, [("a", 1)])
    busy.till.settle()
    assert "nothing: was frozen at the time" in owner.get(f"/orders/{order}")


def test_shipping_an_order(owner: Browser, busy: Busy) -> None:
    page = owner.post(f"/orders/{busy.paid}/ship", {"tracking": "SF123"})
    assert "SF123" in page
    assert busy.till.order_row(busy.paid).state == "shipped"
    assert audited(busy.till)[-1] == "order.shipped"
    owner.refused(f"/orders/{busy.unpaid}/ship", {"tracking": "SF9"}, status=409)


def test_refunding_part_of_an_order_once(owner: Browser, busy: Busy) -> None:
    line = busy.till.order_row(busy.paid).lines[0]
    values = {"idempotency_key": "k1", "reason": "杯口有裂", f"quantity-{line.id.hex}": "1", "freight": ""}
    assert "杯口有裂" in owner.post(f"/orders/{busy.paid}/refund", values)
    owner.post(f"/orders/{busy.paid}/refund", values)
    assert busy.till.order_row(busy.paid).refunded_fen == 10_000


BAD_REFUNDS = [
    ({"reason": "r", "quantity": "3"}, "A refund covers lines of the order"),
    ({"reason": "r", "quantity": "-1"}, "A refund covers lines of the order"),
    ({"reason": "r", "quantity": "one"}, "Please enter a whole number."),
    ({"reason": "", "quantity": "1"}, "Please give a reason."),
    ({"reason": "r", "quantity": ""}, "Choose what to refund"),
    ({"reason": "r", "freight": "1.0.0"}, "an amount like 12.50"),
    ({"reason": "r", "freight": "5"}, "A refund covers lines of the order"),
]


def test_a_refund_that_cannot_be_comes_back_as_typed(owner: Browser, busy: Busy) -> None:
    for values, message in BAD_REFUNDS:
        line = busy.till.order_row(busy.paid).lines[0]
        typed = {**values, "idempotency_key": "k1", f"quantity-{line.id.hex}": values.get("quantity", "")}
        page = owner.refused(f"/orders/{busy.paid}/refund", typed)
        assert message in page
        field = page.partition(f'name="quantity-{line.id.hex}"')[2].partition(">")[0]
        assert f'value="{values.get("quantity", "")}"' in field
        assert 'name="idempotency_key" value="k1"' in page
        assert busy.till.order_row(busy.paid).refunded_fen == 0


def test_a_refund_of_a_line_of_nowhere_is_refused(owner: Browser, busy: Busy) -> None:
    values = {"reason": "r", "idempotency_key": "k", "quantity-nonsense": "1"}
    assert (
        "Please enter a whole number."
        not in owner.refused(f"/orders/{busy.paid}/refund", values).partition("quantity-nonsense")[2]
    )
