"""The values that cross the plugin boundary: frozen, without a database, the same for paying and previewing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

AwardKind = Literal["share", "self"]


@dataclass(frozen=True, slots=True)
class Tier:
    """One rank of a tier structure; `rank` 0 is the lowest."""

    key: str
    name: str
    rank: int


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


@dataclass(frozen=True, slots=True)
class Person:
    """A member at the moment of payment: level 0 is the buyer, 1 the one who brought the buyer, and so on.

    `tier` is None for a member who is not a promoter.
    """

    member_id: UUID
    level: int
    tier: str | None
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class LineFacts:
    """One order line as it was paid: `paid_fen` is what remains after the line's share of the discounts."""

    line_id: UUID
    sku: str
    category: str
    quantity: int
    paid_fen: int


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """An order frozen at payment: all a plan may look at, and nothing that can change later."""

    order_id: UUID
    paid_at: datetime
    lines: tuple[LineFacts, ...]
    buyer: Person
    upline: tuple[Person, ...]
    levels_allowed: int

    @property
    def paid_goods_fen(self) -> int:
        """Goods paid after discounts, without freight."""
        return sum(line.paid_fen for line in self.lines)


@dataclass(frozen=True, slots=True)
class AwardProposal:
    """What a plan proposes: `rate_bp` of `base_fen` of one line to one person, under a named rule."""

    line_id: UUID
    beneficiary_id: UUID
    kind: AwardKind
    level: int
    rule: str
    base_fen: int
    rate_bp: int
    because: str = ""


@dataclass(frozen=True, slots=True)
class Award:
    """A proposal after policy, caps and rounding: what will be posted, with its explanation."""

    line_id: UUID
    beneficiary_id: UUID
    kind: AwardKind
    level: int
    rule: str
    base_fen: int
    rate_bp: int
    amount_fen: int
    explanation: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A proposal that was not paid, and why: `not_promoter`, `frozen`, `level_not_allowed`, `zero`."""

    line_id: UUID
    beneficiary_id: UUID
    level: int
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class SettingsProblem:
    """Something wrong with a plugin's settings: where (a dotted path) and what, in words for an admin."""

    path: str
    message: str
