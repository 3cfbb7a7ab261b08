"""What is printed: readable Chinese, page numbers, totals, no column without figures, the same bytes every time."""

from __future__ import annotations

import re
import zlib
from base64 import a85decode
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask_babel import force_locale

from fanyong.web.pdf import Column, Document, Table, render
from tenants.statements import brand, brand_documents, promoter, promoter_documents
from tenants.statements.documents import Preparation
from tenants.statements.promoter import MAX_PRINTED, StatementTooLong
from tests.console.parts import Busy

MADE = Preparation(brand="乔木", by="白露", at=datetime(2026, 11, 22, 4, tzinfo=UTC))
_STREAM = re.compile(rb"stream\r?\n(.*?)~>\s*endstream", re.DOTALL)
#: A text with the font before it; F1 is Helvetica, which reportlab gives every page.
_SHOWN = re.compile(rb"/(F\d+) \d+ Tf|\(((?:\\.|[^\\)])*)\) Tj", re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)


@pytest.fixture(autouse=True)
def _english(app: Flask) -> Iterator[None]:
    """Read English, as somebody whose browser asks for it."""
    with app.test_request_context(), force_locale("en"):
        yield


def texts(pdf: bytes) -> list[list[str]]:
    """Return the texts of each page."""
    assert pdf.startswith(b"%PDF-")
    return [list(_page(zlib.decompress(a85decode(packed)))) for packed in _STREAM.findall(pdf)]


def _page(content: bytes) -> Iterator[str]:
    font = b"F1"
    for found in _SHOWN.finditer(content):
        font = found[1] or font
        if found[2] is not None:
            plain = _ESCAPE.sub(_unescaped, found[2])
            # Helvetica is shown byte by byte, Chinese in two bytes a letter.
            yield plain.decode("cp1252") if font == b"F1" else plain.decode("utf-16-be")


def _unescaped(found: re.Match[bytes]) -> bytes:
    octal = found[1]
    return bytes([int(octal, 8)]) if len(octal) == 3 else {b"r": b"\r", b"n": b"\n"}.get(octal, octal)


def small(rows: int) -> Document:
    """Return a document with a table of so many rows."""
    table = Table(
        [Column("科目", 100), Column("金额", 60, "right")],
        [(f"行{n}", f"{n}.00") for n in range(rows)],
        totals=[("合计", "1.00")],
    )
    return Document("对账单", "乔木 2026-11", [("品牌", "乔木")], [table], "乔木")


@pytest.mark.parametrize(("rows", "pages"), [(0, 1), (1, 1), (40, 1), (200, 4)])
def test_every_page_has_its_number_and_every_row_its_place(rows: int, pages: int) -> None:
    read = texts(render(small(rows)))
    assert len(read) == pages
    for number, page in enumerate(read, start=1):
        assert f"Page {number} of {pages}" in page
        assert page.count("科目") == 1, "the columns are named on every page"
    flat = [text for page in read for text in page]
    assert [text for text in flat if text.startswith("行")] == [f"行{n}" for n in range(rows)]
    assert flat.count("合计") == 1


def test_the_same_document_is_the_same_file() -> None:
    assert render(small(30)) == render(small(30))
    assert render(small(30)) != render(small(31))


def test_a_long_text_is_broken_and_a_letter_beyond_the_font_becomes_a_box() -> None:
    table = Table([Column("名", 50), Column("名", 50)], [("长" * 200, "a😀b\nc")])
    (page,) = texts(render(Document("t", "s", [], [table], "f")))
    assert "a□b c" in page
    lines = [text for text in page if text.startswith("长")]
    assert len(lines) == 3
    assert lines[-1].endswith("…")


def test_a_promoter_s_month_on_paper(busy: Busy) -> None:
    with busy.till.work():
        statement = promoter.statement_of(busy.promoter, promoter.month_now())
    document = promoter_documents.promoter_document(statement, MADE)
    titles = [column.title for column in document.tables[1].columns]
    assert "Debt" not in titles, "what is zero all month long has no column"
    assert titles[-1] == "Balance"
    for index in range(3, len(titles)):
        assert any(row[index] not in ("", "–") for row in document.tables[1].rows)
    flat = [text for page in texts(render(document)) for text in page]
    for text in ("茉莉 · " + statement.month, "Brand: 乔木", "Prepared by: 白露", "Currency: CNY, in yuan", "40.00"):
        assert text in flat, flat
    assert "Prepared at: 2026-11-22 12:00:00" in flat


def test_a_trial_balance_on_paper_adds_up_and_names_its_accounts_twice(busy: Busy) -> None:
    with busy.till.work():
        month = brand.brand_month(promoter.month_now())
    document = brand_documents.trial_document(month.balance, MADE)
    (table,) = document.tables
    sums = [sum(int(row[n].replace(",", "").replace(".", "")) for row in table.rows) for n in range(3, 9)]
    assert [f"{fen // 100:,}.{fen % 100:02d}" for fen in sums] == list(table.totals[0][3:])
    assert sums[0] == sums[1]
    assert sums[2] == sums[3] == 12_500
    assert sums[4] == sums[5] == 4_000
    flat = [text for page in texts(render(document)) for text in page]
    for text in ("2241.03", "其他应付款—可提现佣金", "Other payables: commissions, available", "合计", "Total"):
        assert text in flat, flat
    whole = brand_documents.brand_document(month, MADE)
    assert [table.title for table in whole.tables] == [
        "Commission expense",
        "Movements of the month",
        "Accounts",
        "",
    ]
    assert render(whole)


def test_a_spreadsheet_says_the_same(busy: Busy) -> None:
    with busy.till.work():
        month = brand.brand_month(promoter.month_now())
        statement = promoter.statement_of(busy.promoter, promoter.month_now())
    header, rows = promoter_documents.promoter_csv(statement)
    table = [list(map(str, row)) for row in rows]
    assert all(len(row) == len(header) for row in table)
    assert table[0][-1] == "0.00"
    assert table[-1][6:] == ["20.00", "15.00", "5.00", "0.00", "40.00"]
    header, rows = brand_documents.trial_csv(month.balance)
    table = [list(map(str, row)) for row in rows]
    assert all(len(row) == len(header) for row in table)
    assert table[-1][3:] == ["0.00", "0.00", "125.00", "125.00", "40.00", "40.00"]
    header, rows = brand_documents.brand_csv(month)
    table = [list(map(str, row)) for row in rows]
    assert all(len(row) == len(header) for row in table)
    assert ["Commission expense", "Plan 1 · plan_levels", "Share · Awarded", "2", "50.00"] in table


def test_a_month_that_fills_a_hundred_pages_is_for_spreadsheets(busy: Busy) -> None:
    with busy.till.work():
        statement = promoter.statement_of(busy.promoter, promoter.month_now())
    long = promoter.PromoterStatement(
        member_id=statement.member_id,
        nickname=statement.nickname,
        month=statement.month,
        opening=statement.opening,
        lines=[statement.lines[0]] * (MAX_PRINTED + 1),
        closing=statement.closing,
        totals=statement.totals,
        references=statement.references,
        is_over=False,
    )
    with pytest.raises(StatementTooLong):
        promoter_documents.promoter_document(long, MADE)
    _header, rows = promoter_documents.promoter_csv(long)
    assert sum(1 for _ in rows) == MAX_PRINTED + 3
