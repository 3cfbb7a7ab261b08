"""What is wrong with settings that each field alone allows, in words for the brand's owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

from flask_babel import gettext as _

from fanyong.values import SettingsProblem, Tier
from plugins.plan_rules.campaigns import in_brand_time
from plugins.plan_rules.rows import RateRow, SelfRate, TierAmount
from plugins.plan_rules.sections import Band, Campaign
from plugins.plan_rules.settings import Settings, Target
from plugins.plan_rules.worst import too_much

T = TypeVar("T")


class WithTier(Protocol):
    """A row that is for a tier, or for all of them."""

    @property
    def tier(self) -> str: ...


def problems_of(settings: Settings, tiers: Sequence[Tier]) -> list[SettingsProblem]:
    """Return everything that is wrong with the settings."""
    found = [
        *_goods(settings),
        *_one_of_two(settings),
        *_unknown_tiers(settings, tiers),
        *_repeated(settings),
        *_bands("order_ladder.bands", settings.order_ladder.bands),
        *_bands("month_ladder.bands", settings.month_ladder.bands),
        *_ladders_together(settings),
        *_campaigns(settings.campaigns),
        *_team(settings, tiers),
        *_bonuses(settings),
    ]
    # A total of rows that are wrong themselves would only confuse.
    return found or too_much(settings)


def _rows(lists: Mapping[str, Sequence[T]]) -> Iterator[tuple[str, T]]:
    """Yield each row with the path of its place."""
    for name, rows in lists.items():
        for index, row in enumerate(rows):
            yield f"{name}.{index}", row


def _goods(settings: Settings) -> Iterator[SettingsProblem]:
    lists: dict[str, Sequence[RateRow | SelfRate | Campaign]] = {
        "rates": settings.rates,
        "own_purchases.rates": settings.own_purchases.rates,
        "campaigns": settings.campaigns,
    }
    for path, row in _rows(lists):
        scope, target = row.scope, row.target
        if scope == "brand" and target:
            yield SettingsProblem(f"{path}.target", _("A row for all goods names none of them."))
        elif scope != "brand" and not target:
            yield SettingsProblem(f"{path}.target", _("Say which one."))
        elif not target.isprintable():
            yield SettingsProblem(f"{path}.target", _("There is a character in it that cannot be shown."))


def _one_of_two(settings: Settings) -> Iterator[SettingsProblem]:
    lists: dict[str, Sequence[RateRow | SelfRate | Campaign | TierAmount | Target]] = {
        "rates": settings.rates,
        "own_purchases.rates": settings.own_purchases.rates,
        "campaigns": settings.campaigns,
        "bonuses.leaders": settings.bonuses.leaders,
        "targets": settings.targets,
    }
    for path, row in _rows(lists):
        if (row.rate_bp is None) == (row.fixed_fen is None):
            yield SettingsProblem(f"{path}.rate_bp", _("Give a percentage or an amount, one of the two."))


def _unknown_tiers(settings: Settings, tiers: Sequence[Tier]) -> Iterator[SettingsProblem]:
    lists: dict[str, Sequence[WithTier]] = {
        "rates": settings.rates,
        "order_ladder.bands": settings.order_ladder.bands,
        "month_ladder.bands": settings.month_ladder.bands,
        "own_purchases.rates": settings.own_purchases.rates,
        "campaigns": settings.campaigns,
        "bonuses.leaders": settings.bonuses.leaders,
        "team.differential": settings.team.differential,
        "team.same_rank": settings.team.same_rank,
        "team.management": settings.team.management,
        "pool.tiers": settings.pool.tiers,
        "targets": settings.targets,
    }
    known = {tier.key for tier in tiers}
    for path, row in _rows(lists):
        if row.tier and row.tier not in known:
            yield SettingsProblem(f"{path}.tier", _("There is no tier “%(tier)s”.", tier=row.tier))


def _repeated(settings: Settings) -> Iterator[SettingsProblem]:
    """Find rows that say something else of the same thing: nobody could tell which one holds."""
    lists: dict[str, Iterable[tuple[object, ...]]] = {
        "rates": [(r.scope, r.target, r.level, r.tier, r.orders) for r in settings.rates],
        "order_ladder.bands": [(b.tier, b.from_fen) for b in settings.order_ladder.bands],
        "month_ladder.bands": [(b.tier, b.from_fen) for b in settings.month_ladder.bands],
        "own_purchases.rates": [(r.scope, r.target, r.tier) for r in settings.own_purchases.rates],
        "campaigns": [(c.name, c.scope, c.target, c.level, c.tier) for c in settings.campaigns],
        "bonuses.leaders": [(row.tier,) for row in settings.bonuses.leaders],
        "team.differential": [(row.tier,) for row in settings.team.differential],
        "team.same_rank": [(row.generation, row.tier) for row in settings.team.same_rank],
        "team.management": [(row.generation, row.tier) for row in settings.team.management],
        "regions.rates": [(row.size,) for row in settings.regions.rates],
        "pool.tiers": [(row.tier,) for row in settings.pool.tiers],
        "targets": [(row.figure, row.tier, row.from_fen) for row in settings.targets],
    }
    for name, keys in lists.items():
        seen = set()
        for index, key in enumerate(keys):
            if key in seen:
                yield SettingsProblem(f"{name}.{index}", _("There is another row for the same."))
            seen.add(key)


def _bands(path: str, bands: Sequence[Band]) -> Iterator[SettingsProblem]:
    """Check that the bands of each tier rise: who sells more never earns a lower rate."""
    for tier in dict.fromkeys(band.tier for band in bands):
        of_tier = [(index, band) for index, band in enumerate(bands) if band.tier == tier]
        for (_index, lower), (index, higher) in pairwise(of_tier):
            if higher.from_fen < lower.from_fen:
                yield SettingsProblem(f"{path}.{index}.from_fen", _("Each band starts above the one before it."))
            if higher.rate_bp < lower.rate_bp:
                yield SettingsProblem(f"{path}.{index}.rate_bp", _("A higher band never has a lower rate."))


def _ladders_together(settings: Settings) -> Iterator[SettingsProblem]:
    order, month = settings.order_ladder, settings.month_ladder
    if order.bands and month.bands and order.together == month.together == "instead":
        yield SettingsProblem(
            "month_ladder.together", _("Only one of the two ladders can stand in for the brand's own rate.")
        )
    if not (month.bands and month.retroactive):
        return
    if settings.base != "paid":
        yield SettingsProblem(
            "month_ladder.retroactive",
            _("The whole month can only be worked out of what was paid; choose that for the percentages."),
        )
    if month.together == "instead":
        yield SettingsProblem(
            "month_ladder.retroactive",
            _("For the whole month the band has to count for all goods: let it count on top of the rates."),
        )


def _campaigns(rows: Sequence[Campaign]) -> Iterator[SettingsProblem]:
    for index, row in enumerate(rows):
        if in_brand_time(row.ends_at) <= in_brand_time(row.starts_at):
            yield SettingsProblem(f"campaigns.{index}.ends_at", _("It ends before it begins."))
        if not row.name.isprintable():
            yield SettingsProblem(f"campaigns.{index}.name", _("There is a character in it that cannot be shown."))


def _team(settings: Settings, tiers: Sequence[Tier]) -> Iterator[SettingsProblem]:
    ranks = {tier.key: tier.rank for tier in tiers}
    rows = [(index, row) for index, row in enumerate(settings.team.differential) if row.tier in ranks]
    for (_index, lower), (index, higher) in pairwise(sorted(rows, key=lambda pair: ranks[pair[1].tier])):
        if higher.rate_bp < lower.rate_bp:
            path = f"team.differential.{index}.rate_bp"
            yield SettingsProblem(path, _("A higher tier never has a lower rate."))
    if settings.team.same_rank and not settings.team.differential:
        yield SettingsProblem("team.same_rank.0", _("Same rank is a part of the differential; give its rates first."))


def _bonuses(settings: Settings) -> Iterator[SettingsProblem]:
    bonuses = settings.bonuses
    if bonuses.new_member_bp is not None and bonuses.new_member_fen is not None:
        yield SettingsProblem("bonuses.new_member_bp", _("Give a percentage or an amount, one of the two."))
    if settings.pool.rate_bp and not any(row.weight for row in settings.pool.tiers):
        yield SettingsProblem("pool.tiers", _("Say who has a share of the pool."))
    own = settings.own_purchases
    for index, row in enumerate(own.rates if own.mode == "discount" else ()):
        if row.fixed_fen is not None:
            path = f"own_purchases.rates.{index}.fixed_fen"
            yield SettingsProblem(path, _("A lower price is a percentage."))
