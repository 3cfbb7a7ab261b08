"""The rules against money laundering, and the watch list."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, Field

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.ids import parse_id
from fanyong.web.paging import paginate
from fanyong.web.settings_form import SettingsForm, from_post, from_values
from fanyong.web.words import _
from tenants.console.base import bp, done, record, refused
from tenants.members import service as members
from tenants.payouts import payees, policies, review
from tenants.payouts.screening import ScreeningRules

KINDS = {"member": _l("Member"), "account": _l("Payee account"), "device": _l("Device")}


class WatchForm(BaseModel):
    """Whom to watch, and why."""

    kind: Literal["member", "account", "device"] = Field(title=_l("What"), json_schema_extra={"labels": KINDS})
    value: str = Field(
        min_length=1,
        max_length=128,
        title=_l("Which one"),
        description=_l("A member's number, a card or account number, or a device's id."),
    )
    note: str = Field(min_length=1, max_length=200, title=_l("Why"))


@bp.get("/payouts/screening")
@requires(Permission.WITHDRAWALS_READ)
def screening() -> ResponseReturnValue:
    """Show the rules and the watch list."""
    return _page()


@bp.post("/payouts/screening")
@requires(Permission.SETTINGS_WRITE)
def save_screening() -> ResponseReturnValue:
    """Change the rules, as a new version."""
    form = from_post(ScreeningRules, request.form)
    if not form.ok:
        return _page(rules=form), 422
    saved = policies.save_screening_rules(form.values, note="", actor=current_actor())
    record("screening.saved", version=saved.number, **saved.parameters)
    return done(_("The rules are saved."), "console.screening")


@bp.post("/payouts/watch")
@requires(Permission.WITHDRAWALS_REVIEW)
def watch() -> ResponseReturnValue:
    """Put somebody or something on the watch list."""
    form = from_post(WatchForm, request.form)
    if form.ok:
        values = WatchForm.model_validate(form.values)
        value, shown = _named(values)
        if not value:
            form.add_error(["value"], _("There is no such member."))
        else:
            entry = review.watch(values.kind, value, shown=shown, note=values.note, actor=current_actor())
            record("watch.added", kind=entry.kind, shown=entry.shown, note=entry.note)
            return done(_("The watch list is changed."), "console.screening")
    return _page(watched=form), 422


@bp.post("/payouts/watch/<uuid:entry_id>/remove")
@requires(Permission.WITHDRAWALS_REVIEW)
def unwatch(entry_id: UUID) -> ResponseReturnValue:
    """Take somebody off the watch list."""
    try:
        entry = review.unwatch(entry_id, actor=current_actor())
    except FanyongError as error:
        return _page(problem=refused(error)), error.status
    record("watch.removed", kind=entry.kind, shown=entry.shown)
    return done(_("The watch list is changed."), "console.screening")


def _named(values: WatchForm) -> tuple[str, str]:
    """Return what is stored and what is shown of an entry; nothing for a member that is not there."""
    text = values.value.strip()
    if values.kind == "account":
        return payees.account_fingerprint(text), payees.masked(text)
    if values.kind == "device":
        return text, text
    member_id = parse_id(text)
    member = members.get_member(member_id) if member_id else None
    return (member.id.hex, member.nickname) if member else ("", "")


def _page(*, rules: SettingsForm | None = None, watched: SettingsForm | None = None, problem: str = "") -> str:
    return render_template(
        "console/screening.html",
        rules=rules or from_values(ScreeningRules, policies.screening_rules().model_dump(mode="json")),
        watched=watched or from_values(WatchForm, {}),
        page=paginate(review.watch_list()),
        kinds=KINDS,
        versions=policies.history("screening")[:10],
        problem=problem,
    )
