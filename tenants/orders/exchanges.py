"""Exchanges: the buyer gives pieces of a line back and gets another product for them.

The line keeps the money that was paid for the pieces, and with it their commissions: nothing is refunded and paid
again. Only the difference moves. A replacement that is worth less gives it back as an amount, which takes back its
part of the commissions; one that is worth more is a new order over the difference, which earns commissions of its own
when it is paid. A later refund of the replacement is one of the line, and of the new order where there is one.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from fanyong.errors import IdempotencyMismatch, InvalidRequest
from fanyong.events import publish
from fanyong.ids import new_id
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.catalog import service as catalog
from tenants.members.models import Member
from tenants.orders import covering, drafts, refunds
from tenants.orders.errors import ExchangeOutOfBounds, WrongOrderState
from tenants.orders.models import Order, OrderExchange, OrderLine
from tenants.orders.service import digest, get_order, open_order

#: So long a buyer has to pay what a replacement costs more.
PAY_WITHIN = timedelta(days=3)
#: Before the goods have left, a refund and another order say the same more simply.
EXCHANGEABLE_STATES = ("shipped", "received")


def exchange(
    order_id: UUID,
    *,
    line_id: UUID,
    quantity: int,
    sku: str,
    replacement_quantity: int,
    reason: str,
    idempotency_key: str,
    actor: str,
) -> OrderExchange:
    """Exchange pieces of a line for pieces of a product; the same key again returns the same exchange.

    Takes the replacement out of stock; what comes back is put into stock by whoever has looked at it. Raises
    WrongOrderState, ExchangeOutOfBounds, UnknownProduct, EmptyOrder, NothingToPay, OutOfStock, InvalidRequest without
    a reason, or IdempotencyMismatch.
    """
    order = get_order(order_id, lock=True)
    asked = digest({"line": line_id.hex, "quantity": quantity, "sku": sku, "for": replacement_quantity})
    known = _known(order_id, idempotency_key)
    if known is not None:
        if known.request_hash != asked:
            raise IdempotencyMismatch
        return known
    if not reason.strip():
        raise InvalidRequest
    line = _line_to_exchange(order, line_id=line_id, quantity=quantity)
    buyer = session().get_one(Member, order.member_id)
    wanted = drafts.draft(buyer, lines=[(sku, replacement_quantity)])
    made = OrderExchange(
        id=new_id(),
        order_id=order.id,
        line_id=line.id,
        quantity=quantity,
        returned_fen=_worth_of(line, quantity=quantity),
        replacement_id=wanted.lines[0].product_id,
        replacement_quantity=replacement_quantity,
        replacement_fen=wanted.total_fen,
        reason=reason.strip(),
        requested_by=actor,
        idempotency_key=idempotency_key,
        request_hash=asked,
        created_at=brand_now(),
    )
    if made.replacement_fen > made.returned_fen:
        made.new_order_id = _order_the_difference(made, order, buyer, sku=sku).id
    else:
        catalog.take_stock({made.replacement_id: replacement_quantity})
        _give_the_difference_back(made)
    session().add(made)
    session().flush()
    publish("order.exchanged", order, object_id=order.id, exchange_id=made.id.hex)
    return made


def exchanges_of(order_id: UUID) -> list[OrderExchange]:
    """Return an order's exchanges, oldest first."""
    query = sa.select(OrderExchange).where(OrderExchange.order_id == order_id).order_by(OrderExchange.id)
    return list(session().scalars(query))


def exchange_behind(order_id: UUID) -> OrderExchange | None:
    """Return the exchange whose difference an order collects."""
    return session().scalar(sa.select(OrderExchange).where(OrderExchange.new_order_id == order_id))


def left_to_exchange(line: OrderLine) -> int:
    """Return how many pieces of a line were neither given back nor exchanged.

    An exchange whose difference was not paid in time never took place.
    """
    return max(0, line.quantity - line.refunded_quantity - _pieces_exchanged(line))


def _pieces_exchanged(line: OrderLine) -> int:
    exchanged = session().scalar(
        sa.select(sa.func.coalesce(sa.func.sum(OrderExchange.quantity), 0))
        .outerjoin(Order, Order.id == OrderExchange.new_order_id)
        .where(OrderExchange.line_id == line.id, Order.state.is_distinct_from("closed"))
    )
    return int(exchanged or 0)


def _worth_of(line: OrderLine, *, quantity: int) -> int:
    """Return what pieces that were never exchanged are worth in fen, however many others went before them."""
    exchanged = covering.exchanged_of(line)
    done = line.refunded_quantity + _pieces_exchanged(line)
    before = covering.price_of(line, exchanged, pieces=done)
    after = covering.price_of(line, exchanged, pieces=done + quantity)
    return min(after - before, covering.free_fen(line, exchanged))


def _known(order_id: UUID, key: str) -> OrderExchange | None:
    return session().scalar(
        sa.select(OrderExchange).where(OrderExchange.order_id == order_id, OrderExchange.idempotency_key == key)
    )


def _line_to_exchange(order: Order, *, line_id: UUID, quantity: int) -> OrderLine:
    if order.state not in EXCHANGEABLE_STATES:
        raise WrongOrderState(state=order.state)
    line = next((line for line in order.lines if line.id == line_id), None)
    if line is None or not 1 <= quantity <= left_to_exchange(line):
        raise ExchangeOutOfBounds
    return line


def _order_the_difference(made: OrderExchange, order: Order, buyer: Member, *, sku: str) -> Order:
    new = drafts.draft(
        buyer,
        lines=[(sku, made.replacement_quantity)],
        region=order.region,
        credit_fen=made.returned_fen,
        pay_within=PAY_WITHIN,
    )
    new.idempotency_key, new.request_hash = f"exchange:{made.id.hex}", made.request_hash
    return open_order(new, buyer)


def _give_the_difference_back(made: OrderExchange) -> None:
    difference_fen = made.returned_fen - made.replacement_fen
    if difference_fen:
        made.refund_id = refunds.request_refund(
            made.order_id,
            amounts={made.line_id: difference_fen},
            reason=made.reason,
            idempotency_key=f"exchange:{made.id.hex}",
            actor=made.requested_by,
        ).refund_id
