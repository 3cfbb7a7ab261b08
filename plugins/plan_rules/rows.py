"""The rows of the full plan's lists, and the fields they share."""

from __future__ import annotations

from typing import Any, Literal

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

FULL_BP = 10_000
MAX_FEN = 10**12
FEN: dict[str, Any] = {"unit": "fen"}
BP: dict[str, Any] = {"unit": "bp"}
ANY_TIER = ""
Scope = Literal["brand", "category", "product", "sku"]
Orders = Literal["all", "first", "repeat"]


def level_field(**more: Any) -> Any:
    """Return the field of a level of the upline."""
    return Field(ge=1, le=3, title=_l("Level"), description=_l("1 is whoever brought the buyer."), **more)


def tier_field() -> Any:
    """Return the field of a tier, empty for all of them."""
    return Field(
        default=ANY_TIER,
        max_length=32,
        title=_l("Tier"),
        description=_l("Empty: every tier without a row of its own."),
        json_schema_extra={"choices": "tiers", "blank": _l("All tiers")},
    )


def scope_field() -> Any:
    """Return the field that says which goods a row is for."""
    return Field(
        default="brand",
        title=_l("For"),
        json_schema_extra={
            "labels": {
                "brand": _l("All goods"),
                "category": _l("One category"),
                "product": _l("One product"),
                "sku": _l("One SKU"),
            }
        },
    )


def target_field() -> Any:
    """Return the field that names the goods of a row."""
    return Field(
        default="",
        max_length=64,
        title=_l("Which one"),
        description=_l("The name of the category, the product's code or the SKU. Empty for all goods."),
        json_schema_extra={"blank": _l("only for one of them")},
    )


def rate_field() -> Any:
    """Return the field of a percentage that has to be there."""
    return Field(ge=0, le=FULL_BP, title=_l("Rate"), json_schema_extra=BP)


def percent_field() -> Any:
    """Return the field of a percentage beside a fixed amount."""
    return Field(default=None, ge=0, le=FULL_BP, title=_l("Rate"), json_schema_extra=BP)


def per_piece_field() -> Any:
    """Return the field of a fixed amount beside a percentage."""
    return Field(default=None, ge=0, le=MAX_FEN, title=_l("Or an amount per piece"), json_schema_extra=FEN)


class Section(BaseModel):
    """A part of the settings: frozen, and nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RateRow(Section):
    """What one level earns on some goods."""

    scope: Scope = scope_field()
    target: str = target_field()
    level: int = level_field()
    tier: str = tier_field()
    orders: Orders = Field(
        default="all",
        title=_l("On"),
        json_schema_extra={
            "labels": {"all": _l("All orders"), "first": _l("The buyer's first order"), "repeat": _l("Later orders")}
        },
    )
    rate_bp: int | None = percent_field()
    fixed_fen: int | None = per_piece_field()


class SelfRate(Section):
    """What a promoter gets on own purchases of some goods."""

    scope: Scope = scope_field()
    target: str = target_field()
    tier: str = tier_field()
    rate_bp: int | None = percent_field()
    fixed_fen: int | None = per_piece_field()


class TierAmount(Section):
    """What the holder of a tier gets."""

    tier: str = tier_field()
    rate_bp: int | None = percent_field()
    fixed_fen: int | None = per_piece_field()


class TierPercent(Section):
    """The rate of a tier."""

    tier: str = Field(min_length=1, max_length=32, title=_l("Tier"), json_schema_extra={"choices": "tiers"})
    rate_bp: int = rate_field()


class SameRankRow(Section):
    """What people of the same tier get, by how many of them are below."""

    generation: int = Field(
        default=1,
        ge=1,
        le=5,
        title=_l("Which one"),
        description=_l("1 is the first person of the same tier above, 2 the next."),
    )
    tier: str = tier_field()
    rate_bp: int = rate_field()


class ManagementRow(Section):
    """What somebody gets of the commission of people below."""

    generation: int = Field(
        default=1,
        ge=1,
        le=5,
        title=_l("Generation"),
        description=_l("1: directly above the one who earned the commission."),
    )
    tier: str = tier_field()
    rate_bp: int = rate_field()


class RegionRow(Section):
    """What the agent of a region of some size gets."""

    size: Literal["province", "city", "district"] = Field(
        title=_l("Region"),
        json_schema_extra={"labels": {"province": _l("Province"), "city": _l("City"), "district": _l("District")}},
    )
    rate_bp: int = rate_field()
