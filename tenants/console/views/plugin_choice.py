"""Tiers and plan: what is in force, and choosing another at once; drafts and schedules are in `views.versions`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import flash, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from fanyong.errors import FanyongError
from fanyong.hooks import Plugin, PluginKind
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.models import PluginActivation
from fanyong.pluginhost.registry import PluginFailed, UnknownPlugin, registry
from fanyong.pluginhost.service import InvalidPluginSettings
from fanyong.tenancy.database import session
from fanyong.web.form_specs import can_draw
from fanyong.web.settings_form import Choices, SettingsForm, from_json, from_post, from_values
from fanyong.web.words import _
from tenants.commissions import service as commissions
from tenants.console import simulator
from tenants.console.base import bp, done, record, refused
from tenants.console.versions import KINDS_BY_WORD, active_or_none, told_examples, verdict
from tenants.promoters import service as promoters

Activate = Callable[..., PluginActivation]
WORDS: Mapping[PluginKind, str] = {kind: word for word, kind in KINDS_BY_WORD.items()}


@bp.get("/tiers")
@requires(Permission.PLANS_READ)
def tiers() -> ResponseReturnValue:
    """Show the tier structure."""
    return overview("tier_structure")


@bp.post("/tiers")
@requires(Permission.PLANS_WRITE)
def save_tiers() -> ResponseReturnValue:
    """Choose the tier structure."""
    answer = _save("tier_structure", promoters.activate_structure)
    if isinstance(answer, PluginActivation):
        warn_about_plan()
        message = _("Tier structure, version %(number)d, is active.", number=answer.number)
        return done(message, "console.tiers")
    return answer


@bp.get("/plan")
@requires(Permission.PLANS_READ)
def plan() -> ResponseReturnValue:
    """Show the commission plan."""
    return overview("commission_plan")


@bp.post("/plan")
@requires(Permission.PLANS_WRITE)
def save_plan() -> ResponseReturnValue:
    """Choose the commission plan."""
    answer = _save("commission_plan", commissions.activate_plan)
    if isinstance(answer, PluginActivation):
        return done(
            _("Plan version %(number)d is active for orders paid from now on.", number=answer.number), "console.plan"
        )
    return answer


def overview(kind: PluginKind) -> str:
    """Return the page that shows what is in force, what it comes to, and all versions."""
    active = active_or_none(kind)
    row = plugins.current_activation(kind)
    is_plan = kind == "commission_plan"
    return render_template(
        "console/plan.html" if is_plan else "console/tiers.html",
        word=WORDS[kind],
        plugins=registry.plugins(kind),
        active=active,
        active_row=row,
        told=told_examples(active) if is_plan else [],
        verdict=verdict(kind, row.plugin, row.settings) if row is not None else None,
        history=plugins.history(kind),
        titles={p.name: p.title for p in registry.plugins(kind)},
        stale=promoters.stale_count(),
        tiers=promoters.tiers_to_show(),
    )


def posted(kind: PluginKind) -> tuple[Plugin, SettingsForm, str]:
    """Return the plugin and its settings that were posted, from the JSON field when it is filled in, and its text.

    Raises UnknownPlugin.
    """
    plugin = registry.get(kind, request.form.get("plugin", ""))
    text = request.form.get("settings_json", "")
    if text.strip() or not can_draw(plugin.settings_model):
        return plugin, from_json(plugin.settings_model, text, choices=choices()), text
    return plugin, from_post(plugin.settings_model, request.form, choices=choices()), ""


def filled(plugin: Plugin, values: Mapping[str, Any]) -> SettingsForm:
    """Return a plugin's form with values, or without fields when it cannot be drawn."""
    if can_draw(plugin.settings_model):
        return from_values(plugin.settings_model, values, choices=choices())
    return SettingsForm(plugin.settings_model, values=dict(values))


def choices() -> Choices:
    """Return what the selects of plans and tiers offer."""
    return simulator.choices()


def edit_page(
    kind: PluginKind,
    plugin: Plugin,
    form: SettingsForm,
    *,
    row: PluginActivation | None = None,
    title: str = "",
    json_text: str = "",
) -> str:
    """Return the page on which settings are worked on; `row` is the draft they will be kept in."""
    is_plan = kind == "commission_plan"
    return render_template(
        "console/version_edit.html",
        word=WORDS[kind],
        plugins=registry.plugins(kind),
        plugin=plugin,
        form=form,
        row=row,
        version_title=title,
        drawn=can_draw(plugin.settings_model),
        json_text=json_text or _as_json(plugin, form),
        json_opened=bool(json_text),
        simulator=_simulator_form() if is_plan else None,
    )


def refused_settings(
    kind: PluginKind, plugin: Plugin, form: SettingsForm, error: FanyongError | PluginFailed, **page: Any
) -> ResponseReturnValue:
    """Return the editing page with what stands against the settings that were posted."""
    if isinstance(error, PluginFailed):
        session().rollback()
        plugins.record_failure(error)
        session().commit()
        form.add_error([], _("The plugin could not check these settings. Nothing was changed; the platform was told."))
        return edit_page(kind, plugin, form, **page), 422
    message = refused(error)
    problems = error.details if isinstance(error, InvalidPluginSettings) else None
    form.add_problems(problems or [{"path": "", "message": message}])
    return edit_page(kind, plugin, form, **page), error.status


def unknown_plugin(kind: PluginKind, error: UnknownPlugin) -> ResponseReturnValue:
    """Return the editing page of the first plugin of a kind, for one that does not exist."""
    plugin = registry.plugins(kind)[0]
    form = filled(plugin, {})
    form.add_error([], refused(error))
    return edit_page(kind, plugin, form), error.status


def warn_about_plan() -> None:
    """Say so when the present plan does not fit the new tiers; orders go on being paid by it."""
    present = active_or_none("commission_plan")
    if present is None:
        return
    values = present.settings.model_dump(mode="json")
    try:
        plugins.validate("commission_plan", present.plugin.name, values, tiers=promoters.tiers())
    except (InvalidPluginSettings, PluginFailed):
        flash(_("The commission plan does not fit the new tiers. Please look at it now."), "warning")


def _save(kind: PluginKind, activate: Activate) -> PluginActivation | ResponseReturnValue:
    """Activate what was posted, or return the page with what is wrong."""
    try:
        plugin, form, text = posted(kind)
    except UnknownPlugin as error:
        return unknown_plugin(kind, error)
    if not form.ok:
        return edit_page(kind, plugin, form, json_text=text), 422
    try:
        activation = activate(plugin.name, form.values, actor=current_actor())
    except (FanyongError, PluginFailed) as error:
        return refused_settings(kind, plugin, form, error, json_text=text)
    record(f"{WORDS[kind]}.activated", plugin=plugin.name, version=activation.number)
    return activation


def _simulator_form() -> SettingsForm:
    """Return the simulator's fields as they were posted, or with a promoter who brought the buyer."""
    if request.method == "POST":
        return from_post(simulator.SimulatorForm, request.form, choices=choices())
    tiers = promoters.tiers_to_show()
    start = {"sim": {"level_1": tiers[0].key}} if tiers else {}
    return from_values(simulator.SimulatorForm, start, choices=choices())


def _as_json(plugin: Plugin, form: SettingsForm) -> str:
    try:
        values = plugin.settings_model.model_validate(form.values).model_dump(mode="json")
    except ValidationError:
        values = form.values
    return json.dumps(values, ensure_ascii=False, indent=2)
