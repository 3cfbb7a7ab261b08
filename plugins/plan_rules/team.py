"""Team rewards of an order: the differential, the same rank beside it, and the bonus on commissions below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fanyong.values import Person
from plugins.plan_rules.rows import ANY_TIER, ManagementRow, SameRankRow
from plugins.plan_rules.rules import Base, Details, Rule, Sale, named
from plugins.plan_rules.sections import Team as TeamSettings

#: What somebody earned on a line before, by level.
Earned = dict[int, int]


@dataclass(slots=True)
class Climb:
    """Where the differential stands on its way up from the buyer."""

    highest_bp: int = 0
    tier: str = ""
    #: What the last one who got a part got of the line, 0 for somebody who is not going to be paid.
    amount_fen: int = 0
    generation: int = 0


class Team:
    """The team rewards of a plan, ready for orders."""

    def __init__(self, settings: TeamSettings) -> None:
        self._rates = {row.tier: row.rate_bp for row in settings.differential if row.rate_bp}
        self._top_bp = max(self._rates.values(), default=0)
        self._same_rank = _by_tier(settings.same_rank, name="same-rank")
        self._management = _by_tier(settings.management, name="management")
        self._has_management = any(rule.pays for rule in self._management.values())
        self._generations = sorted({generation for generation, _tier in self._management})
        self._same_rank_generations = max((generation for generation, _tier in self._same_rank), default=0)
        self._depth = settings.depth

    def __bool__(self) -> bool:
        return bool(self._rates or self._has_management)

    def propose(self, sale: Sale, earned: Earned) -> None:
        """Propose the team rewards of one line; `earned` is what each level earns by shares of it, in fen."""
        if self._rates:
            self._propose_differential(sale, earned)
        if self._has_management:
            self._propose_management(sale, earned)

    def _propose_differential(self, sale: Sale, earned: Earned) -> None:
        climb = Climb()
        for person in sale.facts.upline[: self._depth]:
            rate_bp = self._rates.get(person.tier or "")
            if rate_bp is None:
                continue
            if rate_bp > climb.highest_bp:
                self._take_difference(sale, person, rate_bp, climb)
                if person.level == 1:
                    earned[1] = earned.get(1, 0) + climb.amount_fen
            elif person.tier != climb.tier or not self._take_same_rank(sale, person, climb):
                sale.withhold(person, person.level, f"rules:diff:{person.tier}", "outranked")
            if climb.highest_bp == self._top_bp and climb.generation >= self._same_rank_generations:
                # Nobody higher up can get anything any more.
                return

    def _take_difference(self, sale: Sale, person: Person, rate_bp: int, climb: Climb) -> None:
        """Propose somebody's rate less the highest below, and note who stands highest now."""
        part_bp = rate_bp - climb.highest_bp
        details: Details = {"by": "differential", "own_bp": rate_bp, "below_bp": climb.highest_bp}
        rule = Rule(f"rules:diff:{person.tier}", part_bp, None, details)
        # Level 1 earns on what it brought itself; from level 2 on the differential rewards a team.
        sale.offer("share" if person.level == 1 else "team", rule, person)
        is_paid = not person.frozen and (person.level == 1 or sale.facts.team_allowed)
        climb.highest_bp, climb.tier, climb.generation = rate_bp, person.tier or "", 0
        climb.amount_fen = sale.worth(rule) if is_paid else 0

    def _take_same_rank(self, sale: Sale, person: Person, climb: Climb) -> bool:
        """Propose a part of what the one of the same tier below got; return whether there is a rate for it."""
        climb.generation += 1
        rule = _of_tier(self._same_rank, climb.generation, person.tier)
        if rule is None or not rule.pays:
            return False
        details: Details = {"by": "same_rank", "generation": climb.generation}
        _offer_of_commission(sale, rule, person, climb.amount_fen, details=details)
        return True

    def _propose_management(self, sale: Sale, earned: Earned) -> None:
        upline = sale.facts.upline[: self._depth]
        for level, amount in earned.items():
            for generation in self._generations:
                above = level + generation
                if amount <= 0 or above > len(upline):
                    break
                person = upline[above - 1]
                rule = _of_tier(self._management, generation, person.tier)
                if rule is not None and rule.pays:
                    details: Details = {"by": "management", "generation": generation, "below_level": level}
                    _offer_of_commission(sale, rule, person, amount, details=details)


def _by_tier(rows: Iterable[SameRankRow | ManagementRow], *, name: str) -> dict[tuple[int, str], Rule]:
    """Return the rules of rows; a row of nothing is kept, because it leaves its tier out of what all tiers get."""
    return {
        (row.generation, row.tier): Rule(named(f"rules:{name}:{row.generation}", row.tier), row.rate_bp) for row in rows
    }


def _of_tier(rules: Mapping[tuple[int, str], Rule], generation: int, tier: str | None) -> Rule | None:
    """Return the rule of a generation for a tier: a row of the tier comes before one of all tiers."""
    return rules.get((generation, tier or ANY_TIER)) or rules.get((generation, ANY_TIER))


def _offer_of_commission(sale: Sale, rule: Rule, person: Person, amount_fen: int, *, details: Details) -> None:
    """Propose a percentage of somebody's commission on the line, which is never above what was paid for it."""
    told = Rule(rule.name, rule.rate_bp, None, details)
    sale.offer("team", told, person, base=Base(min(amount_fen, sale.line.paid_fen), "commission"))
