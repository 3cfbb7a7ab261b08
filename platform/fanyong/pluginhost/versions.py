"""Drafts and schedules: how a version comes about before it is in force, and who did what to it.

A draft needs settings that each field allows; what the plugin and the compliance policy say of the whole counts when
it is scheduled and activated.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError, NotFound
from fanyong.hooks import PluginKind
from fanyong.ids import new_id
from fanyong.jobs.wake import request_wake
from fanyong.pluginhost import service
from fanyong.pluginhost.checking import check, parsed
from fanyong.pluginhost.differences import Difference, differences
from fanyong.pluginhost.models import PluginActivation, PluginChange
from fanyong.pluginhost.registry import registry
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.values import Tier

MAX_TITLE = 60
#: States of a version that was never in force and may still be worked on.
WAITING = ("draft", "scheduled", "refused")


class WrongState(FanyongError):
    code = "wrong_version_state"
    status = 409
    message = _l("This cannot be done with version %(number)d any more. Make a copy of it instead.")


class NotInTheFuture(FanyongError):
    code = "not_in_the_future"
    status = 422
    message = _l("A version can only be scheduled for a moment in the future.")


class MomentTaken(FanyongError):
    code = "moment_taken"
    status = 409
    message = _l("Version %(number)d comes into force at that moment. Choose another one, or take that version back.")


def get_version(kind: PluginKind, number: int, *, lock: bool = False) -> PluginActivation:
    """Return one version of the bound brand, a discarded one included; raises NotFound."""
    query = sa.select(PluginActivation).where(PluginActivation.kind == kind, PluginActivation.number == number)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session().scalar(query)
    if row is None:
        raise NotFound
    return row


def create_draft(
    kind: PluginKind, name: str, values: dict[str, Any], *, actor: str, title: str = ""
) -> PluginActivation:
    """Keep settings as a new draft; raises UnknownPlugin or InvalidPluginSettings for a field that is wrong."""
    settings = parsed(kind, name, values).model_dump(mode="json")
    service.promote_due(kind)
    row = PluginActivation(
        id=new_id(),
        kind=kind,
        number=service.next_number(kind),
        state="draft",
        title=title.strip()[:MAX_TITLE],
        plugin=name,
        plugin_version=registry.get(kind, name).version,
        settings=settings,
        created_at=brand_now(),
        created_by=actor,
    )
    session().add(row)
    session().flush()
    service.log_change(row, "created", actor=actor)
    return row


def copy(kind: PluginKind, number: int, *, actor: str, title: str) -> PluginActivation:
    """Make a draft with the settings of another version.

    Raises NotFound, UnknownPlugin, or InvalidPluginSettings when the plugin has changed and they fit no more.
    """
    row = get_version(kind, number)
    return create_draft(kind, row.plugin, row.settings, actor=actor, title=title)


def change_draft(
    kind: PluginKind, number: int, *, name: str, values: dict[str, Any], title: str, actor: str
) -> Sequence[Difference]:
    """Change a draft and return what changed; one that is scheduled or was refused becomes a draft again.

    Raises NotFound, WrongState, UnknownPlugin, InvalidPluginSettings.
    """
    settings = parsed(kind, name, values).model_dump(mode="json")
    row = _waiting(kind, number)
    before = {"title": row.title, "plugin": row.plugin, **row.settings}
    title = title.strip()[:MAX_TITLE]
    changed = differences(before, {"title": title, "plugin": name, **settings})
    if changed:
        row.title, row.plugin, row.settings = title, name, settings
        row.plugin_version = registry.get(kind, name).version
        row.state, row.effective_at, row.problem = "draft", None, None
        service.log_change(row, "changed", actor=actor, changes=changed)
    return changed


def schedule(kind: PluginKind, number: int, *, effective_at: datetime, actor: str) -> PluginActivation:
    """Let a draft come into force by itself at a moment in the future.

    Raises NotFound, WrongState, NotInTheFuture, MomentTaken where another version has that moment, and whatever
    activating it then would raise.
    """
    if effective_at <= brand_now():
        raise NotInTheFuture
    row = _waiting(kind, number)
    _must_be_free(row, effective_at)
    check(kind, row.plugin, row.settings, tiers=_tiers_for(kind), at=effective_at)
    row.state, row.effective_at, row.activated_by, row.problem = "scheduled", effective_at, actor, None
    service.log_change(
        row, "scheduled", actor=actor, changes=[Difference("effective_at", "", effective_at.isoformat())]
    )
    return row


def unschedule(kind: PluginKind, number: int, *, actor: str) -> PluginActivation:
    """Take a scheduled version back, as a draft; raises NotFound or WrongState."""
    row = _waiting(kind, number)
    if row.state != "draft":
        row.state, row.effective_at, row.problem = "draft", None, None
        service.log_change(row, "unscheduled", actor=actor)
    return row


def activate_draft(kind: PluginKind, number: int, *, actor: str) -> PluginActivation:
    """Put a draft in force now; raises NotFound, WrongState, and what `service.activate` raises."""
    row = _waiting(kind, number)
    check(kind, row.plugin, row.settings, tiers=_tiers_for(kind))
    row.effective_at = None
    service.put_in_force(row, at=brand_now(), actor=actor)
    request_wake()
    return row


def discard(kind: PluginKind, number: int, *, actor: str) -> PluginActivation:
    """Throw a version away that was never in force; raises NotFound or WrongState."""
    row = _waiting(kind, number)
    row.state = "discarded"
    service.log_change(row, "discarded", actor=actor)
    return row


def changes_of(row: PluginActivation) -> list[PluginChange]:
    """Return what was done to a version, newest first."""
    query = sa.select(PluginChange).where(PluginChange.activation_id == row.id).order_by(PluginChange.id.desc())
    return list(session().scalars(query))


def count_refused(kind: PluginKind) -> int:
    """Return how many scheduled versions were not allowed when their time came and still wait for somebody."""
    query = sa.select(sa.func.count()).where(PluginActivation.kind == kind, PluginActivation.state == "refused")
    return session().scalar(query) or 0


def _waiting(kind: PluginKind, number: int) -> PluginActivation:
    """Return a version that may still be worked on, locked; what is due by now is in force first."""
    service.promote_due(kind)
    row = get_version(kind, number, lock=True)
    if row.state not in WAITING:
        raise WrongState(number=number)
    return row


def _must_be_free(row: PluginActivation, moment: datetime) -> None:
    """Refuse a moment at which another version comes into force: which of them is meant, nobody could tell."""
    other = sa.select(PluginActivation.number).where(
        PluginActivation.kind == row.kind,
        PluginActivation.state == "scheduled",
        PluginActivation.effective_at == moment,
        PluginActivation.id != row.id,
    )
    taken = session().scalar(other.limit(1))
    if taken is not None:
        raise MomentTaken(number=taken)


def _tiers_for(kind: PluginKind) -> Sequence[Tier]:
    return service.brand_tiers() if kind == "commission_plan" else ()
