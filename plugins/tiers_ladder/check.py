"""What is wrong with a ladder although each of its fields is right."""

from __future__ import annotations

from collections.abc import Iterator

from flask_babel import gettext as _

from fanyong.tier_conditions import condition_problems, has_conditions
from fanyong.values import SettingsProblem
from plugins.tiers_ladder.settings import Settings


def problems_of(settings: Settings) -> list[SettingsProblem]:
    """Return what is wrong: a ladder that starts too high, does not rise, names a rung twice, or bad conditions."""
    keys = [tier.key for tier in settings.tiers]
    problems = [*_thresholds(settings)]
    for index, key in enumerate(keys):
        if key in keys[:index]:
            problems.append(SettingsProblem(f"tiers.{index}.key", _("There are two tiers with this key.")))
    return problems + condition_problems(settings.conditions, tiers=keys)


def _thresholds(settings: Settings) -> Iterator[SettingsProblem]:
    """Yield what is wrong with the sales of the rungs; a rung with conditions of its own needs none."""
    if settings.tiers[0].promote_at_sales_fen != 0:
        yield SettingsProblem("tiers.0.promote_at_sales_fen", _("The lowest tier starts at 0."))
    if has_conditions(settings.conditions, tier=settings.tiers[0].key, stage="rise"):
        yield SettingsProblem(
            "conditions", _("The lowest tier needs no conditions; say who becomes a promoter instead.")
        )
    highest_fen = settings.tiers[0].promote_at_sales_fen
    for index, tier in enumerate(settings.tiers[1:], start=1):
        sales_fen = tier.promote_at_sales_fen
        if sales_fen <= highest_fen and not (
            sales_fen == 0 and has_conditions(settings.conditions, tier=tier.key, stage="rise")
        ):
            yield SettingsProblem(
                f"tiers.{index}.promote_at_sales_fen", _("Each tier needs more sales than the one before it.")
            )
        highest_fen = max(highest_fen, sales_fen) if sales_fen else highest_fen
