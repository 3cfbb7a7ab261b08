"""Commissions held back, let go and released early by hand: of one order, or all of one promoter's.

A hold keeps what is not released yet from being released; what is released stays with the promoter. Each decision
has a reason and is kept: holds as rows, early releases in the event log and in the audit trail.
"""

from __future__ import annotations

from uuid import UUID

from fanyong.errors import NotFound
from fanyong.events import publish
from fanyong.tenancy.clock import brand_now
from tenants.commissions import service as commissions
from tenants.members import service as members
from tenants.orders.errors import WrongOrderState
from tenants.orders.models import Order
from tenants.orders.service import get_order
from tenants.settlement import service as settlement
from tenants.settlement.models import ReleaseHold

#: Before it is paid an order has no commissions.
HOLDABLE_STATES = ("paid", "shipped", "received")


def hold_order(order_id: UUID, *, reason: str, actor: str) -> ReleaseHold:
    """Keep an order's commissions from being released until somebody lets them go.

    Raises WrongOrderState before the payment, AlreadyHeld, or InvalidRequest without a reason.
    """
    order = get_order(order_id, lock=True)
    if order.state not in HOLDABLE_STATES:
        raise WrongOrderState(state=order.state)
    hold = settlement.place(order_id=order.id, reason=reason, actor=actor)
    commissions.hold_release(order.id, change=1)
    publish("order.commissions_held", order, object_id=order.id, reason=hold.reason)
    return hold


def let_order_go(order_id: UUID, *, reason: str, actor: str) -> ReleaseHold:
    """End the hold of an order's commissions; what is due by now is released. Raises NotHeld or InvalidRequest."""
    order = get_order(order_id, lock=True)
    hold = settlement.lift(order_id=order.id, reason=reason, actor=actor)
    commissions.hold_release(order.id, change=-1)
    publish("order.commissions_let_go", order, object_id=order.id, reason=hold.lift_reason)
    return hold


def release_early(order_id: UUID, *, reason: str) -> Order:
    """Make the commissions of a received order due now, whatever its settlement says.

    A hold, or a refund that is under way, still keeps them back. Raises WrongOrderState before the receipt, or
    InvalidRequest without a reason.
    """
    order = get_order(order_id, lock=True)
    if order.state != "received":
        raise WrongOrderState(state=order.state)
    why = settlement.reason_given(reason)
    commissions.bring_forward(order.id, due_at=brand_now())
    publish("order.commissions_brought_forward", order, object_id=order.id, reason=why)
    return order


def hold_promoter(member_id: UUID, *, reason: str, actor: str) -> ReleaseHold:
    """Keep all commissions of a promoter that are not released yet; raises NotFound, AlreadyHeld, InvalidRequest."""
    if members.get_member(member_id) is None:
        raise NotFound
    return settlement.place(member_id=member_id, reason=reason, actor=actor)


def let_promoter_go(member_id: UUID, *, reason: str, actor: str) -> ReleaseHold:
    """End the hold of a promoter's commissions; what is due by now is released. Raises NotHeld or InvalidRequest."""
    return settlement.lift(member_id=member_id, reason=reason, actor=actor)
