"""A ladder of tiers: promoters rise with what they sold or by conditions, and fall only where the brand says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flask_babel import lazy_gettext as _l

from fanyong.hooks import PluginKind, TierStructurePlugin, hookimpl
from fanyong.tier_conditions import (
    figures_needed,
    has_conditions,
    may_join,
    may_return,
    may_rise,
    must_fall,
    next_entry,
    rise_states,
)
from fanyong.values import ConditionState, NextTier, SettingsProblem, Tier, TierFacts, TierTraits
from plugins.tiers_ladder.check import problems_of
from plugins.tiers_ladder.settings import Settings


class TiersLadder:
    """The tier structure `tiers_ladder`."""

    name = "tiers_ladder"
    version = "1.1"
    requires = "fanyong>=0.1,<1"
    kind: PluginKind = "tier_structure"
    title = _l("Ladder of tiers")
    summary = _l("Promoters rise to a higher tier when their sales, or conditions you set, reach it.")
    settings_model = Settings

    @hookimpl
    def tiers(self, settings: Settings) -> Sequence[Tier]:
        """Return the rungs, lowest first."""
        return tuple(
            Tier(tier.key, tier.name, rank, tier.icon, tuple(filter(None, map(str.strip, tier.rights.splitlines()))))
            for rank, tier in enumerate(settings.tiers)
        )

    @hookimpl
    def tier_figures(self, settings: Settings) -> Sequence[str]:
        """Return the figures of all conditions."""
        return figures_needed(settings.conditions, settings.count_when)

    @hookimpl
    def tier_traits(self, settings: Settings) -> TierTraits:
        """Return what it takes to join."""
        return TierTraits(
            join_purchase_fen=max(1, settings.join_purchase_fen) if settings.join == "after_purchase" else 0,
            applications=(settings.tiers[0].key,) if settings.join == "application" else (),
        )

    @hookimpl
    def decide_tier(self, settings: Settings, facts: TierFacts) -> str | None:
        """Return the highest rung that is reached, or held and kept.

        Whoever is a promoter stays one. Without conditions to keep a rung, or to fall from it, nobody ever falls.
        """
        keys = [tier.key for tier in settings.tiers]
        minimum_fen = settings.join_purchase_fen
        if facts.tier is None and not may_join(settings.join, minimum_fen=minimum_fen, facts=facts, tiers=keys):
            return None
        falls = facts.tier in keys and _falls(settings, facts)
        kept = keys.index(facts.tier) if facts.tier in keys else 0
        if falls:
            kept = max(0, kept - 1) if settings.fall_to == "one_step" else 0
        opened = max((rank for rank, key in enumerate(keys) if key in facts.granted), default=0)
        return keys[max(kept, opened, *_reached(settings, facts, without=facts.tier if falls else None))]

    @hookimpl
    def next_tier(self, settings: Settings, facts: TierFacts) -> NextTier | None:
        """Return the rung above the one that is held, with the sales and the conditions that lead to it."""
        keys = [tier.key for tier in settings.tiers]
        if facts.tier is None:
            return next_entry(settings.join, tier=keys[0], minimum_fen=settings.join_purchase_fen, facts=facts)
        above = keys.index(facts.tier) + 1 if facts.tier in keys else 0
        if above >= len(keys):
            return None
        tier, basis = settings.tiers[above], settings.count_when
        states = rise_states(settings.conditions, tier=tier.key, facts=facts, basis=basis)
        if not tier.promote_at_sales_fen:
            return NextTier(tier.key, "conditions", states)
        # The rung's own threshold has to be reached on every way.
        metric = f"shared_{basis}_fen" if not settings.count_own_purchases else f"sales_{basis}_fen"
        sales_fen = _sales_fen(settings, facts)
        sales = (
            ConditionState(way, metric, "ever", sales_fen, tier.promote_at_sales_fen)
            for way in sorted({state.way for state in states} or {1})
        )
        return NextTier(tier.key, "conditions", (*sales, *states))

    @hookimpl
    def check_settings(self, settings: Settings, tiers: Sequence[Tier]) -> Sequence[SettingsProblem]:
        """Refuse a ladder that cannot be climbed, and conditions that say nothing."""
        return problems_of(settings)


def _sales_fen(settings: Settings, facts: TierFacts) -> int:
    received = settings.count_when == "received"
    sales_fen = facts.shared_received_fen if received else facts.shared_paid_fen
    if settings.count_own_purchases:
        sales_fen += facts.own_received_fen if received else facts.own_paid_fen
    return sales_fen


def _falls(settings: Settings, facts: TierFacts) -> bool:
    tier = facts.tier or ""
    return tier != settings.tiers[0].key and must_fall(
        settings.conditions, tier=tier, facts=facts, basis=settings.count_when
    )


def _reached(settings: Settings, facts: TierFacts, *, without: str | None) -> Iterator[int]:
    """Yield the ranks that sales and conditions give, the lowest always."""
    yield 0
    rows, sales_fen = settings.conditions, _sales_fen(settings, facts)
    asked: dict[str, Any] = {"facts": facts, "basis": settings.count_when}
    for rank, tier in enumerate(settings.tiers):
        by_rule = tier.promote_at_sales_fen > 0 or has_conditions(rows, tier=tier.key, stage="rise")
        if not by_rule or tier.key == without or tier.promote_at_sales_fen > sales_fen:
            continue
        if may_rise(rows, tier=tier.key, **asked) and may_return(rows, tier=tier.key, **asked):
            yield rank


plugin: TierStructurePlugin[Settings] = TiersLadder()
