"""Lists as CSV files that spreadsheets open without garbling Chinese or running what a shopper typed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from flask import Response, request

#: Excel reads UTF-8 only behind a byte order mark.
_BOM = "\ufeff"
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?\Z")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def wants_csv() -> bool:
    """Return whether the list is asked for as a file."""
    return request.args.get("format") == "csv"


def csv_response(name: str, *, header: Sequence[object], rows: Iterable[Sequence[object]]) -> Response:
    """Return `rows` as the file `name`.csv."""
    out = io.StringIO()
    out.write(_BOM)
    writer = csv.writer(out)
    writer.writerow([str(title) for title in header])
    writer.writerows([_cell(value) for value in row] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(out.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: object) -> str:
    """Keep text that looks like a formula from being one; numbers, negative ones too, stay numbers."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) and not _NUMBER.match(text) else text
