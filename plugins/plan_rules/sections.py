"""The sections of the full plan that say what a single order earns, as a brand owner reads them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from flask_babel import lazy_gettext as _l
from pydantic import Field

from plugins.plan_rules.rows import (
    FEN,
    FULL_BP,
    MAX_FEN,
    ManagementRow,
    RegionRow,
    SameRankRow,
    Section,
    SelfRate,
    TierAmount,
    TierPercent,
    level_field,
    per_piece_field,
    percent_field,
    rate_field,
    scope_field,
    target_field,
    tier_field,
)

Together = Literal["instead", "extra"]
TOGETHER = {"instead": _l("instead of the brand's own rate"), "extra": _l("on top of the rates")}


class Band(Section):
    """The rate from one amount on."""

    from_fen: int = Field(ge=0, le=MAX_FEN, title=_l("From"), json_schema_extra=FEN)
    tier: str = tier_field()
    rate_bp: int = rate_field()


class OrderLadder(Section):
    """A rate of level 1 that grows with the order."""

    bands: list[Band] = Field(
        default=[],
        max_length=50,
        title=_l("Bands, lowest first"),
        description=_l("The whole order earns the rate of the band it falls into: goods paid after discounts."),
    )
    together: Together = Field(
        default="instead",
        title=_l("The band's rate counts"),
        description=_l("Goods with a rate of their own keep it when the band stands in for the brand's own rate."),
        json_schema_extra={"labels": TOGETHER},
    )


class MonthLadder(Section):
    """A rate of level 1 that grows with what the promoter sold in the calendar month."""

    bands: list[Band] = Field(
        default=[],
        max_length=50,
        title=_l("Bands, lowest first"),
        description=_l("What others paid through the promoter's shares in the month, before this order."),
    )
    together: Together = Field(
        default="extra", title=_l("The band's rate counts"), json_schema_extra={"labels": TOGETHER}
    )
    retroactive: bool = Field(
        default=False,
        title=_l("The highest band holds for the whole month"),
        description=_l("When the month is over, the difference to what the lower bands paid is paid as well."),
    )


class OwnPurchases(Section):
    """What promoters get on what they buy themselves."""

    mode: Literal["none", "rebate", "discount"] = Field(
        default="none",
        title=_l("When a promoter buys"),
        json_schema_extra={
            "labels": {
                "none": _l("like any other buyer"),
                "rebate": _l("money back as a commission"),
                "discount": _l("a lower price at once"),
            }
        },
    )
    rates: list[SelfRate] = Field(default=[], max_length=500, title=_l("Rates for own purchases"))
    pay_upline: bool = Field(
        default=False,
        title=_l("Pay the people above as well"),
        description=_l("Otherwise goods with a rate for own purchases earn nobody above anything."),
    )


class Campaign(Section):
    """Other rates, or additional ones, for some time."""

    name: str = Field(min_length=1, max_length=40, title=_l("Name"))
    starts_at: datetime = Field(title=_l("From"))
    ends_at: datetime = Field(title=_l("Until"), description=_l("From this moment on it is over."))
    together: Together = Field(
        default="extra",
        title=_l("Its rate counts"),
        json_schema_extra={
            "labels": {"instead": _l("instead of every other rate"), "extra": _l("on top of the rates")}
        },
    )
    scope: Literal["brand", "category", "product", "sku"] = scope_field()
    target: str = target_field()
    level: int = level_field(default=1)
    tier: str = tier_field()
    rate_bp: int | None = percent_field()
    fixed_fen: int | None = per_piece_field()


class Bonuses(Section):
    """Extras on an order."""

    leaders: list[TierAmount] = Field(
        default=[],
        max_length=50,
        title=_l("Group leaders"),
        description=_l("The nearest person above the buyer who holds one of these tiers earns this extra."),
    )
    leader_depth: int = Field(
        default=1, ge=1, le=20, title=_l("Look for a group leader up to level"), description=_l("1 is level 1 alone.")
    )
    new_member_bp: int | None = Field(
        default=None,
        ge=0,
        le=FULL_BP,
        title=_l("New member: percent of the first order"),
        description=_l("For whoever brought the buyer, and only when the buyer pays a first order."),
        json_schema_extra={"unit": "bp"},
    )
    new_member_fen: int | None = Field(
        default=None,
        ge=0,
        le=MAX_FEN,
        title=_l("New member: an amount"),
        description=_l("Instead of a percentage; never more than the first order came to."),
        json_schema_extra=FEN,
    )
    new_member_from_fen: int = Field(
        default=0, ge=0, le=MAX_FEN, title=_l("New member: first order of at least"), json_schema_extra=FEN
    )


class Team(Section):
    """Rewards on what the downline sells and earns. The platform has to allow them for the brand."""

    differential: list[TierPercent] = Field(
        default=[],
        max_length=20,
        title=_l("Differential: the rate of each tier"),
        description=_l(
            "Going up from the buyer, each higher tier earns its rate less the highest rate below it. Level 1 earns "
            "the whole rate of its tier."
        ),
    )
    same_rank: list[SameRankRow] = Field(
        default=[],
        max_length=50,
        title=_l("Same rank"),
        description=_l("Whoever holds the same tier as the one below who earned the differential, gets a part of it."),
    )
    management: list[ManagementRow] = Field(
        default=[],
        max_length=50,
        title=_l("Management bonus"),
        description=_l("A percentage of the share commissions that people below earn on the order."),
    )
    depth: int = Field(
        default=10,
        ge=1,
        le=50,
        title=_l("Look up to level"),
        description=_l("People higher above the buyer earn no team reward."),
    )


class Regions(Section):
    """The share of the agents of the region an order goes to."""

    rates: list[RegionRow] = Field(default=[], max_length=3, title=_l("Rates of region agents"))
    who: Literal["all", "nearest"] = Field(
        default="all",
        title=_l("Who of them earns"),
        json_schema_extra={
            "labels": {
                "all": _l("The agents of district, city and province"),
                "nearest": _l("The smallest region alone"),
            }
        },
    )
