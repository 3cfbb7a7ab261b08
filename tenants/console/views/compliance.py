"""What the platform's compliance policy lets this brand do, its notices and waivers."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.compliance import service as compliance
from fanyong.compliance.policies import POLICIES
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.tenancy import settings
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.context import current_tenant
from fanyong.web.words import _
from tenants.console.base import bp, done, record


@bp.get("/compliance")
@requires(Permission.PLANS_READ)
def compliance_page() -> ResponseReturnValue:
    """Show the policy, and what this brand has accepted and been granted."""
    return render_template(
        "console/compliance.html",
        policies=list(reversed(POLICIES)),
        levels_allowed=compliance.levels_allowed(),
        team_allowed=compliance.team_allowed(),
        entry_allowed_fen=compliance.entry_allowed_fen(),
        notices={kind: settings.load(group) for kind, group in compliance.NOTICES.items()},
        waivers=compliance.waivers(current_tenant().id),
        now=brand_now(),
    )


@bp.post("/compliance/accept-notice")
@requires(Permission.PLANS_WRITE)
def accept_notice() -> ResponseReturnValue:
    """Accept the notice about paying two levels, or the one about purchases before somebody may earn."""
    if request.form.get("kind") == "entry":
        compliance.accept_notice(actor=current_actor(), kind="entry")
        message = _("The notice is accepted: this brand may ask for a larger first purchase.")
    else:
        compliance.accept_notice(actor=current_actor())
        message = _("The notice is accepted: this brand may pay two levels.")
    said = {"notice": "entry"} if request.form.get("kind") == "entry" else {}
    record("compliance.notice_accepted", policy=compliance.POLICY_VERSION, **said)
    return done(message, "console.compliance_page")
