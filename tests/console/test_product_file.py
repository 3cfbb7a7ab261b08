"""Products out of a file and into one: all rows or none, with what is wrong named by line."""

from __future__ import annotations

import io

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tenants.catalog import service as catalog
from tenants.catalog.models import Product
from tenants.console import product_file
from tests.conftest import csrf_token
from tests.console.parts import Browser, audited
from tests.money.parts import Till

HEADER = "sku,name,price,stock,cost,tax,commission_base,product_code,category,on_sale,description\n"


def upload(browser: Browser, content: bytes) -> TestResponse:
    """Send a file."""
    data = {"csrf_token": csrf_token(browser.client, "/console/"), "file": (io.BytesIO(content), "products.csv")}
    return browser.client.post("/console/products/import", data=data, content_type="multipart/form-data")


def product(till: Till, sku: str) -> Product:
    """Return a product as it is now."""
    with till.work():
        return catalog.by_sku([sku])[sku]


def test_a_file_adds_and_changes_products(owner: Browser, till: Till) -> None:
    till.product("old", price_fen=500, stock=3)
    text = HEADER + 'new,龙井,168.50,7,80,13,150.00,tea,绿茶,yes,"明前, 手工"\nold,旧款,"1,200.00",4,,,,,,no,\n'
    answer = upload(owner, text.encode("utf-8-sig"))
    assert answer.status_code == 303
    assert "1 products were added, 1 changed." in owner.get("/products")
    new = product(till, "new")
    assert (new.name, new.price_fen, new.stock, new.description, new.on_sale) == ("龙井", 16_850, 7, "明前, 手工", True)
    assert (new.cost_fen, new.tax_bp, new.commission_base_fen, new.product_code) == (8_000, 1_300, 15_000, "tea")
    old = product(till, "old")
    assert (old.name, old.price_fen, old.stock, old.on_sale) == ("旧款", 120_000, 4, False)
    assert (old.cost_fen, old.tax_bp, old.commission_base_fen, old.product_code) == (None, 0, None, "old")
    assert audited(till)[-1] == "products.imported"


def test_our_own_file_read_in_again_changes_nothing(owner: Browser, till: Till) -> None:
    till.product("a", price_fen=999, category="=tea")
    with till.work():
        found = catalog.by_sku(["a"])["a"]
        found.cost_fen, found.tax_bp, found.description = 450, 600, "two\nlines"
    before = owner.client.get("/console/products?format=csv").data
    assert upload(owner, before).status_code == 303
    assert owner.client.get("/console/products?format=csv").data == before
    chinese = owner.client.get("/console/products?format=csv&lang=zh").data
    assert upload(owner, chinese).status_code == 303
    assert product(till, "a").category == "=tea"


def test_columns_that_are_left_out_stay_as_they_are(owner: Browser, till: Till) -> None:
    till.product("a", price_fen=999, stock=5, category="tea")
    assert upload(owner, b"SKU,Cost\na,4.50\n").status_code == 303
    found = product(till, "a")
    assert (found.price_fen, found.stock, found.category, found.cost_fen) == (999, 5, "tea", 450)


def test_a_file_from_a_chinese_spreadsheet_is_read(owner: Browser, till: Till) -> None:
    assert upload(owner, "sku,name,price,stock\na,茉莉花茶,9.90,1\n".encode("gb18030")).status_code == 303
    assert product(till, "a").name == "茉莉花茶"


BAD_ROWS = [
    ("a,A,0,1", "Price: This has to be more than ¥0.00."),
    ("a,A,1.005,1", "Price: Please enter an amount like 12.50."),
    ("a,,1,1", "Name: Please fill this in."),
    (",A,1,1", "SKU: Please fill this in."),
    ("a,A,1,-1", "Stock: This has to be at least 0."),
    ("a,A,1,some", "Stock: Please enter a whole number."),
    ("a,A,1,1,-4", "Cost: This has to be at least ¥0.00."),
    ("a,A,1,1,,101", "Tax: This can be 100.00% at most."),
    ("good,Again,1,1", "The SKU stands in line 2 already."),
]


def test_one_wrong_row_and_nothing_is_changed(owner: Browser, till: Till) -> None:
    for row, message in BAD_ROWS:
        answer = upload(owner, f"{HEADER}good,Good,1,1\n{row}\n".encode())
        page = answer.get_data(as_text=True).replace("&#39;", "'")
        assert answer.status_code == 422
        assert message in page
        assert "Line 3" in page
        assert "There are no products yet." in owner.get("/products")


BAD_FILES = [
    (b"", "Please choose a file.|The file is empty."),
    (b"name,price\nA,1\n", "there has to be one for the SKU"),
    (b"sku,sku\na,a\n", "stands twice"),
    (b"sku,colour\na,red\n", "These columns are not known: colour"),
    (b"sku,name,price,stock\n", "1 to 5000 products"),
    (b"\xff\xfe\x00\x81", "save it as CSV"),
]


@pytest.mark.parametrize(("content", "message"), BAD_FILES)
def test_what_is_no_file_of_products_is_refused(owner: Browser, content: bytes, message: str) -> None:
    answer = upload(owner, content)
    assert answer.status_code == 422
    assert any(part in answer.get_data(as_text=True) for part in message.split("|"))


def test_a_file_that_is_too_large_is_not_even_read(app: Flask) -> None:
    with app.test_request_context(), pytest.raises(product_file.UnreadableFile, match="2 MB"):
        product_file.read(b"\xff" * (product_file.MAX_BYTES + 1), present={})


def test_without_a_file_the_page_asks_for_one(owner: Browser) -> None:
    assert "How the file has to look" in owner.get("/products/import")
    assert "Please choose a file." in owner.refused("/products/import")


def test_the_columns_of_the_file_are_those_of_the_page(app: Flask) -> None:
    with app.test_request_context():
        assert tuple(product_file.titles()) == product_file.COLUMNS
