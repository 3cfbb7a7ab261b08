"""The forms of the console, as models: `fanyong.web.settings_form` draws and reads them."""

from __future__ import annotations

from typing import Any, Literal

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, Field

from tenants.catalog.service import MAX_PRICE_FEN

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
    price: int = Field(gt=0, le=MAX_PRICE_FEN, title=_l("Price"), json_schema_extra=_FEN)
    stock: int = Field(ge=0, le=1_000_000_000, title=_l("Stock"))
    description: str = Field(
        default="", max_length=5_000, title=_l("Description"), json_schema_extra={"widget": "textarea"}
    )
    on_sale: bool = Field(default=True, title=_l("On sale"))


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

    window_days: int = Field(
        ge=0,
        le=365,
        title=_l("Days after receipt"),
        description=_l(
            "Commissions become available this many days after the buyer has the goods. "
            "Orders that are paid already keep their window."
        ),
    )


class WithdrawalForm(BaseModel):
    """What a withdrawal has to keep to."""

    minimum: int = Field(
        ge=10,
        le=MAX_FEN,
        title=_l("Smallest withdrawal"),
        description=_l("WeChat Pay transfers 0.10 at least."),
        json_schema_extra=_FEN,
    )
    auto_approve_below: int = Field(
        ge=0,
        le=MAX_FEN,
        title=_l("Approve by itself below"),
        description=_l("0 means that somebody approves each one."),
        json_schema_extra=_FEN,
    )


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


class TryForm(BaseModel):
    """A made-up order to try a plan on."""

    amount: int = Field(default=10_000, gt=0, le=MAX_FEN, title=_l("The line paid"), json_schema_extra=_FEN)
    sku: str = Field(default="", max_length=64, title=_l("Product"), json_schema_extra={"choices": "products"})
    buyer: str = Field(default="", max_length=32, title=_l("Tier of the buyer"), json_schema_extra={"choices": "tiers"})
    level_1: str = Field(default="", max_length=32, title=_l("Level 1"), json_schema_extra={"choices": "tiers"})
    level_2: str = Field(default="", max_length=32, title=_l("Level 2"), json_schema_extra={"choices": "tiers"})
    level_3: str = Field(default="", max_length=32, title=_l("Level 3"), json_schema_extra={"choices": "tiers"})
