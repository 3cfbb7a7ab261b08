"""The share of region agents: by the size of the region that each is the agent of."""

from __future__ import annotations

from typing import Literal

from fanyong.values import Person
from plugins.plan_rules.rules import Base, Details, Rule, Sale
from plugins.plan_rules.sections import Regions as RegionSettings
from tenants.commissions.rounding import allocate

Size = Literal["district", "city", "province"]
SIZES: tuple[Size, ...] = ("district", "city", "province")


def size_of(code: str) -> Size:
    """Return the size of a region by its code (GB/T 2260): provinces end in four zeros, cities in two."""
    if code.endswith("0000"):
        return "province"
    return "city" if code.endswith("00") else "district"


class Regions:
    """The rates of region agents, ready for orders."""

    def __init__(self, settings: RegionSettings) -> None:
        self._rules = {row.size: Rule(f"rules:region:{row.size}", row.rate_bp) for row in settings.rates if row.rate_bp}
        self._nearest = settings.who == "nearest"

    def propose(self, sale: Sale) -> None:
        """Propose the share of each region's agents; several agents of one region share its base evenly."""
        if not self._rules:
            return
        agents: dict[Size, list[Person]] = {}
        for person in sale.facts.region_agents:
            agents.setdefault(size_of(person.region), []).append(person)
        base = sale.base
        for size in SIZES:
            rule, people = self._rules.get(size), agents.get(size)
            if rule is None or not people:
                continue
            for person, part in zip(people, allocate(base.fen, [1] * len(people)), strict=True):
                details: Details = {"by": "region", "region": person.region, "agents": len(people)}
                told = Rule(rule.name, rule.rate_bp, None, details)
                sale.offer("region", told, person, base=Base(part, base.kind, base.details, base.known))
            if self._nearest:
                return
