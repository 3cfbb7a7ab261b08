"""Products."""

from __future__ import annotations

from uuid import UUID

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import requires
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.paging import everything, paginate
from fanyong.web.settings_form import SettingsForm, from_post, from_values
from fanyong.web.words import _
from tenants.catalog import service as catalog
from tenants.catalog.models import Product
from tenants.console import product_file
from tenants.console.base import bp, done, record, refused
from tenants.console.forms import ProductForm, product_as_typed, product_values


@bp.get("/products")
@requires(Permission.PRODUCTS_READ)
def products() -> ResponseReturnValue:
    """List the products."""
    query = catalog.products(search=request.args.get("q", "").strip())
    if wants_csv():
        rows = (product_file.texts(product).values() for product in everything(query))
        return csv_response("products", header=tuple(product_file.titles().values()), rows=map(tuple, rows))
    return render_template("console/products.html", page=paginate(query))


@bp.route("/products/new", methods=["GET", "POST"])
@requires(Permission.PRODUCTS_WRITE)
def new_product() -> ResponseReturnValue:
    """Add a product."""
    if request.method == "GET":
        return _page(from_values(ProductForm, {}), None)
    return _save(None)


@bp.get("/products/<uuid:product_id>")
@requires(Permission.PRODUCTS_READ)
def product(product_id: UUID) -> ResponseReturnValue:
    """Show a product to be changed."""
    found = catalog.get_product(product_id)
    return _page(from_values(ProductForm, product_as_typed(found)), found)


@bp.post("/products/<uuid:product_id>")
@requires(Permission.PRODUCTS_WRITE)
def save_product(product_id: UUID) -> ResponseReturnValue:
    """Change a product."""
    return _save(catalog.get_product(product_id))


def _save(present: Product | None) -> ResponseReturnValue:
    form = from_post(ProductForm, request.form)
    if not form.ok:
        return _page(form, present), 422
    try:
        saved = catalog.save_product(present, **product_values(form.values))
    except catalog.SkuTaken as error:
        form.add_error(["sku"], refused(error))
        return _page(form, present), error.status
    except FanyongError as error:
        form.add_error([], refused(error))
        return _page(form, present), error.status
    record("product.saved", sku=saved.sku, price_fen=saved.price_fen, stock=saved.stock)
    return done(_("“%(name)s” is saved.", name=saved.name), "console.products")


def _page(form: SettingsForm, present: Product | None) -> str:
    return render_template("console/product.html", form=form, product=present)
