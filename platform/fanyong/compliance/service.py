"""How many levels a brand may pay, and why.

Policy 2026-1: one level by default; two after the brand has accepted the notice; three only by a waiver of the
platform with a reason and an end date. The rule follows 禁止传销条例 (State Council order 444, 2005) art. 7 and the
mini-program operating rules 5.9; `docs/compliance.md` says more.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.compliance.models import LevelWaiver
from fanyong.errors import FanyongError
from fanyong.tenancy import settings
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.context import current_tenant
from fanyong.tenancy.database import session
from fanyong.tenancy.directory import audit

POLICY_VERSION = "2026-1"
DEFAULT_LEVELS = 1
NOTICE_LEVELS = 2
MAX_LEVELS = 3


class TooManyLevels(FanyongError):
    code = "too_many_levels"
    status = 422
    message = _l(
        "Rule “levels” of the compliance policy %(policy)s: this plan pays %(wanted)d levels, this brand may pay "
        "%(allowed)d. Two levels need the notice to be accepted, three a waiver of the platform."
    )


class BadWaiver(FanyongError):
    code = "bad_waiver"
    status = 422
    message = _l("A waiver needs two or three levels, a reason and an end in the future.")


class LevelNotice(settings.SettingsGroup):
    """Who accepted the notice about the second level, and when."""

    key: ClassVar[str] = "level_notice"
    accepted_by: str = ""
    accepted_at: datetime | None = None


def accept_notice(*, actor: str) -> None:
    """Record that the bound brand has read and accepted the notice about paying two levels."""
    if settings.load(LevelNotice).accepted_at is None:
        settings.save(LevelNotice(accepted_by=actor, accepted_at=brand_now()), actor=actor)


def levels_allowed() -> int:
    """Return how many levels the bound brand may pay now."""
    waiver = session().scalar(
        sa.select(sa.func.max(LevelWaiver.levels)).where(
            LevelWaiver.tenant_id == current_tenant().id,
            LevelWaiver.revoked_at.is_(None),
            LevelWaiver.ends_at > brand_now(),
        )
    )
    noticed = settings.load(LevelNotice).accepted_at is not None
    return max(NOTICE_LEVELS if noticed else DEFAULT_LEVELS, waiver or 0)


def check_levels(wanted: int) -> None:
    """Raise TooManyLevels when the bound brand may not pay `wanted` levels."""
    allowed = levels_allowed()
    if wanted > allowed:
        raise TooManyLevels(policy=POLICY_VERSION, wanted=wanted, allowed=allowed)


def grant_waiver(*, tenant_id: UUID, levels: int, reason: str, ends_at: datetime, actor: str) -> LevelWaiver:
    """Let a brand pay up to `levels` until `ends_at`; raises BadWaiver."""
    now = session().scalar(sa.select(sa.func.now()))
    assert now is not None
    if not NOTICE_LEVELS <= levels <= MAX_LEVELS or not reason.strip() or ends_at <= now:
        raise BadWaiver
    waiver = LevelWaiver(tenant_id=tenant_id, levels=levels, reason=reason.strip(), ends_at=ends_at, granted_by=actor)
    session().add(waiver)
    audit(
        "waiver.granted",
        actor=actor,
        tenant_id=tenant_id,
        levels=levels,
        reason=reason,
        ends_at=ends_at.isoformat(),
    )
    return waiver


def waivers(tenant_id: UUID) -> list[LevelWaiver]:
    """Return all waivers of a brand, newest first."""
    query = sa.select(LevelWaiver).where(LevelWaiver.tenant_id == tenant_id).order_by(LevelWaiver.id.desc())
    return list(session().scalars(query))


def revoke_waiver(*, tenant_id: UUID, waiver_id: UUID, actor: str) -> None:
    """End a waiver now."""
    waiver = session().get(LevelWaiver, waiver_id)
    if waiver is not None and waiver.tenant_id == tenant_id and waiver.revoked_at is None:
        waiver.revoked_at = session().scalar(sa.select(sa.func.now()))
        audit("waiver.revoked", actor=actor, tenant_id=tenant_id, waiver=waiver_id.hex)
