"""The superadmin console: the brands, one brand, the audit trail, the plugins."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import sqlalchemy as sa
from flask import Blueprint, current_app, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, logout_user
from werkzeug.wrappers import Response

from fanyong.compliance import service as compliance
from fanyong.compliance.models import Waiver
from fanyong.compliance.policies import POLICIES
from fanyong.errors import FanyongError, NotFound
from fanyong.hooks import KINDS
from fanyong.identity.permissions import Permission
from fanyong.identity.service import authenticate_staff
from fanyong.identity.web import current_actor, log_in, requires, safe_next
from fanyong.ids import parse_id
from fanyong.pluginhost.registry import registry
from fanyong.superadmin import inside, service
from fanyong.superadmin.words import details_text, register_words
from fanyong.tenancy.context import bound_tenant
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.directory import audit, directory
from fanyong.tenancy.models import AuditEntry, TenantRecord
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.filters import localtime
from fanyong.web.paging import everything, paginate

bp = Blueprint("superadmin", __name__, url_prefix="/superadmin", template_folder="templates")
#: How much of the audit trail a brand's own page shows.
RECENT_ENTRIES = 10
Problems = dict[str, FanyongError]
register_words(bp)


@bp.before_request
def only_on_the_platforms_host() -> None:
    """Hide these pages on the hosts of brands."""
    if bound_tenant() is not None:
        raise NotFound


@bp.get("/login")
def login() -> ResponseReturnValue:
    """Show the log-in form, or go on when somebody is logged in already."""
    if current_user.is_authenticated:
        return redirect(_target(), code=303)
    return _login_page()


@bp.post("/login")
def log_staff_in() -> ResponseReturnValue:
    """Log platform staff in."""
    email = request.form.get("email", "")
    staff = authenticate_staff(email, password=request.form.get("password", ""))
    if staff is None:
        return _login_page(email=email, problem=_("This e-mail address and password do not belong together.")), 422
    log_in(staff)
    audit("staff.logged_in", actor=current_actor())
    return redirect(_target(), code=303)


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    """Log out."""
    logout_user()
    return redirect(url_for("superadmin.login"), code=303)


@bp.get("/")
@requires(Permission.PLATFORM_READ)
def brands() -> ResponseReturnValue:
    """List the brands."""
    search, state = _search(), request.args.get("state", "")
    query = service.brands(search=search, state=state if state in ("active", "suspended") else "")
    if wants_csv():
        return _brands_csv(query)
    counts = service.count_by_state()
    return render_template("superadmin/brands.html", page=paginate(query), counts=counts, search=search, state=state)


@bp.get("/brands/<uuid:brand_id>")
@requires(Permission.PLATFORM_READ)
def brand(brand_id: UUID) -> ResponseReturnValue:
    """Show one brand."""
    return _brand_page(brand_id)


@bp.get("/brands/<uuid:brand_id>/ledger")
@requires(Permission.PLATFORM_READ)
def check_ledger(brand_id: UUID) -> ResponseReturnValue:
    """Prove a brand's books now, and show its page with the result."""
    tenant = service.get_brand(brand_id).as_tenant()
    return _brand_page(brand_id, ledger=inside.check_ledger(tenant), ledger_checked=True)


@bp.post("/brands/<uuid:brand_id>/suspend")
@requires(Permission.PLATFORM_SUSPEND)
def suspend(brand_id: UUID) -> ResponseReturnValue:
    """Close a brand's shop, with a reason."""
    try:
        with unit_of_work():
            service.suspend(brand_id, reason=request.form.get("reason", ""), actor=current_actor())
    except service.ReasonMissing as error:
        return _brand_page(brand_id, problems={"suspend_reason": error})
    directory.forget()
    flash(_("The brand is suspended: its shop is closed and its console can only be read."), "success")
    return redirect(url_for("superadmin.brand", brand_id=brand_id), code=303)


@bp.post("/brands/<uuid:brand_id>/resume")
@requires(Permission.PLATFORM_SUSPEND)
def resume(brand_id: UUID) -> ResponseReturnValue:
    """Open a suspended brand again."""
    with unit_of_work():
        service.resume(brand_id, actor=current_actor())
    directory.forget()
    flash(_("The brand is open again."), "success")
    return redirect(url_for("superadmin.brand", brand_id=brand_id), code=303)


@bp.post("/brands/<uuid:brand_id>/waivers")
@requires(Permission.PLATFORM_WAIVE)
def grant_waiver(brand_id: UUID) -> ResponseReturnValue:
    """Let a brand do more than the policy allows for a time."""
    form = request.form
    try:
        with unit_of_work():
            waiver = service.grant_waiver(
                brand_id,
                kind=form.get("kind", "levels"),
                levels=form.get("levels", ""),
                reason=form.get("reason", ""),
                last_day=form.get("ends_on", ""),
                actor=current_actor(),
            )
    except (compliance.BadWaiver, service.BadEndDate, service.ReasonMissing) as error:
        return _brand_page(brand_id, problems={_WAIVER_FIELDS[error.code]: error})
    _tell_brand(waiver, "waiver.granted", reason=waiver.reason, ends_at=localtime(waiver.ends_at))
    flash(_("The waiver is granted."), "success")
    return redirect(url_for("superadmin.brand", brand_id=brand_id), code=303)


@bp.post("/brands/<uuid:brand_id>/waivers/<uuid:waiver_id>/revoke")
@requires(Permission.PLATFORM_WAIVE)
def revoke_waiver(brand_id: UUID, waiver_id: UUID) -> ResponseReturnValue:
    """End a waiver now."""
    with unit_of_work():
        waiver = service.revoke_waiver(brand_id, waiver_id=waiver_id, actor=current_actor())
    _tell_brand(waiver, "waiver.revoked")
    flash(_("The waiver has ended."), "success")
    return redirect(url_for("superadmin.brand", brand_id=brand_id), code=303)


@bp.get("/compliance")
@requires(Permission.PLATFORM_READ)
def policies() -> ResponseReturnValue:
    """Show every version of the compliance policy, and the waivers in force."""
    return render_template(
        "superadmin/compliance.html",
        policies=list(reversed(POLICIES)),
        in_force=service.waivers_in_force(),
    )


@bp.get("/audit")
@requires(Permission.PLATFORM_AUDIT)
def audit_trail() -> ResponseReturnValue:
    """List what was done, by whom, newest first."""
    search, chosen = _search(), parse_id(request.args.get("brand", ""))
    record = service.get_brand(chosen) if chosen else None
    query = service.audit_trail(search=search, brand_id=chosen)
    if wants_csv():
        return _audit_csv(query)
    return render_template("superadmin/audit.html", page=paginate(query), search=search, record=record)


@bp.get("/plugins")
@requires(Permission.PLATFORM_READ)
def plugins() -> ResponseReturnValue:
    """Show the plugins of this deployment, who uses them, and what failed."""
    in_use = inside.plugins_in_use()
    counts = Counter(activation.plugin for use in in_use for activation in use.plugins)
    catalogue = [(kind, registry.plugins(kind)) for kind in KINDS]
    return render_template("superadmin/plugins.html", catalogue=catalogue, counts=counts, in_use=in_use)


#: At which field of the waiver's form the message of an error stands.
_WAIVER_FIELDS = {"bad_waiver": "levels", "reason_missing": "waiver_reason", "bad_end_date": "ends_on"}


def _tell_brand(waiver: Waiver, action: str, **details: object) -> None:
    tenant = service.get_brand(waiver.tenant_id).as_tenant()
    said = {"levels": waiver.levels} if waiver.levels else {}
    inside.tell_brand(tenant, action, actor=current_actor(), kind=waiver.kind, **said, **details)


def _login_page(*, email: str = "", problem: str = "") -> str:
    samples = [sample for sample in current_app.config.get("SAMPLE_LOGINS", []) if not sample["brand"]]
    return render_template("superadmin/login.html", email=email, problem=problem, samples=samples)


def _brand_page(
    brand_id: UUID,
    *,
    problems: Problems | None = None,
    ledger: list[str] | None = None,
    ledger_checked: bool = False,
) -> Response:
    record = service.get_brand(brand_id)
    recent = session().execute(service.audit_trail(brand_id=brand_id).limit(RECENT_ENTRIES)).scalars().all()
    page = render_template(
        "superadmin/brand.html",
        record=record,
        inside=inside.look_inside(record.as_tenant()),
        address=current_app.extensions["settings"].brand_url(record.slug),
        domains=service.domains(brand_id),
        waivers=compliance.waivers(brand_id),
        recent=recent,
        problems=problems or {},
        ledger=ledger,
        ledger_checked=ledger_checked,
        now=datetime.now(UTC),
    )
    return make_response(page, max((error.status for error in (problems or {}).values()), default=200))


def _brands_csv(query: sa.Select[TenantRecord]) -> Response:
    header = [
        _("Brand"),
        _("Subdomain"),
        _("State"),
        _("Signed up"),
        _("Why suspended"),
        _("Schema"),
        _("Version"),
    ]
    rows = [
        (r.name, r.slug, r.state, localtime(r.claimed_at), r.suspended_reason, r.schema_name, r.version)
        for r in everything(query)
    ]
    return csv_response("brands", header=header, rows=rows)


def _audit_csv(query: sa.Select[AuditEntry, str | None, str | None]) -> Response:
    header = [_("Time"), _("Who"), _("What"), _("Brand"), _("Details")]
    rows = [
        (localtime(entry.at, seconds=True), entry.actor, entry.action, slug, details_text(entry.details))
        for entry, _name, slug in everything(query)
    ]
    return csv_response("audit", header=header, rows=rows)


def _search() -> str:
    # PostgreSQL's text holds no NUL, so that nothing it finds could contain one.
    return request.args.get("q", "").replace("\0", "").strip()[:100]


def _target() -> str:
    return safe_next(request.values.get("next"), default=url_for("superadmin.brands"))
