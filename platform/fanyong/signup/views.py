"""The platform's own pages for everybody: what it is, and signing a brand up."""

from __future__ import annotations

from flask import Blueprint, current_app, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from fanyong.cli import build_schema
from fanyong.config import Settings
from fanyong.errors import FanyongError, NotFound
from fanyong.identity.web import welcome_token
from fanyong.signup import service
from fanyong.signup.application import (
    Application,
    check_subdomain,
    find_problems,
    normal_subdomain,
    read_application,
)
from fanyong.tenancy.context import bound_tenant
from fanyong.tenancy.directory import SlugTaken

bp = Blueprint(
    "signup", __name__, template_folder="templates", static_folder="static", static_url_path="/signup/static"
)


@bp.before_request
def only_on_the_platforms_host() -> None:
    """Hide these pages on the hosts of brands."""
    if bound_tenant() is not None:
        raise NotFound


@bp.get("/")
def landing() -> str:
    """Say what this is and where to begin."""
    return render_template("signup/landing.html", settings=_settings())


@bp.get("/signup")
def form() -> Response:
    """Show the empty form."""
    return _page(Application(), problems={}, status=200)


@bp.post("/signup")
def sign_up() -> ResponseReturnValue:
    """Make the brand and send its owner into the console, or say at each field what is wrong."""
    application = read_application(request.form)
    problems = find_problems(application)
    if not problems:
        try:
            return redirect(_open_brand(application), code=303)
        except SlugTaken as error:
            problems["subdomain"] = error
    # A conflict with what exists is 409, anything wrong with the form itself 422.
    return _page(application, problems=problems, status=max(error.status for error in problems.values()))


@bp.get("/signup/subdomain")
def subdomain_hint() -> str:
    """Say, while somebody types, whether a subdomain can be had; the answer at the end is the form's."""
    subdomain = normal_subdomain(request.args.get("subdomain", ""))
    problem: FanyongError | None = None
    try:
        check_subdomain(subdomain)
    except FanyongError as error:
        problem = error
    address = _settings().brand_url(subdomain)
    return render_template("signup/_subdomain_hint.html", subdomain=subdomain, problem=problem, address=address)


def _open_brand(application: Application) -> str:
    tenant, owner = service.sign_up(
        name=application.name,
        slug=application.subdomain,
        email=application.email,
        password=application.password,
        build=build_schema,
    )
    return f"{_settings().brand_url(tenant.slug)}/console/welcome?token={welcome_token(tenant.id, owner.id)}"


def _page(application: Application, *, problems: dict[str, FanyongError], status: int) -> Response:
    settings = _settings()
    page = render_template(
        "signup/form.html",
        application=application,
        problems=problems,
        address_start=settings.brand_url("·").split("·")[0],
        address_end=settings.brand_url("·").split("·")[1],
        alert=_("Please look at the marked fields. Nothing was created yet.") if problems else "",
    )
    return make_response(page, status)


def _settings() -> Settings:
    settings: Settings = current_app.extensions["settings"]
    return settings
