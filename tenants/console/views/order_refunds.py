"""What is given back of an order: refunds, refunds that happened elsewhere, and exchanges."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flask import request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.ids import new_token
from fanyong.tenancy.clock import brand_now
from fanyong.web.money import NotANumber, parse_whole, parse_yuan
from fanyong.web.words import _
from fanyong.wechat.times import BEIJING
from tenants.console.base import bp, done, record, refused, typed
from tenants.console.views.orders import order_page
from tenants.orders import exchanges, refunds

QUANTITY = "quantity-"
AMOUNT = "amount-"


@bp.post("/orders/<uuid:order_id>/refund")
@requires(Permission.ORDERS_REFUND)
def refund_order(order_id: UUID) -> ResponseReturnValue:
    """Ask for a refund of pieces, amounts and freight."""
    problems: dict[str, str] = {}
    quantities = _by_line(QUANTITY, problems, read=parse_whole, complaint=_("Please enter a whole number."))
    amounts = _by_line(AMOUNT, problems, read=parse_yuan, complaint=_("Please enter an amount like 12.50."))
    freight_fen = _yuan("freight", problems)
    _want_reason(problems)
    if not quantities and not amounts and not freight_fen and not problems:
        problems[""] = _("Choose what to refund: pieces of a line, an amount, or freight.")
    if problems:
        return order_page(order_id, problems=problems, at="refund"), 422
    try:
        refund = refunds.request_refund(
            order_id,
            quantities=quantities,
            amounts=amounts,
            freight_fen=freight_fen,
            reason=typed("reason"),
            idempotency_key=_key(),
            actor=current_actor(),
        )
    except FanyongError as error:
        return order_page(order_id, problems={"": refused(error)}, at="refund"), error.status
    record("order.refund_requested", order=order_id.hex, amount_fen=refund.amount_fen, reason=refund.reason)
    return done(_("The refund is on its way to the buyer."), "console.order", order_id=order_id)


@bp.post("/orders/<uuid:order_id>/record-refund")
@requires(Permission.ORDERS_REFUND)
def record_refund(order_id: UUID) -> ResponseReturnValue:
    """Book a refund that happened at WeChat or outside of it."""
    problems: dict[str, str] = {}
    amounts = _by_line(AMOUNT, problems, read=parse_yuan, complaint=_("Please enter an amount like 12.50."))
    freight_fen = _yuan("freight", problems)
    happened_at = _day("happened_on", problems)
    _want_reason(problems)
    if not amounts and not freight_fen and not problems:
        problems[""] = _("Say how much of which line, or of the freight, was given back.")
    if problems:
        return order_page(order_id, problems=problems, at="record"), 422
    try:
        refund = refunds.record_refund(
            order_id,
            amounts=amounts,
            freight_fen=freight_fen,
            wechat_number=typed("number")[:64] or None,
            happened_at=happened_at,
            reason=typed("reason"),
            idempotency_key=_key(),
            actor=current_actor(),
        )
    except FanyongError as error:
        return order_page(order_id, problems={"": refused(error)}, at="record"), error.status
    record(
        "order.refund_recorded",
        order=order_id.hex,
        amount_fen=refund.amount_fen,
        origin=refund.origin,
        number=typed("number"),
        reason=refund.reason,
    )
    return done(
        _("The refund is in the books; its commissions are being taken back."), "console.order", order_id=order_id
    )


@bp.post("/orders/<uuid:order_id>/exchange")
@requires(Permission.ORDERS_REFUND)
def exchange_order(order_id: UUID) -> ResponseReturnValue:
    """Exchange pieces of a line for another product."""
    problems: dict[str, str] = {}
    quantity = _whole("quantity", problems)
    replacement_quantity = _whole("replacement_quantity", problems)
    _want_reason(problems)
    try:
        line_id = UUID(typed("line"))
    except ValueError:
        problems["line"] = _("Please choose one of the options.")
    if not typed("sku"):
        problems["sku"] = _("Please fill this in.")
    if problems:
        return order_page(order_id, problems=problems, at="exchange"), 422
    try:
        made = exchanges.exchange(
            order_id,
            line_id=line_id,
            quantity=quantity,
            sku=typed("sku"),
            replacement_quantity=replacement_quantity,
            reason=typed("reason"),
            idempotency_key=_key(),
            actor=current_actor(),
        )
    except FanyongError as error:
        return order_page(order_id, problems={"": refused(error)}, at="exchange"), error.status
    record(
        "order.exchanged",
        order=order_id.hex,
        returned_fen=made.returned_fen,
        replacement_fen=made.replacement_fen,
        reason=made.reason,
    )
    if made.new_order_id is not None:
        return done(
            _("The buyer pays the difference with this order, within three days."),
            "console.order",
            order_id=made.new_order_id,
        )
    return done(_("The exchange is written down."), "console.order", order_id=order_id)


def _key() -> str:
    return typed("idempotency_key")[:255] or new_token()


def _want_reason(problems: dict[str, str]) -> None:
    if not typed("reason"):
        problems["reason"] = _("Please give a reason.")


def _by_line(prefix: str, problems: dict[str, str], *, read: Callable[[str], int], complaint: str) -> dict[UUID, int]:
    """Return the numbers that were filled in by line; zero is like nothing."""
    wanted: dict[UUID, int] = {}
    for name, text in request.form.items():
        if not name.startswith(prefix) or not text.strip():
            continue
        try:
            line_id, number = UUID(name.removeprefix(prefix)), read(text)
        except (NotANumber, ValueError):
            problems[name] = complaint
            continue
        if number:
            wanted[line_id] = number
    return wanted


def _yuan(name: str, problems: dict[str, str]) -> int:
    try:
        return parse_yuan(typed(name) or "0")
    except NotANumber:
        problems[name] = _("Please enter an amount like 12.50.")
        return 0


def _whole(name: str, problems: dict[str, str]) -> int:
    try:
        return parse_whole(typed(name) or "1")
    except NotANumber:
        problems[name] = _("Please enter a whole number.")
        return 0


def _day(name: str, problems: dict[str, str]) -> datetime | None:
    """Return noon of a day in Beijing, or None where nothing was filled in; a day to come is refused."""
    if not typed(name):
        return None
    try:
        day = datetime.strptime(typed(name), "%Y-%m-%d").replace(tzinfo=BEIJING)
    except ValueError:
        problems[name] = _("Please enter a day like 2026-11-22.")
        return None
    if day > brand_now():
        problems[name] = _("This day has not come yet.")
    return min(day + timedelta(hours=12), brand_now()).astimezone(UTC)
