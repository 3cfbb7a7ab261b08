"""Promoters: members who may earn, their tier and what they sold."""

from __future__ import annotations

import uuid
from datetime import datetime

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
    frozen_at: Mapped[datetime | None]
    frozen_reason: Mapped[str | None]
    own_paid_fen: Mapped[int] = mapped_column(default=0)
    own_received_fen: Mapped[int] = mapped_column(default=0)
    shared_paid_fen: Mapped[int] = mapped_column(default=0)
    shared_received_fen: Mapped[int] = mapped_column(default=0)


class TierChange(TenantBase):
    """The history of a promoter's tiers."""

    __tablename__ = "tier_change"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id), index=True)
    from_tier: Mapped[str | None]
    to_tier: Mapped[str | None]
    because: Mapped[str]
    activation_id: Mapped[uuid.UUID | None]
    changed_at: Mapped[datetime]
