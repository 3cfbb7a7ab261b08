"""Refunds of orders: by pieces, by amount, several in a row, before and after receipt, and long after the payout."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

import sqlalchemy as sa

from fanyong.errors import IdempotencyMismatch
from fanyong.events import publish
from fanyong.payments import service as payments
from fanyong.payments.models import Refund
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.catalog import service as catalog
from tenants.commissions import service as commissions
from tenants.commissions.service import RefundedLine
from tenants.orders import covering
from tenants.orders.models import Order, OrderRefund, OrderRefundLine
from tenants.orders.service import digest, get_order, record_refunded_sale

NOTHING: Mapping[UUID, int] = {}


def request_refund(
    order_id: UUID,
    *,
    quantities: Mapping[UUID, int] = NOTHING,
    amounts: Mapping[UUID, int] = NOTHING,
    freight_fen: int = 0,
    reason: str,
    idempotency_key: str,
    actor: str,
) -> OrderRefund:
    """Ask for a refund; the same key again returns the same one.

    `quantities` are pieces by line id, `amounts` fen that are given back of a line without goods, after its pieces.
    The release of the order's commissions waits until the provider has settled it. What an exchange took in whose
    difference is not paid yet cannot be asked for. Raises WrongOrderState, RefundOutOfBounds, InvalidRequest without a
    reason, or IdempotencyMismatch.
    """
    order = get_order(order_id, lock=True)
    request_hash = refund_hash(quantities, amounts, freight_fen)
    known = known_refund(order_id, idempotency_key, request_hash)
    if known is not None:
        return known
    exchanged = {line.id: covering.exchanged_of(line) for line in order.lines}
    lines, intent = covering.cover(
        order, quantities=quantities, amounts=amounts, freight_fen=freight_fen, reason=reason, exchanged=exchanged
    )
    amount_fen = freight_fen + sum(line.amount_fen for line in lines)
    refund = payments.create_refund(intent, amount_fen=amount_fen, reason=reason.strip())
    record = _record(order, lines, refund_id=refund.id, freight_fen=freight_fen, reason=reason, actor=actor)
    record.idempotency_key, record.request_hash = idempotency_key, request_hash
    session().add(record)
    order.refunded_fen += amount_fen
    commissions.hold_release(order.id, change=1)
    return record


def record_refund(
    order_id: UUID,
    *,
    amounts: Mapping[UUID, int],
    freight_fen: int = 0,
    wechat_number: str | None = None,
    happened_at: datetime | None = None,
    reason: str,
    idempotency_key: str,
    actor: str,
) -> OrderRefund:
    """Book a refund that has happened already, however long ago the commissions were paid out.

    With `wechat_number` it happened at WeChat under that number and at `happened_at`, which is the day of the bill it
    stands in; without, it happened outside WeChat and no bill has it. Commissions are taken back at once; what the
    promoters do not have any more becomes their debt. Raises what `request_refund` raises, and RefundKnown.
    """
    order = get_order(order_id, lock=True)
    request_hash = refund_hash(NOTHING, amounts, freight_fen, number=wechat_number)
    known = known_refund(order_id, idempotency_key, request_hash)
    if known is not None:
        return known
    lines, intent = covering.cover(order, quantities=NOTHING, amounts=amounts, freight_fen=freight_fen, reason=reason)
    amount_fen = freight_fen + sum(line.amount_fen for line in lines)
    origin: Literal["wechat", "outside"] = "wechat" if wechat_number else "outside"
    refund = payments.record_refund(
        intent, amount_fen=amount_fen, reason=reason.strip(), number=wechat_number, provider_at=happened_at
    )
    record = _record(order, lines, refund_id=refund.id, freight_fen=freight_fen, reason=reason, actor=actor)
    record.idempotency_key, record.request_hash, record.origin = idempotency_key, request_hash, origin
    session().add(record)
    order.refunded_fen += amount_fen
    _settle(order, record)
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
    _settle(order, record, lift_hold=True)


def on_refund_failed(refund: Refund) -> None:
    """Take back what was set aside for a refund that the provider refused."""
    found = _open_refund(refund)
    if found is None:
        return
    record, order = found
    record.state = "failed"
    by_id = {line.id: line for line in order.lines}
    for covered in record.lines:
        line = by_id[covered.line_id]
        line.adjusted_fen -= covered.adjusted_fen
        line.refunded_quantity -= covered.quantity
        line.refunded_fen -= covered.amount_fen
    order.refunded_fen -= record.amount_fen
    commissions.hold_release(order.id, change=-1)


def refund_hash(
    quantities: Mapping[UUID, int], amounts: Mapping[UUID, int], freight_fen: int, *, number: str | None = None
) -> str:
    """Return the hash of what a refund asks for."""
    asked: dict[str, object] = {"q": {line.hex: n for line, n in quantities.items()}, "freight": freight_fen}
    if amounts:
        asked["amounts"] = {line.hex: fen for line, fen in amounts.items()}
    if number:
        asked["number"] = number
    return digest(asked)


def known_refund(order_id: UUID, idempotency_key: str, request_hash: str) -> OrderRefund | None:
    """Return the refund that a key was used for; raises IdempotencyMismatch when it was asked for something else."""
    known = session().scalar(
        sa.select(OrderRefund).where(OrderRefund.order_id == order_id, OrderRefund.idempotency_key == idempotency_key)
    )
    if known is not None and known.request_hash != request_hash:
        raise IdempotencyMismatch
    return known


def _record(
    order: Order, lines: list[OrderRefundLine], *, refund_id: UUID, freight_fen: int, reason: str, actor: str
) -> OrderRefund:
    return OrderRefund(
        refund_id=refund_id,
        order_id=order.id,
        freight_fen=freight_fen,
        amount_fen=freight_fen + sum(line.amount_fen for line in lines),
        reason=reason.strip(),
        requested_by=actor,
        state="open",
        origin="asked",
        created_at=brand_now(),
        lines=lines,
    )


def _settle(order: Order, record: OrderRefund, *, lift_hold: bool = False) -> None:
    """Book a refund whose money is back: queue the reversals, lower the sales, restock goods that never left."""
    record.state = "done"
    session().flush()
    lines = _refunded_so_far(order, record)
    commissions.queue_refunded(order.id, refund_id=record.refund_id, lines=lines, lift_hold=lift_hold)
    record_refunded_sale(order, amount_fen=sum(line.amount_fen for line in record.lines))
    # What was covered when the goods left was not among them, however late the money has come back.
    if order.shipped_at is None or record.created_at < order.shipped_at:
        _take_pieces_along(order, record, {line.line_id: line.refunded_fen for line in lines})
        products = {line.id: line.product_id for line in order.lines}
        catalog.return_stock({products[line.line_id]: line.quantity for line in record.lines if line.quantity})
    publish("order.refunded", order, object_id=order.id, amount_fen=record.amount_fen)


def _take_pieces_along(order: Order, record: OrderRefund, refunded: Mapping[UUID, int]) -> None:
    """Let the last of a line's money take along what pieces amounts have left, before they are sent."""
    by_id = {line.id: line for line in order.lines}
    for covered in record.lines:
        line = by_id[covered.line_id]
        # A line that was free has no last of its money: its pieces come back as they are asked for.
        if line.paid_fen and refunded[line.id] == line.paid_fen:
            left = line.quantity - line.refunded_quantity
            covered.quantity += left
            line.refunded_quantity += left


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
