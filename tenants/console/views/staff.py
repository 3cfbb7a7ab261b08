"""The people who work in this console."""

from __future__ import annotations

from uuid import UUID

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError, NotFound
from fanyong.identity import service as identity
from fanyong.identity.permissions import Permission
from fanyong.identity.web import requires
from fanyong.web.settings_form import SettingsForm, from_post, from_values
from fanyong.web.words import _
from tenants.console.base import bp, done, record, refused
from tenants.console.forms import AdminForm


@bp.get("/staff")
@requires(Permission.STAFF_WRITE)
def staff() -> ResponseReturnValue:
    """List the accounts."""
    return _page()


@bp.post("/staff")
@requires(Permission.STAFF_WRITE)
def add_staff() -> ResponseReturnValue:
    """Add an account."""
    form = from_post(AdminForm, request.form)
    if not form.ok:
        return _page(form), 422
    values = dict(form.values)
    try:
        admin = identity.create_admin(values.pop("email"), **{"role": "operator", **values})
    except FanyongError as error:
        form.add_error(["email"], refused(error))
        return _page(form), error.status
    record("admin.added", email=admin.email, role=admin.role)
    return done(_("%(email)s can log in now.", email=admin.email), "console.staff")


@bp.post("/staff/<uuid:admin_id>/deactivate")
@requires(Permission.STAFF_WRITE)
def deactivate_staff(admin_id: UUID) -> ResponseReturnValue:
    """Keep an account from logging in."""
    return _set_active(admin_id, active=False)


@bp.post("/staff/<uuid:admin_id>/activate")
@requires(Permission.STAFF_WRITE)
def activate_staff(admin_id: UUID) -> ResponseReturnValue:
    """Let an account log in again."""
    return _set_active(admin_id, active=True)


def _set_active(admin_id: UUID, *, active: bool) -> ResponseReturnValue:
    try:
        admin = identity.set_active(admin_id, active=active)
    except FanyongError as error:
        return _page(problem=refused(error)), error.status
    if admin is None:
        raise NotFound
    record("admin.activated" if active else "admin.deactivated", email=admin.email)
    message = _("%(email)s can log in again.") if active else _("%(email)s can no longer log in.")
    return done(message % {"email": admin.email}, "console.staff")


def _page(form: SettingsForm | None = None, *, problem: str = "") -> str:
    return render_template(
        "console/staff.html",
        admins=identity.admins(),
        form=form or from_values(AdminForm, {}),
        problem=problem,
    )
