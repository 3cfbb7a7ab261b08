"""The full plan: rates by goods, level and tier, ladders, own purchases, campaigns, bonuses, team rewards, limits."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _l

from fanyong.hooks import CommissionPlanPlugin, CompiledPlan, PluginKind, hookimpl
from fanyong.values import (
    Caps,
    LineFacts,
    OrderFacts,
    PeriodFacts,
    PeriodProposal,
    Person,
    PlanTraits,
    Proposal,
    SettingsProblem,
    Tier,
)
from plugins.plan_rules.check import problems_of
from plugins.plan_rules.order import CompiledRules
from plugins.plan_rules.period import awards_of_period
from plugins.plan_rules.settings import Settings
from plugins.plan_rules.traits import caps_of, traits_of


class PlanRules:
    """The commission plan `plan_rules`."""

    name = "plan_rules"
    version = "1.0"
    requires = "fanyong>=0.1,<1"
    kind: PluginKind = "commission_plan"
    title = _l("Full plan")
    summary = _l("Rates by goods, level and tier, ladders, campaigns, bonuses, team rewards and limits in one plan.")
    settings_model = Settings

    @hookimpl
    def plan_levels(self, settings: Settings) -> int:
        """Return the highest level of the upline that earns."""
        return traits_of(settings).levels

    @hookimpl
    def plan_traits(self, settings: Settings) -> PlanTraits:
        """Return the levels, whether a team is rewarded, and how far up the plan looks."""
        return traits_of(settings)

    @hookimpl
    def plan_caps(self, settings: Settings) -> Caps:
        """Return the section of limits."""
        return caps_of(settings)

    @hookimpl
    def compile_plan(self, settings: Settings) -> CompiledPlan:
        """Return the plan with its tables made ready."""
        return CompiledRules(settings)

    @hookimpl
    def propose_awards(self, settings: Settings, facts: OrderFacts) -> Sequence[Proposal]:
        """Return what the plan proposes for one order; for many orders `compile_plan` is the way."""
        return CompiledRules(settings)(facts)

    @hookimpl
    def period_awards(self, settings: Settings, facts: PeriodFacts) -> Sequence[PeriodProposal]:
        """Return the dividend pool, the targets that were reached, and the difference of the month's bands."""
        return awards_of_period(settings, facts)

    @hookimpl
    def self_discount(self, settings: Settings, buyer: Person, line: LineFacts) -> int:
        """Return the rate for own purchases where the brand gives it as a lower price."""
        return CompiledRules(settings).self_discount_bp(buyer, line)

    @hookimpl
    def check_settings(self, settings: Settings, tiers: Sequence[Tier]) -> Sequence[SettingsProblem]:
        """Refuse rows that contradict each other, name unknown tiers, or together give away more than was paid."""
        return problems_of(settings, tiers)


plugin: CommissionPlanPlugin[Settings] = PlanRules()
