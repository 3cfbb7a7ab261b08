"""Holding commissions back, letting them go, and releasing them early."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from flask import render_template
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError, NotFound
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.web.words import _
from tenants.console.base import bp, done, record, refused, typed
from tenants.console.views.orders import order_page
from tenants.members import service as members
from tenants.orders import holds
from tenants.settlement import service as settlement


@bp.post("/orders/<uuid:order_id>/hold")
@requires(Permission.COMMISSIONS_HOLD)
def hold_order(order_id: UUID) -> ResponseReturnValue:
    """Keep an order's commissions from being released."""
    return _with_order(
        order_id,
        lambda: holds.hold_order(order_id, reason=typed("reason"), actor=current_actor()),
        action="order.commissions_held",
        message=_("The commissions of this order are on hold."),
    )


@bp.post("/orders/<uuid:order_id>/let-go")
@requires(Permission.COMMISSIONS_HOLD)
def let_order_go(order_id: UUID) -> ResponseReturnValue:
    """End the hold of an order's commissions."""
    return _with_order(
        order_id,
        lambda: holds.let_order_go(order_id, reason=typed("reason"), actor=current_actor()),
        action="order.commissions_let_go",
        message=_("The commissions of this order are no longer on hold."),
    )


@bp.post("/orders/<uuid:order_id>/release-early")
@requires(Permission.COMMISSIONS_HOLD)
def release_order_early(order_id: UUID) -> ResponseReturnValue:
    """Make an order's commissions due now."""
    return _with_order(
        order_id,
        lambda: holds.release_early(order_id, reason=typed("reason")),
        action="order.commissions_brought_forward",
        message=_("The commissions of this order are due now."),
    )


@bp.get("/promoters/<uuid:member_id>/holds")
@requires(Permission.PROMOTERS_READ)
def promoter_holds(member_id: UUID) -> ResponseReturnValue:
    """Show the holds of a promoter's commissions."""
    return _promoter_page(member_id)


@bp.post("/promoters/<uuid:member_id>/hold")
@requires(Permission.COMMISSIONS_HOLD)
def hold_promoter(member_id: UUID) -> ResponseReturnValue:
    """Keep all commissions of a promoter from being released."""
    return _with_promoter(
        member_id,
        lambda: holds.hold_promoter(member_id, reason=typed("reason"), actor=current_actor()),
        action="promoter.commissions_held",
        message=_("The commissions of this promoter are on hold."),
    )


@bp.post("/promoters/<uuid:member_id>/let-go")
@requires(Permission.COMMISSIONS_HOLD)
def let_promoter_go(member_id: UUID) -> ResponseReturnValue:
    """End the hold of a promoter's commissions."""
    return _with_promoter(
        member_id,
        lambda: holds.let_promoter_go(member_id, reason=typed("reason"), actor=current_actor()),
        action="promoter.commissions_let_go",
        message=_("The commissions of this promoter are no longer on hold."),
    )


def _with_order(order_id: UUID, act: Callable[[], object], *, action: str, message: str) -> ResponseReturnValue:
    if not typed("reason"):
        return order_page(order_id, problems={"reason": _("Please give a reason.")}, at="hold"), 422
    try:
        act()
    except FanyongError as error:
        return order_page(order_id, problems={"": refused(error)}, at="hold"), error.status
    record(action, order=order_id.hex, reason=typed("reason"))
    return done(message, "console.order", order_id=order_id, _anchor="release")


def _with_promoter(member_id: UUID, act: Callable[[], object], *, action: str, message: str) -> ResponseReturnValue:
    if not typed("reason"):
        return _promoter_page(member_id, problem=_("Please give a reason.")), 422
    try:
        act()
    except FanyongError as error:
        return _promoter_page(member_id, problem=refused(error)), error.status
    record(action, member=member_id.hex, reason=typed("reason"))
    return done(message, "console.promoter_holds", member_id=member_id)


def _promoter_page(member_id: UUID, *, problem: str = "") -> str:
    member = members.get_member(member_id)
    if member is None:
        raise NotFound
    return render_template(
        "console/promoter_holds.html",
        member=member,
        hold=settlement.open_hold(member_id=member_id),
        holds=settlement.holds_of(member_id=member_id),
        problem=problem,
    )
