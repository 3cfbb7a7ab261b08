"""Coupons and shipping methods."""

from __future__ import annotations

from collections.abc import Callable

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import requires
from fanyong.tenancy.database import session
from fanyong.web.settings_form import SettingsForm, from_post, from_values
from fanyong.web.words import _
from tenants.console.base import bp, done, record, refused
from tenants.console.forms import CouponForm, ShippingForm
from tenants.promotions import service as promotions
from tenants.shipping import service as shipping


@bp.get("/offers")
@requires(Permission.PRODUCTS_READ)
def offers() -> ResponseReturnValue:
    """List coupons and shipping methods."""
    return _page()


@bp.post("/offers/coupons")
@requires(Permission.PRODUCTS_WRITE)
def save_coupon() -> ResponseReturnValue:
    """Make a coupon or change it."""
    form = from_post(CouponForm, request.form)

    def save() -> None:
        v = form.values
        promotions.save_coupon(
            v["code"], amount_fen=v["amount"], threshold_fen=v.get("threshold", 0), active=v["active"]
        )
        record("coupon.saved", code=v["code"], amount_fen=v["amount"], active=v["active"])

    if not _saved(form, save):
        return _page(coupon_form=form), 422
    return done(_("The coupon “%(code)s” is saved.", code=form.values["code"]), "console.offers")


@bp.post("/offers/shipping")
@requires(Permission.PRODUCTS_WRITE)
def save_shipping() -> ResponseReturnValue:
    """Make a shipping method or change it."""
    form = from_post(ShippingForm, request.form)

    def save() -> None:
        v = form.values
        shipping.save_method(v["code"], name=v["name"], fee_fen=v["fee"], active=v["active"])
        record("shipping_method.saved", code=v["code"], fee_fen=v["fee"], active=v["active"])

    if not _saved(form, save):
        return _page(shipping_form=form), 422
    message = _("The shipping method “%(name)s” is saved.", name=form.values["name"])
    return done(message, "console.offers")


def _saved(form: SettingsForm, save: Callable[[], None]) -> bool:
    if form.ok:
        try:
            save()
        except FanyongError as error:
            form.add_error([], refused(error))
    return form.ok


def _page(*, coupon_form: SettingsForm | None = None, shipping_form: SettingsForm | None = None) -> str:
    return render_template(
        "console/offers.html",
        coupons=session().scalars(promotions.coupons().limit(200)).all(),
        methods=session().scalars(shipping.methods().limit(200)).all(),
        coupon_form=coupon_form or from_values(CouponForm, {}),
        shipping_form=shipping_form or from_values(ShippingForm, {}),
    )
