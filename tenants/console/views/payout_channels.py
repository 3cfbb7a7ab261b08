"""Payout channels: which ways the brand pays out, each with its settings."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.pluginhost.registry import UnknownPlugin, registry
from fanyong.web.settings_form import SettingsForm, from_post, from_values
from fanyong.web.words import _
from tenants.console.base import bp, done, record, refused
from tenants.payouts import channels

KIND = channels.KIND


@bp.get("/payouts/channels")
@requires(Permission.SETTINGS_READ)
def payout_channels() -> ResponseReturnValue:
    """Show every channel there is, those of the brand first."""
    return _page()


@bp.post("/payouts/channels")
@requires(Permission.SETTINGS_WRITE)
def save_payout_channel() -> ResponseReturnValue:
    """Open a channel, change it, or switch it off."""
    name = request.form.get("plugin", "")
    try:
        plugin = registry.get(KIND, name)
        form = from_post(plugin.settings_model, request.form)
        active = request.form.getlist("active")[-1:] == ["yes"]
        if form.ok:
            channels.save_channel(name, form.values, active=active, actor=current_actor())
    except UnknownPlugin as error:
        return _page(problem=refused(error)), error.status
    except FanyongError as error:
        return _page(posted={name: form}, problem=refused(error)), error.status
    if not form.ok:
        return _page(posted={name: form}), 422
    record("payout_channel.saved", channel=name, active=active, **form.values)
    return done(_("The channel is saved."), "console.payout_channels")


def _page(*, posted: dict[str, SettingsForm] | None = None, problem: str = "") -> str:
    chosen = {channel.name: channel for channel in channels.channels(active_only=False)}
    plugins = {plugin.name: plugin for plugin in registry.plugins(KIND)}
    ordered = [plugins[name] for name in [*chosen, *(name for name in plugins if name not in chosen)]]
    forms = {
        plugin.name: (posted or {}).get(plugin.name)
        or from_values(
            plugin.settings_model,
            chosen[plugin.name].settings.model_dump(mode="json") if plugin.name in chosen else {},
        )
        for plugin in ordered
    }
    return render_template("console/payout_channels.html", plugins=ordered, chosen=chosen, forms=forms, problem=problem)
