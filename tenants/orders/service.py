"""Orders from placing to receipt, and what a payment does to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from fanyong.compliance import service as compliance
from fanyong.errors import IdempotencyMismatch, NotFound
from fanyong.events import publish
from fanyong.payments import service as payments
from fanyong.payments.models import PaymentIntent
from fanyong.tenancy import settings
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.context import current_tenant
from fanyong.tenancy.database import session
from fanyong.wechat.times import BEIJING
from tenants.catalog import service as catalog
from tenants.commissions import service as commissions
from tenants.members.models import Member
from tenants.orders import drafts
from tenants.orders.errors import WrongOrderState
from tenants.orders.freezing import freeze
from tenants.orders.models import Order, OrderRefund, OrderRefundLine
from tenants.promoters import sales
from tenants.settlement.triggers import Settlement, due_at


def place(
    member: Member,
    *,
    lines: Sequence[tuple[str, int]],
    idempotency_key: str,
    coupon_code: str | None = None,
    shipping_code: str | None = None,
    region: str = "",
) -> Order:
    """Place an order of (SKU, quantity) lines and reserve its stock; the same key again returns the same order.

    `region` is the administrative code of the delivery region (GB/T 2260, six digits) or empty. Raises EmptyOrder,
    UnknownProduct, OutOfStock, CouponNotUsable, UnknownShippingMethod, UnknownRegion, NothingToPay or
    IdempotencyMismatch.
    """
    wish = {"lines": [list(line) for line in lines], "coupon": coupon_code, "shipping": shipping_code}
    request_hash = digest(wish | ({"region": region} if region else {}))
    known = _by_key(member.id, idempotency_key)
    if known is not None:
        return _same(known, request_hash)
    order = drafts.draft(member, lines=lines, coupon_code=coupon_code, shipping_code=shipping_code, region=region)
    order.idempotency_key, order.request_hash = idempotency_key, request_hash
    return open_order(order, member)


def open_order(order: Order, member: Member) -> Order:
    """Write a draft, take its stock and ask for its payment; a key that is taken returns the order that has it.

    Raises OutOfStock or IdempotencyMismatch.
    """
    try:
        with session().begin_nested():
            session().add(order)
            session().flush()
    except sa.exc.IntegrityError:
        # The same request won a race against itself; its order is the answer.
        known = _by_key(member.id, order.idempotency_key)
        if known is None:
            raise
        return _same(known, order.request_hash)
    catalog.take_stock({line.product_id: line.quantity for line in order.lines})
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


#: Which moment of an order a list goes by.
DatedBy = Literal["created", "paid"]


def all_orders(
    *,
    state: str = "",
    search: str = "",
    dated_by: DatedBy = "created",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> sa.Select[Order]:
    """Return the query of the brand's orders, newest first, filtered by state, number or the buyer's nickname.

    `dated_by` says which of an order's moments has to lie from `starts_at` on and before `ends_at`.
    """
    query = sa.select(Order).order_by(Order.id.desc())
    if state:
        query = query.where(Order.state == state)
    at = {"created": Order.created_at, "paid": Order.paid_at}[dated_by]
    if starts_at:
        query = query.where(at >= starts_at)
    if ends_at:
        query = query.where(at < ends_at)
    if search:
        buyer = sa.exists().where(Member.id == Order.member_id, Member.nickname.icontains(search, autoescape=True))
        query = query.where(sa.or_(Order.number.icontains(search, autoescape=True), buyer))
    return query


def sums_of(query: sa.Select[Order]) -> tuple[int, int]:
    """Return what the orders of a query come to, in fen: their totals, and what was refunded of them."""
    listed = query.order_by(None).subquery().c
    total, refunded = (sa.func.coalesce(sa.func.sum(column), 0) for column in (listed.total_fen, listed.refunded_fen))
    sums = sa.select(sa.cast(total, sa.BigInteger), sa.cast(refunded, sa.BigInteger))
    total_fen, refunded_fen = session().execute(sums).one()
    return total_fen, refunded_fen


def ship(order_id: UUID, *, tracking: str = "") -> Order:
    """Mark a paid order as shipped; raises WrongOrderState."""
    order = get_order(order_id, lock=True)
    if order.state == "shipped":
        return order
    if order.state != "paid" or not any(line.has_goods_to_send for line in order.lines):
        raise WrongOrderState(state="refunded" if order.state == "paid" else order.state)
    order.state, order.shipped_at, order.tracking = "shipped", brand_now(), tracking.strip()[:64]
    days = settlement_of(order).auto_receive_days
    order.auto_receive_at = order.shipped_at + timedelta(days=days) if days is not None else None
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
    return _receive(order)


def receive_overdue(order_id: UUID) -> bool:
    """Count a shipped order as received when the buyer has let the time pass; False when it is not so far."""
    order = get_order(order_id, lock=True)
    if order.state != "shipped" or order.auto_receive_at is None or order.auto_receive_at > brand_now():
        return False
    _receive(order)
    return True


def settlement_of(order: Order) -> Settlement:
    """Return by which rule the commissions of an order are released: the one frozen into it, or today's before that."""
    return Settlement.model_validate(order.settlement) if order.settlement else settings.load(Settlement)


def on_payment_succeeded(intent: PaymentIntent) -> None:
    """Mark the order of a paid intent as paid and freeze who earns by which rules."""
    order = get_order(intent.reference_id, lock=True)
    if order.state == "closed":
        # The money came after the order was closed and its stock given back: return it in full.
        payments.create_refund(intent, amount_fen=intent.amount_fen, reason="order closed before payment")
        return
    if order.state != "created":
        return
    now, settlement = brand_now(), settings.load(Settlement).model_dump(mode="json")
    order.state, order.paid_at, order.settlement = "paid", now, settlement
    plan_version_id = commissions.current_plan_version_id(at=order.paid_at)
    facts = freeze(order, paid_at=order.paid_at)
    commissions.queue_paid(facts, plan_version_id=plan_version_id, policy=compliance.POLICY_VERSION)
    _record_sale(order, amount_fen=facts.paid_goods_fen)
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
    """Return unpaid orders whose time to pay is over, any of them: some that cannot be closed keep nobody waiting."""
    return list(session().scalars(overdue().order_by(sa.func.random()).limit(limit)))


def unconfirmed() -> sa.Select[UUID]:
    """Return the query of shipped orders whose buyers have let the time to confirm the receipt pass."""
    return sa.select(Order.id).where(Order.state == "shipped", Order.auto_receive_at <= brand_now())


def unconfirmed_orders(limit: int = 20) -> list[UUID]:
    """Return shipped orders that count as received by now, those first whose time has been over the longest."""
    return list(session().scalars(unconfirmed().order_by(Order.auto_receive_at).limit(limit)))


def record_refunded_sale(order: Order, *, amount_fen: int) -> None:
    """Take refunded goods off the sales of those who made them."""
    sales.record_refunded(order.id, amount_fen=amount_fen, because=_because(order))


def digest(value: Any) -> str:
    """Return a hash of a request's values, to tell a repeated request from another with the same key."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _receive(order: Order) -> Order:
    """From here the time to the release of the commissions runs."""
    order.state, order.received_at = "received", brand_now()
    due = due_at(settlement_of(order), order.received_at, tz=BEIJING)
    commissions.queue_received(order.id, due_at=due)
    kept_fen = sum(line.paid_fen for line in order.lines) - _refunded_goods_fen(order.id)
    sales.record_received(order.id, received_at=order.received_at, amount_fen=kept_fen, because=_because(order))
    publish("order.received", order, object_id=order.id, due_at=due.isoformat())
    return order


def _record_sale(order: Order, *, amount_fen: int) -> None:
    """Count a payment among the sales of the buyer and of whoever had brought the buyer."""
    assert order.paid_at is not None
    sales.record_paid(
        order.id,
        member_id=order.member_id,
        upline=session().get_one(Member, order.member_id).ancestors,
        paid_at=order.paid_at,
        amount_fen=amount_fen,
        because=_because(order),
    )


def _because(order: Order) -> str:
    return f"order {order.number}"


def _refunded_goods_fen(order_id: UUID) -> int:
    """Return what finished refunds gave back for goods; one still under way is booked when it is finished."""
    query = (
        sa.select(sa.func.coalesce(sa.func.sum(OrderRefundLine.amount_fen), 0))
        .join(OrderRefund, OrderRefund.refund_id == OrderRefundLine.refund_id)
        .where(OrderRefund.order_id == order_id, OrderRefund.state == "done")
    )
    return int(session().scalar(query) or 0)


def _by_key(member_id: UUID, key: str) -> Order | None:
    return session().scalar(sa.select(Order).where(Order.member_id == member_id, Order.idempotency_key == key))


def _same(order: Order, request_hash: str) -> Order:
    if order.request_hash != request_hash:
        raise IdempotencyMismatch
    return order
