"""Plans made ready to be asked: compiled once where the plugin can, with their caps, settled by the engine.

Paying, simulating and back-testing all go through `prepare`, so that they cannot come to different amounts. A version
never changes, so what was made ready of it is kept as long as its plugin is the one that it was made with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from fanyong.hooks import CompiledPlan, Plugin
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import PluginFailed, UnknownPlugin, checked_sequence, registry
from fanyong.tenancy.context import current_tenant
from fanyong.values import AwardProposal, Caps, OrderFacts, PlanTraits, Proposal, Withheld
from tenants.commissions import engine

PROPOSALS = (AwardProposal, Withheld)
#: Versions kept at a time; whoever comes back later is compiled again.
KEPT_VERSIONS = 1_000
#: How far a plan looks up that does not say.
DEFAULT_DEPTH = PlanTraits(levels=0).upline_depth


@dataclass(frozen=True, slots=True)
class ReadyPlan:
    """One plan version, ready to be asked; `caps` are also needed for the limits over several orders."""

    version_id: UUID
    plugin: Plugin
    caps: Caps
    #: What it makes of an order, before limits over several orders; raises PluginFailed.
    ask: Callable[[OrderFacts], engine.Result]


_ready: dict[tuple[str, UUID], ReadyPlan] = {}


def propose(plan: plugins.ActivePlugin, facts: OrderFacts, *, caps: Caps | None = None) -> engine.Result:
    """Ask a plan about an order and settle its answer; raises PluginFailed, also for an impossible answer.

    For one order, and for settings that are not saved: nothing is compiled and nothing kept.
    """
    answer = plan.ask("propose_awards", facts=facts)
    proposals = checked_sequence(plan.plugin.name, "propose_awards", answer, of=PROPOSALS)
    return _settled(plan.plugin.name, facts, proposals, caps_of(plan) if caps is None else caps)


def ready_plan(version_id: UUID) -> ReadyPlan:
    """Return a plan version of the bound brand, ready to be asked; raises PluginFailed when it cannot be loaded."""
    key = (current_tenant().schema, version_id)
    known = _ready.get(key)
    if known is not None and _is_there(known.plugin):
        return known
    found = prepare(plugins.get_activation(version_id))
    if len(_ready) >= KEPT_VERSIONS:
        _ready.clear()
    _ready[key] = found
    return found


def prepare(plan: plugins.ActivePlugin) -> ReadyPlan:
    """Make a plan ready to be asked again and again; raises PluginFailed for hooks that answer nonsense."""
    caps = caps_of(plan)
    compiled: CompiledPlan | None = plan.ask("compile_plan")
    name = plan.plugin.name
    if compiled is not None and not callable(compiled):
        raise PluginFailed(plugin=name, hook="compile_plan", error=TypeError(f"answered {compiled!r}"))

    def ask(facts: OrderFacts) -> engine.Result:
        if compiled is None:
            return propose(plan, facts, caps=caps)
        try:
            answer = compiled(facts)
        except Exception as error:
            raise PluginFailed(plugin=name, hook="compile_plan", error=error) from error
        return _settled(name, facts, checked_sequence(name, "compile_plan", answer, of=PROPOSALS), caps)

    return ReadyPlan(plan.activation_id, plan.plugin, caps, ask)


def upline_depth(plan: plugins.ActivePlugin) -> int:
    """Return how many people above the buyer a plan looks at; raises PluginFailed."""
    traits = plan.ask("plan_traits")
    return traits.upline_depth if isinstance(traits, PlanTraits) else DEFAULT_DEPTH


def _settled(name: str, facts: OrderFacts, proposals: Sequence[Proposal], caps: Caps) -> engine.Result:
    try:
        return engine.settle(facts, proposals, caps)
    except engine.ImpossibleProposal as error:
        raise PluginFailed(plugin=name, hook="propose_awards", error=error) from error


def caps_of(plan: plugins.ActivePlugin) -> Caps:
    """Return the limits that a plan is held to; raises PluginFailed for an answer that is none."""
    caps = plan.ask("plan_caps")
    if caps is None:
        return engine.NO_CAPS
    if not isinstance(caps, Caps):
        raise PluginFailed(plugin=plan.plugin.name, hook="plan_caps", error=TypeError(f"answered {caps!r}"))
    return caps


def _is_there(plugin: Plugin) -> bool:
    """Whether a plugin is still the one of its name; it may have been taken out or replaced since."""
    try:
        return registry.get("commission_plan", plugin.name) is plugin
    except UnknownPlugin:
        return False
