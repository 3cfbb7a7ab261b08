"""What a brand may reward, and why.

The rules of the policy in force are data (`fanyong.compliance.policies`). They follow 禁止传销条例 (State Council order
444, 2005) art. 7 and the mini-program operating rules 5.9; `docs/compliance.md` says more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import ClassVar, Literal, get_args
from uuid import UUID

import sqlalchemy as sa
from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from fanyong.compliance.models import Waiver
from fanyong.compliance.policies import CURRENT
from fanyong.errors import FanyongError
from fanyong.tenancy import settings
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.context import current_tenant
from fanyong.tenancy.database import forget_once, once_a_transaction, session
from fanyong.tenancy.directory import audit
from fanyong.values import PlanTraits, TierTraits
from fanyong.web.money import yuan

POLICY_VERSION = CURRENT.version
DEFAULT_LEVELS = CURRENT.default_levels
NOTICE_LEVELS = CURRENT.notice_levels
MAX_LEVELS = CURRENT.max_levels
WaiverKind = Literal["levels", "team", "entry"]
WAIVER_KINDS: tuple[WaiverKind, ...] = get_args(WaiverKind)
NoticeKind = Literal["levels", "entry"]


class NotAllowed(FanyongError):
    """Base of the refusals of the policy."""

    code = "not_allowed_by_policy"
    status = 422
    message = _l("The compliance policy %(policy)s does not allow this.")


class TooManyLevels(NotAllowed):
    code = "too_many_levels"
    message = _l(
        "Rule “levels” of the compliance policy %(policy)s: this plan pays %(wanted)d levels, this brand may pay "
        "%(allowed)d. Two levels need the notice to be accepted, three a waiver of the platform."
    )


class TeamNotAllowed(NotAllowed):
    code = "team_rewards_not_allowed"
    message = _l(
        "Rule “team rewards” of the compliance policy %(policy)s: this plan rewards people for what their downline "
        "sells or earns. That needs a waiver of the platform of the kind “team”."
    )


class HeadCountNotAllowed(NotAllowed):
    code = "head_count_not_allowed"
    message = _l(
        "Rule “no pay for recruiting” of the compliance policy %(policy)s: this plan pays for new members as such. "
        "Nobody can permit that; pay for their orders instead."
    )


class EntryNotAllowed(NotAllowed):
    code = "entry_fee_not_allowed"
    message = _l(
        "Rule “entry fee” of the compliance policy %(policy)s: whoever wants to earn would have to buy for %(wanted)s "
        "first, and %(allowed)s is allowed. Up to %(notice)s the notice about entry has to be accepted, above that it "
        "takes a waiver of the platform of the kind “entry”."
    )


class BadWaiver(FanyongError):
    code = "bad_waiver"
    status = 422
    message = _l("A waiver needs a kind, for levels two or three of them, a reason and an end in the future.")


class LevelNotice(settings.SettingsGroup):
    """Who accepted the notice about the second level, and when."""

    key: ClassVar[str] = "level_notice"
    accepted_by: str = ""
    accepted_at: datetime | None = None


class EntryNotice(LevelNotice):
    """Who accepted the notice about purchases before somebody may earn, and when."""

    key: ClassVar[str] = "entry_notice"


NOTICES: dict[NoticeKind, type[LevelNotice]] = {"levels": LevelNotice, "entry": EntryNotice}


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule of the policy, held against what a brand wants: `problem` is None where it is kept."""

    rule: Literal["levels", "team_rewards", "head_count", "entry"]
    title: str | LazyString
    problem: NotAllowed | None


def accept_notice(*, actor: str, kind: NoticeKind = "levels") -> None:
    """Record that the bound brand has read and accepted a notice: about two levels, or about entry."""
    group = NOTICES[kind]
    if settings.load(group).accepted_at is None:
        settings.save(group(accepted_by=actor, accepted_at=brand_now()), actor=actor)


def levels_allowed(*, at: datetime | None = None) -> int:
    """Return how many levels the bound brand may pay, now or at another moment."""
    waived = max((waiver.levels or 0 for waiver in _in_force("levels", at)), default=0)
    noticed = settings.load(LevelNotice).accepted_at is not None
    return max(NOTICE_LEVELS if noticed else DEFAULT_LEVELS, waived)


def team_allowed(*, at: datetime | None = None) -> bool:
    """Return whether the bound brand may reward what a downline sells or earns, now or at another moment."""
    return CURRENT.team_rewards == "waiver" and bool(_in_force("team", at))


def entry_allowed_fen(*, at: datetime | None = None) -> int | None:
    """Return for how much the bound brand may ask people to buy before they earn; None is no limit."""
    if CURRENT.entry_free_fen is None or _in_force("entry", at):
        return None
    noticed = settings.load(EntryNotice).accepted_at is not None
    return CURRENT.entry_notice_fen if noticed else CURRENT.entry_free_fen


def plan_findings(traits: PlanTraits, *, at: datetime | None = None) -> Sequence[Finding]:
    """Return how a commission plan stands with each rule of the policy."""
    allowed = levels_allowed(at=at)
    too_many = TooManyLevels(policy=POLICY_VERSION, wanted=traits.levels, allowed=allowed)
    team = traits.team_rewards and not team_allowed(at=at)
    return (
        Finding("levels", _l("Levels of the upline that earn"), too_many if traits.levels > allowed else None),
        Finding("team_rewards", _l("Rewards for the team"), TeamNotAllowed(policy=POLICY_VERSION) if team else None),
        Finding(
            "head_count",
            _l("No pay for recruiting alone"),
            HeadCountNotAllowed(policy=POLICY_VERSION) if traits.head_count else None,
        ),
    )


def tier_findings(traits: TierTraits, *, at: datetime | None = None) -> Sequence[Finding]:
    """Return how a tier structure stands with each rule of the policy."""
    allowed = entry_allowed_fen(at=at)
    problem = None
    if allowed is not None and traits.join_purchase_fen > allowed:
        problem = EntryNotAllowed(
            policy=POLICY_VERSION,
            wanted=yuan(traits.join_purchase_fen),
            allowed=yuan(allowed),
            notice=yuan(CURRENT.entry_notice_fen or 0),
        )
    return (Finding("entry", _l("No entry fee"), problem),)


def check(findings: Sequence[Finding]) -> None:
    """Raise the first problem of findings."""
    for finding in findings:
        if finding.problem is not None:
            raise finding.problem


def check_levels(wanted: int) -> None:
    """Raise TooManyLevels when the bound brand may not pay `wanted` levels."""
    check(plan_findings(PlanTraits(levels=wanted)))


def grant_waiver(
    *,
    tenant_id: UUID,
    reason: str,
    ends_at: datetime,
    actor: str,
    levels: int | None = None,
    kind: WaiverKind = "levels",
) -> Waiver:
    """Let a brand do more than the policy allows until `ends_at`; raises BadWaiver."""
    now = session().scalar(sa.select(sa.func.now()))
    assert now is not None
    bad_levels = not NOTICE_LEVELS <= (levels or 0) <= MAX_LEVELS if kind == "levels" else levels is not None
    if kind not in WAIVER_KINDS or bad_levels or not reason.strip() or ends_at <= now:
        raise BadWaiver
    waiver = Waiver(
        tenant_id=tenant_id, kind=kind, levels=levels, reason=reason.strip(), ends_at=ends_at, granted_by=actor
    )
    session().add(waiver)
    forget_once(_waivers_of(tenant_id))
    said = {"levels": levels} if kind == "levels" else {}
    details = {"kind": kind, **said, "reason": reason, "ends_at": ends_at.isoformat()}
    audit("waiver.granted", actor=actor, tenant_id=tenant_id, **details)
    return waiver


def waivers(tenant_id: UUID) -> list[Waiver]:
    """Return all waivers of a brand, newest first."""
    query = sa.select(Waiver).where(Waiver.tenant_id == tenant_id).order_by(Waiver.id.desc())
    return list(session().scalars(query))


def revoke_waiver(*, tenant_id: UUID, waiver_id: UUID, actor: str) -> None:
    """End a waiver now."""
    waiver = session().get(Waiver, waiver_id)
    if waiver is not None and waiver.tenant_id == tenant_id and waiver.revoked_at is None:
        waiver.revoked_at = session().scalar(sa.select(sa.func.now()))
        audit("waiver.revoked", actor=actor, tenant_id=tenant_id, waiver=waiver_id.hex, kind=waiver.kind)


def _in_force(kind: WaiverKind, at: datetime | None) -> list[Waiver]:
    moment, tenant_id = at or brand_now(), current_tenant().id
    return [
        waiver
        for waiver in once_a_transaction(_waivers_of(tenant_id), partial(_all_waivers, tenant_id))
        if waiver.kind == kind and waiver.revoked_at is None and waiver.ends_at > moment
    ]


def _waivers_of(tenant_id: UUID) -> str:
    """Return the name under which a brand's waivers are remembered; staff see several brands in one transaction."""
    return f"waivers:{tenant_id}"


def _all_waivers(tenant_id: UUID) -> Sequence[Waiver]:
    return session().scalars(sa.select(Waiver).where(Waiver.tenant_id == tenant_id)).all()
