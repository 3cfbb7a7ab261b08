"""What was sold: one row an order, and its roll-ups by promoter and day."""

from __future__ import annotations

import uuid
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from fanyong.tenancy.database import TenantBase
from tenants.members.models import Member


class Sale(TenantBase):
    """A paid order as the sales figures see it: goods after discounts and refunds, without freight.

    It counts on the day it was paid (and received), for the upline of that moment; what comes back later is taken off
    those days.
    """

    __tablename__ = "sale"
    __table_args__ = (
        sa.Index("ix_sale_member_id", "member_id"),
        sa.Index("ix_sale_seller_id", "seller_id", "paid_on"),
        sa.Index("ix_sale_dirty", "order_id", postgresql_where=sa.text("dirty")),
    )

    order_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id))
    #: Whoever had brought the buyer when the order was paid.
    seller_id: Mapped[uuid.UUID | None]
    #: How many people were above the buyer then. Ancestors are only ever added at the far end, so that the first
    #: `depth` of them are still the same.
    depth: Mapped[int]
    paid_on: Mapped[date]
    received_on: Mapped[date | None]
    paid_fen: Mapped[int] = mapped_column(default=0)
    received_fen: Mapped[int] = mapped_column(default=0)
    #: What of it the figures of the teams hold already.
    team_paid_fen: Mapped[int] = mapped_column(default=0)
    team_received_fen: Mapped[int] = mapped_column(default=0)
    team_orders: Mapped[int] = mapped_column(default=0)
    dirty: Mapped[bool] = mapped_column(default=True)


class SalesDay(TenantBase):
    """A promoter's own purchases and sales through own shares (level 1) of one day of the brand."""

    __tablename__ = "sales_day"
    __table_args__ = (sa.Index("ix_sales_day_day", "day"),)

    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    own_paid_fen: Mapped[int] = mapped_column(default=0)
    own_received_fen: Mapped[int] = mapped_column(default=0)
    own_orders: Mapped[int] = mapped_column(default=0)
    shared_paid_fen: Mapped[int] = mapped_column(default=0)
    shared_received_fen: Mapped[int] = mapped_column(default=0)
    shared_orders: Mapped[int] = mapped_column(default=0)


class TeamDay(TenantBase):
    """Sales of everybody below a member, at any depth, of one day of the brand; rolled up behind the payments."""

    __tablename__ = "team_day"
    __table_args__ = (sa.Index("ix_team_day_day", "day"),)

    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    paid_fen: Mapped[int] = mapped_column(default=0)
    received_fen: Mapped[int] = mapped_column(default=0)
    orders: Mapped[int] = mapped_column(default=0)


class TeamTotal(TenantBase):
    """Everybody below a member: how many on the near levels and at all, and their sales since ever."""

    __tablename__ = "team_total"

    member_id: Mapped[uuid.UUID] = mapped_column(sa.ForeignKey(Member.id), primary_key=True)
    level_1: Mapped[int] = mapped_column(default=0)
    level_2: Mapped[int] = mapped_column(default=0)
    level_3: Mapped[int] = mapped_column(default=0)
    members: Mapped[int] = mapped_column(default=0)
    paid_fen: Mapped[int] = mapped_column(default=0)
    received_fen: Mapped[int] = mapped_column(default=0)
    orders: Mapped[int] = mapped_column(default=0)
