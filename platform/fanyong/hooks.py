"""Every extension point of Fanyong, one sentence each: the whole contract between the core and a plugin.

A plugin is an object with the attributes of `Plugin` and the hooks of its kind. It is found through the entry
point group `fanyong.plugins`. Hooks are pure: values in, values out, no database, no clock, no network, so that
the same code pays, previews and is tested. `docs/plugins.md` shows each hook at work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import pluggy
from pydantic import BaseModel

from fanyong.values import (
    Caps,
    LineFacts,
    NextTier,
    OrderFacts,
    PayoutFile,
    PayoutOrder,
    PayoutResult,
    PayoutTraits,
    PeriodFacts,
    PeriodProposal,
    Person,
    PlanTraits,
    Proposal,
    SettingsProblem,
    Tier,
    TierFacts,
    TierTraits,
)

PROJECT = "fanyong"
PluginKind = Literal["tier_structure", "commission_plan", "payout_channel"]
KINDS: tuple[PluginKind, ...] = ("tier_structure", "commission_plan", "payout_channel")
#: A commission plan that is ready to be asked, again and again.
CompiledPlan = Callable[[OrderFacts], Sequence[Proposal]]

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
Settings = TypeVar("Settings", bound=BaseModel, contravariant=True)


@runtime_checkable
class Plugin(Protocol):
    """What every plugin declares."""

    name: str
    version: str
    #: The versions of Fanyong it works with, for example `fanyong>=0.1,<1`; checked when it is loaded.
    requires: str
    kind: PluginKind
    #: What the console shows; lazy translations are welcome.
    title: Any
    summary: Any

    @property
    def settings_model(self) -> type[BaseModel]:
        """The pydantic model that its form is drawn from; it refuses unknown fields."""


class TierStructurePlugin(Plugin, Protocol[Settings]):
    """A tier structure: which ranks there are, and who holds which."""

    def tiers(self, settings: Settings) -> Sequence[Tier]: ...

    def decide_tier(self, settings: Settings, facts: TierFacts) -> str | None: ...


class CommissionPlanPlugin(Plugin, Protocol[Settings]):
    """A commission plan: who earns how much of which line."""

    def plan_levels(self, settings: Settings) -> int: ...

    def propose_awards(self, settings: Settings, facts: OrderFacts) -> Sequence[Proposal]: ...


class PayoutChannelPlugin(Plugin, Protocol[Settings]):
    """A payout channel: how money gets from the brand to a promoter."""

    def payout_traits(self, settings: Settings) -> PayoutTraits: ...


class HookSpecs:
    """The hooks themselves; each is asked of the one plugin that a brand has activated for its kind."""

    @hookspec(firstresult=True)
    def tiers(self, settings: BaseModel) -> Sequence[Tier] | None:
        """Return the ranks of a tier structure, lowest first."""

    @hookspec(firstresult=True)
    def decide_tier(self, settings: BaseModel, facts: TierFacts) -> str | None:
        """Return the key of the tier a member should hold now, or None for a member who is no promoter."""

    @hookspec(firstresult=True)
    def tier_figures(self, settings: BaseModel) -> Sequence[str] | None:
        """Return the figures that the other hooks of a tier structure read, as keys: `team_paid_fen:last_month`."""

    @hookspec(firstresult=True)
    def tier_traits(self, settings: BaseModel) -> TierTraits | None:
        """Return what the compliance policy and the mini-program have to know: purchases to join, applications."""

    @hookspec(firstresult=True)
    def next_tier(self, settings: BaseModel, facts: TierFacts) -> NextTier | None:
        """Return the tier a member can reach next and how far they are, or None at the top."""

    @hookspec(firstresult=True)
    def plan_levels(self, settings: BaseModel) -> int | None:
        """Return the highest level of the upline a commission plan pays; the compliance policy is asked about it."""

    @hookspec(firstresult=True)
    def propose_awards(self, settings: BaseModel, facts: OrderFacts) -> Sequence[Proposal] | None:
        """Return who should earn which rate of which line; policy, caps and rounding come after, in the core."""

    @hookspec(firstresult=True)
    def compile_plan(self, settings: BaseModel) -> CompiledPlan | None:
        """Return a function of an order's facts that answers like `propose_awards`, made once per plan version."""

    @hookspec(firstresult=True)
    def plan_traits(self, settings: BaseModel) -> PlanTraits | None:
        """Return what the compliance policy is asked about, where a plan does more than pay levels."""

    @hookspec(firstresult=True)
    def plan_caps(self, settings: BaseModel) -> Caps | None:
        """Return the limits that the core holds a commission plan to: per line, order, promoter and day, budget."""

    @hookspec(firstresult=True)
    def period_awards(self, settings: BaseModel, facts: PeriodFacts) -> Sequence[PeriodProposal] | None:
        """Return what a month that is over brings to whom: dividend pools, targets, volume rates with effect back."""

    @hookspec(firstresult=True)
    def self_discount(self, settings: BaseModel, buyer: Person, line: LineFacts) -> int | None:
        """Return how much cheaper a promoter buys a line, in basis points of its price; 0 for no discount."""

    @hookspec(firstresult=True)
    def check_settings(self, settings: BaseModel, tiers: Sequence[Tier]) -> Sequence[SettingsProblem] | None:
        """Return what is wrong with settings that each field alone allows, for example rates of an unknown tier."""

    @hookspec(firstresult=True)
    def payout_traits(self, settings: BaseModel) -> PayoutTraits | None:
        """Return how a payout channel delivers, and its limits."""

    @hookspec(firstresult=True)
    def payee_model(self, settings: BaseModel) -> type[BaseModel] | None:
        """Return the model of what a payee has to tell, text fields only; None where nothing is needed."""

    @hookspec(firstresult=True)
    def export_payouts(self, settings: BaseModel, orders: Sequence[PayoutOrder]) -> PayoutFile | None:
        """Return the file that tells a bank what to pay; the same orders give the same file."""

    @hookspec(firstresult=True)
    def read_results(self, settings: BaseModel, content: bytes) -> Sequence[PayoutResult] | None:
        """Return what a bank's result file says, row by row; a ValueError says in words why it cannot be read."""
