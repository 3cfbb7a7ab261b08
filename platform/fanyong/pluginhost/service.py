"""A brand's choice of plugins: activate one with settings, ask the active one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ValidationError

from fanyong.errors import FanyongError
from fanyong.hooks import Plugin, PluginKind
from fanyong.ids import new_id
from fanyong.pluginhost.models import PluginActivation, PluginFailure
from fanyong.pluginhost.registry import PluginFailed, checked_sequence, parse_settings, registry
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.context import current_tenant
from fanyong.tenancy.database import once_a_transaction, session
from fanyong.values import SettingsProblem, Tier


class InvalidPluginSettings(FanyongError):
    """Settings that the plugin refuses; `details` is a list of {path, message}."""

    code = "invalid_plugin_settings"
    status = 422
    message = _l("These settings cannot work. Nothing was changed.")


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

    def ask_many(self, hook: str, *, of: type, **arguments: Any) -> Sequence[Any]:
        """Call a hook that answers with a sequence of `of`; raises PluginFailed."""
        return checked_sequence(self.plugin.name, hook, self.ask(hook, **arguments), of=of)


def current(kind: PluginKind) -> ActivePlugin | None:
    """Return what the bound brand has active for a kind; raises PluginFailed when it can no longer be loaded."""
    row = current_activation(kind)
    return _compiled(row) if row else None


def current_activation(kind: PluginKind) -> PluginActivation | None:
    """Return the row of what the bound brand has active, whether or not its plugin can be loaded."""
    return session().scalar(
        sa.select(PluginActivation).where(PluginActivation.kind == kind, PluginActivation.retired_at.is_(None))
    )


def get_activation(activation_id: UUID) -> ActivePlugin:
    """Return one activation, also a retired one; raises PluginFailed when it can no longer be loaded."""
    return once_a_transaction(
        f"activation:{activation_id}", lambda: _compiled(session().get_one(PluginActivation, activation_id))
    )


def history(kind: PluginKind) -> list[PluginActivation]:
    """Return all versions of a kind, newest first."""
    query = sa.select(PluginActivation).where(PluginActivation.kind == kind).order_by(PluginActivation.number.desc())
    return list(session().scalars(query))


def validate(kind: PluginKind, name: str, values: dict[str, Any], *, tiers: Sequence[Tier]) -> BaseModel:
    """Return the settings when the plugin accepts them; raises UnknownPlugin or InvalidPluginSettings."""
    plugin = registry.get(kind, name)
    try:
        settings = parse_settings(plugin, values)
    except ValidationError as error:
        raise InvalidPluginSettings(details=_pydantic_problems(error)) from error
    answer = registry.call(name, "check_settings", settings=settings, tiers=tuple(tiers))
    problems = checked_sequence(name, "check_settings", answer or (), of=SettingsProblem)
    if problems:
        raise InvalidPluginSettings(details=[{"path": p.path, "message": str(p.message)} for p in problems])
    return settings


def activate(
    kind: PluginKind, name: str, values: dict[str, Any], *, tiers: Sequence[Tier], actor: str
) -> PluginActivation:
    """Make a plugin with these settings the brand's choice; the present one is retired and kept.

    Saying the same again changes nothing. Raises UnknownPlugin, InvalidPluginSettings, PluginFailed.
    """
    settings = validate(kind, name, values, tiers=tiers).model_dump(mode="json")
    plugin = registry.get(kind, name)
    _queue_up(kind)
    present = session().scalar(
        sa.select(PluginActivation)
        .where(PluginActivation.kind == kind, PluginActivation.retired_at.is_(None))
        .execution_options(populate_existing=True)
    )
    same = present and (present.plugin, present.plugin_version, present.settings) == (
        name,
        plugin.version,
        settings,
    )
    if present and same:
        return present
    now = brand_now()
    if present:
        present.retired_at = now
        session().flush()
    activation = PluginActivation(
        id=new_id(),
        kind=kind,
        number=present.number + 1 if present else 1,
        plugin=name,
        plugin_version=plugin.version,
        settings=settings,
        activated_at=now,
        activated_by=actor,
    )
    session().add(activation)
    session().flush()
    return activation


def record_failure(failure: PluginFailed) -> None:
    """Keep a plugin's failure where the brand and platform staff see it."""
    session().add(PluginFailure(plugin=failure.plugin, hook=failure.hook, error=failure.reason[:500]))


def open_failures() -> list[PluginFailure]:
    """Return the failures nobody has settled, newest first."""
    query = sa.select(PluginFailure).where(PluginFailure.settled_at.is_(None)).order_by(PluginFailure.id.desc())
    return list(session().scalars(query.limit(50)))


def settle_failures() -> None:
    """Mark every open failure as seen and dealt with."""
    session().execute(
        sa.update(PluginFailure).where(PluginFailure.settled_at.is_(None)).values(settled_at=sa.func.now())
    )


def _queue_up(kind: PluginKind) -> None:
    """Let one activation of a kind follow the other; before the first one there is no row that could be locked."""
    name = f"{current_tenant().schema} {kind}"
    session().execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))


def _pydantic_problems(error: ValidationError) -> list[dict[str, str]]:
    return [{"path": ".".join(str(part) for part in p["loc"]), "message": p["msg"]} for p in error.errors()]


def _compiled(row: PluginActivation) -> ActivePlugin:
    """Return a row as a plugin to ask; a plugin that was taken out, or refuses its old settings, has failed."""
    kind: PluginKind = "tier_structure" if row.kind == "tier_structure" else "commission_plan"
    try:
        plugin = registry.get(kind, row.plugin)
        settings = parse_settings(plugin, row.settings)
    except (FanyongError, ValidationError) as error:
        raise PluginFailed(plugin=row.plugin, hook="settings", error=error) from error
    return ActivePlugin(row.id, row.number, plugin, settings)
