"""The settings of the full plan: what is worked out when a month is over, the limits, and all sections together."""

from __future__ import annotations

from typing import Literal

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from plugins.plan_rules.rows import FEN, FULL_BP, MAX_FEN, RateRow, Section, percent_field, tier_field
from plugins.plan_rules.sections import Bonuses, Campaign, MonthLadder, OrderLadder, OwnPurchases, Regions, Team


class PoolTier(Section):
    """How many shares of the pool a promoter of a tier has."""

    tier: str = tier_field()
    weight: int = Field(default=1, ge=0, le=10_000, title=_l("Shares"))


class Pool(Section):
    """A part of the month's turnover that is shared out when the month is over."""

    rate_bp: int = Field(
        default=0,
        ge=0,
        le=FULL_BP,
        title=_l("Part of the month's turnover"),
        description=_l("Goods of all paid orders, after discounts and refunds."),
        json_schema_extra={"unit": "bp"},
    )
    tiers: list[PoolTier] = Field(default=[], max_length=20, title=_l("Who has a share"))
    by: Literal["heads", "sales"] = Field(
        default="heads",
        title=_l("The shares count"),
        json_schema_extra={"labels": {"heads": _l("per person"), "sales": _l("per yuan sold in the month")}},
    )
    minimum_fen: int = Field(
        default=0,
        ge=0,
        le=MAX_FEN,
        title=_l("Only with sales of at least"),
        description=_l("What others paid through the promoter's shares in the month."),
        json_schema_extra=FEN,
    )


class Target(Section):
    """A bonus for reaching an amount in the month."""

    figure: Literal["shared", "own", "team"] = Field(
        default="shared",
        title=_l("Counts"),
        json_schema_extra={
            "labels": {
                "shared": _l("Sales through own shares"),
                "own": _l("Own purchases"),
                "team": _l("Sales of the whole team"),
            }
        },
    )
    from_fen: int = Field(ge=1, le=MAX_FEN, title=_l("From"), json_schema_extra=FEN)
    tier: str = tier_field()
    rate_bp: int | None = percent_field()
    fixed_fen: int | None = Field(default=None, ge=0, le=MAX_FEN, title=_l("Or an amount"), json_schema_extra=FEN)


class Limits(Section):
    """What the plan may cost at most."""

    line_bp: int | None = Field(
        default=None, ge=0, le=FULL_BP, title=_l("Of each order line"), json_schema_extra={"unit": "bp"}
    )
    order_bp: int | None = Field(
        default=None, ge=0, le=FULL_BP, title=_l("Of each order"), json_schema_extra={"unit": "bp"}
    )
    order_fen: int | None = Field(
        default=None, ge=0, le=MAX_FEN, title=_l("Of each order, as an amount"), json_schema_extra=FEN
    )
    promoter_day_fen: int | None = Field(
        default=None, ge=0, le=MAX_FEN, title=_l("For each promoter a day"), json_schema_extra=FEN
    )
    budget_fen: int | None = Field(default=None, ge=0, le=MAX_FEN, title=_l("Budget"), json_schema_extra=FEN)
    budget_period: Literal["day", "month", "version"] = Field(
        default="month",
        title=_l("The budget is for"),
        json_schema_extra={
            "labels": {"day": _l("a day"), "month": _l("a calendar month"), "version": _l("this version of the plan")}
        },
    )
    on_budget_end: Literal["stop", "cut", "warn"] = Field(
        default="cut",
        title=_l("When it runs out"),
        json_schema_extra={
            "labels": {
                "stop": _l("the order that passes it earns nothing"),
                "cut": _l("the order shares what is left"),
                "warn": _l("everything is paid, and it is told"),
            }
        },
    )


class Settings(BaseModel):
    """The whole plan; an empty section does nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: Literal["paid", "paid_less_tax", "margin", "fixed_base"] = Field(
        default="paid",
        title=_l("Percentages are taken of"),
        description=_l("Always without freight. Goods without a known cost earn no percentage of the margin."),
        json_schema_extra={
            "labels": {
                "paid": _l("What was paid for the goods"),
                "paid_less_tax": _l("What was paid, less the tax in it"),
                "margin": _l("What was paid, less what the goods cost"),
                "fixed_base": _l("The commission base of each product, else what was paid"),
            }
        },
    )
    rates: list[RateRow] = Field(
        default=[RateRow(level=1, rate_bp=1_000)],
        max_length=1_000,
        title=_l("Rates"),
        description=_l(
            "Level 1 is whoever brought the buyer, level 2 whoever brought level 1. "
            "The most specific rate wins: the SKU before the product before the category before the brand; then first "
            "or later orders before all orders; then a tier before all tiers."
        ),
    )
    order_ladder: OrderLadder = Field(
        default=OrderLadder(),
        title=_l("Larger orders earn more"),
        description=_l("A rate of level 1 that grows with the amount of the order."),
    )
    month_ladder: MonthLadder = Field(
        default=MonthLadder(),
        title=_l("More sales in the month earn more"),
        description=_l("A rate of level 1 that grows with what the promoter sells in a calendar month."),
    )
    own_purchases: OwnPurchases = Field(
        default=OwnPurchases(),
        title=_l("When promoters buy"),
        description=_l("A lower price, or money back, when promoters buy for themselves."),
    )
    campaigns: list[Campaign] = Field(
        default=[],
        max_length=100,
        title=_l("Campaigns"),
        description=_l("The rows of one campaign: the most specific wins. Different campaigns add up."),
    )
    bonuses: Bonuses = Field(
        default=Bonuses(),
        title=_l("Bonuses"),
        description=_l("Extras for group leaders, and for bringing a new member who buys."),
    )
    team: Team = Field(
        default=Team(),
        title=_l("Team rewards"),
        description=_l("For people higher up, on what their team sells. Needs a waiver of the platform."),
    )
    regions: Regions = Field(
        default=Regions(),
        title=_l("Region agents"),
        description=_l(
            "A share for the agents of the place an order is sent to; appoint them on the page Region agents."
        ),
    )
    pool: Pool = Field(
        default=Pool(),
        title=_l("Dividend pool"),
        description=_l("A part of the month's turnover that is shared out when the month is over."),
    )
    targets: list[Target] = Field(
        default=[],
        max_length=50,
        title=_l("Targets of the month"),
        description=_l("A bonus for reaching an amount in the month. The highest one that is reached counts."),
    )
    limits: Limits = Field(
        default=Limits(),
        title=_l("Limits"),
        description=_l("What the plan may cost at most: of a line, an order, a promoter's day, and a budget."),
    )
