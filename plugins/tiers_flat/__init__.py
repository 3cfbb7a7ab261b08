"""One tier for everybody: the simplest structure."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from fanyong.hooks import PluginKind, TierStructurePlugin, hookimpl
from fanyong.tier_conditions import JOIN_HELP, JOIN_LABELS, MINIMUM_HELP, MINIMUM_TITLE, Join, may_join, next_entry
from fanyong.values import NextTier, SettingsProblem, Tier, TierFacts, TierTraits

TIER_KEY = "promoter"


class Settings(BaseModel):
    """Who becomes a promoter, and what promoters are called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tier_name: str = Field(default="推广员", min_length=1, max_length=20, title=_l("Name of the tier"))
    join: Join = Field(
        default="anyone",
        title=_l("Who becomes a promoter"),
        description=JOIN_HELP,
        json_schema_extra={"labels": JOIN_LABELS},
    )
    join_purchase_fen: int = Field(
        default=0,
        ge=0,
        le=10**9,
        title=MINIMUM_TITLE,
        description=MINIMUM_HELP,
        json_schema_extra={"unit": "fen"},
    )


class TiersFlat:
    """The tier structure `tiers_flat`."""

    name = "tiers_flat"
    version = "1.1"
    requires = "fanyong>=0.1,<1"
    kind: PluginKind = "tier_structure"
    title = _l("One tier")
    summary = _l("Every promoter earns by the same rates.")
    settings_model = Settings

    @hookimpl
    def tiers(self, settings: Settings) -> Sequence[Tier]:
        """Return the one tier."""
        return (Tier(TIER_KEY, settings.tier_name, 0),)

    @hookimpl
    def decide_tier(self, settings: Settings, facts: TierFacts) -> str | None:
        """Return the tier, as soon as the member may be a promoter; nobody loses it again."""
        stays = facts.tier == TIER_KEY
        minimum_fen = settings.join_purchase_fen
        return (
            TIER_KEY
            if stays or may_join(settings.join, minimum_fen=minimum_fen, facts=facts, tiers=[TIER_KEY])
            else None
        )

    @hookimpl
    def tier_traits(self, settings: Settings) -> TierTraits:
        """Return what it takes to join."""
        return TierTraits(
            join_purchase_fen=max(1, settings.join_purchase_fen) if settings.join == "after_purchase" else 0,
            applications=(TIER_KEY,) if settings.join == "application" else (),
        )

    @hookimpl
    def next_tier(self, settings: Settings, facts: TierFacts) -> NextTier | None:
        """Return the one tier to whoever is no promoter yet."""
        if facts.tier == TIER_KEY:
            return None
        return next_entry(settings.join, tier=TIER_KEY, minimum_fen=settings.join_purchase_fen, facts=facts)

    @hookimpl
    def check_settings(self, settings: Settings, tiers: Sequence[Tier]) -> Sequence[SettingsProblem]:
        """Accept whatever the fields allow."""
        return ()


plugin: TierStructurePlugin[Settings] = TiersFlat()
