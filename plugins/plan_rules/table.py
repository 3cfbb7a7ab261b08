"""The table of rates: the most specific row wins, and the rows it came before are told.

More specific is: the SKU before the product before the category before the brand; among rows of the same goods, first
or later orders before all orders; among those, a tier before all tiers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fanyong.values import LineFacts
from plugins.plan_rules.rows import ANY_TIER, RateRow, SelfRate
from plugins.plan_rules.rules import Rule

Key = tuple[str, str, int, str, str]
#: Answers are remembered; a brand with more kinds of lines than that asks a few of them again.
MAX_REMEMBERED = 50_000
MAX_TOLD = 5


class RateTable:
    """Rows made ready for questions; an answer depends on nothing but the rows and the question."""

    def __init__(self, rows: Iterable[RateRow | SelfRate]) -> None:
        self._rules: dict[Key, Rule] = {}
        for row in rows:
            orders, level = (row.orders, row.level) if isinstance(row, RateRow) else ("all", 0)
            key: Key = (row.scope, row.target, level, orders, row.tier)
            # Two rows of one key are refused when the plan is saved.
            self._rules[key] = _rule(row, key)
        self._remembered: dict[tuple[str, str, str, int, str | None, bool], Rule | None] = {}
        self.levels = sorted({key[2] for key, rule in self._rules.items() if rule.pays})

    def find(self, line: LineFacts, level: int, tier: str | None, first: bool) -> Rule | None:
        """Return the rule that holds for a line, a level and a tier, or None where no row speaks of it."""
        key = (line.sku, line.product, line.category, level, tier, first)
        try:
            return self._remembered[key]
        except KeyError:
            pass
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        found = self._remembered[key] = self._search(line, level, tier, first)
        return found

    def _search(self, line: LineFacts, level: int, tier: str | None, first: bool) -> Rule | None:
        found = [self._rules[key] for key in _candidates(line, level, tier, first) if key in self._rules]
        return coming_before(found[0], found[1:]) if found else None


def coming_before(rule: Rule, others: Iterable[Rule]) -> Rule:
    """Return a rule that says which other ones it came before."""
    names = [other.name for other in others][:MAX_TOLD]
    if not names:
        return rule
    details = {**(rule.details or {}), "instead_of": ", ".join(names)}
    return Rule(rule.name, rule.rate_bp, rule.fixed_fen, details, rule.plain)


def goods_of(line: LineFacts) -> tuple[tuple[str, str], ...]:
    """Return the scopes a line belongs to with its name there, the most specific first."""
    return (("sku", line.sku), ("product", line.product), ("category", line.category), ("brand", ""))


def _candidates(line: LineFacts, level: int, tier: str | None, first: bool) -> Iterator[Key]:
    for scope, target in goods_of(line):
        for orders in ("first" if first else "repeat", "all"):
            for who in dict.fromkeys((tier or ANY_TIER, ANY_TIER)):
                yield scope, target, level, orders, who


def _rule(row: RateRow | SelfRate, key: Key) -> Rule:
    scope, target, level, orders, tier = key
    parts = ["rules", str(level) if level else "self"]
    details: dict[str, int | str] = {}
    if scope != "brand":
        parts += [scope, target]
        details |= {"by": scope, "target": target}
    if orders != "all":
        parts.append(orders)
        details["orders"] = orders
    if tier:
        parts.append(tier)
    plain = scope == "brand" and orders == "all"
    rate_bp = 0 if row.fixed_fen is not None else row.rate_bp or 0
    return Rule(":".join(parts), rate_bp, row.fixed_fen, details or None, plain)
