"""What a month that is over brings: the dividend pool, targets that were reached, the best band for the month."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fanyong.values import PeriodFacts, PeriodPerson, PeriodProposal
from plugins.plan_rules.ladders import Ladder
from plugins.plan_rules.rows import ANY_TIER, FULL_BP
from plugins.plan_rules.rules import named
from plugins.plan_rules.sections import MonthLadder
from plugins.plan_rules.settings import Pool, Settings, Target
from tenants.commissions.rounding import allocate

FIGURES = {"shared": "shared_fen", "own": "own_fen", "team": "team_fen"}


def awards_of_period(settings: Settings, facts: PeriodFacts) -> list[PeriodProposal]:
    """Return what a month brings to whom; frozen people are proposed too, and the core withholds it."""
    return [
        *_pool(settings.pool, facts),
        *_targets(settings.targets, facts),
        *_month_differences(settings.month_ladder, facts),
    ]


def _pool(pool: Pool, facts: PeriodFacts) -> Iterator[PeriodProposal]:
    """Share a part of the turnover by weight with largest remainder, so that all of it is given and not a fen more."""
    turnover = max(facts.turnover_fen, 0)
    total = turnover * pool.rate_bp // FULL_BP
    weights = {row.tier: row.weight for row in pool.tiers}
    members = [(person, _weight(pool, weights, person)) for person in facts.people]
    members = [(person, weight) for person, weight in members if weight > 0]
    if not total or not members:
        return
    of_all = sum(weight for _person, weight in members)
    for (person, weight), part in zip(members, allocate(total, [weight for _person, weight in members]), strict=True):
        details: dict[str, int | str] = {"by": "pool", "pool_fen": total, "weight": weight, "weights": of_all}
        yield PeriodProposal(person.member_id, "rules:pool", part, turnover, "pool", pool.rate_bp, details=details)


def _weight(pool: Pool, weights: dict[str, int], person: PeriodPerson) -> int:
    if person.tier is None or person.shared_fen < pool.minimum_fen:
        return 0
    shares = weights.get(person.tier, weights.get(ANY_TIER, 0))
    return shares * max(person.shared_fen, 0) if pool.by == "sales" else shares


def _targets(rows: Iterable[Target], facts: PeriodFacts) -> Iterator[PeriodProposal]:
    """Pay the highest target that each promoter has reached, one for each figure."""
    rows = list(rows)
    for figure, attribute in FIGURES.items():
        of_figure = sorted((row for row in rows if row.figure == figure), key=lambda row: row.from_fen)
        for person in facts.people if of_figure else ():
            own = [row for row in of_figure if row.tier and row.tier == person.tier]
            reached = [
                row
                for row in own or [row for row in of_figure if not row.tier]
                if row.from_fen <= getattr(person, attribute)
            ]
            if person.tier is not None and reached:
                yield _target(reached[-1], person, volume_fen=getattr(person, attribute))


def _target(row: Target, person: PeriodPerson, *, volume_fen: int) -> PeriodProposal:
    rate_bp = 0 if row.fixed_fen is not None else row.rate_bp or 0
    amount = volume_fen * rate_bp // FULL_BP if row.fixed_fen is None else row.fixed_fen
    details: dict[str, int | str] = {"by": "target", "figure": row.figure, "from_fen": row.from_fen}
    if row.fixed_fen is not None:
        details["fixed_fen"] = row.fixed_fen
    name = named(f"rules:target:{row.figure}:{row.from_fen}", row.tier)
    return PeriodProposal(
        person.member_id, name, amount, volume_fen, "volume", rate_bp, details=details, team=row.figure == "team"
    )


def _month_differences(ladder: MonthLadder, facts: PeriodFacts) -> Iterator[PeriodProposal]:
    """Pay the highest band for the whole month, less what its bands have paid order by order.

    Where that was more, because refunds took back goods, nothing is taken: refunds take back of each award itself.
    """
    if not ladder.retroactive:
        return
    bands = Ladder(ladder.bands, name="month")
    for person in facts.people:
        band = bands.find(person.tier, person.shared_fen)
        if person.tier is None or band is None:
            continue
        paid = sum(amount for rule, amount in person.by_rule.items() if rule.startswith("rules:month:from:"))
        whole = person.shared_fen * band.rate_bp // FULL_BP
        if whole > paid:
            details: dict[str, int | str] = {"by": "month_difference", "whole_fen": whole, "paid_before_fen": paid}
            yield PeriodProposal(
                person.member_id,
                "rules:month-difference",
                whole - paid,
                person.shared_fen,
                "volume",
                band.rate_bp,
                details=details,
            )
