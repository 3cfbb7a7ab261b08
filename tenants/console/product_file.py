"""Products as a CSV file: the columns, and reading a file row by row into what the product form takes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from fanyong.web.money import hundredths
from fanyong.web.settings_form import from_post
from fanyong.web.words import _
from tenants.catalog.models import Product
from tenants.console.forms import ProductForm

MAX_BYTES = 2_000_000
MAX_ROWS = 5_000
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_NO = {"", "no", "n", "0", "false", "off", "否"}
#: The columns in the order of the export, by the name of the form's field.
COLUMNS = (
    "sku",
    "name",
    "category",
    "product_code",
    "price",
    "stock",
    "cost",
    "tax",
    "commission_base",
    "on_sale",
    "description",
)


class UnreadableFile(ValueError):
    """The file is no table of products; the message says why."""


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One row of a file: the line it stands in, its values when they are right, and what is wrong with it."""

    line: int
    sku: str
    values: dict[str, Any]
    problems: tuple[str, ...]


def titles() -> dict[str, str]:
    """Return what the columns are called, in the language of the request."""
    return {
        "sku": _("SKU"),
        "name": _("Name"),
        "category": _("Category"),
        "product_code": _("Product code"),
        "price": _("Price"),
        "stock": _("Stock"),
        "cost": _("Cost"),
        "tax": _("Tax"),
        "commission_base": _("Commission base"),
        "on_sale": _("On sale"),
        "description": _("Description"),
    }


def texts(product: Product) -> dict[str, str]:
    """Return a product as it stands in a file."""
    return {
        "sku": product.sku,
        "name": product.name,
        "category": product.category,
        "product_code": product.product_code,
        "price": hundredths(product.price_fen),
        "stock": str(product.stock),
        "cost": "" if product.cost_fen is None else hundredths(product.cost_fen),
        "tax": hundredths(product.tax_bp),
        "commission_base": "" if product.commission_base_fen is None else hundredths(product.commission_base_fen),
        "on_sale": _("yes") if product.on_sale else _("no"),
        "description": product.description,
    }


def read(content: bytes, *, present: Mapping[str, Product]) -> list[ReadRow]:
    """Return the rows of a file; a column that is missing keeps what `present` (products by SKU) has.

    Columns are found by their titles in the language of the request, or by their field names. Raises UnreadableFile.
    """
    if len(content) > MAX_BYTES:
        raise UnreadableFile(_("The file is too large; 2 MB at most."))
    table = list(enumerate(csv.reader(io.StringIO(_decoded(content))), start=1))
    if not table:
        raise UnreadableFile(_("The file is empty."))
    columns = _columns(table[0][1])
    filled = [(line, cells) for line, cells in table[1:] if any(cell.strip() for cell in cells)]
    if not filled or len(filled) > MAX_ROWS:
        raise UnreadableFile(_("The file needs 1 to %(count)d products.", count=MAX_ROWS))
    return list(_rows(filled, columns, present))


def _rows(
    filled: Sequence[tuple[int, list[str]]], columns: Sequence[str | None], present: Mapping[str, Product]
) -> Iterator[ReadRow]:
    seen: dict[str, int] = {}
    for line, cells in filled:
        given = {name: _plain(cell) for name, cell in zip(columns, cells, strict=False) if name is not None}
        sku = given.get("sku", "")
        product = present.get(sku)
        known = texts(product) if product else {"on_sale": "yes"}
        wanted = {**known, **given}
        wanted["on_sale"] = "" if wanted["on_sale"].lower() in {*_NO, _("no")} else "yes"
        form = from_post(ProductForm, MultiDict(wanted))
        labels = titles()
        problems = [f"{labels.get(name, name)}: {text}" for name, found in form.errors.items() for text in found]
        if sku in seen:
            problems.append(_("The SKU stands in line %(line)d already.", line=seen[sku]))
        seen.setdefault(sku, line)
        yield ReadRow(line, sku, dict(form.values), (*problems, *form.general))


def _columns(header: Sequence[str]) -> list[str | None]:
    by_title = {name: name for name in COLUMNS} | {title.lower(): name for name, title in titles().items()}
    found = [by_title.get(_plain(cell).lower()) for cell in header]
    named = [name for name in found if name is not None]
    if "sku" not in named:
        raise UnreadableFile(_("The first line has to name the columns, and there has to be one for the SKU."))
    if len(set(named)) < len(named):
        raise UnreadableFile(_("A column stands twice in the first line."))
    unknown = [cell.strip() for cell, name in zip(header, found, strict=True) if name is None and cell.strip()]
    if unknown:
        raise UnreadableFile(_("These columns are not known: %(names)s", names=_(", ").join(unknown)))
    return found


def _decoded(content: bytes) -> str:
    """Return the text; spreadsheets in China write UTF-8 with a mark, or GB 18030."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableFile(_("The file is no text; save it as CSV."))


def _plain(cell: str) -> str:
    """Return a cell without the mark that our own files keep formulas harmless with."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA_STARTS) else text
