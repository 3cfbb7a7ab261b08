"""Who would move: dry runs of the tiers in force, of a version, or of settings that nobody has saved."""

from __future__ import annotations

from uuid import UUID

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost import versions
from fanyong.pluginhost.registry import PluginFailed, UnknownPlugin, registry
from fanyong.tenancy.database import session
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from tenants.console.base import bp, done, record, refused
from tenants.console.views.plugin_choice import edit_page, posted, refused_settings, unknown_plugin
from tenants.console.views.promoters import tier_names
from tenants.promoters import trials
from tenants.promoters.models import TierTrial


@bp.get("/tiers/trials")
@requires(Permission.PLANS_READ)
def tier_trials() -> ResponseReturnValue:
    """List the dry runs that are kept."""
    return _list()


@bp.post("/tiers/trials")
@requires(Permission.PLANS_WRITE)
def try_tiers() -> ResponseReturnValue:
    """Start a dry run of the settings that were posted, saved or not."""
    try:
        plugin, form, text = posted("tier_structure")
    except UnknownPlugin as error:
        return unknown_plugin("tier_structure", error)
    if not form.ok:
        return edit_page("tier_structure", plugin, form, json_text=text), 422
    try:
        trial = trials.start(plugin.name, form.values, actor=current_actor())
    except (FanyongError, PluginFailed) as error:
        return refused_settings("tier_structure", plugin, form, error, json_text=text)
    return _started(trial)


@bp.post("/tiers/trials/current")
@requires(Permission.PLANS_WRITE)
def try_current_tiers() -> ResponseReturnValue:
    """Start a dry run of the tiers in force, or of the version whose number is given."""
    number = request.form.get("number", "")
    try:
        row = (
            versions.get_version("tier_structure", int(number))
            if number.isascii() and number.isdigit() and len(number) < 9
            else plugins.current_activation("tier_structure")
        )
        if row is None:
            return _list(problem=_("No tiers were chosen yet.")), 422
        trial = trials.start(row.plugin, row.settings, actor=current_actor())
    except FanyongError as error:
        return _list(problem=refused(error)), error.status
    except PluginFailed as failure:
        session().rollback()
        return _list(problem=_("The structure fails: %(reason)s", reason=failure.reason)), 422
    return _started(trial)


@bp.get("/tiers/trials/<uuid:trial_id>")
@requires(Permission.PLANS_READ)
def tier_trial(trial_id: UUID) -> ResponseReturnValue:
    """Show how far a dry run is and who would move; all of them as a file."""
    trial = trials.get_trial(trial_id)
    names = {**tier_names(), **trials.tier_names(trial)}
    if wants_csv():
        header = (_("Member"), _("Nickname"), _("Tier now"), _("Tier then"))
        rows = (
            (member.id.hex, member.nickname, names.get(move.from_tier or "", ""), names.get(move.to_tier or "", ""))
            for move, member in everything(trials.moves(trial_id))
        )
        return csv_response("tier-trial", header=header, rows=rows)
    # While it runs, the page asks again and again for its figures alone.
    template = "tier_trial_figures.html" if request.headers.get("HX-Request") else "tier_trial.html"
    return render_template(
        f"console/{template}",
        trial=trial,
        title=_titles().get(trial.plugin, trial.plugin),
        share=trial.looked * 100 // trial.total if trial.total else 0,
        names=names,
        summary=trials.summary(trial_id),
        page=paginate(trials.moves(trial_id)),
    )


@bp.post("/tiers/trials/<uuid:trial_id>/cancel")
@requires(Permission.PLANS_WRITE)
def cancel_tier_trial(trial_id: UUID) -> ResponseReturnValue:
    """Stop a dry run."""
    trials.cancel(trial_id)
    return done(_("The dry run is canceled."), "console.tier_trial", trial_id=trial_id)


def _started(trial: TierTrial) -> ResponseReturnValue:
    record("tiers.tried", plugin=trial.plugin, run=trial.id.hex)
    return done(_("The dry run is under way; nobody is moved."), "console.tier_trial", trial_id=trial.id)


def _list(*, problem: str = "") -> str:
    return render_template("console/tier_trials.html", trials=trials.latest_trials(), titles=_titles(), problem=problem)


def _titles() -> dict[str, str]:
    return {plugin.name: str(plugin.title) for plugin in registry.plugins("tier_structure")}
