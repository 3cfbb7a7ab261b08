"""The settings of the ladder."""

from __future__ import annotations

from typing import Literal

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from fanyong.tier_conditions import JOIN_HELP, JOIN_LABELS, MINIMUM_HELP, MINIMUM_TITLE, Condition, Join


class LadderTier(BaseModel):
    """One rung."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$", title=_l("Key"), description=_l("Plans name tiers by it."))
    name: str = Field(min_length=1, max_length=20, title=_l("Name"))
    promote_at_sales_fen: int = Field(
        default=0,
        ge=0,
        le=10**12,
        title=_l("From sales of"),
        description=_l("0 where only the conditions below decide."),
        json_schema_extra={"unit": "fen"},
    )
    icon: str = Field(default="", max_length=8, title=_l("Icon"), description=_l("An emoji, if you like."))
    rights: str = Field(
        default="",
        max_length=1_000,
        title=_l("Rights"),
        description=_l("What promoters of this tier may expect; one line each. They read it in the mini-program."),
        json_schema_extra={"widget": "textarea"},
    )


class Settings(BaseModel):
    """The rungs, which sales count, and the conditions to rise, to keep and to fall."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    join: Join = Field(
        default="anyone",
        title=_l("Who becomes a promoter"),
        description=JOIN_HELP,
        json_schema_extra={"labels": JOIN_LABELS},
    )
    join_purchase_fen: int = Field(
        default=0,
        ge=0,
        le=10**9,
        title=MINIMUM_TITLE,
        description=MINIMUM_HELP,
        json_schema_extra={"unit": "fen"},
    )
    count_when: Literal["paid", "received"] = Field(
        default="received",
        title=_l("An order counts when it is"),
        description=_l("Sales are goods paid after discounts, without freight, less refunds."),
        json_schema_extra={"labels": {"paid": _l("Paid"), "received": _l("Received by the buyer")}},
    )
    count_own_purchases: bool = Field(
        default=False,
        title=_l("Count own purchases too"),
        description=_l("Otherwise only orders of members whom the promoter brought."),
    )
    tiers: list[LadderTier] = Field(
        default=[
            LadderTier(key="bronze", name="青铜", promote_at_sales_fen=0),
            LadderTier(key="silver", name="白银", promote_at_sales_fen=100_000),
            LadderTier(key="gold", name="黄金", promote_at_sales_fen=1_000_000),
        ],
        min_length=1,
        max_length=20,
        title=_l("Tiers, lowest first"),
    )
    conditions: list[Condition] = Field(
        default=[],
        max_length=200,
        title=_l("Conditions"),
        description=_l(
            "To rise to a tier, to keep it, to fall from it. Rows of one way hold together; one way is enough."
        ),
    )
    fall_to: Literal["one_step", "earned"] = Field(
        default="one_step",
        title=_l("Whoever falls"),
        description=_l("Only tiers with conditions to keep, or to fall, are ever lost."),
        json_schema_extra={
            "labels": {
                "one_step": _l("goes one tier down"),
                "earned": _l("gets the highest tier whose conditions to rise hold now"),
            }
        },
    )
