"""May a brand use a plugin with these settings? The plugin is asked, then the compliance policy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ValidationError

from fanyong.compliance import service as compliance
from fanyong.errors import FanyongError
from fanyong.hooks import PluginKind
from fanyong.pluginhost.registry import PluginFailed, checked_sequence, parse_settings, registry
from fanyong.values import PlanTraits, SettingsProblem, Tier, TierTraits


class InvalidPluginSettings(FanyongError):
    """Settings that the plugin refuses; `details` is a list of {path, message}."""

    code = "invalid_plugin_settings"
    status = 422
    message = _l("These settings cannot work. Nothing was changed.")


def parsed(kind: PluginKind, name: str, values: dict[str, Any]) -> BaseModel:
    """Return the settings when each field alone is right; raises UnknownPlugin or InvalidPluginSettings."""
    plugin = registry.get(kind, name)
    try:
        return parse_settings(plugin, values)
    except ValidationError as error:
        raise InvalidPluginSettings(details=_pydantic_problems(error)) from error


def validate(kind: PluginKind, name: str, values: dict[str, Any], *, tiers: Sequence[Tier]) -> BaseModel:
    """Return the settings when the plugin accepts them; raises UnknownPlugin or InvalidPluginSettings."""
    settings = parsed(kind, name, values)
    answer = registry.call(name, "check_settings", settings=settings, tiers=tuple(tiers))
    problems = checked_sequence(name, "check_settings", answer or (), of=SettingsProblem)
    if problems:
        raise InvalidPluginSettings(details=[{"path": p.path, "message": str(p.message)} for p in problems])
    return settings


def plan_traits(name: str, settings: BaseModel) -> PlanTraits:
    """Return what the policy has to know of a plan; a plan that does not say pays levels and nothing else.

    Raises PluginFailed for an answer of the wrong kind.
    """
    levels = registry.call(name, "plan_levels", settings=settings)
    if type(levels) is not int or levels < 0:
        raise PluginFailed(plugin=name, hook="plan_levels", error=TypeError(f"answered {levels!r}"))
    traits = registry.call(name, "plan_traits", settings=settings)
    if traits is None:
        return PlanTraits(levels=levels)
    if not isinstance(traits, PlanTraits):
        raise PluginFailed(plugin=name, hook="plan_traits", error=TypeError(f"answered {traits!r}"))
    return traits


def tier_traits(name: str, settings: BaseModel) -> TierTraits:
    """Return what the policy has to know of a tier structure; raises PluginFailed for an answer of the wrong kind."""
    traits = registry.call(name, "tier_traits", settings=settings)
    if traits is None:
        return TierTraits()
    if not isinstance(traits, TierTraits):
        raise PluginFailed(plugin=name, hook="tier_traits", error=TypeError(f"answered {traits!r}"))
    return traits


def findings(
    kind: PluginKind, name: str, settings: BaseModel, *, at: datetime | None = None
) -> Sequence[compliance.Finding]:
    """Return how settings stand with each rule of the compliance policy, now or at another moment."""
    if kind == "commission_plan":
        return compliance.plan_findings(plan_traits(name, settings), at=at)
    if kind == "tier_structure":
        return compliance.tier_findings(tier_traits(name, settings), at=at)
    return ()


def check(
    kind: PluginKind, name: str, values: dict[str, Any], *, tiers: Sequence[Tier], at: datetime | None = None
) -> BaseModel:
    """Return the settings when the plugin and the compliance policy allow them, now or at another moment.

    Raises UnknownPlugin, InvalidPluginSettings, PluginFailed, or the error of the policy's rule.
    """
    settings = validate(kind, name, values, tiers=tiers)
    compliance.check(findings(kind, name, settings, at=at))
    return settings


def _pydantic_problems(error: ValidationError) -> list[dict[str, str]]:
    return [{"path": ".".join(str(part) for part in p["loc"]), "message": p["msg"]} for p in error.errors()]
