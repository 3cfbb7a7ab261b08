"""Promoters: members who may earn, their tier and how they came to it."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.database import TenantBase
from tenants.members.models import Member


class Promoter(TenantBase):
    """A member's standing as a promoter; `tier` is null for one who has not become one yet."""

    __tablename__ = "promoter"

    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id), primary_key=True)
    tier: Mapped[str | None]
    tier_since: Mapped[datetime | None]
    #: The structure that decided on the tier; another one makes the job look again.
    evaluated_with: Mapped[uuid.UUID | None] = mapped_column(index=True)
    #: The brand's day on which the nightly job looked last.
    checked_on: Mapped[date | None] = mapped_column(index=True)
    frozen_at: Mapped[datetime | None]
    frozen_reason: Mapped[str | None]
    #: Since ever; what was sold on which day is in `sales_day`.
    own_paid_fen: Mapped[int] = mapped_column(default=0)
    own_received_fen: Mapped[int] = mapped_column(default=0)
    own_orders: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    shared_paid_fen: Mapped[int] = mapped_column(default=0)
    shared_received_fen: Mapped[int] = mapped_column(default=0)
    shared_orders: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))


class TierChange(TenantBase):
    """The history of a promoter's tiers."""

    __tablename__ = "tier_change"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id), index=True)
    from_tier: Mapped[str | None]
    to_tier: Mapped[str | None]
    because: Mapped[str]
    activation_id: Mapped[uuid.UUID | None]
    #: The figures that decided, by their keys.
    facts: Mapped[dict[str, Any] | None]
    changed_at: Mapped[datetime]


class TierLook(TenantBase):
    """A wish to look at a promoter's tier again; each event leaves a row of its own, so that none waits for another."""

    __tablename__ = "tier_look"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[uuid.UUID]
    because: Mapped[str]


class TierGrant(TenantBase):
    """A tier that somebody opened to a member: by accepting an application, or by an invitation."""

    __tablename__ = "tier_grant"
    __table_args__ = (
        sa.Index("ix_tier_grant_unused", "member_id", postgresql_where=sa.text("used_at IS NULL")),
        sa.CheckConstraint("source IN ('application', 'invitation')", name="source"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    tier: Mapped[str]
    source: Mapped[str]
    granted_by: Mapped[str]
    granted_at: Mapped[datetime]
    #: When the tier was given because of it; from then on the tier has to be kept like any other.
    used_at: Mapped[datetime | None]


class Application(TenantBase):
    """A member's application for a tier, with the answers to the brand's form."""

    __tablename__ = "promoter_application"
    __table_args__ = (
        sa.CheckConstraint("state IN ('open', 'approved', 'rejected')", name="state"),
        sa.Index("uq_promoter_application_open", "member_id", unique=True, postgresql_where=sa.text("state = 'open'")),
        sa.Index("ix_promoter_application_member_id", "member_id"),
        sa.Index("ix_promoter_application_state", "state", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    tier: Mapped[str]
    #: As the form stood: a list of {key, label, value}.
    answers: Mapped[list[Any]]
    state: Mapped[str]
    #: Why it was rejected; the member reads it.
    reason: Mapped[str | None]
    submitted_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]


class Invitation(TenantBase):
    """A code that lets one member in to a tier."""

    __tablename__ = "promoter_invitation"

    code: Mapped[str] = mapped_column(primary_key=True)
    tier: Mapped[str]
    note: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(index=True)
    expires_at: Mapped[datetime]
    used_by: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey(Member.id))
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class RegionAgent(TenantBase):
    """A promoter who is the agent of a region: a province, a city or a district (GB/T 2260)."""

    __tablename__ = "region_agent"
    __table_args__ = (
        sa.CheckConstraint("region_code ~ '^[1-9][0-9]{5}$'", name="region_code"),
        sa.CheckConstraint("ends_at IS NULL OR ends_at >= starts_at", name="period"),
        sa.Index(
            "uq_region_agent_open",
            "region_code",
            "member_id",
            unique=True,
            postgresql_where=sa.text("ends_at IS NULL"),
        ),
        sa.Index("ix_region_agent_region_code", "region_code", "starts_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id), index=True)
    region_code: Mapped[str]
    starts_at: Mapped[datetime]
    #: Null while nobody has said when it ends.
    ends_at: Mapped[datetime | None]
    appointed_by: Mapped[str]
    ended_by: Mapped[str | None]


class TierTrial(TenantBase):
    """A dry run of a tier structure over all promoters, in portions: who would move, and nobody does."""

    __tablename__ = "tier_trial"
    __table_args__ = (sa.CheckConstraint("state IN ('running', 'done', 'failed', 'canceled')", name="state"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    plugin: Mapped[str]
    settings: Mapped[dict[str, Any]]
    state: Mapped[str]
    #: How many promoters there were at the start, how many were looked at, how many would move.
    total: Mapped[int]
    looked: Mapped[int] = mapped_column(default=0)
    moved: Mapped[int] = mapped_column(default=0)
    #: The last member that was looked at.
    position: Mapped[uuid.UUID | None]
    problem: Mapped[str | None]
    started_at: Mapped[datetime]
    started_by: Mapped[str]
    finished_at: Mapped[datetime | None]


class TierTrialMove(TenantBase):
    """Somebody who would move."""

    __tablename__ = "tier_trial_move"

    trial_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(TierTrial.id), primary_key=True)
    member_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    from_tier: Mapped[str | None]
    to_tier: Mapped[str | None]
