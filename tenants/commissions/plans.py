"""Plan versions made ready for many orders: looked up once, compiled once, kept by this process.

A version never changes, so what was compiled of it is good as long as its plugin is the one it was compiled with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from fanyong.hooks import CompiledPlan, Plugin
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import PluginFailed, UnknownPlugin, checked_sequence, registry
from fanyong.tenancy.context import current_tenant
from fanyong.values import AwardProposal, Caps, OrderFacts, Proposal, Withheld
from tenants.commissions import engine

PROPOSALS = (AwardProposal, Withheld)
#: Versions kept at a time; whoever comes back later is compiled again.
KEPT_VERSIONS = 1_000


@dataclass(frozen=True, slots=True)
class ReadyPlan:
    """One plan version, ready to be asked."""

    version_id: UUID
    plugin: Plugin
    caps: Caps
    ask: Callable[[OrderFacts], engine.Result]


_ready: dict[tuple[str, UUID], ReadyPlan] = {}


def propose(plan: plugins.ActivePlugin, facts: OrderFacts, *, caps: Caps | None = None) -> engine.Result:
    """Ask a plan about an order and settle its answer; raises PluginFailed, also for an impossible answer.

    For one order, and for settings that are not saved: nothing is compiled and nothing kept.
    """
    answer = plan.ask("propose_awards", facts=facts)
    proposals = checked_sequence(plan.plugin.name, "propose_awards", answer, of=PROPOSALS)
    return _settled(plan.plugin.name, facts, proposals, _caps(plan) if caps is None else caps)


def ready_plan(version_id: UUID) -> ReadyPlan:
    """Return a plan version of the bound brand, ready to be asked; raises PluginFailed when it cannot be loaded."""
    key = (current_tenant().schema, version_id)
    known = _ready.get(key)
    if known is not None and _is_there(known.plugin):
        return known
    found = _prepare(plugins.get_activation(version_id))
    if len(_ready) >= KEPT_VERSIONS:
        _ready.clear()
    _ready[key] = found
    return found


def _prepare(plan: plugins.ActivePlugin) -> ReadyPlan:
    caps = _caps(plan)
    compiled: CompiledPlan | None = plan.ask("compile_plan")
    name = plan.plugin.name

    def ask(facts: OrderFacts) -> engine.Result:
        if compiled is None:
            return propose(plan, facts, caps=caps)
        try:
            answer = compiled(facts)
        except Exception as error:
            raise PluginFailed(plugin=name, hook="compile_plan", error=error) from error
        return _settled(name, facts, checked_sequence(name, "compile_plan", answer, of=PROPOSALS), caps)

    return ReadyPlan(plan.activation_id, plan.plugin, caps, ask)


def _settled(name: str, facts: OrderFacts, proposals: Sequence[Proposal], caps: Caps) -> engine.Result:
    try:
        return engine.settle(facts, proposals, caps)
    except engine.ImpossibleProposal as error:
        raise PluginFailed(plugin=name, hook="propose_awards", error=error) from error


def _caps(plan: plugins.ActivePlugin) -> Caps:
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
