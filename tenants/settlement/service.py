"""Holding commissions back by hand: one order's, or one promoter's. The release asks here whom to leave out.

What a hold does to an order's commissions is done by `tenants.orders.holds`, which knows both sides.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError, InvalidRequest
from fanyong.ids import new_id
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.settlement.models import ReleaseHold

MAX_REASON = 200


class AlreadyHeld(FanyongError):
    code = "already_held"
    status = 409
    message = _l("These commissions are on hold already.")


class NotHeld(FanyongError):
    code = "not_held"
    status = 409
    message = _l("These commissions are not on hold.")


def reason_given(text: str) -> str:
    """Return a reason as it is stored; raises InvalidRequest when there is none."""
    reason = " ".join(text.split())[:MAX_REASON]
    if not reason:
        raise InvalidRequest
    return reason


def place(*, reason: str, actor: str, order_id: UUID | None = None, member_id: UUID | None = None) -> ReleaseHold:
    """Write a hold on one order or one promoter; raises AlreadyHeld, or InvalidRequest without a reason."""
    hold = ReleaseHold(
        id=new_id(),
        order_id=order_id,
        member_id=member_id,
        reason=reason_given(reason),
        placed_by=actor,
        placed_at=brand_now(),
    )
    try:
        with session().begin_nested():
            session().add(hold)
            session().flush()
    except sa.exc.IntegrityError:
        raise AlreadyHeld from None
    return hold


def lift(*, reason: str, actor: str, order_id: UUID | None = None, member_id: UUID | None = None) -> ReleaseHold:
    """End the open hold of an order or a promoter; raises NotHeld, or InvalidRequest without a reason."""
    hold = session().scalar(_open(order_id, member_id).with_for_update())
    if hold is None:
        raise NotHeld
    hold.lift_reason, hold.lifted_by, hold.lifted_at = reason_given(reason), actor, brand_now()
    return hold


def open_hold(*, order_id: UUID | None = None, member_id: UUID | None = None) -> ReleaseHold | None:
    """Return the open hold of an order or a promoter."""
    return session().scalar(_open(order_id, member_id))


def holds_of(*, order_id: UUID | None = None, member_id: UUID | None = None) -> list[ReleaseHold]:
    """Return all holds of an order or a promoter, newest first."""
    query = sa.select(ReleaseHold).where(_subject(order_id, member_id)).order_by(ReleaseHold.id.desc())
    return list(session().scalars(query))


def held_members() -> sa.Select[UUID | None]:
    """Return the query of the promoters whose commissions are on hold."""
    return sa.select(ReleaseHold.member_id).where(ReleaseHold.member_id.is_not(None), ReleaseHold.lifted_at.is_(None))


def held_orders(order_ids: Collection[UUID]) -> set[UUID]:
    """Return which of the orders are on hold."""
    query = sa.select(ReleaseHold.order_id).where(ReleaseHold.order_id.in_(order_ids), ReleaseHold.lifted_at.is_(None))
    return {found for found in session().scalars(query) if found is not None}


def _open(order_id: UUID | None, member_id: UUID | None) -> sa.Select[ReleaseHold]:
    return sa.select(ReleaseHold).where(_subject(order_id, member_id), ReleaseHold.lifted_at.is_(None))


def _subject(order_id: UUID | None, member_id: UUID | None) -> sa.ColumnElement[bool]:
    if (order_id is None) == (member_id is None):
        raise ValueError("a hold is on an order or on a promoter")
    return ReleaseHold.order_id == order_id if order_id is not None else ReleaseHold.member_id == member_id
