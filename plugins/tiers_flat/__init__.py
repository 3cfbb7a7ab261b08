"""One tier for everybody: the simplest structure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from fanyong.hooks import PluginKind, TierStructurePlugin, hookimpl
from fanyong.values import SettingsProblem, Tier, TierFacts

TIER_KEY = "promoter"


class Settings(BaseModel):
    """Who becomes a promoter, and what promoters are called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tier_name: str = Field(default="推广员", min_length=1, max_length=20, title=_l("Name of the tier"))
    join: Literal["anyone", "after_purchase"] = Field(
        default="anyone",
        title=_l("Who becomes a promoter"),
        description=_l("Everybody at once, or members from their first paid order on."),
        json_schema_extra={"labels": {"anyone": _l("Everybody"), "after_purchase": _l("Whoever has bought something")}},
    )


class TiersFlat:
    """The tier structure `tiers_flat`."""

    name = "tiers_flat"
    version = "1.0"
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
        joined = settings.join == "anyone" or facts.own_paid_fen > 0 or facts.tier == TIER_KEY
        return TIER_KEY if joined else None

    @hookimpl
    def check_settings(self, settings: Settings, tiers: Sequence[Tier]) -> Sequence[SettingsProblem]:
        """Accept whatever the fields allow."""
        return ()


plugin: TierStructurePlugin[Settings] = TiersFlat()
