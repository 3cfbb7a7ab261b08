from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.runtime import in_tenant
from fanyong.web.paging import PER_PAGE
from tenants.catalog import service as catalog
from tests.api.conftest import Shop
from tests.conftest import Brand


def test_what_is_on_sale_is_listed(still_shop: Shop) -> None:
    page = still_shop.phone().get("/products")
    assert [item["sku"] for item in page["items"]] == ["CUP/1", "TEA"]
    assert page["items"][1] == {
        "sku": "TEA",
        "name": "茉莉花茶",
        "category": "茶",
        "description": "",
        "price_fen": 9_000,
        "stock": 50,
    }
    assert (page["page"], page["pages"], page["total"]) == (1, 1, 2)


@pytest.mark.parametrize(
    ("words", "found"), [("茉莉", ["TEA"]), ("cup", ["CUP/1"]), ("%", []), ("OLD", []), (" ", ["CUP/1", "TEA"])]
)
def test_products_are_searched(still_shop: Shop, words: str, found: list[str]) -> None:
    answer = still_shop.client().get("/api/v1/products", query_string={"q": words})
    assert answer.json is not None
    assert [item["sku"] for item in answer.json["items"]] == found


def test_lists_come_in_pages_and_end(shop: Shop, app: Flask) -> None:
    with app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        for number in range(PER_PAGE):
            catalog.save_product(None, sku=f"S{number}", name=f"S{number}", price_fen=1, stock=0)
    phone = shop.phone()
    first, second, third = (phone.get(f"/products?page={number}") for number in (1, 2, 3))
    assert (len(first["items"]), len(second["items"]), third["items"]) == (PER_PAGE, 2, [])
    assert [page["page"] for page in (first, second, third)] == [1, 2, 3]
    assert {page["pages"] for page in (first, second, third)} == {2}
    skus = [item["sku"] for item in first["items"] + second["items"]]
    assert len(set(skus)) == len(skus) == first["total"]


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5", "", "100001", "9" * 400])
def test_a_page_that_cannot_be_is_refused(still_shop: Shop, page: str) -> None:
    answer = still_shop.client().get(f"/api/v1/products?page={page}")
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["error"]["code"] == "invalid_request"
    assert answer.json["error"]["details"][0]["path"] == "page"


def test_one_product_may_have_a_slash_in_its_sku(still_shop: Shop) -> None:
    phone = still_shop.phone()
    assert phone.get("/products/TEA")["price_fen"] == 9_000
    assert phone.get("/products/CUP/1")["name"] == "盖碗"


@pytest.mark.parametrize("sku", ["OLD", "tea", "NO", "CUP", "%00", "a%00b", "CUP/2"])
def test_what_is_not_on_sale_is_not_there(still_shop: Shop, sku: str) -> None:
    answer = still_shop.client().get(f"/api/v1/products/{sku}")
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["error"]["code"] == "not_found"


def test_shipping_methods_are_listed(still_shop: Shop) -> None:
    assert still_shop.phone().get("/shipping-methods") == {
        "items": [{"code": "EXPRESS", "name": "快递", "fee_fen": 800}]
    }


def test_sharing_again_gives_the_same_link(still_shop: Shop) -> None:
    phone = still_shop.phone()
    tea, again, whole = (phone.ask("POST", "/shares", **body).json for body in ({"sku": "TEA"}, {"sku": "TEA"}, {}))
    assert tea == again
    assert whole is not None
    assert tea["token"] != whole["token"]
    assert len(tea["token"]) <= 32
    assert parse_qs(urlsplit(tea["path"]).query) == {"sku": ["TEA"], "share": [tea["token"]]}
    assert parse_qs(urlsplit(whole["path"]).query) == {"share": [whole["token"]]}


@pytest.mark.parametrize("sku", ["NO", "OLD", ""])
def test_what_is_not_on_sale_cannot_be_shared(still_shop: Shop, sku: str) -> None:
    answer = still_shop.phone().ask("POST", "/shares", sku=sku)
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["error"]["code"] == "unknown_product"


def test_a_share_tells_who_shared_what(shop: Shop, app: Flask) -> None:
    phone = shop.phone(nickname="乔木")
    tea, whole = (phone.ask("POST", "/shares", **body).json["token"] for body in ({"sku": "TEA"}, {}))
    stranger = shop.client()
    shown = stranger.get(f"/api/v1/shares/{tea}").json
    assert shown is not None
    assert (shown["shared_by"], shown["product"]["sku"]) == ({"nickname": "乔木"}, "TEA")
    assert stranger.get(f"/api/v1/shares/{whole}").json["product"] is None
    with app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        catalog.by_sku(["TEA"])["TEA"].on_sale = False
    assert stranger.get(f"/api/v1/shares/{tea}").json["product"] is None


@pytest.mark.parametrize("token", ["nobody", "%00"])
def test_an_unknown_share_is_not_there(still_shop: Shop, token: str) -> None:
    assert still_shop.client().get(f"/api/v1/shares/{token}").status_code == 404


def test_a_brand_does_not_see_another_ones_goods_and_shares(shop: Shop, other_shop: Shop, app: Flask) -> None:
    token = shop.phone().ask("POST", "/shares").json["token"]
    with app.app_context(), in_tenant(other_shop.brand.tenant), unit_of_work():
        catalog.save_product(None, sku="ONLY-HERE", name="白茶", price_fen=1, stock=1)
    assert other_shop.client().get(f"/api/v1/shares/{token}").status_code == 404
    assert shop.client().get("/api/v1/products/ONLY-HERE").status_code == 404


def test_the_shop_window_shows_goods_and_the_way_in(still_shop: Shop) -> None:
    text = still_shop.client().get("/").get_data(as_text=True)
    assert "乔木" in text
    assert "茉莉花茶" in text
    assert "¥90.00" in text
    assert "旧款" not in text
    assert f"http://{still_shop.brand.host}:8000/api/v1/products" in text
    assert "/api/v1/docs" in text


def test_the_shop_window_is_searched_and_escapes_what_it_shows(shop: Shop, app: Flask) -> None:
    with app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        catalog.save_product(None, sku="X", name="<script>alert(1)</script>", price_fen=1, stock=0)
    client = shop.client()
    assert "<script>alert" not in client.get("/").get_data(as_text=True)
    found = client.get("/?q=<b>nothing\0").get_data(as_text=True)
    assert "茉莉花茶" not in found
    assert "&lt;b&gt;nothing" in found


def test_an_empty_shop_says_what_to_do(brand: Brand, client_for: Callable[..., FlaskClient]) -> None:
    answer = client_for(brand.host).get("/")
    assert answer.status_code == 200
    assert "/console/products/new" in answer.get_data(as_text=True)


def test_the_platform_s_own_start_page_stays(client_for: Callable[..., FlaskClient]) -> None:
    answer = client_for().get("/")
    assert answer.status_code == 200
    assert "/signup" in answer.get_data(as_text=True)
