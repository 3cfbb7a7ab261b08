"""Three roles: promoter, dealer and agent, each with its own way in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fanyong.hooks import PluginKind, TierStructurePlugin, hookimpl
from fanyong.tier_conditions import (
    condition_problems,
    figures_needed,
    has_conditions,
    may_join,
    may_return,
    may_rise,
    must_fall,
    next_entry,
    rise_states,
)
from fanyong.values import NextTier, SettingsProblem, Tier, TierFacts, TierTraits
from plugins.tiers_roles.settings import ROLES, Settings


class TiersRoles:
    """The tier structure `tiers_roles`."""

    name = "tiers_roles"
    version = "1.0"
    requires = "fanyong>=0.1,<1"
    kind: PluginKind = "tier_structure"
    title = _l("Promoter, dealer, agent")
    summary = _l("Three roles; each is reached by conditions, by an application you review, or by your invitation.")
    settings_model = Settings

    @hookimpl
    def tiers(self, settings: Settings) -> Sequence[Tier]:
        """Return the three roles, the promoter first."""
        return tuple(
            Tier(key, settings.name_of(key), rank, "", settings.rights_of(key)) for rank, key in enumerate(ROLES)
        )

    @hookimpl
    def tier_figures(self, settings: Settings) -> Sequence[str]:
        """Return the figures of all conditions."""
        return figures_needed(settings.conditions, settings.count_when)

    @hookimpl
    def tier_traits(self, settings: Settings) -> TierTraits:
        """Return what it takes to join, and which roles are applied for."""
        return TierTraits(
            join_purchase_fen=max(1, settings.join_purchase_fen) if settings.promoter_by == "after_purchase" else 0,
            applications=tuple(key for key in ROLES if settings.entry_of(key) == "application"),
        )

    @hookimpl
    def decide_tier(self, settings: Settings, facts: TierFacts) -> str | None:
        """Return the highest role that is open to the member, or held and kept; a promoter stays one."""
        minimum_fen = settings.join_purchase_fen
        if facts.tier is None and not may_join(settings.promoter_by, minimum_fen=minimum_fen, facts=facts, tiers=ROLES):
            return None
        kept = ROLES.index(facts.tier) if facts.tier in ROLES else 0
        falls = kept > 0 and must_fall(settings.conditions, tier=ROLES[kept], facts=facts, basis=settings.count_when)
        without = ROLES[kept] if falls else None
        return ROLES[max(kept - falls, *_open(settings, facts, without=without))]

    @hookimpl
    def next_tier(self, settings: Settings, facts: TierFacts) -> NextTier | None:
        """Return the role above the one that is held, how one becomes it, and its conditions."""
        if facts.tier is None:
            minimum_fen = settings.join_purchase_fen
            return next_entry(settings.promoter_by, tier=ROLES[0], minimum_fen=minimum_fen, facts=facts)
        above = ROLES.index(facts.tier) + 1 if facts.tier in ROLES else 0
        if above >= len(ROLES):
            return None
        key = ROLES[above]
        how = settings.entry_of(key)
        states = rise_states(settings.conditions, tier=key, facts=facts, basis=settings.count_when)
        return NextTier(key, how if how in ("application", "invitation") else "conditions", states)

    @hookimpl
    def check_settings(self, settings: Settings, tiers: Sequence[Tier]) -> Sequence[SettingsProblem]:
        """Refuse roles that nobody could reach, or everybody would have, and conditions that say nothing."""
        problems = condition_problems(settings.conditions, tiers=ROLES)
        if has_conditions(settings.conditions, tier=ROLES[0], stage="rise"):
            text = _("The lowest tier needs no conditions; say who becomes a promoter instead.")
            problems.append(SettingsProblem("conditions", text))
        for key in ROLES[1:]:
            by_conditions = settings.entry_of(key) == "conditions"
            if by_conditions and not has_conditions(settings.conditions, tier=key, stage="rise"):
                text = _("Please add a condition to rise to this role; otherwise everybody would have it.")
                problems.append(SettingsProblem(f"{key}_by", text))
        return problems


def _open(settings: Settings, facts: TierFacts, *, without: str | None) -> Iterator[int]:
    """Yield the ranks of the roles that are open to a member, the lowest always.

    Where a role is reviewed or by invitation and has conditions too, both are needed.
    """
    yield 0
    asked: dict[str, Any] = {"facts": facts, "basis": settings.count_when}
    for rank, key in enumerate(ROLES[1:], start=1):
        let_in = key in facts.granted
        if key == without or not (let_in or settings.entry_of(key) == "conditions"):
            continue
        if may_rise(settings.conditions, tier=key, **asked) and (
            let_in or may_return(settings.conditions, tier=key, **asked)
        ):
            yield rank


plugin: TierStructurePlugin[Settings] = TiersRoles()
