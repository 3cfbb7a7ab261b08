"""Orders: the list, one order with all that hangs on it, and shipping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from flask import jsonify, render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import requires
from fanyong.ids import new_token, parse_id
from fanyong.payments import service as payments
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.errors import wants_json
from fanyong.web.filters import localtime
from fanyong.web.money import hundredths
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from fanyong.wechat.times import BEIJING
from tenants.console import labels
from tenants.console.base import asked_day, bp, done, record, refused, typed
from tenants.console.order_money import exchange_panel, from_bill, held_promoters, money_as_json, money_of, refundable
from tenants.members import service as members
from tenants.members.models import Member
from tenants.orders import covering
from tenants.orders import service as orders_service
from tenants.orders.models import Order
from tenants.reconciliation.differences import refund_to_record
from tenants.settlement import service as settlement_service
from tenants.settlement.triggers import in_words


@dataclass(frozen=True, slots=True)
class Asked:
    """Which orders are listed: `first` and `last` are days in Beijing, of the moment that `by` names."""

    q: str
    state: str
    by: orders_service.DatedBy
    first: date | None
    last: date | None


@bp.get("/orders")
@requires(Permission.ORDERS_READ)
def orders() -> ResponseReturnValue:
    """List the orders."""
    asked = _asked()
    query = orders_service.all_orders(
        state=asked.state,
        search=asked.q,
        dated_by=asked.by,
        starts_at=_midnight(asked.first) if asked.first else None,
        ends_at=_midnight(asked.last + timedelta(days=1)) if asked.last and asked.last < date.max else None,
    )
    if wants_csv():
        return csv_response("orders", header=_csv_header(), rows=_csv_rows(everything(query)))
    page = paginate(query)
    return render_template(
        "console/orders.html",
        page=page,
        buyers=_buyers(page.items),
        asked=asked,
        sums=orders_service.sums_of(query) if asked.first or asked.last else None,
        states=labels.options(labels.ORDER),
    )


@bp.get("/orders/<uuid:order_id>")
@requires(Permission.ORDERS_READ)
def order(order_id: UUID) -> ResponseReturnValue:
    """Show one order; a program that asks for JSON gets its commissions with all explanations."""
    if wants_json():
        return jsonify(money_as_json(orders_service.get_order(order_id)))
    return order_page(order_id)


@bp.post("/orders/<uuid:order_id>/ship")
@requires(Permission.ORDERS_SHIP)
def ship_order(order_id: UUID) -> ResponseReturnValue:
    """Mark an order as shipped."""
    try:
        shipped = orders_service.ship(order_id, tracking=typed("tracking"))
    except FanyongError as error:
        return order_page(order_id, problems={"": refused(error)}, at="ship"), error.status
    record("order.shipped", order=shipped.number, tracking=shipped.tracking)
    return done(_("Order %(number)s is shipped.", number=shipped.number), "console.order", order_id=order_id)


def order_page(order_id: UUID, *, problems: Mapping[str, str] | None = None, at: str = "") -> str:
    """Return the page of an order; `problems` belong to the form `at` (ship, refund, record, exchange, hold).

    What is wrong with a whole form stands under the empty name.
    """
    order = orders_service.get_order(order_id)
    difference_id = parse_id(request.args.get("difference", ""))
    prefilled = from_bill(order, refund_to_record(difference_id)) if difference_id else {}
    return render_template(
        "console/order.html",
        order=order,
        buyer=members.get_member(order.member_id),
        money=money_of(order),
        intent=payments.intent_for(order.id),
        refundable=refundable(order),
        prefilled=prefilled,
        freight_left=covering.freight_left(order),
        can_ship=order.state == "paid" and any(line.has_goods_to_send for line in order.lines),
        can_refund=order.state in covering.REFUNDABLE_STATES and order.refunded_fen < order.total_fen,
        exchange=exchange_panel(order),
        settlement=in_words(orders_service.settlement_of(order)),
        hold=settlement_service.open_hold(order_id=order.id),
        holds=settlement_service.holds_of(order_id=order.id),
        held_promoters=held_promoters(order),
        problems=problems or {},
        problem_at=at,
        form_key=typed("idempotency_key") if problems else new_token(),
    )


def _asked() -> Asked:
    state = request.args.get("state", "")
    return Asked(
        q=request.args.get("q", "").strip(),
        state=state if state in labels.ORDER else "",
        by="paid" if request.args.get("by") == "paid" else "created",
        first=asked_day("from"),
        last=asked_day("to"),
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), BEIJING)


_CSV_AMOUNTS = ("goods", "self_discount", "coupon", "exchange_credit", "freight", "total", "refunded")


def _buyers(found: Sequence[Order]) -> dict[UUID, Member]:
    return members.get_members({order.member_id for order in found})


def _csv_header() -> tuple[str, ...]:
    return (
        _("Order"),
        _("Buyer"),
        _("State"),
        _("Region"),
        _("Goods"),
        _("Own-purchase discount"),
        _("Coupon"),
        _("Exchange credit"),
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
            order.region,
            *(hundredths(getattr(order, f"{name}_fen")) for name in _CSV_AMOUNTS),
            *(localtime(at) for at in (order.created_at, order.paid_at, order.shipped_at, order.received_at)),
        )
        for order in found
    ]
