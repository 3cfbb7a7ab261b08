"""What a refund may cover of an order, and what it gives back for that.

What a refund of pieces gives back of a line is the difference of `floor((paid - adjusted) * refunded pieces so far /
pieces)`, where `adjusted` is what was given back as amounts, without goods: any way to cut a line into refunds ends at
exactly what was paid for it. The difference of an exchange lowers the worth of its own pieces alone; those that are
worth most come back first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

import sqlalchemy as sa

from fanyong.errors import InvalidRequest
from fanyong.payments import service as payments
from fanyong.payments.models import PaymentIntent
from fanyong.tenancy.database import session
from tenants.orders.errors import RefundOutOfBounds, WrongOrderState
from tenants.orders.models import Order, OrderExchange, OrderLine, OrderRefund, OrderRefundLine

REFUNDABLE_STATES = ("paid", "shipped", "received")


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


def freight_left(order: Order) -> int:
    """Return the freight that no refund covers yet."""
    covered = sa.select(sa.func.sum(OrderRefund.freight_fen))
    asked = session().scalar(covered.where(OrderRefund.order_id == order.id, OrderRefund.state != "failed"))
    return order.freight_fen - int(asked or 0)


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
        cover_line(
            by_id[line_id],
            quantity=quantities.get(line_id, 0),
            adjusted_fen=amounts.get(line_id, 0),
            exchanged=(exchanged or {}).get(line_id, NOT_EXCHANGED),
        )
        for line_id in asked
    ]
    intent = payments.intent_for(order.id)
    if intent is None or freight_fen + sum(line.amount_fen for line in lines) <= 0:
        raise RefundOutOfBounds
    return lines, intent


def cover_line(
    line: OrderLine, *, quantity: int, adjusted_fen: int, exchanged: Exchanged = NOT_EXCHANGED
) -> OrderRefundLine:
    """Set aside what a refund covers of a line."""
    free_pieces = line.quantity - line.refunded_quantity - exchanged.held_pieces
    if not 0 <= quantity <= max(0, free_pieces) or adjusted_fen < 0 or quantity + adjusted_fen < 1:
        raise RefundOutOfBounds
    amount_fen = (worth_of(line, quantity=quantity, exchanged=exchanged) if quantity else 0) + adjusted_fen
    if amount_fen > free_fen(line, exchanged):
        raise RefundOutOfBounds
    line.refunded_quantity += quantity
    line.refunded_fen += amount_fen
    line.adjusted_fen += adjusted_fen
    return OrderRefundLine(line_id=line.id, quantity=quantity, amount_fen=amount_fen, adjusted_fen=adjusted_fen)
