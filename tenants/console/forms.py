"""The forms of the console, as models: `fanyong.web.settings_form` draws and reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, Field, field_validator

from fanyong.web.words import _
from tenants.catalog.models import Product
from tenants.catalog.service import MAX_PRICE_FEN, MAX_TAX_BP
from tenants.settlement.triggers import WEEKDAY_WORDS, Settlement, Trigger, Weekday

MAX_FEN = 100_000_000
_CODE = r"^[A-Za-z0-9_-]{2,32}$"
_CODE_HELP = _l("2 to 32 letters and digits. An existing code is changed.")
_FEN: dict[str, Any] = {"unit": "fen"}


class ProductForm(BaseModel):
    """A product."""

    name: str = Field(min_length=1, max_length=100, title=_l("Name"))
    sku: str = Field(
        min_length=1, max_length=64, title=_l("SKU"), description=_l("Your own number of the product; each one once.")
    )
    category: str = Field(
        default="",
        max_length=64,
        title=_l("Category"),
        description=_l("Plans can have rates of their own for a category."),
    )
    product_code: str = Field(
        default="",
        max_length=64,
        title=_l("Product code"),
        description=_l("The same for all sizes and colours of a product, so that a plan can have one rate for them."),
    )
    price: int = Field(gt=0, le=MAX_PRICE_FEN, title=_l("Price"), json_schema_extra=_FEN)
    cost: int | None = Field(
        default=None,
        ge=0,
        le=MAX_PRICE_FEN,
        title=_l("Cost"),
        description=_l("What a piece costs you. Only plans that pay by margin look at it; shoppers never see it."),
        json_schema_extra=_FEN,
    )
    tax: int = Field(
        default=0,
        ge=0,
        le=MAX_TAX_BP,
        title=_l("Tax"),
        description=_l("Value added tax contained in the price, for plans that pay on the price without it."),
        json_schema_extra={"unit": "bp"},
    )
    commission_base: int | None = Field(
        default=None,
        ge=0,
        le=MAX_PRICE_FEN,
        title=_l("Commission base"),
        description=_l(
            "A base per piece that commissions are worked out of instead of the price, where the plan says so."
        ),
        json_schema_extra=_FEN,
    )
    stock: int = Field(ge=0, le=1_000_000_000, title=_l("Stock"))
    description: str = Field(
        default="", max_length=5_000, title=_l("Description"), json_schema_extra={"widget": "textarea"}
    )
    on_sale: bool = Field(default=True, title=_l("On sale"))


def product_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was typed as the values of a product, whose names tell fen and basis points."""
    return {_PRODUCT_UNITS.get(name, name): value for name, value in values.items()}


_PRODUCT_UNITS = {"price": "price_fen", "cost": "cost_fen", "tax": "tax_bp", "commission_base": "commission_base_fen"}


def product_as_typed(product: Product) -> dict[str, Any]:
    """Return a product's values by the names of the form; a code that says nothing of its own stays empty."""
    names = ("name", "sku", "category", "stock", "description", "on_sale")
    values = {name: getattr(product, name) for name in names}
    values |= {field: getattr(product, name) for field, name in _PRODUCT_UNITS.items()}
    return {**values, "product_code": "" if product.product_code == product.sku else product.product_code}


class CouponForm(BaseModel):
    """A coupon."""

    code: str = Field(pattern=_CODE, title=_l("Code"), description=_CODE_HELP)
    amount: int = Field(gt=0, le=MAX_FEN, title=_l("Amount off"), json_schema_extra=_FEN)
    threshold: int = Field(default=0, ge=0, le=MAX_FEN, title=_l("From goods worth"), json_schema_extra=_FEN)
    active: bool = Field(default=True, title=_l("Can be used"))


class ShippingForm(BaseModel):
    """A shipping method."""

    code: str = Field(pattern=_CODE, title=_l("Code"), description=_CODE_HELP)
    name: str = Field(min_length=1, max_length=60, title=_l("Name"))
    fee: int = Field(ge=0, le=MAX_FEN, title=_l("Fee"), json_schema_extra=_FEN)
    active: bool = Field(default=True, title=_l("Can be chosen"))


class SettlementForm(BaseModel):
    """When commissions are released."""

    trigger: Trigger = Field(
        default="window",
        title=_l("Commissions become available"),
        description=_l("Orders that are paid already keep the rule they were paid under."),
        json_schema_extra={
            "labels": {
                "window": _l("when the after-sale window is over"),
                "receipt": _l("as soon as the buyer has the goods"),
                "working_days": _l("some working days after the buyer has the goods"),
                "cycle": _l("on settlement days"),
            }
        },
    )
    window_days: int = Field(
        ge=0,
        le=365,
        title=_l("After-sale window in days"),
        description=_l(
            "Each day is 24 hours from the receipt. Nothing is released before the window is over, except where "
            "commissions become available as soon as the buyer has the goods."
        ),
    )
    working_days: int = Field(
        default=1,
        ge=1,
        le=60,
        title=_l("Working days after receipt"),
        description=_l("At the start of that day in China; holidays and working weekends are known."),
    )
    cycle: Literal["month", "week"] = Field(
        default="month",
        title=_l("Settlement days"),
        json_schema_extra={"labels": {"month": _l("days of the month"), "week": _l("a day of the week")}},
    )
    month_days: str = Field(
        default="15",
        max_length=100,
        title=_l("Days of the month"),
        description=_l("Like 10, 25. The 31st is the last day of a shorter month."),
    )
    weekday: Weekday = Field(default="monday", title=_l("Day of the week"), json_schema_extra={"labels": WEEKDAY_WORDS})
    auto_receive_days: int | None = Field(
        default=None,
        ge=1,
        le=90,
        title=_l("Received by itself after days"),
        description=_l(
            "So many days after shipping an order counts as received although the buyer has not said so. Empty means "
            "that it waits for the buyer."
        ),
    )

    @field_validator("month_days")
    @classmethod
    def _are_days(cls, text: str) -> str:
        if not days_of_month(text):
            raise ValueError(_("Please enter days from 1 to 31, like 10, 25."))
        return text


def days_of_month(text: str) -> tuple[int, ...]:
    """Return the days that a text like `10, 25` names, in their order, or nothing when one of them is none."""
    parts = [part for part in re.split(r"[\s,，、;]+", text.strip()) if part]
    if not all(part.isdecimal() and 1 <= int(part) <= 31 for part in parts):
        return ()
    return tuple(sorted({int(part) for part in parts}))


def settlement_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was typed as the values of a settlement."""
    return {**values, "month_days": days_of_month(values.get("month_days", "15"))}


def settlement_as_typed(settlement: Settlement) -> dict[str, Any]:
    """Return a settlement by the names of the form."""
    return {**settlement.model_dump(), "month_days": ", ".join(map(str, settlement.month_days))}


class WeChatForm(BaseModel):
    """The keys of a brand's own merchant account."""

    appid: str = Field(min_length=1, max_length=64, title=_l("Mini-program AppID"))
    app_secret: str = Field(min_length=1, max_length=128, title=_l("Mini-program AppSecret"))
    mchid: str = Field(min_length=1, max_length=16, title=_l("Merchant number"))
    cert_serial_no: str = Field(min_length=1, max_length=64, title=_l("Serial number of the merchant certificate"))
    private_key_pem: str = Field(
        min_length=1,
        max_length=10_000,
        title=_l("Private key of the merchant certificate"),
        description=_l("The content of apiclient_key.pem."),
        json_schema_extra={"widget": "textarea"},
    )
    apiv3_key: str = Field(min_length=1, max_length=64, title=_l("APIv3 key"))
    public_key_id: str = Field(min_length=1, max_length=128, title=_l("ID of WeChat Pay's public key"))
    public_key_pem: str = Field(
        min_length=1,
        max_length=10_000,
        title=_l("WeChat Pay's public key"),
        description=_l("The content of pub_key.pem."),
        json_schema_extra={"widget": "textarea"},
    )


class GoLiveForm(BaseModel):
    """The confirmation before a brand goes live."""

    confirm: str = Field(min_length=1, max_length=64, title=_l("Type the subdomain of this brand to confirm"))


class AdminForm(BaseModel):
    """An account for somebody of the brand."""

    name: str = Field(min_length=1, max_length=60, title=_l("Name"))
    email: str = Field(min_length=3, max_length=200, title=_l("E-mail address"), json_schema_extra={"widget": "email"})
    password: str = Field(
        min_length=10,
        max_length=200,
        title=_l("Password"),
        description=_l("10 characters or more."),
        json_schema_extra={"widget": "password"},
    )
    role: Literal["owner", "operator", "finance"] = Field(
        default="operator",
        title=_l("Role"),
        description=_l("Operators look after products and orders, finance after money, owners after everything."),
        json_schema_extra={"labels": {"owner": _l("Owner"), "operator": _l("Operator"), "finance": _l("Finance")}},
    )


class InvitationForm(BaseModel):
    """An invitation to become a promoter."""

    tier: str = Field(min_length=1, max_length=32, title=_l("Tier"), json_schema_extra={"choices": "tiers"})
    days: int = Field(default=30, ge=1, le=365, title=_l("Holds for days"), description=_l("It can be used once."))
    note: str = Field(default="", max_length=200, title=_l("Note"), description=_l("Whom it is for; only you see it."))
