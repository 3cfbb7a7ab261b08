"""A brand's choice of plugins: which version is in force, activate one with settings, ask the active one.

A version that was scheduled is in force from its moment on, whether or not a job ran: readers work it out, and
`promote_due`, which a job and every change call, writes it down. Drafts are in `fanyong.pluginhost.versions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import force_locale
from pydantic import BaseModel, ValidationError

from fanyong.errors import FanyongError
from fanyong.hooks import KINDS, Plugin, PluginKind
from fanyong.identity.service import record_action
from fanyong.ids import new_id
from fanyong.jobs.wake import request_wake
from fanyong.pluginhost.checking import InvalidPluginSettings, check, validate
from fanyong.pluginhost.differences import Difference
from fanyong.pluginhost.models import PluginActivation, PluginChange, PluginFailure
from fanyong.pluginhost.registry import PluginFailed, checked_sequence, parse_settings, registry
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.context import current_tenant
from fanyong.tenancy.database import forget_once, once_a_transaction, session, unit_of_work
from fanyong.values import Tier

__all__ = ["ActivePlugin", "InvalidPluginSettings", "activate", "current", "current_activation", "validate"]

MAX_PROBLEM = 500
#: How the audit trail calls the kinds.
_AUDITED: dict[PluginKind, str] = {"tier_structure": "tiers", "commission_plan": "plan", "payout_channel": "channel"}


@dataclass(frozen=True, slots=True)
class ActivePlugin:
    """A plugin with the settings of one activation, ready to be asked."""

    activation_id: UUID
    number: int
    plugin: Plugin
    settings: BaseModel

    def ask(self, hook: str, **arguments: Any) -> Any:
        """Call a hook with this activation's settings; raises PluginFailed."""
        return registry.call(self.plugin.name, hook, settings=self.settings, **arguments)

    def ask_many(self, hook: str, *, of: type | tuple[type, ...], **arguments: Any) -> Sequence[Any]:
        """Call a hook that answers with a sequence of `of`; raises PluginFailed."""
        return checked_sequence(self.plugin.name, hook, self.ask(hook, **arguments), of=of)


def current(kind: PluginKind) -> ActivePlugin | None:
    """Return what the bound brand has active for a kind; raises PluginFailed when it can no longer be loaded."""
    row = current_activation(kind)
    return compiled(row) if row else None


def current_activation(kind: PluginKind, *, at: datetime | None = None) -> PluginActivation | None:
    """Return the version of a kind in force, whether or not its plugin can be loaded.

    `at` is a moment of the present transaction, the payment of an order say: a version that was scheduled for a later
    one does not count, however soon after it the question is asked.
    """
    moment = at or brand_now()
    rows = [
        row
        for row in once_a_transaction(_candidates_of(kind), partial(_candidates, kind))
        if row.state == "active"
        or (row.state == "scheduled" and row.effective_at is not None and row.effective_at <= moment)
    ]
    by_age = sorted(rows, key=lambda row: (row.state == "scheduled", row.effective_at or moment, row.number))
    while by_age:
        row = by_age.pop()
        if row.state == "active":
            starts_later = at is not None and row.effective_at is not None and row.effective_at > at
            return _before(row) if starts_later else row
        if _refusal(row) is None:
            return row
    return None


def get_activation(activation_id: UUID) -> ActivePlugin:
    """Return one activation, also a retired one; raises PluginFailed when it can no longer be loaded."""
    return once_a_transaction(
        f"activation:{activation_id}", lambda: compiled(session().get_one(PluginActivation, activation_id))
    )


def history(kind: PluginKind) -> list[PluginActivation]:
    """Return all versions of a kind but discarded drafts, newest first."""
    query = (
        sa.select(PluginActivation)
        .where(PluginActivation.kind == kind, PluginActivation.state != "discarded")
        .order_by(PluginActivation.number.desc())
    )
    return list(session().scalars(query))


def brand_tiers() -> Sequence[Tier]:
    """Return the ranks of the tier structure in force, lowest first; raises PluginFailed."""
    structure = current("tier_structure")
    return structure.ask_many("tiers", of=Tier) if structure else ()


def activate(
    kind: PluginKind, name: str, values: dict[str, Any], *, tiers: Sequence[Tier], actor: str, title: str = ""
) -> PluginActivation:
    """Make a plugin with these settings the brand's choice; the present one is retired and kept.

    Saying the same again changes nothing. Raises UnknownPlugin, InvalidPluginSettings, PluginFailed, or the error of
    the compliance policy's rule.
    """
    settings = check(kind, name, values, tiers=tiers).model_dump(mode="json")
    plugin_version = registry.get(kind, name).version
    promote_due(kind)
    present = _active_row(kind)
    if present and (present.plugin, present.plugin_version, present.settings) == (name, plugin_version, settings):
        return present
    now = brand_now()
    row = PluginActivation(
        id=new_id(),
        kind=kind,
        number=next_number(kind),
        state="draft",
        title=title,
        plugin=name,
        plugin_version=plugin_version,
        settings=settings,
        created_at=now,
        created_by=actor,
    )
    session().add(row)
    put_in_force(row, at=now, actor=actor)
    return row


def put_in_force(row: PluginActivation, *, at: datetime, actor: str) -> None:
    """Make a version the active one from `at` on and retire the one before; the caller has checked and queued up."""
    present = _active_row(row.kind)
    if present is not None:
        present.state, present.retired_at = "retired", at
        log_change(present, "retired", actor=actor)
        session().flush()
    row.state, row.activated_at, row.activated_by, row.problem = "active", at, actor, None
    session().flush()
    log_change(row, "activated", actor=actor)


def promote_due(kind: PluginKind) -> int:
    """Write down which scheduled versions are in force by now, and which are not allowed; returns how many there were.

    Holds the kind's queue until the transaction ends, so that one change follows the other.
    """
    _queue_up(kind)
    due = (
        sa.select(PluginActivation)
        .where(PluginActivation.kind == kind, PluginActivation.state == "scheduled")
        .where(PluginActivation.effective_at <= brand_now())
        .order_by(PluginActivation.effective_at, PluginActivation.number)
        .execution_options(populate_existing=True)
    )
    rows = session().scalars(due).all()
    for row in rows:
        assert row.effective_at is not None
        problem = _refusal(row)
        action = "activated" if problem is None else "refused"
        if problem is None:
            put_in_force(row, at=row.effective_at, actor=row.activated_by or "")
        else:
            row.state, row.problem = "refused", problem
            log_change(row, "refused", actor="schedule")
        said = {"problem": problem} if problem else {}
        record_action(f"{_AUDITED[kind]}.{action}", actor="schedule", plugin=row.plugin, version=row.number, **said)
    return len(rows)


#: Whether `promote_all_due` has something to do.
VERSIONS_DUE = """
    EXISTS (SELECT FROM plugin_activation WHERE state = 'scheduled' AND effective_at <= clock.brand_now)"""


def promote_all_due() -> int:
    """Do for every kind what its scheduled versions are due for; the tender of this feature."""
    due = sa.select(PluginActivation.kind).where(
        PluginActivation.state == "scheduled", PluginActivation.effective_at <= brand_now()
    )
    with unit_of_work():
        kinds = set(session().scalars(due))
        promoted = sum(promote_due(kind) for kind in KINDS if kind in kinds)
        if promoted:
            # Whoever works with the new version, members to be looked at anew for one, has something to do.
            request_wake()
        return promoted


def next_number(kind: PluginKind) -> int:
    """Return the number of the next version of a kind; the caller has queued up."""
    last = session().scalar(sa.select(sa.func.max(PluginActivation.number)).where(PluginActivation.kind == kind))
    return (last or 0) + 1


def log_change(row: PluginActivation, action: str, *, actor: str, changes: Sequence[Difference] = ()) -> None:
    """Write into a version's history what was done to it, which may also change what is in force."""
    forget_once(_candidates_of(row.kind))
    told = [difference.as_json() for difference in changes]
    session().add(PluginChange(activation_id=row.id, at=brand_now(), actor=actor, action=action, changes=told))


def record_failure(failure: PluginFailed) -> None:
    """Keep a plugin's failure where the brand and platform staff see it."""
    session().add(PluginFailure(plugin=failure.plugin, hook=failure.hook, error=failure.reason[:MAX_PROBLEM]))


def open_failures() -> list[PluginFailure]:
    """Return the failures nobody has settled, newest first."""
    query = sa.select(PluginFailure).where(PluginFailure.settled_at.is_(None)).order_by(PluginFailure.id.desc())
    return list(session().scalars(query.limit(50)))


def settle_failures() -> None:
    """Mark every open failure as seen and dealt with."""
    session().execute(
        sa.update(PluginFailure).where(PluginFailure.settled_at.is_(None)).values(settled_at=sa.func.now())
    )


def compiled(row: PluginActivation) -> ActivePlugin:
    """Return a row as a plugin to ask; raises PluginFailed for one that was taken out or refuses its old settings."""
    try:
        plugin = registry.get(_kind_of(row), row.plugin)
        settings = parse_settings(plugin, row.settings)
    except (FanyongError, ValidationError) as error:
        raise PluginFailed(plugin=row.plugin, hook="settings", error=error) from error
    return ActivePlugin(row.id, row.number, plugin, settings)


def _refusal(row: PluginActivation) -> str | None:
    """Return why a scheduled version may not come into force at its moment, or None when it may."""
    try:
        tiers = brand_tiers() if row.kind == "commission_plan" else ()
        check(_kind_of(row), row.plugin, row.settings, tiers=tiers, at=row.effective_at)
    except InvalidPluginSettings as error:
        return "; ".join(problem["message"] for problem in error.details)[:MAX_PROBLEM]
    except FanyongError as error:
        # A job has no language of its own; the brand reads it in the first one.
        with force_locale("zh"):
            return error.text[:MAX_PROBLEM]
    except PluginFailed as failure:
        return str(failure)[:MAX_PROBLEM]
    return None


def _before(row: PluginActivation) -> PluginActivation | None:
    """Return the version that was in force before one that was scheduled took its place."""
    query = sa.select(PluginActivation).where(
        PluginActivation.kind == row.kind,
        PluginActivation.state == "retired",
        PluginActivation.retired_at == row.activated_at,
        # Of two that were scheduled for one moment the first was retired at once: it was never in force.
        PluginActivation.activated_at < row.activated_at,
    )
    return session().scalar(query)


def _candidates_of(kind: str) -> str:
    return f"candidates:{kind}"


def _candidates(kind: str) -> Sequence[PluginActivation]:
    """Return the versions that are in force or will be; which of them counts depends on the moment."""
    states = PluginActivation.state.in_(("active", "scheduled"))
    return session().scalars(sa.select(PluginActivation).where(PluginActivation.kind == kind, states)).all()


def _active_row(kind: str) -> PluginActivation | None:
    return session().scalar(
        sa.select(PluginActivation)
        .where(PluginActivation.kind == kind, PluginActivation.state == "active")
        .execution_options(populate_existing=True)
    )


def _kind_of(row: PluginActivation) -> PluginKind:
    return next(kind for kind in KINDS if kind == row.kind)


def _queue_up(kind: PluginKind) -> None:
    """Let one change of a kind follow the other; before the first one there is no row that could be locked."""
    name = f"{current_tenant().schema} {kind}"
    session().execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))
    # Whoever was waited for may have changed them.
    forget_once(_candidates_of(kind))
