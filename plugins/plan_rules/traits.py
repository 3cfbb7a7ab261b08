"""What the full plan tells the core of itself: its limits, and what the compliance policy is asked about."""

from __future__ import annotations

from fanyong.values import Caps, PlanTraits
from plugins.plan_rules.order import MAX_LEVEL, paid_levels
from plugins.plan_rules.sections import Bonuses
from plugins.plan_rules.settings import Settings
from plugins.plan_rules.table import RateTable


def traits_of(settings: Settings) -> PlanTraits:
    """Return the highest level that earns, whether a team is rewarded, and how far up the plan looks.

    A group leader up to level 3 counts as a level, a higher one as a team reward. The plan never pays for a new
    member without an order.
    """
    team, bonuses = settings.team, settings.bonuses
    levels = {0, *paid_levels(settings, RateTable(settings.rates))}
    if _pays_new_member(bonuses) or any(row.rate_bp for row in team.differential):
        levels.add(1)
    leader_depth = bonuses.leader_depth if any(row.rate_bp or row.fixed_fen for row in bonuses.leaders) else 0
    if leader_depth <= MAX_LEVEL:
        levels.add(leader_depth)
    has_team = any(row.rate_bp for row in team.differential) or any(row.rate_bp for row in team.management)
    by_team_sales = any(row.figure == "team" and (row.rate_bp or row.fixed_fen) for row in settings.targets)
    return PlanTraits(
        levels=max(levels),
        team_rewards=has_team or by_team_sales or leader_depth > MAX_LEVEL,
        upline_depth=max(MAX_LEVEL, leader_depth, team.depth if has_team else 0),
    )


def caps_of(settings: Settings) -> Caps:
    """Return the limits of the plan."""
    limits = settings.limits
    return Caps(
        line_bp=limits.line_bp,
        order_bp=limits.order_bp,
        order_fen=limits.order_fen,
        promoter_day_fen=limits.promoter_day_fen,
        budget_fen=limits.budget_fen,
        budget_period=limits.budget_period,
        on_budget_end=limits.on_budget_end,
    )


def _pays_new_member(bonuses: Bonuses) -> bool:
    return bool(bonuses.new_member_bp or bonuses.new_member_fen)
