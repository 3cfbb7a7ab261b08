"""The format of a story file; `docs/story.md` explains each field in words of money."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fanyong.devtools.story.parts import Chosen, Key, Part, SettlementRules, Text
from fanyong.devtools.story.steps import Step

DEFAULT_STOCK = 1_000


class WithdrawalLimits(Part):
    """What a promoter may take out, and what needs nobody's approval."""

    minimum_fen: Annotated[int, Field(ge=10, le=100_000_000)] = 100
    auto_approve_below_fen: Annotated[int, Field(ge=0, le=100_000_000)] = 0


class Compliance(Part):
    """What the brand may reward. Levels: 2 accepts the notice, 3 asks the platform for a waiver. Team rewards: by a
    waiver. Purchases before somebody may earn, above what needs nothing: by the other notice, or by a waiver.
    """

    levels: Literal[1, 2, 3] = 1
    team: bool = False
    entry: Literal["none", "notice", "waiver"] = "none"
    waiver_reason: Text = "waiver"
    waiver_days: Annotated[int, Field(ge=1, le=3650)] = 365


class Brand(Part):
    """A brand that signs up for this story."""

    key: Key
    name: Annotated[str, Field(min_length=1, max_length=60)]
    subdomain: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,30}[a-z0-9]$")] | None = None
    tiers: Chosen | None = None
    plan: Chosen | None = None
    settlement: SettlementRules = SettlementRules()
    withdrawal: WithdrawalLimits = WithdrawalLimits()
    compliance: Compliance = Compliance()


class Product(Part):
    """Something on sale."""

    brand: Key
    sku: Key
    name: Annotated[str, Field(min_length=1, max_length=100)]
    price_fen: Annotated[int, Field(ge=1, le=100_000_000)]
    stock: Annotated[int, Field(ge=0, le=1_000_000)] = DEFAULT_STOCK
    category: Annotated[str, Field(max_length=64)] = ""
    product_code: Annotated[str, Field(max_length=64)] = ""
    cost_fen: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    tax_bp: Annotated[int, Field(ge=0, le=10_000)] = 0
    commission_base_fen: Annotated[int, Field(ge=0, le=100_000_000)] | None = None


class StoryMember(Part):
    """A person who logs in to a brand's mini-program; `via` is whose share brought them."""

    brand: Key
    key: Key
    nickname: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    via: Key | None = None


class Story(Part):
    """A whole story file."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    note: str | None = None
    brands: Annotated[list[Brand], Field(min_length=1, max_length=20)]
    products: Annotated[list[Product], Field(max_length=500)] = Field(default_factory=list)
    members: Annotated[list[StoryMember], Field(max_length=500)] = Field(default_factory=list)
    steps: Annotated[list[Step], Field(max_length=5_000)] = Field(default_factory=list)
