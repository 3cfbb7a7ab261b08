"""How members become promoters: applications and their form, and invitations."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.filters import localtime
from fanyong.web.paging import everything, paginate
from fanyong.web.settings_form import SettingsForm, from_post, from_values
from fanyong.web.words import _
from tenants.console import labels
from tenants.console.base import bp, done, record, refused, typed
from tenants.console.forms import InvitationForm
from tenants.console.views.promoters import tier_names
from tenants.members.models import Member
from tenants.promoters import applications, invitations
from tenants.promoters import service as promoters
from tenants.promoters.models import Application


@bp.get("/applications")
@requires(Permission.PROMOTERS_READ)
def promoter_applications() -> ResponseReturnValue:
    """List the applications."""
    if wants_csv():
        return _applications_csv(everything(_wanted()))
    return _applications_page()


@bp.post("/applications/<uuid:application_id>/approve")
@requires(Permission.PROMOTERS_REVIEW)
def approve_application(application_id: UUID) -> ResponseReturnValue:
    """Accept an application."""
    try:
        found = applications.approve(application_id, actor=current_actor())
    except FanyongError as error:
        return _applications_page(problem=refused(error), problem_at=application_id), error.status
    record("application.approved", member=found.member_id.hex, tier=found.tier)
    return done(_("The application is accepted."), "console.promoter_applications")


@bp.post("/applications/<uuid:application_id>/reject")
@requires(Permission.PROMOTERS_REVIEW)
def reject_application(application_id: UUID) -> ResponseReturnValue:
    """Turn an application down."""
    try:
        found = applications.reject(application_id, reason=typed("reason"), actor=current_actor())
    except FanyongError as error:
        return _applications_page(problem=refused(error), problem_at=application_id), error.status
    record("application.rejected", member=found.member_id.hex, tier=found.tier, reason=found.reason)
    return done(_("The application is turned down."), "console.promoter_applications")


@bp.get("/applications/form")
@requires(Permission.PLANS_READ)
def application_form() -> ResponseReturnValue:
    """Show the form that the brand builds for applications."""
    values = applications.form().model_dump(mode="json")
    return _form_page(from_values(applications.ApplicationForm, values))


@bp.post("/applications/form")
@requires(Permission.PLANS_WRITE)
def save_application_form() -> ResponseReturnValue:
    """Change the form."""
    form = from_post(applications.ApplicationForm, request.form)
    if form.ok:
        try:
            applications.save_form(applications.ApplicationForm.model_validate(form.values), actor=current_actor())
        except FanyongError as error:
            form.add_error([], refused(error))
    if not form.ok:
        return _form_page(form), 422
    record("settings.changed", group=applications.ApplicationForm.key)
    return done(_("The form is saved."), "console.application_form")


@bp.get("/invitations")
@requires(Permission.PROMOTERS_READ)
def promoter_invitations() -> ResponseReturnValue:
    """List the invitations."""
    return _invitations_page()


@bp.post("/invitations")
@requires(Permission.PROMOTERS_APPOINT)
def invite_promoter() -> ResponseReturnValue:
    """Make an invitation."""
    form = from_post(InvitationForm, request.form, choices=_tier_choices())
    if form.ok:
        v = form.values
        try:
            made = invitations.invite(
                tier=v["tier"], days=v.get("days", 30), note=v.get("note", ""), actor=current_actor()
            )
        except FanyongError as error:
            form.add_error([], refused(error))
    if not form.ok:
        return _invitations_page(form), 422
    record("invitation.made", tier=made.tier, code=made.code)
    return done(_("The invitation is %(code)s.", code=made.code), "console.promoter_invitations")


@bp.post("/invitations/<code>/revoke")
@requires(Permission.PROMOTERS_APPOINT)
def revoke_invitation(code: str) -> ResponseReturnValue:
    """Withdraw an invitation."""
    try:
        invitations.revoke(code)
    except invitations.InvitationNotUsable as error:
        return _invitations_page(problem=refused(error)), error.status
    record("invitation.revoked", code=code)
    return done(_("The invitation is withdrawn."), "console.promoter_invitations")


def _state() -> str:
    state = request.args.get("state", "")
    return state if state in labels.APPLICATION else ""


def _wanted() -> sa.Select[Application, Member]:
    return applications.applications(state=_state(), search=request.args.get("q", "").strip())


def _applications_page(*, problem: str = "", problem_at: UUID | None = None) -> str:
    return render_template(
        "console/applications.html",
        page=paginate(_wanted()),
        state=_state(),
        states=labels.options(labels.APPLICATION),
        tier_names=tier_names(),
        offered=applications.open_tiers(),
        problem=problem,
        problem_at=problem_at,
    )


def _applications_csv(rows: Sequence[tuple[Application, Member]]) -> ResponseReturnValue:
    header = (_("Submitted at"), _("Nickname"), _("Tier"), _("State"), _("Answers"), _("Decided by"), _("Reason"))
    lines = (
        (
            localtime(found.submitted_at),
            member.nickname,
            found.tier,
            labels.label("application", found.state),
            "; ".join(f"{answer['label']}: {answer['value']}" for answer in found.answers),
            found.decided_by or "",
            found.reason or "",
        )
        for found, member in rows
    )
    return csv_response("applications", header=header, rows=lines)


def _form_page(form: SettingsForm) -> str:
    return render_template("console/application_form.html", form=form, offered=applications.open_tiers())


def _invitations_page(form: SettingsForm | None = None, *, problem: str = "") -> str:
    return render_template(
        "console/invitations.html",
        page=paginate(invitations.invitations()),
        form=form or from_values(InvitationForm, {}, choices=_tier_choices()),
        tier_names=tier_names(),
        problem=problem,
    )


def _tier_choices() -> dict[str, list[tuple[str, str]]]:
    return {"tiers": [(tier.key, str(tier.name)) for tier in promoters.tiers_to_show()]}
