"""Orders: the list, one order with all that hangs on it, shipping and refunding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.ids import new_token
from fanyong.payments import service as payments
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.filters import localtime
from fanyong.web.money import NotANumber, hundredths, parse_whole, parse_yuan
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from tenants.console import labels
from tenants.console.base import bp, done, record, refused, typed
from tenants.console.order_money import money_of
from tenants.members import service as members
from tenants.members.models import Member
from tenants.orders import refunds
from tenants.orders import service as orders_service
from tenants.orders.models import Order

QUANTITY = "quantity-"


@bp.get("/orders")
@requires(Permission.ORDERS_READ)
def orders() -> ResponseReturnValue:
    """List the orders."""
    state = request.args.get("state", "")
    state = state if state in labels.ORDER else ""
    query = orders_service.all_orders(state=state, search=request.args.get("q", "").strip())
    if wants_csv():
        return csv_response("orders", header=_csv_header(), rows=_csv_rows(everything(query)))
    page = paginate(query)
    return render_template(
        "console/orders.html",
        page=page,
        buyers=_buyers(page.items),
        state=state,
        states=labels.options(labels.ORDER),
    )


@bp.get("/orders/<uuid:order_id>")
@requires(Permission.ORDERS_READ)
def order(order_id: UUID) -> ResponseReturnValue:
    """Show one order."""
    return _page(order_id)


@bp.post("/orders/<uuid:order_id>/ship")
@requires(Permission.ORDERS_SHIP)
def ship_order(order_id: UUID) -> ResponseReturnValue:
    """Mark an order as shipped."""
    try:
        shipped = orders_service.ship(order_id, tracking=typed("tracking"))
    except FanyongError as error:
        return _page(order_id, ship_problem=refused(error)), error.status
    record("order.shipped", order=shipped.number, tracking=shipped.tracking)
    return done(_("Order %(number)s is shipped.", number=shipped.number), "console.order", order_id=order_id)


@bp.post("/orders/<uuid:order_id>/refund")
@requires(Permission.ORDERS_REFUND)
def refund_order(order_id: UUID) -> ResponseReturnValue:
    """Ask for a refund of lines and freight."""
    problems: dict[str, str] = {}
    quantities = _quantities(problems)
    freight_fen = _freight(problems)
    if not typed("reason"):
        problems["reason"] = _("Please give a reason.")
    if not quantities and not freight_fen and not problems:
        problems[""] = _("Choose what to refund: pieces of a line, or freight.")
    if problems:
        return _page(order_id, refund_problems=problems), 422
    try:
        refund = refunds.request_refund(
            order_id,
            quantities=quantities,
            freight_fen=freight_fen,
            reason=typed("reason"),
            idempotency_key=typed("idempotency_key")[:255] or new_token(),
            actor=current_actor(),
        )
    except FanyongError as error:
        return _page(order_id, refund_problems={"": refused(error)}), error.status
    record("order.refund_requested", order=order_id.hex, amount_fen=refund.amount_fen, reason=refund.reason)
    return done(_("The refund is on its way to the buyer."), "console.order", order_id=order_id)


def _quantities(problems: dict[str, str]) -> dict[UUID, int]:
    """Return the pieces to refund by line, as far as they were filled in."""
    wanted: dict[UUID, int] = {}
    for name, text in request.form.items():
        if not name.startswith(QUANTITY) or not text.strip():
            continue
        try:
            line_id, quantity = UUID(name.removeprefix(QUANTITY)), parse_whole(text)
        except (NotANumber, ValueError):
            problems[name] = _("Please enter a whole number.")
            continue
        if quantity:
            wanted[line_id] = quantity
    return wanted


def _freight(problems: dict[str, str]) -> int:
    try:
        return parse_yuan(typed("freight") or "0")
    except NotANumber:
        problems["freight"] = _("Please enter an amount like 12.50.")
        return 0


def _page(order_id: UUID, *, ship_problem: str = "", refund_problems: Mapping[str, str] | None = None) -> str:
    order = orders_service.get_order(order_id)
    money = money_of(order)
    return render_template(
        "console/order.html",
        order=order,
        buyer=members.get_member(order.member_id),
        money=money,
        intent=payments.intent_for(order.id),
        freight_left=refunds.freight_left(order),
        can_ship=order.state == "paid" and any(x.refunded_quantity < x.quantity for x in order.lines),
        can_refund=order.state in refunds.REFUNDABLE_STATES and order.refunded_fen < order.total_fen,
        ship_problem=ship_problem,
        refund_problems=refund_problems or {},
        refund_key=typed("idempotency_key") if refund_problems else new_token(),
    )


def _buyers(found: Sequence[Order]) -> dict[UUID, Member]:
    return members.get_members({order.member_id for order in found})


def _csv_header() -> tuple[str, ...]:
    return (
        _("Order"),
        _("Buyer"),
        _("State"),
        _("Goods"),
        _("Coupon"),
        _("Freight"),
        _("Total"),
        _("Refunded"),
        _("Ordered at"),
        _("Paid at"),
        _("Shipped at"),
        _("Received at"),
    )


def _csv_rows(found: Sequence[Order]) -> list[tuple[object, ...]]:
    buyers = _buyers(found)
    return [
        (
            order.number,
            buyers[order.member_id].nickname,
            labels.label("order", order.state),
            *(hundredths(x) for x in (order.goods_fen, order.coupon_fen, order.freight_fen, order.total_fen)),
            hundredths(order.refunded_fen),
            *(localtime(at) for at in (order.created_at, order.paid_at, order.shipped_at, order.received_at)),
        )
        for order in found
    ]
