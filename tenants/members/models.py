"""The shoppers of a brand and who brought them."""

from __future__ import annotations

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.ids import new_id
from fanyong.tenancy.database import TenantBase


class Member(TenantBase):
    """A registered shopper."""

    __tablename__ = "member"
    __table_args__ = (
        sa.CheckConstraint("parent_id <> id", name="not_own_parent"),
        sa.Index("ix_member_ancestors", "ancestors", postgresql_using="gin"),
        sa.Index("ix_member_parent_id", "parent_id", postgresql_include=["id"]),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    openid: Mapped[str] = mapped_column(unique=True)
    nickname: Mapped[str]
    parent_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("member.id"))
    #: The upline, nearest first: the parent's ancestors with the parent in front.
    ancestors: Mapped[list[uuid.UUID]] = mapped_column(ARRAY(sa.Uuid()), default=list)
    joined_at: Mapped[datetime]


class MemberBinding(TenantBase):
    """The history of who brought whom, and how."""

    __tablename__ = "member_binding"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id), index=True)
    parent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    source: Mapped[str]
    bound_at: Mapped[datetime]
