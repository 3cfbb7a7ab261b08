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
        # One's own team, level by level and in the order of joining, without sorting the whole of it.
        sa.Index("ix_member_level_1", "parent_id", "id"),
        sa.Index("ix_member_level_2", sa.text("(ancestors[2])"), "id"),
        sa.Index("ix_member_level_3", sa.text("(ancestors[3])"), "id"),
        sa.Index("ix_member_uncounted", "id", postgresql_where=sa.text("cardinality(ancestors) > counted_depth")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    openid: Mapped[str] = mapped_column(unique=True)
    nickname: Mapped[str]
    parent_id: Mapped[uuid.UUID | None] = mapped_column(sa.ForeignKey("member.id"))
    #: The upline, nearest first: the parent's ancestors with the parent in front.
    ancestors: Mapped[list[uuid.UUID]] = mapped_column(ARRAY(sa.Uuid()), default=list)
    joined_at: Mapped[datetime]
    #: How many of the ancestors count this member in the size of their team already.
    counted_depth: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))


class MemberBinding(TenantBase):
    """The history of who brought whom, and how."""

    __tablename__ = "member_binding"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id), index=True)
    parent_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    source: Mapped[str]
    bound_at: Mapped[datetime]
