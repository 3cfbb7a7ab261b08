"""Campaigns: rates that hold for some time, instead of the others or on top of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from fanyong.values import LineFacts
from fanyong.wechat.times import BEIJING
from plugins.plan_rules.rules import Rule
from plugins.plan_rules.sections import Campaign
from plugins.plan_rules.table import coming_before, goods_of


@dataclass(frozen=True, slots=True)
class Running:
    """A row of a campaign, ready for questions."""

    name: str
    starts_at: datetime
    ends_at: datetime
    goods: tuple[str, str]
    level: int
    tier: str
    rule: Rule


class Campaigns:
    """All rows of all campaigns."""

    def __init__(self, rows: Iterable[Campaign]) -> None:
        rows = list(rows)
        self._instead = [_running(row) for row in rows if row.together == "instead"]
        self._extra = [_running(row) for row in rows if row.together == "extra"]

    def at(self, moment: datetime) -> tuple[list[Running], list[Running]]:
        """Return the rows that run at a moment: those instead of other rates, and those on top of them."""
        if not self._instead and not self._extra:
            return [], []
        return (
            [row for row in self._instead if row.starts_at <= moment < row.ends_at],
            [row for row in self._extra if row.starts_at <= moment < row.ends_at],
        )


def best_of(running: Iterable[Running], line: LineFacts, level: int, tier: str | None) -> Rule | None:
    """Return the most specific rule among rows that run, the first one among equals, or None."""
    fitting = _fitting(running, line, level, tier)
    return coming_before(fitting[0].rule, [row.rule for row in fitting[1:]]) if fitting else None


def best_of_each(running: Iterable[Running], line: LineFacts, level: int, tier: str | None) -> list[Rule]:
    """Return the most specific rule of each campaign, the most specific first."""
    best: dict[str, Rule] = {}
    for row in _fitting(running, line, level, tier):
        best.setdefault(row.name, row.rule)
    return list(best.values())


def in_brand_time(moment: datetime) -> datetime:
    """Return a moment of the settings with its time zone; without one it is the brand's."""
    return moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)


def _fitting(running: Iterable[Running], line: LineFacts, level: int, tier: str | None) -> list[Running]:
    """Return the rows for a line, level and tier, the most specific first."""
    goods = goods_of(line)
    fitting = [row for row in running if row.level == level and row.tier in ("", tier) and row.goods in goods]
    return sorted(fitting, key=lambda row: (goods.index(row.goods), not row.tier))


def _running(row: Campaign) -> Running:
    parts = ["rules", "campaign", row.name, str(row.level)]
    parts += [row.scope, row.target] if row.scope != "brand" else []
    parts += [row.tier] if row.tier else []
    rate_bp = 0 if row.fixed_fen is not None else row.rate_bp or 0
    rule = Rule(":".join(parts), rate_bp, row.fixed_fen, {"by": "campaign", "campaign": row.name})
    goods = (row.scope, row.target)
    starts_at, ends_at = in_brand_time(row.starts_at), in_brand_time(row.ends_at)
    return Running(row.name, starts_at, ends_at, goods, row.level, row.tier, rule)
