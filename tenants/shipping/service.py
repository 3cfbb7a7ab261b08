"""Shipping methods and their fee."""

from __future__ import annotations

import re

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError
from fanyong.tenancy.database import session
from tenants.shipping.models import ShippingMethod

_CODE = re.compile(r"[A-Za-z0-9_-]{2,32}\Z")


class BadShippingMethod(FanyongError):
    code = "bad_shipping_method"
    status = 422
    message = _l("A shipping method needs a code of 2 to 32 letters and digits, a name, and a fee of zero or more.")


class UnknownShippingMethod(FanyongError):
    code = "unknown_shipping_method"
    status = 422
    message = _l("There is no shipping method “%(code)s”.")


def save_method(code: str, *, name: str, fee_fen: int, active: bool = True) -> ShippingMethod:
    """Make a shipping method or change it; raises BadShippingMethod."""
    if not _CODE.match(code) or not name.strip() or fee_fen < 0:
        raise BadShippingMethod
    method = session().get(ShippingMethod, code) or ShippingMethod(code=code)
    method.name, method.fee_fen, method.active = name.strip(), fee_fen, active
    session().add(method)
    return method


def methods(*, active_only: bool = False) -> sa.Select[ShippingMethod]:
    """Return the query of shipping methods, the cheapest first."""
    query = sa.select(ShippingMethod).order_by(ShippingMethod.fee_fen, ShippingMethod.code)
    return query.where(ShippingMethod.active) if active_only else query


def fee(code: str | None) -> int:
    """Return the freight of a shipping method; no method means no freight. Raises UnknownShippingMethod."""
    if not code:
        return 0
    method = session().get(ShippingMethod, code)
    if method is None or not method.active:
        raise UnknownShippingMethod(code=code)
    return method.fee_fen
