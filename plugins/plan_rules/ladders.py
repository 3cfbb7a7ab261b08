"""Ladders: the rate of the highest band that an amount reaches."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

from plugins.plan_rules.rows import ANY_TIER
from plugins.plan_rules.rules import Details, Rule, named
from plugins.plan_rules.sections import Band


class Ladder:
    """Bands of each tier, ready for questions."""

    def __init__(self, bands: Iterable[Band], *, name: str) -> None:
        by_tier: dict[str, list[Band]] = defaultdict(list)
        for band in bands:
            by_tier[band.tier].append(band)
        self._rules = {
            tier: (
                [band.from_fen for band in of_tier],
                [_rule(band, name) for band in of_tier],
            )
            for tier, of_tier in ((tier, sorted(found, key=lambda b: b.from_fen)) for tier, found in by_tier.items())
        }

    def __bool__(self) -> bool:
        return bool(self._rules)

    def find(self, tier: str | None, amount_fen: int) -> Rule | None:
        """Return the rule of the band that an amount falls into; `from_fen` itself belongs to the band.

        A tier with bands of its own has those alone.
        """
        found = self._rules.get(tier or ANY_TIER) or self._rules.get(ANY_TIER)
        if found is None:
            return None
        starts, rules = found
        index = bisect_right(starts, amount_fen)
        return rules[index - 1] if index else None


def _rule(band: Band, name: str) -> Rule:
    details: Details = {"by": f"{name}_ladder", "from_fen": band.from_fen}
    return Rule(named(f"rules:{name}:from:{band.from_fen}", band.tier), band.rate_bp, None, details)
