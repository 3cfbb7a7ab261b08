"""The values that cross the plugin boundary: frozen, without a database, the same for paying and previewing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Protocol
from uuid import UUID

from msgspec import Struct

#: `share` pays whoever brought the buyer (level 1 to 3), `self` the buyer, `bonus` an extra on an order, `team` a
#: reward on what the downline earns, `region` the agent of the delivery region, `period` what a month came to.
AwardKind = Literal["share", "self", "bonus", "team", "region", "period"]
#: How the base of an award came about.
BaseKind = Literal["paid", "paid_less_tax", "margin", "fixed_base", "commission", "volume", "pool"]


@dataclass(frozen=True, slots=True)
class Tier:
    """One rank of a tier structure; `rank` 0 is the lowest."""

    key: str
    name: str
    rank: int
    #: One or two characters that stand for it, often an emoji; empty for none.
    icon: str = ""
    #: What promoters of the tier may expect, in the brand's own words, one each.
    rights: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TierFacts:
    """What a tier structure may know of a member when it decides on a tier.

    Amounts are goods paid after discounts, without freight, less refunds; `*_received_fen` counts only orders
    whose goods have been received. "Shared" sales are orders of members whom this member brought (level 1).
    """

    member_id: UUID
    tier: str | None
    own_paid_fen: int = 0
    own_received_fen: int = 0
    shared_paid_fen: int = 0
    shared_received_fen: int = 0
    #: What `tier_figures` asked for, by its keys (`team_paid_fen:last_month`); amounts in fen, the rest counts.
    figures: Mapping[str, int] = field(default_factory=dict)
    #: Tiers that a review or an invitation has opened to the member, and that no decision has used yet.
    granted: tuple[str, ...] = ()
    #: Tiers the member held at some time; told where `tier_figures` asks for anything.
    held_before: tuple[str, ...] = ()
    #: Whether a promoter's share brought the member.
    invited: bool = False
    #: The calendar day in the brand's time zone, and the one on which the member got the present tier.
    today: date | None = None
    tier_since: date | None = None


@dataclass(frozen=True, slots=True)
class TierTraits:
    """What the core and the compliance policy have to know of a tier structure."""

    #: Goods a member has to buy before becoming a promoter, in fen; the policy looks at it as an entry fee.
    join_purchase_fen: int = 0
    #: Tiers that members apply for; somebody of the brand reviews each application.
    applications: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConditionState:
    """How far a member is with one condition: `have` of `need`. Conditions of one `way` belong together, one way
    is enough.
    """

    way: int
    #: Half a key of `TierFacts.figures` each: `team_paid_fen` and `last_month`.
    metric: str
    period: str
    have: int
    need: int


@dataclass(frozen=True, slots=True)
class NextTier:
    """The tier a member can reach next, by what, and how far they are."""

    tier: str
    how: Literal["open", "purchase", "application", "invitation", "conditions"]
    conditions: tuple[ConditionState, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """A member at the moment of payment: level 0 is the buyer, 1 the one who brought the buyer, and so on.

    `tier` is None for a member who is not a promoter.
    """

    member_id: UUID
    level: int
    tier: str | None
    frozen: bool = False
    #: The rank of the tier, 0 the lowest; what it was when the order was paid.
    rank: int = 0
    #: Goods that others paid through this member's shares (level 1) in the calendar month of the payment, in the
    #: brand's time zone and before this order, after discounts and refunds.
    month_fen: int = 0
    #: For a region agent: the administrative code of the region this person is the agent of; else empty.
    region: str = ""


@dataclass(frozen=True, slots=True)
class LineFacts:
    """One order line as it was paid: `paid_fen` is what remains after the line's share of the discounts."""

    line_id: UUID
    sku: str
    category: str
    quantity: int
    paid_fen: int
    #: What groups several SKUs; the SKU itself where a brand does not group.
    product: str = ""
    #: What the goods of the line cost the brand; None where nobody said.
    cost_fen: int | None = None
    #: Value added tax contained in the price, in basis points of the price without it.
    tax_bp: int = 0
    #: A commission base per piece that replaces the price, in fen; None where the price counts.
    fixed_base_fen: int | None = None
    #: What goods given in exchange took off the price: that part earned its commissions with the order they came from.
    exchanged_fen: int = 0
    #: By how much the buyer got it cheaper as a promoter, in basis points, by the plan that was in force at the order.
    self_discount_bp: int = 0

    def newly_paid(self, amount_fen: int) -> int:
        """Return the part of an amount for the whole line that falls on what was newly paid, rounded down."""
        if not self.exchanged_fen:
            return amount_fen
        return amount_fen * self.paid_fen // (self.paid_fen + self.exchanged_fen)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """An order frozen at payment: all a plan may look at, and nothing that can change later."""

    order_id: UUID
    paid_at: datetime
    lines: tuple[LineFacts, ...]
    buyer: Person
    upline: tuple[Person, ...]
    levels_allowed: int
    #: 1 for the buyer's first paid order.
    order_number: int = 1
    #: The administrative code of the delivery region (GB/T 2260, six digits), empty where unknown.
    region: str = ""
    #: Promoters who are agents of that region, the smallest region first; level 0.
    region_agents: tuple[Person, ...] = ()
    #: Whether the compliance policy lets this brand reward team turnover.
    team_allowed: bool = False

    @property
    def paid_goods_fen(self) -> int:
        """Goods paid after discounts, without freight."""
        return sum(line.paid_fen for line in self.lines)


@dataclass(frozen=True, slots=True)
class AwardProposal:
    """What a plan proposes: `rate_bp` of `base_fen` of one line to one person, under a named rule.

    With `fixed_fen` the amount is that, in fen, and the rate only tells where it came from (0 without one). `base`
    says how the base came about, `details` what else a reader needs: plain texts and whole numbers.
    """

    line_id: UUID
    beneficiary_id: UUID
    kind: AwardKind
    level: int
    rule: str
    base_fen: int
    rate_bp: int
    because: str = ""
    fixed_fen: int | None = None
    base: BaseKind = "paid"
    details: Mapping[str, int | str] | None = None


class Award(Struct, frozen=True, gc=False):
    """A proposal after policy, caps and rounding: what will be posted. A struct, as millions of them are made.

    `details` holds what no other field says (`sku`, `line_paid_fen`, `base`, and where they apply `because`,
    `fixed_fen`, `caps`, `details`); `explanation` puts both together. Store the fields as columns, and the details.
    """

    line_id: UUID
    beneficiary_id: UUID
    kind: AwardKind
    level: int
    rule: str
    base_fen: int
    rate_bp: int
    amount_fen: int
    tier: str = ""
    details: Mapping[str, object] = {}

    @property
    def explanation(self) -> dict[str, object]:
        """All there is to say about the award: how `explain_award` reads it, people and the API get it."""
        return explain_award(self)


class AwardLike(Protocol):
    """What an award says of itself, in memory or as a stored row."""

    @property
    def rule(self) -> str: ...
    @property
    def level(self) -> int: ...
    @property
    def tier(self) -> str: ...
    @property
    def base_fen(self) -> int: ...
    @property
    def rate_bp(self) -> int: ...
    @property
    def amount_fen(self) -> int: ...
    @property
    def details(self) -> Mapping[str, object] | None: ...


def explain_award(award: AwardLike) -> dict[str, object]:
    """Return an award's fields and details as one mapping, which `explain.award_sentence` turns into words.

    With `caps`, the last one that struck is also told as `cap` and `cap_fen`.
    """
    explanation: dict[str, object] = {
        "rule": award.rule,
        "because": "",
        "tier": award.tier,
        "level": award.level,
        "base_fen": award.base_fen,
        "rate_bp": award.rate_bp,
        "exact_fen_times_10000": award.base_fen * award.rate_bp,
        "rounding": "floor",
        "amount_fen": award.amount_fen,
        **(award.details or {}),
    }
    caps = explanation.get("caps")
    if isinstance(caps, list) and caps:
        explanation["cap"], explanation["cap_fen"] = caps[-1]["cap"], caps[-1]["limit_fen"]
    return explanation


@dataclass(frozen=True, slots=True)
class Withheld:
    """What was not paid, and why: `not_promoter`, `frozen`, `level_not_allowed`, `zero`, `team_not_allowed`,
    `no_upline`, `outranked`, `no_cost`, `line_cap`, `order_cap`, `promoter_day_cap`, `budget`.

    A plan may say it among its proposals, where it has nobody to propose or somebody else goes first.
    """

    line_id: UUID
    #: None where there is nobody: the buyer has no upline of that level.
    beneficiary_id: UUID | None
    level: int
    rule: str
    reason: str


#: What a plan answers: whom it wants to pay, and whom it would have paid but for a reason.
Proposal = AwardProposal | Withheld


@dataclass(frozen=True, slots=True)
class PlanTraits:
    """What the core has to know of a plan before it may be activated; the compliance policy is asked about it."""

    #: The highest level of the upline that earns by `share`.
    levels: int
    #: Whether anybody earns on what their downline sells or earns beyond those levels.
    team_rewards: bool = False
    #: Whether anybody earns for a new member as such, without an order. No policy allows it.
    head_count: bool = False
    #: How many people above the buyer the plan looks at; they are frozen into the order.
    upline_depth: int = 3


@dataclass(frozen=True, slots=True)
class Caps:
    """The limits of a plan, which the core applies after its proposals; None is no limit. What is paid is scaled
    down by largest remainder (line, order) or cut (day, budget) and the explanation says so.
    """

    #: Of what was paid for a line; what was paid is always a limit.
    line_bp: int | None = None
    #: Of the paid goods of an order, and an amount.
    order_bp: int | None = None
    order_fen: int | None = None
    #: Per promoter and calendar day of the brand.
    promoter_day_fen: int | None = None
    #: All awards of the plan version together, in the period.
    budget_fen: int | None = None
    budget_period: Literal["day", "month", "version"] = "version"
    #: `stop`: the order that would exceed it gets nothing; `cut`: it gets what is left; `warn`: it is paid and told.
    on_budget_end: Literal["stop", "cut", "warn"] = "cut"


@dataclass(frozen=True, slots=True)
class PeriodPerson:
    """What one promoter did in a period: goods after discounts and refunds, without freight, in fen."""

    member_id: UUID
    tier: str | None
    rank: int
    frozen: bool
    own_fen: int
    #: Orders of members whom this promoter brought (level 1), and how many.
    shared_fen: int
    shared_orders: int
    #: Orders of everybody below, at any depth.
    team_fen: int
    #: Commissions of the period less reversals, and those of them by the rules in `by_rule`.
    commission_fen: int
    by_rule: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PeriodFacts:
    """A period that is over: all that rewards at its end may look at."""

    #: `2026-11` for a month.
    period: str
    starts_at: datetime
    ends_at: datetime
    #: Goods of all paid orders of the brand after discounts and refunds.
    turnover_fen: int
    people: tuple[PeriodPerson, ...]
    team_allowed: bool = False


@dataclass(frozen=True, slots=True)
class PeriodProposal:
    """What a plan proposes for a period: an amount to one person under a named rule, with how it came about."""

    beneficiary_id: UUID
    rule: str
    amount_fen: int
    base_fen: int
    base: BaseKind
    rate_bp: int = 0
    because: str = ""
    details: Mapping[str, int | str] | None = None
    #: Whether it rewards what the downline beyond level 1 did; needs `PeriodFacts.team_allowed`.
    team: bool = False


@dataclass(frozen=True, slots=True)
class SettingsProblem:
    """Something wrong with a plugin's settings: where (a dotted path) and what, in words for an admin."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class PayoutTraits:
    """What the core has to know of a payout channel."""

    #: `provider`: the payment provider moves the money; `file`: a file goes to a bank and its result comes back;
    #: `manual`: a person pays and says so, with a proof.
    delivery: Literal["provider", "file", "manual"]
    #: The least and the most that reaches a payee in one go, in fen; None is no limit of the channel's own.
    minimum_fen: int = 1
    maximum_fen: int | None = None
    #: Fields of the payee: the one that tells accounts apart, and the one with the payee's real name.
    account_field: str = ""
    name_field: str = ""
    #: What the payee reads next to the money; the core puts the month before it.
    remark: str = ""


@dataclass(frozen=True, slots=True)
class PayoutOrder:
    """One payout for a file: pay `net_fen` to `payee` under a number that is unique for ever."""

    number: str
    net_fen: int
    payee: Mapping[str, str]
    remark: str = ""


@dataclass(frozen=True, slots=True)
class PayoutFile:
    """A file as a bank wants it."""

    name: str
    content: bytes
    media_type: str = "text/csv"


@dataclass(frozen=True, slots=True)
class PayoutResult:
    """What a result file says of one payout; without an amount the file does not tell it.

    `returned` is a payout that was paid and came back from the payee's bank days later.
    """

    number: str
    outcome: Literal["paid", "failed", "pending", "returned"]
    amount_fen: int | None = None
    reason: str = ""
