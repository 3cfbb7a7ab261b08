"""Tiers and plan: choosing a plugin, filling in its form, seeing what was chosen before."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from fanyong.compliance import service as compliance
from fanyong.errors import FanyongError
from fanyong.hooks import Plugin, PluginKind
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.models import PluginActivation
from fanyong.pluginhost.registry import PluginFailed, UnknownPlugin, registry
from fanyong.pluginhost.service import ActivePlugin, InvalidPluginSettings
from fanyong.tenancy import settings
from fanyong.tenancy.database import session
from fanyong.web.form_specs import can_draw
from fanyong.web.settings_form import SettingsForm, from_json, from_post, from_values
from fanyong.web.words import _
from tenants.commissions import service as commissions
from tenants.console.base import bp, done, record, refused
from tenants.console.preview import preview
from tenants.promoters import service as promoters

Activate = Callable[..., PluginActivation]


@bp.get("/tiers")
@requires(Permission.PLANS_READ)
def tiers() -> ResponseReturnValue:
    """Show the tier structure."""
    return _page("tier_structure", *_chosen("tier_structure"))


@bp.post("/tiers")
@requires(Permission.PLANS_WRITE)
def save_tiers() -> ResponseReturnValue:
    """Choose the tier structure."""
    answer = _save("tier_structure", promoters.activate_structure, action="tiers.activated")
    if isinstance(answer, PluginActivation):
        _warn_about_plan()
        message = _("Tier structure, version %(number)d, is active.", number=answer.number)
        return done(message, "console.tiers")
    return answer


@bp.get("/plan")
@requires(Permission.PLANS_READ)
def plan() -> ResponseReturnValue:
    """Show the commission plan."""
    return _page("commission_plan", *_chosen("commission_plan"))


@bp.post("/plan")
@requires(Permission.PLANS_WRITE)
def save_plan() -> ResponseReturnValue:
    """Choose the commission plan."""
    answer = _save("commission_plan", commissions.activate_plan, action="plan.activated")
    if isinstance(answer, PluginActivation):
        return done(
            _("Plan version %(number)d is active for orders paid from now on.", number=answer.number), "console.plan"
        )
    return answer


@bp.post("/compliance/accept-notice")
@requires(Permission.PLANS_WRITE)
def accept_notice() -> ResponseReturnValue:
    """Accept the notice about paying two levels."""
    compliance.accept_notice(actor=current_actor())
    record("compliance.notice_accepted", policy=compliance.POLICY_VERSION)
    flash(_("The notice is accepted: this brand may pay two levels."), "success")
    return redirect(url_for("console.plan"), code=303)


def _save(kind: PluginKind, activate: Activate, *, action: str) -> PluginActivation | ResponseReturnValue:
    """Activate what was posted, or return the page with what is wrong."""
    try:
        plugin = registry.get(kind, request.form.get("plugin", ""))
    except UnknownPlugin as error:
        chosen, form = _chosen(kind)
        form.add_error([], refused(error))
        return _page(kind, chosen, form), error.status
    form, text = _posted(plugin)
    if not form.ok:
        return _page(kind, plugin, form, json_text=text), 422
    try:
        activation = activate(plugin.name, form.values, actor=current_actor())
    except FanyongError as error:
        message = refused(error)
        problems = error.details if isinstance(error, InvalidPluginSettings) else None
        form.add_problems(problems or [{"path": "", "message": message}])
        return _page(kind, plugin, form, json_text=text), error.status
    except PluginFailed as failure:
        session().rollback()
        plugins.record_failure(failure)
        session().commit()
        form.add_error([], _("The plugin could not check these settings. Nothing was changed; the platform was told."))
        return _page(kind, plugin, form, json_text=text), 422
    record(action, plugin=plugin.name, version=activation.number)
    return activation


def _posted(plugin: Plugin) -> tuple[SettingsForm, str]:
    """Return the settings that were posted, from the JSON field when it is filled in; and its text."""
    text = request.form.get("settings_json", "")
    if text.strip() or not can_draw(plugin.settings_model):
        return from_json(plugin.settings_model, text, choices=_choices()), text
    return from_post(plugin.settings_model, request.form, choices=_choices()), ""


def _chosen(kind: PluginKind) -> tuple[Plugin, SettingsForm]:
    """Return the plugin whose form is asked for, with the present settings when it is the active one."""
    active = _active(kind)
    name = request.args.get("plugin", "")
    everything = registry.plugins(kind)
    known = {plugin.name: plugin for plugin in everything}
    plugin = known.get(name) or (active.plugin if active else everything[0])
    is_active = active is not None and active.plugin.name == plugin.name
    values = active.settings.model_dump(mode="json") if active is not None and is_active else {}
    return plugin, _filled(plugin, values)


def _active(kind: PluginKind) -> ActivePlugin | None:
    """Return what is active, or None when it was taken out: on this page something else can be chosen."""
    try:
        return plugins.current(kind)
    except PluginFailed:
        return None


def _filled(plugin: Plugin, values: Mapping[str, Any]) -> SettingsForm:
    if can_draw(plugin.settings_model):
        return from_values(plugin.settings_model, values, choices=_choices())
    return SettingsForm(plugin.settings_model, values=dict(values))


def _choices() -> dict[str, list[tuple[str, str]]]:
    return {"tiers": [(tier.key, f"{tier.name} ({tier.key})") for tier in promoters.tiers_to_show()]}


def _page(kind: PluginKind, plugin: Plugin, form: SettingsForm, *, json_text: str = "") -> str:
    active = _active(kind)
    is_plan = kind == "commission_plan"
    return render_template(
        "console/plan.html" if is_plan else "console/tiers.html",
        plugins=registry.plugins(kind),
        plugin=plugin,
        active=active,
        form=form,
        drawn=can_draw(plugin.settings_model),
        json_text=json_text or _as_json(plugin, form),
        json_opened=bool(json_text),
        history=plugins.history(kind),
        titles={p.name: p.title for p in registry.plugins(kind)},
        stale=promoters.stale_count(),
        levels_allowed=compliance.levels_allowed(),
        notice=settings.load(compliance.LevelNotice),
        policy=compliance.POLICY_VERSION,
        trial=preview(active) if is_plan and active else None,
    )


def _as_json(plugin: Plugin, form: SettingsForm) -> str:
    try:
        values = plugin.settings_model.model_validate(form.values).model_dump(mode="json")
    except ValidationError:
        values = form.values
    return json.dumps(values, ensure_ascii=False, indent=2)


def _warn_about_plan() -> None:
    """Say so when the present plan does not fit the new tiers; orders go on being paid by it."""
    present = _active("commission_plan")
    if present is None:
        return
    values = present.settings.model_dump(mode="json")
    try:
        plugins.validate("commission_plan", present.plugin.name, values, tiers=promoters.tiers())
    except (InvalidPluginSettings, PluginFailed):
        flash(_("The commission plan does not fit the new tiers. Please look at it now."), "warning")
