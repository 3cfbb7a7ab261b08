"""The promoter centre: figures, every line behind them, and the team."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tenants.api.schemas.common import Answer, Fen, Id, Page, PageQuery, Sku, Time
from tenants.api.texts import mark as _

AccountName = Literal["estimated", "frozen", "available", "in_transfer", "paid", "tax_withheld", "debt"]
MovementKind = Literal[
    "award",
    "receive",
    "release",
    "reverse",
    "offset",
    "hold",
    "paid",
    "return",
    "tax",
    "fee",
    "write_off",
    "tax_back",
]


class Promoter(Answer):
    """A promoter's standing and money."""

    member_id: Id
    nickname: str = Field(examples=["乔木"])
    tier: str | None = Field(examples=["promoter"], description=_("null for a member who is no promoter."))
    tier_name: str | None = Field(examples=["推广员"])
    frozen: bool = Field(description=_("Whether the brand has put this account on hold."))
    estimated_fen: Fen = Field(examples=[900], description=_("Earned; waits until the buyer has the goods."))
    frozen_fen: Fen = Field(examples=[300], description=_("Waits for the end of the after-sale window."))
    pending_fen: Fen = Field(examples=[1200], description=_("estimated_fen + frozen_fen."))
    available_fen: Fen = Field(examples=[5000], description=_("Can be withdrawn now."))
    in_transfer_fen: Fen = Field(examples=[0], description=_("In withdrawals that are not finished."))
    paid_fen: Fen = Field(examples=[20000], description=_("Has reached the wallet."))
    tax_withheld_fen: Fen = Field(examples=[0], description=_("Withheld from withdrawals as tax."))
    fee_fen: Fen = Field(examples=[0], description=_("What withdrawals cost so far."))
    debt_fen: Fen = Field(
        examples=[0],
        description=_("Owed to the shop because orders were refunded later; new commissions repay it first."),
    )


class Explanation(Answer):
    """Why an award is what it is: the same row that was paid from."""

    text: str = Field(
        examples=["10.00% of ¥90.00, paid for TEA-100 after discounts, is ¥9.00 (rounded down to the fen)."],
        description=_("In words, in the language of Accept-Language."),
    )
    rule: str = Field(examples=["levels:1"])
    because: str = Field(examples=[""])
    plan: str = Field(examples=["plan_levels"])
    plan_version: int = Field(examples=[2])
    tier: str | None = Field(examples=["promoter"])
    level: int = Field(examples=[1])
    line_paid_fen: int | None = Field(
        default=None, examples=[9000], description=_("What was paid for the line; null for a reward of a month.")
    )
    period: str | None = Field(default=None, examples=[None], description=_("The month that a reward is for."))
    base_fen: Fen
    rate_bp: int = Field(examples=[1000])
    exact_fen_times_10000: int = Field(examples=[9000000])
    rounding: str = Field(examples=["floor"])
    cap: str | None = Field(
        default=None,
        examples=[None],
        description=_("line_paid: all awards of a line were scaled down to what was paid; the last limit that struck."),
    )
    cap_fen: int | None = Field(default=None, examples=[None])
    caps: list[dict[str, int | str]] = Field(
        default=[], examples=[[]], description=_("Every limit that struck, with the amount before and after it.")
    )
    base: str = Field(default="paid", examples=["paid"], description=_("How the base came about."))
    fixed_fen: int | None = Field(default=None, examples=[None], description=_("An amount instead of a percentage."))
    details: dict[str, int | str] = Field(
        default={}, examples=[{"by": "sku", "target": "TEA-100"}], description=_("What else the rule says of itself.")
    )
    amount_fen: Fen = Field(examples=[900])


class NotGiven(Answer):
    """Something that the plan has for the same line and nobody got."""

    level: int = Field(examples=[2])
    rule: str = Field(examples=["levels:2"])
    reason: str = Field(examples=["no_upline"])
    text: str = Field(
        examples=["Nobody stands at level 2 above the buyer. Rule levels:2."],
        description=_("In words, in the language of Accept-Language."),
    )
    mine: bool = Field(examples=[False], description=_("Whether it would have been the member's own."))


class Award(Answer):
    """A commission: of an order's line, or for a month that is over."""

    id: Id
    order_id: Id | None = Field(description=_("Null for a reward of a month, as is all that tells of an order."))
    order_number: str | None = Field(examples=["2611220000000042"])
    line_id: Id | None
    position: int | None = Field(examples=[0], description=_("The order's line, counted from 0."))
    sku: Sku | None
    product_name: str | None = Field(examples=["茉莉花茶 100 克"])
    period: str | None = Field(examples=[None], description=_("The month that a reward is for."))
    kind: Literal["share", "self", "bonus", "team", "region", "period"] = Field(
        description=_("self: on a purchase of one's own; team: on what the downline sells; period: for a month.")
    )
    level: int = Field(
        examples=[1],
        description=_("1: you brought the buyer; 2: somebody you brought did; 0: you are the buyer."),
    )
    rule: str = Field(examples=["levels:1"])
    base_fen: Fen
    rate_bp: int = Field(examples=[1000], description=_("Hundredths of a percent."))
    amount_fen: Fen = Field(examples=[900])
    reversed_fen: Fen = Field(examples=[0], description=_("What refunds took back of it."))
    state: Literal["estimated", "frozen", "held", "released", "reversed"] = Field(examples=["frozen"])
    held: bool = Field(
        examples=[False],
        description=_("The brand keeps it from being released for now; it is neither lost nor available."),
    )
    awarded_at: Time
    due_at: Time | None = Field(description=_("When it can be withdrawn; null before the buyer has the goods."))
    released_at: Time | None = Field(examples=[None])
    explanation: Explanation
    not_given: list[NotGiven] = Field(description=_("Who got nothing of the same line, and why; nobody is named."))


class AwardPage(Page[Award]):
    """One's own commissions, newest first."""


class Change(Answer):
    """By how much a figure changed."""

    account: AccountName
    change_fen: int = Field(
        examples=[900], description=_("Added up over all movements, it is the figure of the account.")
    )


class Movement(Answer):
    """One posting of the books, as far as it is one's own."""

    id: int = Field(examples=[4711], description=_("The posting's place in the shop's books; later ones are higher."))
    at: Time
    kind: MovementKind
    text: str = Field(examples=["Commission earned; it waits until the buyer has the goods."])
    amount_fen: Fen = Field(examples=[900])
    changes: list[Change]
    source_id: Id = Field(description=_("The award, order, refund, release or withdrawal behind it."))


class StatementQuery(PageQuery):
    """Which movements."""

    account: AccountName | None = Field(default=None, description=_("Only movements of this account."))


class StatementPage(Page[Movement]):
    """The postings behind one's figures, newest first."""
