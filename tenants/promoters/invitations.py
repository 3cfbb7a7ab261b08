"""Invitations of the brand: a code that lets one member in to a tier."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError, NotFound
from fanyong.ids import new_token
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.members.models import Member
from tenants.promoters import service as promoters
from tenants.promoters.applications import grant
from tenants.promoters.models import Invitation

CODE_LENGTH = 10
MAX_DAYS = 365


class NoSuchTier(FanyongError):
    code = "unknown_tier"
    status = 422
    message = _l("There is no tier “%(tier)s”.")


class InvitationNotUsable(FanyongError):
    code = "invitation_not_usable"
    status = 409
    message = _l("This invitation was used, withdrawn, or is over.")


class BadInvitationPeriod(FanyongError):
    code = "bad_period"
    status = 422
    message = _l("An invitation holds for 1 to 365 days.")


def invite(*, tier: str, days: int, note: str, actor: str) -> Invitation:
    """Make an invitation to a tier that can be used once within so many days.

    Raises NoSuchTier or BadInvitationPeriod.
    """
    if tier not in {known.key for known in promoters.tiers_to_show()}:
        raise NoSuchTier(tier=tier)
    if not 1 <= days <= MAX_DAYS:
        raise BadInvitationPeriod
    now = brand_now()
    invitation = Invitation(
        code=new_token(CODE_LENGTH),
        tier=tier,
        note=note.strip()[:200],
        created_by=actor,
        created_at=now,
        expires_at=now + timedelta(days=days),
        used_by=None,
        used_at=None,
        revoked_at=None,
    )
    session().add(invitation)
    session().flush()
    return invitation


def accept(member_id: UUID, *, code: str) -> Invitation:
    """Let a member in by an invitation; the same member may say it twice. Raises NotFound or InvitationNotUsable."""
    invitation = session().get(Invitation, code, with_for_update=True, populate_existing=True)
    if invitation is None:
        raise NotFound
    if invitation.used_by == member_id:
        return invitation
    now = brand_now()
    if invitation.used_by is not None or invitation.revoked_at is not None or invitation.expires_at <= now:
        raise InvitationNotUsable
    invitation.used_by, invitation.used_at = member_id, now
    grant(member_id, tier=invitation.tier, source="invitation", actor=invitation.created_by)
    return invitation


def revoke(code: str) -> Invitation:
    """Withdraw an invitation that nobody has used; raises NotFound or InvitationNotUsable."""
    invitation = session().get(Invitation, code, with_for_update=True, populate_existing=True)
    if invitation is None:
        raise NotFound
    if invitation.used_by is not None:
        raise InvitationNotUsable
    invitation.revoked_at = invitation.revoked_at or brand_now()
    return invitation


def invitations() -> sa.Select[Invitation, Member]:
    """Return the query of invitations with whoever used them, newest first."""
    query = sa.select(Invitation, Member).outerjoin(Member, Member.id == Invitation.used_by)
    return query.order_by(Invitation.created_at.desc(), Invitation.code)
