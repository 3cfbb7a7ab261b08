"""The most a plan could give away of one line: everybody holds the tier that earns most there."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import gettext as _

from fanyong.values import SettingsProblem
from fanyong.web.money import percent
from plugins.plan_rules.campaigns import in_brand_time
from plugins.plan_rules.rows import FULL_BP, ManagementRow, RateRow, SameRankRow
from plugins.plan_rules.sections import Campaign
from plugins.plan_rules.settings import Settings

Goods = tuple[str, str]
ALL_GOODS: Goods = ("brand", "")


def too_much(settings: Settings) -> list[SettingsProblem]:
    """Return a problem when percentages together exceed what was paid for some goods; the parts are named.

    Amounts per piece are left to the limits: how much of a price they are is not known here.
    """
    goods: set[Goods] = {ALL_GOODS, *((row.scope, row.target) for row in settings.rates)}
    goods |= {(row.scope, row.target) for row in settings.campaigns}
    for one in sorted(goods, key=lambda found: (found != ALL_GOODS, found)):
        parts = [(name, rate_bp) for name, rate_bp in _parts(settings, one) if rate_bp]
        total = sum(rate_bp for _name, rate_bp in parts)
        if total > FULL_BP:
            listed = ", ".join(f"{name} {percent(rate_bp)}" for name, rate_bp in parts)
            which = one[1] or _("all goods")
            message = _(
                "Together up to %(total)s of what was paid could be given away for %(goods)s: %(parts)s.",
                total=percent(total),
                goods=which,
                parts=listed,
            )
            return [SettingsProblem("rates", message)]
    return []


def _parts(settings: Settings, goods: Goods) -> list[tuple[str, int]]:
    """Return what could come together on one line of some goods, in basis points."""
    levels = {level: _share(settings, goods, level) for level in (1, 2, 3)}
    differential = max((row.rate_bp for row in settings.team.differential), default=0)
    management = sum(_each_generation(settings.team.management))
    same_rank = sum(_each_generation(settings.team.same_rank))
    regions = [row.rate_bp for row in settings.regions.rates]
    parts = [(_("level %(level)s", level=level), rate_bp) for level, rate_bp in levels.items()]
    parts += [
        (_("campaigns"), _campaigns_on_top(settings.campaigns, goods)),
        (_("group leader"), max((row.rate_bp or 0 for row in settings.bonuses.leaders), default=0)),
        (_("new member"), settings.bonuses.new_member_bp or 0),
        (_("differential"), differential),
        (_("same rank"), differential * same_rank // FULL_BP),
        (_("management bonus"), (sum(levels.values()) + differential) * management // FULL_BP),
        (_("region agents"), max(regions, default=0) if settings.regions.who == "nearest" else sum(regions)),
    ]
    own = settings.own_purchases
    if own.mode == "rebate" and own.pay_upline:
        parts.append((_("own purchases"), max((row.rate_bp or 0 for row in own.rates), default=0)))
    return parts


def _share(settings: Settings, goods: Goods, level: int) -> int:
    """Return the highest share of a level: the goods' own rate where there is one, else the brand's, and ladders."""
    own = [row for row in settings.rates if (row.scope, row.target) == goods and row.level == level]
    rows = own if _covers_everybody(own) else [*own, *(row for row in settings.rates if row.scope == "brand")]
    share = max((row.rate_bp or 0 for row in rows if row.level == level), default=0)
    on_top = 0
    for ladder in (settings.order_ladder, settings.month_ladder) if level == 1 else ():
        highest = max((band.rate_bp for band in ladder.bands), default=0)
        if ladder.together == "extra":
            on_top += highest
        elif goods == ALL_GOODS or not _covers_everybody(own):
            share = max(share, highest)
    instead = (row for row in settings.campaigns if row.together == "instead" and row.level == level)
    return max([share, *(row.rate_bp or 0 for row in instead if _touches(row, goods))]) + on_top


def _covers_everybody(rows: Sequence[RateRow]) -> bool:
    return any(not row.tier and row.orders == "all" for row in rows)


def _campaigns_on_top(rows: Sequence[Campaign], goods: Goods) -> int:
    """Return the most that campaigns running at one moment add: it is reached when one of them begins."""
    extra = [row for row in rows if row.together == "extra" and _touches(row, goods)]
    sums = []
    for moment in {in_brand_time(row.starts_at) for row in extra}:
        running = [row for row in extra if in_brand_time(row.starts_at) <= moment < in_brand_time(row.ends_at)]
        best: dict[tuple[str, int], int] = {}
        for row in running:
            key = (row.name, row.level)
            best[key] = max(best.get(key, 0), row.rate_bp or 0)
        sums.append(sum(best.values()))
    return max(sums, default=0)


def _touches(row: Campaign, goods: Goods) -> bool:
    return row.scope == "brand" or (row.scope, row.target) == goods


def _each_generation(rows: Sequence[SameRankRow | ManagementRow]) -> list[int]:
    highest: dict[int, int] = {}
    for row in rows:
        highest[row.generation] = max(highest.get(row.generation, 0), row.rate_bp)
    return list(highest.values())
