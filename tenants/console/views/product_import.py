"""Products from a file."""

from __future__ import annotations

from collections.abc import Sequence

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import requires
from fanyong.web.words import _
from tenants.catalog import service as catalog
from tenants.console import product_file
from tenants.console.base import bp, done, record, refused
from tenants.console.forms import product_values
from tenants.console.product_file import ReadRow


@bp.get("/products/import")
@requires(Permission.PRODUCTS_WRITE)
def import_products() -> ResponseReturnValue:
    """Show how a file has to look."""
    return _page()


@bp.post("/products/import")
@requires(Permission.PRODUCTS_WRITE)
def save_imported_products() -> ResponseReturnValue:
    """Make or change the products of a file: all of them, or none when one row is wrong."""
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        return _page(problem=_("Please choose a file.")), 422
    with upload.stream as stream:
        content = stream.read(product_file.MAX_BYTES + 1)
    try:
        rows = product_file.read(content, present=catalog.all_by_sku())
    except product_file.UnreadableFile as error:
        return _page(problem=str(error)), 422
    wrong = [row for row in rows if row.problems]
    if wrong:
        return _page(wrong=wrong), 422
    try:
        saved = catalog.save_products([product_values(row.values) for row in rows])
    except FanyongError as error:
        return _page(problem=refused(error)), error.status
    record("products.imported", made=saved.made, changed=saved.changed)
    return done(
        _("%(made)d products were added, %(changed)d changed.", made=saved.made, changed=saved.changed),
        "console.products",
    )


def _page(*, problem: str = "", wrong: Sequence[ReadRow] = ()) -> str:
    return render_template(
        "console/product_import.html",
        titles=product_file.titles(),
        problem=problem,
        wrong=wrong[:50],
        wrong_count=len(wrong),
        max_rows=product_file.MAX_ROWS,
    )
