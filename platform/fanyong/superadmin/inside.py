"""What a brand's page shows from inside the brand, read in the brand's own scope and session."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from fanyong.compliance import service as compliance
from fanyong.hooks import KINDS
from fanyong.identity.models import AdminUser
from fanyong.identity.service import admins, record_action
from fanyong.payments.provider import active_account
from fanyong.pluginhost import service as pluginhost
from fanyong.pluginhost.models import PluginActivation, PluginFailure
from fanyong.superadmin import probes
from fanyong.tenancy import settings
from fanyong.tenancy.clock import TestClock
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.directory import live_tenants
from fanyong.tenancy.runtime import in_tenant

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Inside:
    """One brand as seen from inside."""

    mode: str
    mchid: str
    appid: str
    clock_offset_seconds: int
    levels_allowed: int
    team_allowed: bool
    entry_allowed_fen: int | None
    notice_accepted_by: str
    notice_accepted_at: datetime | None
    plugins: list[PluginActivation]
    failures: list[PluginFailure]
    admins: list[AdminUser]
    figures: list[probes.Figure]


@dataclass(frozen=True, slots=True)
class BrandPlugins:
    """What one brand uses, and what of it failed; `readable` is False for a brand that could not be asked."""

    tenant: Tenant
    plugins: list[PluginActivation]
    failures: list[PluginFailure]
    readable: bool = True


def look_inside(tenant: Tenant) -> Inside | None:
    """Return what is in a brand, or None when its schema cannot be read now: the page then still works."""
    return _ask(tenant, _inside)


def check_ledger(tenant: Tenant) -> list[str] | None:
    """Return what is wrong with a brand's books (nothing is good), or None when they cannot be read now."""
    return _ask(tenant, probes.ledger_problems)


def tell_brand(tenant: Tenant, action: str, *, actor: str, **details: object) -> None:
    """Write what platform staff decided about a brand into its own audit trail too, if that can be reached now."""

    def write() -> None:
        with unit_of_work():
            record_action(action, actor=actor, **details)

    _ask(tenant, write)


def plugins_in_use() -> list[BrandPlugins]:
    """Return what every brand uses and what failed there."""
    found = []
    for tenant in live_tenants():
        plugins = _ask(tenant, lambda: (_active_plugins(), pluginhost.open_failures()))
        found.append(BrandPlugins(tenant, *plugins) if plugins else BrandPlugins(tenant, [], [], readable=False))
    return found


def _ask(tenant: Tenant, question: Callable[[], Answer]) -> Answer | None:
    try:
        with in_tenant(tenant):
            return question()
    except SQLAlchemyError:
        log.exception("the schema of %s cannot be read", tenant.slug)
        return None


def _inside() -> Inside:
    account = active_account()
    notice = settings.load(compliance.LevelNotice)
    return Inside(
        mode=account.mode if account else "",
        mchid=account.mchid if account else "",
        appid=account.appid if account else "",
        clock_offset_seconds=settings.load(TestClock).offset_seconds,
        levels_allowed=compliance.levels_allowed(),
        team_allowed=compliance.team_allowed(),
        entry_allowed_fen=compliance.entry_allowed_fen(),
        notice_accepted_by=notice.accepted_by,
        notice_accepted_at=notice.accepted_at,
        plugins=_active_plugins(),
        failures=pluginhost.open_failures(),
        admins=admins(),
        figures=probes.figures(),
    )


def _active_plugins() -> list[PluginActivation]:
    # Rows, not compiled plugins: a plugin that is no longer installed must not hide the page that says so.
    rows = [pluginhost.current_activation(kind) for kind in KINDS]
    return [row for row in rows if row is not None]
