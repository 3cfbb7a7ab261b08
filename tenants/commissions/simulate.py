"""An order that nobody placed, worked out by the code that pays: who would earn what, who nothing, and the cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fanyong.ids import new_id
from fanyong.pluginhost.service import ActivePlugin
from fanyong.values import Award, LineFacts, OrderFacts, Person, Tier, Withheld
from tenants.commissions.engine import FULL_BP, Spending, limit_by_spending
from tenants.commissions.plans import prepare

EXAMPLE_FEN = 10_000


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a plan makes of one order."""

    facts: OrderFacts
    awards: tuple[Award, ...]
    withheld: tuple[Withheld, ...]

    @property
    def paid_fen(self) -> int:
        """Goods paid after discounts, without freight."""
        return self.facts.paid_goods_fen

    @property
    def cost_fen(self) -> int:
        """All awards together."""
        return sum(award.amount_fen for award in self.awards)

    @property
    def cost_bp(self) -> int:
        """The awards in basis points of what was paid, rounded down."""
        return self.cost_fen * FULL_BP // self.paid_fen if self.paid_fen else 0

    def person(self, member_id: object) -> Person | None:
        """Return a person of the order."""
        everybody = (self.facts.buyer, *self.facts.upline, *self.facts.region_agents)
        return next((person for person in everybody if person.member_id == member_id), None)


@dataclass(frozen=True, slots=True)
class Example:
    """One kind of order that brands have every day, with what it costs: who buys, and who brought the buyer."""

    #: Whether a promoter buys for themselves; otherwise somebody buys whom promoters brought.
    own_purchase: bool
    tier: Tier
    simulation: Simulation


def simulate(plan: ActivePlugin, facts: OrderFacts) -> Simulation:
    """Return what a plan makes of an order, as the first one of its day and of the budget. Raises PluginFailed."""
    ready = prepare(plan)
    result = limit_by_spending(ready.ask(facts), ready.caps, Spending())
    return Simulation(facts, result.awards, result.withheld)


def examples(
    plan: ActivePlugin,
    *,
    tiers: Sequence[Tier],
    at: datetime,
    levels_allowed: int,
    team_allowed: bool,
    amount_fen: int = EXAMPLE_FEN,
) -> list[Example]:
    """Return what goods of `amount_fen` without a rate of their own cost, by the tier of whoever earns first.

    Those above have the lowest tier; the buyer is nobody's promoter and has bought before. The last example is a
    promoter of the lowest tier who buys, when that earns anything. Raises PluginFailed.
    """
    if not tiers:
        return []
    lowest = tiers[0]

    def person(tier: Tier | None, level: int) -> Person:
        return Person(new_id(), level, tier.key if tier else None, rank=tier.rank if tier else 0)

    def run(buyer: Tier | None, upline: Sequence[Tier]) -> Simulation:
        facts = OrderFacts(
            order_id=new_id(),
            paid_at=at,
            lines=(LineFacts(new_id(), "", "", 1, amount_fen),),
            buyer=person(buyer, 0),
            upline=tuple(person(tier, level) for level, tier in enumerate(upline, start=1)),
            levels_allowed=levels_allowed,
            order_number=2,
            team_allowed=team_allowed,
        )
        return simulate(plan, facts)

    found = [Example(False, tier, run(None, (tier, lowest, lowest))) for tier in tiers]
    own = run(lowest, ())
    return [*found, Example(True, lowest, own)] if own.awards else found
