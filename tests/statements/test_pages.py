"""The pages and files of statements, through the console's and the mini-program's doors."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from fanyong.ids import new_id
from tenants.api.auth import make_token
from tenants.ledger.models import AccountName
from tenants.statements import brand, promoter
from tests.conftest import Brand
from tests.console.parts import Browser, Busy

POSTINGS = re.compile(r'href="/console(/books/postings\?[^"]*)"')


def fen(text: str) -> int:
    """Return the fen of an amount as pages and files show it."""
    return int(text.replace("¥", "").replace(",", "").replace(".", ""))


def test_the_books_open_the_lines_behind_each_figure(owner: Browser, busy: Busy) -> None:
    page = owner.get("/books")
    found = POSTINGS.findall(page)
    assert len(found) == 8
    available = next(link for link in found if "account=available" in link)
    assert owner.get(available).count('<td class="fy-money"') == 3
    rows = owner.table(f"{available}&format=csv")
    credited = sum(fen(row[-1]) for row in rows[1:] if row[6] == "Available")
    debited = sum(fen(row[-1]) for row in rows[1:] if row[4] == "Available")
    assert credited - debited == 1_500


@pytest.mark.parametrize("path", ["/books/trial-balance", "/statements"])
def test_every_link_of_a_statement_opens_lines(owner: Browser, busy: Busy, path: str) -> None:
    links = set(POSTINGS.findall(owner.get(path).replace("&amp;", "&")))
    assert len(links) > 5
    for link in links:
        rows = owner.table(f"{link}&format=csv")
        assert len(rows) > 1 or "account=" in link, link


def test_postings_are_narrowed_down(owner: Browser, busy: Busy) -> None:
    def count(**asked: str) -> int:
        return len(owner.table("/books/postings?format=csv&" + "&".join(f"{k}={v}" for k, v in asked.items()))) - 1

    everything = count()
    assert everything == 6
    assert count(kind="award") == 2
    assert count(kind="nonsense", account="nonsense", side="nonsense") == everything
    assert count(owner=busy.promoter.hex) == everything
    assert count(owner=busy.buyer.hex) == 0
    assert count(account="available", side="credit") == 1
    with busy.till.work():
        today = brand.today()
    assert count(first=str(today), last=str(today)) == everything
    assert count(last="2020-01-01") == 0
    owner.get("/books/postings?first=2026-02-01&last=2026-01-01", status=422)
    page = owner.get(f"/books/postings?owner={busy.promoter.hex}")
    assert "Only 茉莉." in page
    assert f"/console/orders/{busy.paid}" in page
    assert f"/console/withdrawals/{busy.withdrawal}" in page


def test_a_statement_s_balances_open_the_postings_behind_them(owner: Browser, busy: Busy) -> None:
    page = owner.get(f"/promoters/{busy.promoter}/statement")
    behind = re.findall(rf'href="/console(/books/postings\?owner={busy.promoter}&last=[0-9-]+)"', page)
    assert [len(owner.table(f"{url}&format=csv")) - 1 for url in behind] == [0, 6]


def test_files_are_files(owner: Browser, busy: Busy) -> None:
    for path in ("/books/trial-balance", "/statements", f"/promoters/{busy.promoter}/statement"):
        answer = owner.client.get(f"/console{path}?format=pdf")
        assert answer.status_code == 200
        assert answer.mimetype == "application/pdf"
        assert answer.data.startswith(b"%PDF-")
        assert "attachment" in answer.headers["Content-Disposition"]
        assert len(owner.table(f"{path}?format=csv")) > 3


def test_a_promoter_s_month_is_a_page(owner: Browser, busy: Busy) -> None:
    page = owner.get(f"/promoters/{busy.promoter}/statement")
    assert "Opening balance" in page
    assert "¥40.00" in page
    assert f"/console/orders/{busy.released}" in page
    assert "Nothing moved in this month." in owner.get(f"/promoters/{busy.buyer}/statement")
    owner.get(f"/promoters/{busy.promoter}/statement?month=2099-01", status=404)
    owner.get(f"/promoters/{new_id()}/statement", status=404)


def test_an_operator_reads_a_promoter_s_month_and_not_the_brand_s(
    brand: Brand, busy: Busy, login_as: Callable[..., FlaskClient]
) -> None:
    operator = Browser(login_as(brand, "operator"))
    page = operator.get(f"/promoters/{busy.promoter}/statement")
    assert "/console/books/postings" not in page
    operator.get("/statements", status=403)


def test_an_empty_brand_has_statements_of_nothing(owner: Browser) -> None:
    assert "No commission was booked in this month." in owner.get("/statements")
    rows = owner.table("/books/trial-balance?format=csv")
    assert len(rows) == len(AccountName) + 2
    assert "No posting matches." in owner.get("/books/postings")


def test_another_brand_sees_nothing_of_it(other_brand: Brand, busy: Busy, login_as: Callable[..., FlaskClient]) -> None:
    theirs = Browser(login_as(other_brand))
    theirs.get(f"/promoters/{busy.promoter}/statement", status=404)
    assert len(theirs.table(f"/books/postings?owner={busy.promoter.hex}&format=csv")) == 1


def test_statements_of_the_api(brand: Brand, busy: Busy, client_for: Callable[[str], FlaskClient]) -> None:
    client = client_for(brand.host)
    with busy.till.work():
        token, month = make_token(busy.promoter), promoter.month_now()
    headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
    assert client.get("/api/v1/promoter/statements", headers=headers).json == {"months": [month]}
    statement = client.get(f"/api/v1/promoter/statements/{month}", headers=headers).json
    assert statement is not None
    assert (statement["total"], statement["pages"], statement["is_over"]) == (6, 1, False)
    assert statement["opening"]["balance_fen"] == 0
    assert statement["closing"] == statement["items"][-1]["after"]
    assert statement["closing"] == {
        "pending_fen": 2_000,
        "available_fen": 1_500,
        "in_transfer_fen": 500,
        "debt_fen": 0,
        "balance_fen": 4_000,
    }
    assert sum(item["change_fen"] for item in statement["items"]) == 4_000
    beyond = client.get(f"/api/v1/promoter/statements/{month}?page=2", headers=headers).json
    assert beyond is not None
    assert beyond["items"] == []
    for name, mimetype in (("csv", "text/csv"), ("pdf", "application/pdf")):
        file = client.get(f"/api/v1/promoter/statements/{month}/file?format={name}", headers=headers)
        assert (file.status_code, file.mimetype) == (200, mimetype)
    rows = list(csv.reader(io.StringIO(_csv(client, month, headers))))
    assert rows[0][2] == "What"
    for path, status in (
        (f"{month}/file?format=doc", 422),
        ("2099-01", 404),
        ("nonsense", 404),
        ("nonsense/file", 404),
    ):
        assert client.get(f"/api/v1/promoter/statements/{path}", headers=headers).status_code == status


def _csv(client: FlaskClient, month: str, headers: dict[str, str]) -> str:
    answer = client.get(f"/api/v1/promoter/statements/{month}/file?format=csv", headers=headers)
    return str(answer.data, "utf-8-sig")
