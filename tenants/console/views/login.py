"""In and out of the console."""

from __future__ import annotations

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user

from fanyong.identity.service import authenticate_admin
from fanyong.identity.web import log_in, read_welcome_token, safe_next
from fanyong.tenancy.context import current_tenant
from fanyong.web.words import _
from tenants.console.base import bp, record


@bp.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """Ask for e-mail address and password, and let whoever knows them in."""
    target = safe_next(request.values.get("next"), default=url_for("console.dashboard"))
    if request.method == "GET" and current_user.is_authenticated:
        return redirect(target, code=303)
    email = request.form.get("email", "")
    problem = ""
    if request.method == "POST":
        admin = authenticate_admin(email, password=request.form.get("password", ""))
        if admin is not None:
            log_in(admin)
            record("admin.logged_in")
            return redirect(target, code=303)
        problem = _("This e-mail address and password do not belong together.")
    page = render_template("console/login.html", email=email, problem=problem, target=target, samples=_sample_logins())
    return page, 422 if problem else 200


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """End the session."""
    logout_user()
    return redirect(url_for("console.login"), code=303)


@bp.get("/welcome")
def welcome() -> ResponseReturnValue:
    """Let the owner of a new brand step from the sign-up page into the console."""
    owner = read_welcome_token(request.args.get("token", ""))
    if owner is None:
        flash(_("This link is no longer valid. Please log in."), "warning")
        return redirect(url_for("console.login"), code=303)
    log_in(owner)
    flash(_("Welcome! Your brand is ready, with a sandbox to try everything in."), "success")
    return redirect(url_for("console.dashboard"), code=303)


def _sample_logins() -> list[dict[str, str]]:
    """Return the log-ins of the sample brands, which only a development server knows."""
    samples: list[dict[str, str]] = current_app.config.get("SAMPLE_LOGINS", [])
    return [sample for sample in samples if sample.get("brand") == current_tenant().slug]
