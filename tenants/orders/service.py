"""Orders from placing to receipt, and what a payment does to them."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field

from fanyong.compliance import service as compliance
from fanyong.errors import IdempotencyMismatch, NotFound
from fanyong.events import publish
from fanyong.ids import new_id
from fanyong.payments import service as payments
from fanyong.payments.models import PaymentIntent
from fanyong.tenancy import settings
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.context import current_tenant
from fanyong.tenancy.database import session
from fanyong.values import LineFacts, OrderFacts
from tenants.catalog import service as catalog
from tenants.catalog.models import Product
from tenants.commissions import service as commissions
from tenants.commissions.engine import allocate
from tenants.members.models import Member
from tenants.orders.errors import EmptyOrder, NothingToPay, UnknownProduct, WrongOrderState
from tenants.orders.models import Order, OrderLine, OrderRefund, OrderRefundLine
from tenants.promoters import service as promoters
from tenants.promotions import service as promotions
from tenants.shipping import service as shipping

PAY_WITHIN = timedelta(minutes=30)
MAX_LINES = 100
MAX_QUANTITY = 9_999


class Settlement(settings.SettingsGroup):
    """When commissions become the promoter's: this many days after the goods were received."""

    key: ClassVar[str] = "settlement"
    window_days: int = Field(default=7, ge=0, le=365)


def place(
    member: Member,
    *,
    lines: Sequence[tuple[str, int]],
    idempotency_key: str,
    coupon_code: str | None = None,
    shipping_code: str | None = None,
) -> Order:
    """Place an order of (SKU, quantity) lines and reserve its stock; the same key again returns the same order.

    Raises EmptyOrder, UnknownProduct, OutOfStock, CouponNotUsable, UnknownShippingMethod, NothingToPay or
    IdempotencyMismatch.
    """
    request_hash = digest({"lines": [list(line) for line in lines], "coupon": coupon_code, "shipping": shipping_code})
    known = _by_key(member.id, idempotency_key)
    if known is not None:
        return _same(known, request_hash)
    products = _products(lines)
    order = _draft(member, lines=lines, products=products, coupon_code=coupon_code, shipping_code=shipping_code)
    order.idempotency_key, order.request_hash = idempotency_key, request_hash
    try:
        with session().begin_nested():
            session().add(order)
            session().flush()
    except sa.exc.IntegrityError:
        # The same request won a race against itself; its order is the answer.
        known = _by_key(member.id, idempotency_key)
        if known is None:
            raise
        return _same(known, request_hash)
    catalog.take_stock({products[sku].id: quantity for sku, quantity in lines})
    payments.create_intent(
        reference_id=order.id,
        amount_fen=order.total_fen,
        description=f"{current_tenant().name} {order.number}",
        openid=member.openid,
        expires_at=order.expires_at,
    )
    publish("order.placed", order, object_id=order.id, total_fen=order.total_fen)
    return order


def get_order(order_id: UUID, *, lock: bool = False) -> Order:
    """Return an order, locked for a change when asked; raises NotFound."""
    order = session().get(Order, order_id, with_for_update={"of": Order} if lock else None, populate_existing=lock)
    if order is None:
        raise NotFound
    return order


def orders_of(member_id: UUID) -> sa.Select[Order]:
    """Return the query of a member's orders, newest first."""
    return sa.select(Order).where(Order.member_id == member_id).order_by(Order.id.desc())


def all_orders(*, state: str = "", search: str = "") -> sa.Select[Order]:
    """Return the query of the brand's orders, newest first, filtered by state, number or the buyer's nickname."""
    query = sa.select(Order).order_by(Order.id.desc())
    if state:
        query = query.where(Order.state == state)
    if search:
        buyer = sa.exists().where(Member.id == Order.member_id, Member.nickname.icontains(search, autoescape=True))
        query = query.where(sa.or_(Order.number.icontains(search, autoescape=True), buyer))
    return query


def ship(order_id: UUID, *, tracking: str = "") -> Order:
    """Mark a paid order as shipped; raises WrongOrderState."""
    order = get_order(order_id, lock=True)
    if order.state == "shipped":
        return order
    if order.state != "paid" or all(line.refunded_quantity == line.quantity for line in order.lines):
        raise WrongOrderState(state="refunded" if order.state == "paid" else order.state)
    order.state, order.shipped_at, order.tracking = "shipped", brand_now(), tracking.strip()[:64]
    publish("order.shipped", order, object_id=order.id)
    return order


def confirm_receipt(order_id: UUID, *, member_id: UUID) -> Order:
    """Record that the buyer has the goods; from here the after-sale window of the commissions runs.

    Raises NotFound for somebody else's order and WrongOrderState before it was shipped.
    """
    order = get_order(order_id, lock=True)
    if order.member_id != member_id:
        raise NotFound
    if order.state == "received":
        return order
    if order.state != "shipped":
        raise WrongOrderState(state=order.state)
    assert order.attribution is not None
    order.state, order.received_at = "received", brand_now()
    due_at = order.received_at + timedelta(days=order.attribution["window_days"])
    commissions.queue_received(order.id, due_at=due_at)
    kept_fen = sum(line.paid_fen for line in order.lines) - _refunded_goods_fen(order.id)
    _record_sale(order, paid_or_received="received", amount_fen=kept_fen)
    publish("order.received", order, object_id=order.id, due_at=due_at.isoformat())
    return order


def on_payment_succeeded(intent: PaymentIntent) -> None:
    """Mark the order of a paid intent as paid and freeze who earns by which rules."""
    order = get_order(intent.reference_id, lock=True)
    if order.state == "closed":
        # The money came after the order was closed and its stock given back: return it in full.
        payments.create_refund(intent, amount_fen=intent.amount_fen, reason="order closed before payment")
        return
    if order.state != "created":
        return
    order.state, order.paid_at = "paid", brand_now()
    plan_version_id = commissions.current_plan_version_id()
    facts = _freeze(order, paid_at=order.paid_at)
    order.attribution = {"window_days": settings.load(Settlement).window_days}
    commissions.queue_paid(facts, plan_version_id=plan_version_id, policy=compliance.POLICY_VERSION)
    _record_sale(order, paid_or_received="paid", amount_fen=facts.paid_goods_fen)
    publish("order.paid", order, object_id=order.id, total_fen=order.total_fen)


def close_unpaid(order_id: UUID) -> bool:
    """Close an order that was not paid in time and give its stock back; False when it is too late for that."""
    # The intent is locked before its order, as a payment that arrives now does.
    intent = payments.intent_for(order_id, lock=True)
    order = get_order(order_id, lock=True)
    if order.state != "created" or intent is None or intent.state == "succeeded":
        return False
    order.state, order.closed_at = "closed", brand_now()
    payments.cancel_intent(intent)
    catalog.return_stock({line.product_id: line.quantity for line in order.lines})
    publish("order.closed", order, object_id=order.id)
    return True


def overdue() -> sa.Select[UUID]:
    """Return the query of unpaid orders whose time to pay is over.

    An order whose payment an admin has to look at is left alone: money was moved for it.
    """
    looked_at = sa.exists().where(
        PaymentIntent.reference_id == Order.id, PaymentIntent.state == "requires_merchant_action"
    )
    return sa.select(Order.id).where(Order.state == "created", Order.expires_at <= brand_now(), ~looked_at)


def overdue_orders(limit: int = 20) -> list[UUID]:
    """Return unpaid orders whose time to pay is over, oldest first."""
    return list(session().scalars(overdue().order_by(Order.id).limit(limit)))


def record_refunded_sale(order: Order, *, amount_fen: int) -> None:
    """Take refunded goods off the sales of those who made them."""
    _record_sale(order, paid_or_received="paid", amount_fen=-amount_fen)
    if order.received_at is not None:
        _record_sale(order, paid_or_received="received", amount_fen=-amount_fen)


def digest(value: Any) -> str:
    """Return a hash of a request's values, to tell a repeated request from another with the same key."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _products(lines: Sequence[tuple[str, int]]) -> dict[str, Product]:
    skus = [sku for sku, _ in lines]
    if not lines or len(lines) > MAX_LINES or len(set(skus)) < len(skus):
        raise EmptyOrder
    if any(not 1 <= quantity <= MAX_QUANTITY for _, quantity in lines):
        raise EmptyOrder
    products = catalog.by_sku(skus)
    for sku in skus:
        if sku not in products or not products[sku].on_sale:
            raise UnknownProduct(sku=sku)
    return products


def _draft(
    member: Member,
    *,
    lines: Sequence[tuple[str, int]],
    products: Mapping[str, Product],
    coupon_code: str | None,
    shipping_code: str | None,
) -> Order:
    values = [products[sku].price_fen * quantity for sku, quantity in lines]
    goods_fen = sum(values)
    coupon_fen = promotions.discount(coupon_code, goods_fen=goods_fen)
    freight_fen = shipping.fee(shipping_code)
    total_fen = goods_fen - coupon_fen + freight_fen
    if total_fen < 1:
        raise NothingToPay
    now = brand_now()
    discounts = allocate(coupon_fen, values)
    order = Order(
        id=new_id(),
        number=_number(now),
        member_id=member.id,
        state="created",
        goods_fen=goods_fen,
        coupon_fen=coupon_fen,
        freight_fen=freight_fen,
        total_fen=total_fen,
        created_at=now,
        expires_at=now + PAY_WITHIN,
    )
    order.lines = [
        _line(position, products[sku], quantity=quantity, discount_fen=discounts[position])
        for position, (sku, quantity) in enumerate(lines)
    ]
    return order


def _line(position: int, product: Product, *, quantity: int, discount_fen: int) -> OrderLine:
    return OrderLine(
        position=position,
        product_id=product.id,
        sku=product.sku,
        name=product.name,
        category=product.category,
        unit_price_fen=product.price_fen,
        quantity=quantity,
        discount_fen=discount_fen,
        paid_fen=product.price_fen * quantity - discount_fen,
    )


def _freeze(order: Order, *, paid_at: datetime) -> OrderFacts:
    member = session().get_one(Member, order.member_id, populate_existing=True)
    return OrderFacts(
        order_id=order.id,
        paid_at=paid_at,
        lines=tuple(LineFacts(x.id, x.sku, x.category, x.quantity, x.paid_fen) for x in order.lines),
        buyer=promoters.people([member.id], first_level=0)[0],
        upline=promoters.people(member.ancestors[: compliance.MAX_LEVELS], first_level=1),
        levels_allowed=compliance.levels_allowed(),
    )


def _record_sale(order: Order, *, paid_or_received: str, amount_fen: int) -> None:
    """Book a sale to the buyer and to whoever was frozen as level 1; locked in the order of ids."""
    facts = commissions.facts_of(order.id)
    assert facts is not None
    figures: list[tuple[UUID, promoters.Figure]] = [
        (facts.buyer.member_id, "own_paid_fen" if paid_or_received == "paid" else "own_received_fen")
    ]
    if facts.upline:
        seller = facts.upline[0].member_id
        figures.append((seller, "shared_paid_fen" if paid_or_received == "paid" else "shared_received_fen"))
    for member_id, figure in sorted(figures):
        promoters.record_sale(member_id, figure=figure, amount_fen=amount_fen, because=f"order {order.number}")


def _refunded_goods_fen(order_id: UUID) -> int:
    """Return what finished refunds gave back for goods; one still under way is booked when it is finished."""
    query = (
        sa.select(sa.func.coalesce(sa.func.sum(OrderRefundLine.amount_fen), 0))
        .join(OrderRefund, OrderRefund.refund_id == OrderRefundLine.refund_id)
        .where(OrderRefund.order_id == order_id, OrderRefund.state == "done")
    )
    return int(session().scalar(query) or 0)


def _number(now: datetime) -> str:
    return f"{now:%y%m%d}{secrets.randbelow(10**10):010d}"


def _by_key(member_id: UUID, key: str) -> Order | None:
    return session().scalar(sa.select(Order).where(Order.member_id == member_id, Order.idempotency_key == key))


def _same(order: Order, request_hash: str) -> Order:
    if order.request_hash != request_hash:
        raise IdempotencyMismatch
    return order
