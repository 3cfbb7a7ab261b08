"""The figures of the dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from fanyong.payments.models import MerchantAccount, PaymentIntent, Refund
from fanyong.tenancy.database import session
from fanyong.web.filters import beijing_day
from fanyong.wechat.times import BEIJING
from tenants.catalog.models import Product
from tenants.commissions import service as commissions
from tenants.members.models import Member
from tenants.orders.models import Order
from tenants.promoters.models import Promoter

CHART_DAYS = 14


@dataclass(frozen=True, slots=True)
class Sales:
    """Paid orders from the day `first` on; what was refunded of them is taken off."""

    first: date
    orders: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the chart; `height` is 0 to 100."""

    day: date
    amount_fen: int
    height: int


def sales_since(start: datetime) -> Sales:
    """Return the sales of orders paid since a moment."""
    net = sa.func.coalesce(sa.func.sum(Order.total_fen - Order.refunded_fen), 0)
    query = sa.select(sa.func.count(), sa.cast(net, sa.BigInteger)).where(Order.paid_at >= start)
    orders, amount_fen = session().execute(query).one()
    return Sales(beijing_day(start), orders, amount_fen)


def start_of_day(now: datetime, *, days_ago: int = 0) -> datetime:
    """Return the beginning of a day in Beijing."""
    return datetime.combine(beijing_day(now) - timedelta(days=days_ago), time(), BEIJING)


def daily_sales(now: datetime) -> list[Bar]:
    """Return the last days as bars."""
    paid_on = sa.cast(sa.func.timezone(sa.text("interval '8 hours'"), Order.paid_at), sa.Date)
    net = sa.cast(sa.func.sum(Order.total_fen - Order.refunded_fen), sa.BigInteger)
    start = start_of_day(now, days_ago=CHART_DAYS - 1)
    query = sa.select(paid_on.label("day"), net).where(Order.paid_at >= start).group_by("day")
    sums: dict[date, int] = dict(list(session().execute(query)))
    highest = max([*sums.values(), 1])
    days = [start.date() + timedelta(days=n) for n in range(CHART_DAYS)]
    return [Bar(day, sums.get(day, 0), max(sums.get(day, 0), 0) * 100 // highest) for day in days]


def orders_by_state() -> dict[str, int]:
    """Return how many orders are in which state."""
    query = sa.select(Order.state, sa.func.count()).group_by(Order.state)
    return dict(list(session().execute(query)))


def people() -> tuple[int, int]:
    """Return how many members there are, and how many of them are promoters."""
    members = session().scalar(sa.select(sa.func.count()).select_from(Member)) or 0
    promoters = session().scalar(sa.select(sa.func.count()).select_from(Promoter).where(Promoter.tier.is_not(None)))
    return members, promoters or 0


def payments_to_look_at() -> list[tuple[str, PaymentIntent | Refund, Order]]:
    """Return payments and refunds that need a person, with their orders."""
    intents = (
        sa.select(PaymentIntent, Order)
        .join(Order, Order.id == PaymentIntent.reference_id)
        .where(PaymentIntent.state == "requires_merchant_action")
        .limit(20)
    )
    refunds = (
        sa.select(Refund, Order)
        .join(PaymentIntent, PaymentIntent.id == Refund.intent_id)
        .join(Order, Order.id == PaymentIntent.reference_id)
        .where(Refund.state == "requires_action")
        .limit(20)
    )
    found: list[tuple[str, PaymentIntent | Refund, Order]] = [
        ("payment", intent, order) for intent, order in session().execute(intents)
    ]
    return found + [("refund", refund, order) for refund, order in session().execute(refunds)]


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """How far a new brand has come."""

    has_product: bool
    has_plan: bool
    has_order: bool
    has_own_keys: bool

    @property
    def finished(self) -> bool:
        """Whether everything is done."""
        return self.has_product and self.has_plan and self.has_order and self.has_own_keys


def first_steps() -> FirstSteps:
    """Return what a new brand has done so far."""
    return FirstSteps(
        has_product=_exists(sa.select(Product.id)),
        has_plan=commissions.current_plan_version_id() is not None,
        has_order=_exists(sa.select(Order.id).where(Order.paid_at.is_not(None))),
        has_own_keys=_exists(sa.select(MerchantAccount.mode).where(MerchantAccount.mode == "live")),
    )


def _exists(query: sa.Select[Any]) -> bool:
    return bool(session().scalar(sa.select(query.exists())))
