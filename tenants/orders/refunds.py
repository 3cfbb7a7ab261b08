"""Refunds of orders: by pieces, by amount, several in a row, before and after receipt, and long after the payout.

What a refund of pieces gives back of a line is the difference of `floor((paid - adjusted) * refunded pieces so far /
pieces)`, where `adjusted` is what was given back as amounts, without goods: any way to cut a line into refunds ends at
exactly what was paid for it. The difference of an exchange lowers the worth of its own pieces alone; those that are
worth most come back first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Literal
from uuid import UUID

import sqlalchemy as sa

from fanyong.errors import IdempotencyMismatch, InvalidRequest
from fanyong.events import publish
from fanyong.payments import service as payments
from fanyong.payments.models import PaymentIntent, Refund
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.catalog import service as catalog
from tenants.commissions import service as commissions
from tenants.commissions.service import RefundedLine
from tenants.orders.errors import RefundOutOfBounds, WrongOrderState
from tenants.orders.models import Order, OrderExchange, OrderLine, OrderRefund, OrderRefundLine
from tenants.orders.service import digest, get_order, record_refunded_sale

REFUNDABLE_STATES = ("paid", "shipped", "received")
NOTHING: Mapping[UUID, int] = {}


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What the exchanges of a line mean for its refunds."""

    #: Pieces that were exchanged for less, with the difference in fen that each exchange gave back for them.
    lowered: tuple[tuple[int, int], ...] = ()
    #: Pieces, and their worth in fen, that orders have as credit which nobody has paid yet: neither is free.
    held_pieces: int = 0
    held_fen: int = 0

    def lost(self, pieces: int, *, of: int) -> int:
        """Return how much less than at their first price `pieces` of a line of so many are worth, dearest first."""
        left, lost_fen = pieces - of + sum(number for number, _ in self.lowered), 0
        for number, fen in sorted(self.lowered, key=lambda part: Fraction(part[1], part[0])):
            back = min(max(left, 0), number)
            left, lost_fen = left - back, lost_fen + fen * back // number
        return lost_fen


NOT_EXCHANGED = Exchanged()


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
    exchanged = {line.id: exchanged_of(line) for line in order.lines}
    lines, intent = cover(
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
    lines, intent = cover(order, quantities=NOTHING, amounts=amounts, freight_fen=freight_fen, reason=reason)
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


def freight_left(order: Order) -> int:
    """Return the freight that no refund covers yet."""
    asked = sum(r.freight_fen for r in refunds_of(order.id) if r.state != "failed")
    return order.freight_fen - asked


def exchanged_of(line: OrderLine) -> Exchanged:
    """Return what the exchanges of a line mean for its refunds."""
    lowered = (
        sa.select(OrderExchange.quantity, OrderRefundLine.adjusted_fen)
        .join(OrderRefund, OrderRefund.refund_id == OrderExchange.refund_id)
        .join(OrderRefundLine, OrderRefundLine.refund_id == OrderRefund.refund_id)
        .where(OrderExchange.line_id == line.id, OrderRefundLine.line_id == line.id, OrderRefund.state != "failed")
    )
    unpaid = (
        sa.select(OrderExchange.quantity, OrderExchange.returned_fen)
        .join(Order, Order.id == OrderExchange.new_order_id)
        .where(OrderExchange.line_id == line.id, Order.state == "created")
    )
    held = session().execute(unpaid).all()
    return Exchanged(
        lowered=tuple((number, fen) for number, fen in session().execute(lowered)),
        held_pieces=sum(number for number, _ in held),
        held_fen=sum(fen for _, fen in held),
    )


def price_of(line: OrderLine, exchanged: Exchanged, *, pieces: int) -> int:
    """Return what so many pieces of a line cost, in fen: less amounts given back, but not differences of exchanges."""
    own_fen = line.adjusted_fen - sum(fen for _, fen in exchanged.lowered)
    return (line.paid_fen - own_fen) * pieces // line.quantity


def free_fen(line: OrderLine, exchanged: Exchanged) -> int:
    """Return what is left of a line's money that no refund covers and no unpaid exchange counts on."""
    return max(0, line.paid_fen - line.refunded_fen - exchanged.held_fen)


def worth_of(line: OrderLine, *, quantity: int, exchanged: Exchanged = NOT_EXCHANGED) -> int:
    """Return what a refund of `quantity` more pieces of a line would give back, in fen."""
    pieces = line.refunded_quantity + quantity
    for_pieces = price_of(line, exchanged, pieces=pieces) - exchanged.lost(pieces, of=line.quantity)
    # Where a refund failed that others followed, or an amount came between, the line can be ahead of the formula.
    return min(max(0, for_pieces - (line.refunded_fen - line.adjusted_fen)), free_fen(line, exchanged))


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


def cover(
    order: Order,
    *,
    quantities: Mapping[UUID, int],
    amounts: Mapping[UUID, int],
    freight_fen: int,
    reason: str,
    exchanged: Mapping[UUID, Exchanged] | None = None,
) -> tuple[list[OrderRefundLine], PaymentIntent]:
    """Set aside what a refund covers, and return it with the payment it comes from.

    Without `exchanged`, by line id, the refund has happened already: what unpaid exchanges count on is not kept.
    Raises WrongOrderState, InvalidRequest without a reason, or RefundOutOfBounds.
    """
    if order.state not in REFUNDABLE_STATES:
        raise WrongOrderState(state=order.state)
    if not reason.strip():
        raise InvalidRequest
    by_id = {line.id: line for line in order.lines}
    asked = dict.fromkeys((*quantities, *amounts))
    if not asked.keys() <= by_id.keys() or not 0 <= freight_fen <= freight_left(order):
        raise RefundOutOfBounds
    lines = [
        _cover_line(
            by_id[line_id],
            quantity=quantities.get(line_id, 0),
            adjusted_fen=amounts.get(line_id, 0),
            exchanged=(exchanged or {}).get(line_id, NOT_EXCHANGED),
            is_here=order.shipped_at is None,
        )
        for line_id in asked
    ]
    intent = payments.intent_for(order.id)
    if intent is None or freight_fen + sum(line.amount_fen for line in lines) <= 0:
        raise RefundOutOfBounds
    return lines, intent


def _cover_line(
    line: OrderLine,
    *,
    quantity: int,
    adjusted_fen: int,
    exchanged: Exchanged = NOT_EXCHANGED,
    is_here: bool = False,
) -> OrderRefundLine:
    """Set aside what a refund covers of a line; `is_here` where its goods have not left."""
    free_pieces = line.quantity - line.refunded_quantity - exchanged.held_pieces
    if not 0 <= quantity <= max(0, free_pieces) or adjusted_fen < 0 or quantity + adjusted_fen < 1:
        raise RefundOutOfBounds
    amount_fen = (worth_of(line, quantity=quantity, exchanged=exchanged) if quantity else 0) + adjusted_fen
    if amount_fen > free_fen(line, exchanged):
        raise RefundOutOfBounds
    if is_here and adjusted_fen and line.refunded_fen + amount_fen == line.paid_fen:
        # Goods that nobody pays for any more are not sent: the last of the money takes the pieces along.
        quantity = line.quantity - line.refunded_quantity
    line.refunded_quantity += quantity
    line.refunded_fen += amount_fen
    line.adjusted_fen += adjusted_fen
    return OrderRefundLine(line_id=line.id, quantity=quantity, amount_fen=amount_fen, adjusted_fen=adjusted_fen)


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
    if order.shipped_at is None:
        products = {line.id: line.product_id for line in order.lines}
        catalog.return_stock({products[line.line_id]: line.quantity for line in record.lines if line.quantity})
    publish("order.refunded", order, object_id=order.id, amount_fen=record.amount_fen)


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
