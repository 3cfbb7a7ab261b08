"""Refunds of orders: by line and quantity, several in a row, before and after receipt.

What a refund gives back of a line is the difference of `floor(paid * refunded quantity so far / quantity)`, so that
any way to cut a line into refunds ends at exactly what was paid for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import sqlalchemy as sa

from fanyong.errors import IdempotencyMismatch, InvalidRequest
from fanyong.events import publish
from fanyong.payments import service as payments
from fanyong.payments.models import Refund
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.catalog import service as catalog
from tenants.commissions import service as commissions
from tenants.commissions.service import RefundedLine
from tenants.orders.errors import RefundOutOfBounds, WrongOrderState
from tenants.orders.models import Order, OrderLine, OrderRefund, OrderRefundLine
from tenants.orders.service import digest, get_order, record_refunded_sale

REFUNDABLE_STATES = ("paid", "shipped", "received")


def request_refund(
    order_id: UUID,
    *,
    quantities: Mapping[UUID, int],
    freight_fen: int = 0,
    reason: str,
    idempotency_key: str,
    actor: str,
) -> OrderRefund:
    """Ask for a refund of `quantities` (line id -> pieces) and of freight; the same key again returns the same one.

    The release of the order's commissions waits until the provider has settled it. Raises WrongOrderState,
    RefundOutOfBounds, InvalidRequest without a reason, or IdempotencyMismatch.
    """
    order = get_order(order_id, lock=True)
    request_hash = digest({"q": {line.hex: n for line, n in quantities.items()}, "freight": freight_fen})
    known = session().scalar(
        sa.select(OrderRefund).where(OrderRefund.order_id == order_id, OrderRefund.idempotency_key == idempotency_key)
    )
    if known is not None:
        if known.request_hash != request_hash:
            raise IdempotencyMismatch
        return known
    if order.state not in REFUNDABLE_STATES:
        raise WrongOrderState(state=order.state)
    if not reason.strip():
        raise InvalidRequest
    lines = _cover(order, quantities=quantities, freight_fen=freight_fen)
    amount_fen = freight_fen + sum(line.amount_fen for line in lines)
    intent = payments.intent_for(order.id)
    if intent is None or amount_fen <= 0:
        raise RefundOutOfBounds
    refund = payments.create_refund(intent, amount_fen=amount_fen, reason=reason.strip())
    record = OrderRefund(
        refund_id=refund.id,
        order_id=order.id,
        idempotency_key=idempotency_key,
        request_hash=request_hash,
        freight_fen=freight_fen,
        amount_fen=amount_fen,
        reason=reason.strip(),
        requested_by=actor,
        state="open",
        created_at=brand_now(),
        lines=lines,
    )
    session().add(record)
    order.refunded_fen += amount_fen
    commissions.hold_release(order.id, change=1)
    return record


def refunds_of(order_id: UUID) -> list[OrderRefund]:
    """Return an order's refunds, oldest first."""
    query = sa.select(OrderRefund).where(OrderRefund.order_id == order_id).order_by(OrderRefund.refund_id)
    return list(session().scalars(query))


def on_refund_succeeded(refund: Refund) -> None:
    """Book what a finished refund means: reversals, sales, stock of goods that never left."""
    found = _open_refund(refund)
    if found is None:
        return
    record, order = found
    record.state = "done"
    session().flush()
    commissions.hold_release(order.id, change=-1)
    commissions.queue_refunded(order.id, refund_id=refund.id, lines=_refunded_so_far(order, record))
    record_refunded_sale(order, amount_fen=sum(line.amount_fen for line in record.lines))
    if order.shipped_at is None:
        products = {line.id: line.product_id for line in order.lines}
        catalog.return_stock({products[line.line_id]: line.quantity for line in record.lines})
    publish("order.refunded", order, object_id=order.id, amount_fen=record.amount_fen)


def on_refund_failed(refund: Refund) -> None:
    """Take back what was set aside for a refund that the provider refused."""
    found = _open_refund(refund)
    if found is None:
        return
    record, order = found
    record.state = "failed"
    by_id = {line.id: line for line in order.lines}
    for covered in record.lines:
        by_id[covered.line_id].refunded_quantity -= covered.quantity
        by_id[covered.line_id].refunded_fen -= covered.amount_fen
    order.refunded_fen -= record.amount_fen
    commissions.hold_release(order.id, change=-1)


def freight_left(order: Order) -> int:
    """Return the freight that no refund covers yet."""
    asked = sum(r.freight_fen for r in refunds_of(order.id) if r.state != "failed")
    return order.freight_fen - asked


def _cover(order: Order, *, quantities: Mapping[UUID, int], freight_fen: int) -> list[OrderRefundLine]:
    by_id = {line.id: line for line in order.lines}
    if not set(quantities) <= set(by_id) or not 0 <= freight_fen <= freight_left(order):
        raise RefundOutOfBounds
    return [_cover_line(by_id[line_id], quantity) for line_id, quantity in quantities.items()]


def _cover_line(line: OrderLine, quantity: int) -> OrderRefundLine:
    if not 1 <= quantity <= line.quantity - line.refunded_quantity:
        raise RefundOutOfBounds
    line.refunded_quantity += quantity
    # Where a refund failed that others followed, the lines can be ahead of the formula for a while.
    amount_fen = max(0, line.paid_fen * line.refunded_quantity // line.quantity - line.refunded_fen)
    line.refunded_fen += amount_fen
    return OrderRefundLine(line_id=line.id, quantity=quantity, amount_fen=amount_fen)


def _open_refund(refund: Refund) -> tuple[OrderRefund, Order] | None:
    record = session().get(OrderRefund, refund.id)
    if record is None:
        return None
    order = get_order(record.order_id, lock=True)
    session().refresh(record)
    return (record, order) if record.state == "open" else None


def _refunded_so_far(order: Order, record: OrderRefund) -> list[RefundedLine]:
    """Return, for the lines of this refund, what all finished refunds together gave back."""
    query = (
        sa.select(OrderRefundLine.line_id, sa.cast(sa.func.sum(OrderRefundLine.amount_fen), sa.BigInteger))
        .join(OrderRefund, OrderRefund.refund_id == OrderRefundLine.refund_id)
        .where(OrderRefund.order_id == order.id, OrderRefund.state == "done")
        .group_by(OrderRefundLine.line_id)
    )
    totals = dict(session().execute(query).all())
    paid = {line.id: line.paid_fen for line in order.lines}
    return [RefundedLine(line.line_id, paid[line.line_id], totals[line.line_id]) for line in record.lines]
