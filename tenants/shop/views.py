"""A small shop window: what the brand sells, and how a program reaches it."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from fanyong.tenancy.context import bound_tenant
from fanyong.web.paging import paginate
from tenants.catalog import service as catalog

bp = Blueprint("shop", __name__, template_folder="templates")


@bp.before_app_request
def open_shop() -> str | None:
    """Show the shop at the root of a brand's host; on the platform's host the same path is the platform's own page."""
    if bound_tenant() is None or request.path != "/" or request.method not in ("GET", "HEAD"):
        return None
    return home()


def home() -> str:
    """Show the products on sale."""
    search = request.args.get("q", "").replace("\0", "").strip()[:100]
    page = paginate(catalog.products(search=search, on_sale_only=True))
    return render_template("shop/home.html", page=page, search=search)
