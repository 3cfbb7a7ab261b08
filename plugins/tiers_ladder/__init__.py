"""A ladder of tiers: promoters rise with what they sold, and never fall."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from fanyong.hooks import PluginKind, TierStructurePlugin, hookimpl
from fanyong.values import SettingsProblem, Tier, TierFacts


class LadderTier(BaseModel):
    """One rung."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$", title=_l("Key"), description=_l("Plans name tiers by it."))
    name: str = Field(min_length=1, max_length=20, title=_l("Name"))
    promote_at_sales_fen: int = Field(ge=0, le=10**12, title=_l("From sales of"), json_schema_extra={"unit": "fen"})


class Settings(BaseModel):
    """The rungs, and which sales count."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    join: Literal["anyone", "after_purchase"] = Field(
        default="anyone",
        title=_l("Who becomes a promoter"),
        description=_l("Everybody at once, or members from their first paid order on."),
        json_schema_extra={"labels": {"anyone": _l("Everybody"), "after_purchase": _l("Whoever has bought something")}},
    )
    count_when: Literal["paid", "received"] = Field(
        default="received",
        title=_l("An order counts when it is"),
        description=_l("Sales are goods paid after discounts, without freight, less refunds."),
        json_schema_extra={"labels": {"paid": _l("Paid"), "received": _l("Received by the buyer")}},
    )
    count_own_purchases: bool = Field(
        default=False,
        title=_l("Count own purchases too"),
        description=_l("Otherwise only orders of members whom the promoter brought."),
    )
    tiers: list[LadderTier] = Field(
        default=[
            LadderTier(key="bronze", name="青铜", promote_at_sales_fen=0),
            LadderTier(key="silver", name="白银", promote_at_sales_fen=100_000),
            LadderTier(key="gold", name="黄金", promote_at_sales_fen=1_000_000),
        ],
        min_length=1,
        max_length=20,
        title=_l("Tiers, lowest first"),
    )


class TiersLadder:
    """The tier structure `tiers_ladder`."""

    name = "tiers_ladder"
    version = "1.0"
    requires = "fanyong>=0.1,<1"
    kind: PluginKind = "tier_structure"
    title = _l("Ladder of tiers")
    summary = _l("Promoters rise to a higher tier when their sales reach its threshold.")
    settings_model = Settings

    @hookimpl
    def tiers(self, settings: Settings) -> Sequence[Tier]:
        """Return the rungs, lowest first."""
        return tuple(Tier(tier.key, tier.name, rank) for rank, tier in enumerate(settings.tiers))

    @hookimpl
    def decide_tier(self, settings: Settings, facts: TierFacts) -> str | None:
        """Return the highest rung whose threshold the sales reach, and never a lower one than before."""
        if settings.join == "after_purchase" and facts.own_paid_fen <= 0 and facts.tier is None:
            return None
        received = settings.count_when == "received"
        sales = facts.shared_received_fen if received else facts.shared_paid_fen
        if settings.count_own_purchases:
            sales += facts.own_received_fen if received else facts.own_paid_fen
        keys = [tier.key for tier in settings.tiers]
        reached = sum(1 for tier in settings.tiers if tier.promote_at_sales_fen <= sales) - 1
        held = keys.index(facts.tier) if facts.tier in keys else 0
        return keys[max(reached, held, 0)]

    @hookimpl
    def check_settings(self, settings: Settings, tiers: Sequence[Tier]) -> Sequence[SettingsProblem]:
        """Refuse a ladder that does not start at zero, does not rise, or names a rung twice."""
        problems = []
        if settings.tiers[0].promote_at_sales_fen != 0:
            problems.append(SettingsProblem("tiers.0.promote_at_sales_fen", _("The lowest tier starts at 0.")))
        for index, (lower, higher) in enumerate(pairwise(settings.tiers), start=1):
            if higher.promote_at_sales_fen <= lower.promote_at_sales_fen:
                path = f"tiers.{index}.promote_at_sales_fen"
                problems.append(SettingsProblem(path, _("Each tier needs more sales than the one before it.")))
        keys = [tier.key for tier in settings.tiers]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                problems.append(SettingsProblem(f"tiers.{index}.key", _("There are two tiers with this key.")))
        return problems


plugin: TierStructurePlugin[Settings] = TiersLadder()
