"""The tables under an `example` mark of a document."""

from __future__ import annotations

from fanyong.devtools.paths import ROOT

Row = dict[str, str]


def text_of(document: str) -> str:
    """Return a document of docs/."""
    return (ROOT / "docs" / document).read_text(encoding="utf-8")


def table(document: str, example: str) -> list[Row]:
    """Return the rows of the table under a mark in a document of docs/, by the names of its columns."""
    _, mark, rest = text_of(document).partition(f"<!-- example: {example} -->\n")
    assert mark, f"docs/{document} has no example {example!r}"
    head, _rule, *rows = (_cells(line) for line in rest.split("\n\n")[0].splitlines())
    assert rows
    return [dict(zip(head, row, strict=True)) for row in rows]


def fen(row: Row, column: str) -> int:
    """Return a cell as the whole number it is."""
    return int(row[column].replace(",", ""))


def _cells(line: str) -> list[str]:
    return [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
