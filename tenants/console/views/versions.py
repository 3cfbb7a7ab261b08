"""Versions of plans and tiers: drafts, schedules, what changed between two, and putting one in force."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError, NotFound
from fanyong.hooks import PluginKind
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost import versions
from fanyong.pluginhost.models import PluginActivation
from fanyong.pluginhost.registry import PluginFailed, UnknownPlugin, registry
from fanyong.tenancy.database import session
from fanyong.web.settings_words import told_change
from fanyong.web.words import _
from fanyong.wechat.times import BEIJING
from tenants.console import versions as words
from tenants.console.base import bp, done, record, refused, typed
from tenants.console.versions import KINDS_BY_WORD
from tenants.console.views.plugin_choice import (
    choices,
    edit_page,
    filled,
    posted,
    refused_settings,
    unknown_plugin,
    warn_about_plan,
)

_WORD = "/<any(plan, tiers):word>"
_VERSION = f"{_WORD}/versions/<int:number>"
MAX_TOLD = 1_500


@bp.get(f"{_WORD}/new")
@requires(Permission.PLANS_WRITE)
def new_version(word: str) -> ResponseReturnValue:
    """Show the form of a new version: of a plugin that was asked for, filled with what is in force where it fits."""
    kind = KINDS_BY_WORD[word]
    active = words.active_or_none(kind)
    known = {plugin.name: plugin for plugin in registry.plugins(kind)}
    plugin = known.get(request.args.get("plugin", "")) or (active.plugin if active else registry.plugins(kind)[0])
    fits = active is not None and active.plugin.name == plugin.name
    values = active.settings.model_dump(mode="json") if active is not None and fits else {}
    return edit_page(kind, plugin, filled(plugin, values))


@bp.post(f"{_WORD}/drafts")
@requires(Permission.PLANS_WRITE)
def create_draft(word: str) -> ResponseReturnValue:
    """Keep what was posted as a new draft."""
    kind = KINDS_BY_WORD[word]
    try:
        plugin, form, text = posted(kind)
    except UnknownPlugin as error:
        return unknown_plugin(kind, error)
    title = typed("version_title")
    if not form.ok:
        return edit_page(kind, plugin, form, title=title, json_text=text), 422
    try:
        row = versions.create_draft(kind, plugin.name, form.values, actor=current_actor(), title=title)
    except (FanyongError, PluginFailed) as error:
        return refused_settings(kind, plugin, form, error, title=title, json_text=text)
    record(f"{word}.draft_created", plugin=plugin.name, version=row.number)
    return _to(
        word,
        row.number,
        _("Draft %(number)d is kept. Look at what it changes before it is put in force.", number=row.number),
    )


@bp.get(_VERSION)
@requires(Permission.PLANS_READ)
def version(word: str, number: int) -> ResponseReturnValue:
    """Show one version."""
    return version_page(word, number)


@bp.get(f"{_VERSION}/edit")
@requires(Permission.PLANS_WRITE)
def edit_version(word: str, number: int) -> ResponseReturnValue:
    """Show the form of a draft, with its own settings or with those of another plugin."""
    kind = KINDS_BY_WORD[word]
    row = versions.get_version(kind, number)
    if row.state not in versions.WAITING:
        raise versions.WrongState(number=number)
    name = request.args.get("plugin", row.plugin)
    plugin = next((plugin for plugin in registry.plugins(kind) if plugin.name == name), None)
    if plugin is None:
        raise NotFound
    form = filled(plugin, row.settings if name == row.plugin else {})
    return edit_page(kind, plugin, form, row=row, title=row.title)


@bp.post(_VERSION)
@requires(Permission.PLANS_WRITE)
def save_version(word: str, number: int) -> ResponseReturnValue:
    """Change a draft to what was posted."""
    kind = KINDS_BY_WORD[word]
    row = versions.get_version(kind, number)
    try:
        plugin, form, text = posted(kind)
    except UnknownPlugin as error:
        return unknown_plugin(kind, error)
    title = typed("version_title")
    if not form.ok:
        return edit_page(kind, plugin, form, row=row, title=title, json_text=text), 422
    try:
        changed = versions.change_draft(
            kind, number, name=plugin.name, values=form.values, title=title, actor=current_actor()
        )
    except (FanyongError, PluginFailed) as error:
        return refused_settings(kind, plugin, form, error, row=row, title=title, json_text=text)
    if changed:
        told = [told_change(plugin.settings_model, each, choices=choices()) for each in changed]
        said = "; ".join(f"{each.where}: {each.before or '–'} → {each.after or '–'}" for each in told)
        record(f"{word}.draft_changed", version=number, changes=said[:MAX_TOLD])
    return _to(word, number, _("Draft %(number)d is kept.", number=number))


@bp.post(f"{_VERSION}/activate")
@requires(Permission.PLANS_WRITE)
def activate_version(word: str, number: int) -> ResponseReturnValue:
    """Put a draft in force now."""
    kind = KINDS_BY_WORD[word]

    def activate() -> None:
        row = versions.activate_draft(kind, number, actor=current_actor())
        record(f"{word}.activated", plugin=row.plugin, version=number)

    problem = _attempt(activate)
    if problem is not None:
        return version_page(word, number, problem=problem), 422
    if word == "tiers":
        warn_about_plan()
    return done(_("Version %(number)d is in force from now on.", number=number), f"console.{word}")


@bp.post(f"{_VERSION}/schedule")
@requires(Permission.PLANS_WRITE)
def schedule_version(word: str, number: int) -> ResponseReturnValue:
    """Let a draft come into force by itself."""
    kind = KINDS_BY_WORD[word]
    try:
        moment = datetime.fromisoformat(typed("effective_at")).replace(tzinfo=BEIJING)
    except ValueError:
        return version_page(word, number, problem=_("Please choose a day and an hour.")), 422

    def schedule() -> None:
        versions.schedule(kind, number, effective_at=moment, actor=current_actor())
        record(f"{word}.scheduled", version=number, effective_at=f"{moment:%Y-%m-%d %H:%M}")

    problem = _attempt(schedule)
    if problem is not None:
        return version_page(word, number, problem=problem), 422
    return _to(word, number, _("Version %(number)d comes into force by itself.", number=number))


@bp.post(f"{_VERSION}/unschedule")
@requires(Permission.PLANS_WRITE)
def unschedule_version(word: str, number: int) -> ResponseReturnValue:
    """Take a schedule back, or make a draft of a version that was not allowed."""
    versions.unschedule(KINDS_BY_WORD[word], number, actor=current_actor())
    record(f"{word}.unscheduled", version=number)
    return _to(word, number, _("Version %(number)d is a draft again.", number=number))


@bp.post(f"{_VERSION}/discard")
@requires(Permission.PLANS_WRITE)
def discard_version(word: str, number: int) -> ResponseReturnValue:
    """Throw away a version that was never in force."""
    versions.discard(KINDS_BY_WORD[word], number, actor=current_actor())
    record(f"{word}.draft_discarded", version=number)
    return done(_("Draft %(number)d is discarded.", number=number), f"console.{word}")


@bp.post(f"{_VERSION}/copy")
@requires(Permission.PLANS_WRITE)
def copy_version(word: str, number: int) -> ResponseReturnValue:
    """Make a draft with the settings of another version."""
    title = _("Copy of version %(number)d", number=number)
    try:
        row = versions.copy(KINDS_BY_WORD[word], number, actor=current_actor(), title=title)
    except FanyongError as error:
        return version_page(word, number, problem=refused(error)), error.status
    record(f"{word}.draft_created", plugin=row.plugin, version=row.number, copy_of=number)
    return _to(word, row.number, _("Draft %(number)d is a copy of version %(other)d.", number=row.number, other=number))


@bp.get(f"{_WORD}/compare")
@requires(Permission.PLANS_READ)
def compare_versions(word: str) -> ResponseReturnValue:
    """Show what tells two versions apart."""
    kind = KINDS_BY_WORD[word]
    history = plugins.history(kind)
    known = {row.number: row for row in history}
    chosen = [known.get(_number(request.args.get(name, ""))) for name in ("a", "b")]
    after = chosen[1] or next(iter(history), None)
    before = chosen[0] or next((row for row in history if row is not after), None)
    return render_template(
        "console/version_compare.html",
        word=word,
        history=history,
        before=before,
        after=after,
        changes=words.between(before, after, choices()) if before and after else [],
        told_before=_told(kind, before),
        told_after=_told(kind, after),
    )


def version_page(word: str, number: int, *, problem: str = "") -> str:
    """Return the page of one version, with what was refused on it."""
    kind = KINDS_BY_WORD[word]
    row = versions.get_version(kind, number)
    present = plugins.current_activation(kind)
    waiting = row.state in versions.WAITING
    offered = choices()
    plugin = next((plugin for plugin in registry.plugins(kind) if plugin.name == row.plugin), None)
    return render_template(
        "console/version.html",
        word=word,
        row=row,
        plugin=plugin,
        waiting=waiting,
        problem=problem,
        present=present if present is not None and present.id != row.id else None,
        settings=words.settings_words(row, offered),
        changes=words.between(present, row, offered) if waiting and present is not None else [],
        verdict=words.verdict(kind, row.plugin, row.settings) if waiting else None,
        told=_told(kind, row),
        told_present=_told(kind, present) if waiting and present is not None else [],
        log=[(change, words.change_words(row, change, offered)) for change in versions.changes_of(row)],
    )


def _told(kind: PluginKind, row: PluginActivation | None) -> list[words.Told]:
    if kind != "commission_plan" or row is None:
        return []
    return words.told_examples(words.loaded_or_none(row))


def _attempt(action: Callable[[], None]) -> str | None:
    """Do something that the plugin or the policy may refuse; returns what to tell about it."""
    try:
        action()
    except versions.WrongState:
        raise
    except plugins.InvalidPluginSettings as error:
        refused(error)
        return "; ".join(each["message"] for each in error.details)
    except FanyongError as error:
        return refused(error)
    except PluginFailed as failure:
        session().rollback()
        plugins.record_failure(failure)
        session().commit()
        return _("The plugin could not check these settings. Nothing was changed; the platform was told.")
    return None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _to(word: str, number: int, message: str) -> ResponseReturnValue:
    return done(message, "console.version", word=word, number=number)
