"""The blueprint of the API."""

from __future__ import annotations

from flask import Blueprint, Response, request

from fanyong.errors import NotFound
from fanyong.tenancy.context import bound_tenant

bp = Blueprint("api", __name__, url_prefix="/api/v1", template_folder="templates")


@bp.before_request
def refuse_strange_addresses() -> None:
    """Answer 404 where no brand is bound, and for a NUL, which the database refuses even to compare."""
    if bound_tenant() is None or any("\0" in str(value) for value in (request.view_args or {}).values()):
        raise NotFound


@bp.after_request
def say_what_programs_expect(response: Response) -> Response:
    """Keep balances out of caches, and name the way to prove oneself where that is what is missing."""
    response.headers.setdefault("Cache-Control", "no-store")
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
