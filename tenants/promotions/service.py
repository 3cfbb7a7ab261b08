"""Coupons: making them, and what one takes off an order."""

from __future__ import annotations

import re

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError
from fanyong.tenancy.database import session
from tenants.promotions.models import Coupon

_CODE = re.compile(r"[A-Za-z0-9_-]{2,32}\Z")


class BadCoupon(FanyongError):
    code = "bad_coupon"
    status = 422
    message = _l("A coupon needs a code of 2 to 32 letters and digits, and an amount above zero.")


class CouponNotUsable(FanyongError):
    code = "coupon_not_usable"
    status = 422
    message = _l("The coupon “%(code)s” cannot be used for this order.")


def save_coupon(code: str, *, amount_fen: int, threshold_fen: int = 0, active: bool = True) -> Coupon:
    """Make a coupon or change it; raises BadCoupon."""
    if not _CODE.match(code) or amount_fen <= 0 or threshold_fen < 0:
        raise BadCoupon
    coupon = session().get(Coupon, code) or Coupon(code=code)
    coupon.amount_fen, coupon.threshold_fen, coupon.active = amount_fen, threshold_fen, active
    session().add(coupon)
    return coupon


def coupons() -> sa.Select[Coupon]:
    """Return the query of all coupons, newest first."""
    return sa.select(Coupon).order_by(Coupon.created_at.desc(), Coupon.code)


def discount(code: str | None, *, goods_fen: int) -> int:
    """Return what the coupon takes off goods worth `goods_fen`: never more than they cost.

    Raises CouponNotUsable for an unknown or switched-off code, or goods below the threshold.
    """
    if not code:
        return 0
    coupon = session().get(Coupon, code)
    if coupon is None or not coupon.active or goods_fen < coupon.threshold_fen:
        raise CouponNotUsable(code=code)
    return min(coupon.amount_fen, goods_fen)
