"""Tables on paper: a document of facts and tables as a PDF, in Chinese and Latin letters, without font files.

Text is set in `STSong-Light`, one of the fonts that every PDF reader brings for Chinese, and amounts in Helvetica,
whose digits are all of one width. All lengths are whole points. The same document gives the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from flask import Response
from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from fanyong.web.words import _

TEXT_FONT, NUMBER_FONT = "STSong-Light", "Helvetica"
MARGIN, GAP = 36, 6
TITLE_SIZE, HEADING_SIZE, SIZE, SMALL = 15, 11, 8, 7
LINE = 11
#: Beyond it a cell is cut with an ellipsis; nothing that is money comes near it.
MAX_CELL_LINES = 3
_BEYOND_THE_FONT = 0x10000


@dataclass(frozen=True, slots=True)
class Column:
    """A column; widths are shares of the page's width, whatever they add up to."""

    title: str
    width: int
    align: Literal["left", "right"] = "left"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a heading; `totals` are set apart below them."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    title: str = ""
    totals: Sequence[Sequence[str]] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """What is printed: a title, who and when, facts side by side, tables; the footer is on every page."""

    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    footer: str
    is_landscape: bool = False


def pdf_response(name: str, document: Document) -> Response:
    """Return a document as the file `name`.pdf."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.pdf"'}
    return Response(render(document), content_type="application/pdf", headers=headers)


def render(document: Document) -> bytes:
    """Return a document as PDF."""
    _register_fonts()
    width, height = (int(length) for length in (landscape(A4) if document.is_landscape else A4))
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(width, height), invariant=1)
    canvas.setTitle(f"{document.title} {document.subtitle}")
    canvas.setAuthor(document.footer)
    pages = _Layout(document, width=width, height=height).pages()
    for number, page in enumerate(pages, start=1):
        for mark in page:
            mark.draw(canvas)
        _footer(document, number=number, count=len(pages), width=width).draw(canvas)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class _Text:
    """Words at a place; `x` is their left or, aligned right, their right end."""

    x: int
    y: int
    text: str
    size: int = SIZE
    align: Literal["left", "right"] = "left"
    grey: bool = False

    def draw(self, canvas: Canvas) -> None:
        """Put it on the page."""
        canvas.setFillGray(40 / 100 if self.grey else 0)
        canvas.setFont(_font(self.text, self.align), self.size)
        put = canvas.drawRightString if self.align == "right" else canvas.drawString
        put(self.x, self.y, self.text)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A horizontal line."""

    x: int
    y: int
    end: int
    strong: bool = False

    def draw(self, canvas: Canvas) -> None:
        """Put it on the page."""
        canvas.setStrokeGray(0 if self.strong else 75 / 100)
        canvas.setLineWidth(1 if self.strong else 1 / 2)
        canvas.line(self.x, self.y, self.end, self.y)


@dataclass(frozen=True, slots=True)
class _Both:
    """The two ends of a footer."""

    left: _Text
    right: _Text

    def draw(self, canvas: Canvas) -> None:
        """Put them on the page."""
        self.left.draw(canvas)
        self.right.draw(canvas)


class _Layout:
    """Sets a document from the top down and begins a new page where one is full."""

    def __init__(self, document: Document, *, width: int, height: int) -> None:
        self._document = document
        self._left, self._right = MARGIN, width - MARGIN
        self._top, self._bottom = height - MARGIN, MARGIN + 2 * LINE
        self._pages: list[list[_Text | _Rule]] = [[]]
        self._y = self._top

    def pages(self) -> list[list[_Text | _Rule]]:
        """Return what stands on each page."""
        self._head()
        for table in self._document.tables:
            self._table(table)
        return self._pages

    def _head(self) -> None:
        self._y -= TITLE_SIZE
        self._put(_Text(self._left, self._y, _plain(self._document.title), TITLE_SIZE))
        self._y -= TITLE_SIZE
        self._put(_Text(self._left, self._y, _plain(self._document.subtitle), HEADING_SIZE))
        self._y -= GAP
        half = (self._right - self._left) // 2
        for index, (name, value) in enumerate(self._document.facts):
            if index % 2 == 0:
                self._y -= LINE + 2
            x = self._left + (index % 2) * half
            for line in _wrapped(f"{name}: {value}", half - GAP, "left")[:1]:
                self._put(_Text(x, self._y, line))
        self._y -= GAP

    def _table(self, table: Table) -> None:
        edges = self._edges(table.columns)
        self._need(6 * LINE)
        self._y -= LINE
        if table.title:
            self._y -= LINE
            self._put(_Text(self._left, self._y, _plain(table.title), HEADING_SIZE))
        self._heading(table, edges)
        for row in table.rows:
            self._row(table, edges, row)
        if table.totals:
            self._put(_Rule(self._left, self._y - 2, self._right, strong=True))
            for row in table.totals:
                self._row(table, edges, row)
        for line in _wrapped(table.note, self._right - self._left, "left") if table.note else ():
            self._need(LINE)
            self._y -= LINE
            self._put(_Text(self._left, self._y, line, SMALL, grey=True))

    def _edges(self, columns: Sequence[Column]) -> list[tuple[int, int]]:
        whole, room, at = sum(column.width for column in columns), self._right - self._left, 0
        edges = []
        for column in columns:
            start = self._left + at * room // whole
            at += column.width
            edges.append((start, self._left + at * room // whole))
        return edges

    def _heading(self, table: Table, edges: Sequence[tuple[int, int]]) -> None:
        self._cells(table, edges, [column.title for column in table.columns], grey=True)
        self._put(_Rule(self._left, self._y - 3, self._right, strong=True))
        self._y -= 2

    def _row(self, table: Table, edges: Sequence[tuple[int, int]], row: Sequence[str]) -> None:
        if self._y - LINE * MAX_CELL_LINES < self._bottom:
            self._new_page()
            self._heading(table, edges)
        self._cells(table, edges, row)
        self._put(_Rule(self._left, self._y - 3, self._right))
        self._y -= 2

    def _cells(self, table: Table, edges: Sequence[tuple[int, int]], row: Sequence[str], *, grey: bool = False) -> None:
        cells = [
            _wrapped(text, end - start - GAP, column.align)
            for column, (start, end), text in zip(table.columns, edges, row, strict=True)
        ]
        for column, (start, end), lines in zip(table.columns, edges, cells, strict=True):
            for index, line in enumerate(lines):
                x = end - GAP // 2 if column.align == "right" else start + GAP // 2
                self._put(_Text(x, self._y - LINE * (index + 1), line, SIZE, column.align, grey))
        self._y -= LINE * max(1, *(len(lines) for lines in cells))

    def _need(self, room: int) -> None:
        if self._y - room < self._bottom:
            self._new_page()

    def _new_page(self) -> None:
        self._pages.append([])
        self._y = self._top

    def _put(self, mark: _Text | _Rule) -> None:
        self._pages[-1].append(mark)


def _footer(document: Document, *, number: int, count: int, width: int) -> _Both:
    page = _("Page %(number)d of %(count)d", number=number, count=count)
    return _Both(
        _Text(MARGIN, MARGIN, _plain(document.footer), SMALL, grey=True),
        # Set from the left, so that a page number in Chinese keeps its font.
        _Text(width - MARGIN - _width(page, TEXT_FONT, SMALL), MARGIN, page, SMALL, grey=True),
    )


def _wrapped(text: str, room: int, align: Literal["left", "right"]) -> list[str]:
    """Return a text in lines that fit into a cell, broken at spaces where there are any."""
    lines = list(_lines(_plain(text), room, align))
    if len(lines) <= MAX_CELL_LINES:
        return lines
    return [*lines[: MAX_CELL_LINES - 1], f"{lines[MAX_CELL_LINES - 1][:-1]}…"]


def _lines(text: str, room: int, align: Literal["left", "right"]) -> Iterator[str]:
    font = _font(text, align)
    while _width(text, font, SIZE) > room:
        fitting = _fitting(text, room, font)
        space = text.rfind(" ", 1, fitting + 1)
        end = space if space > 0 else fitting
        yield text[:end]
        text = text[end:].lstrip()
    yield text


def _fitting(text: str, room: int, font: str) -> int:
    """Return how many characters fit, at least one."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _width(text[:middle], font, SIZE) <= room else (low, middle - 1)
    return low


def _font(text: str, align: str) -> str:
    return NUMBER_FONT if align == "right" and text.isascii() else TEXT_FONT


def _width(text: str, font: str, size: int) -> int:
    return int(pdfmetrics.stringWidth(text, font, size)) + 1 if text else 0


def _plain(text: str) -> str:
    """Return a text in the letters that the font has: on one line, with a box for what it has not."""
    return "".join("□" if ord(letter) >= _BEYOND_THE_FONT else letter for letter in " ".join(text.split()))


@cache
def _register_fonts() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont(TEXT_FONT))
