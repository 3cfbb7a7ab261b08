"""Loading plugins: what is refused and with which words; and calling one of many."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from fanyong.hooks import hookimpl
from fanyong.pluginhost import registry as module
from fanyong.pluginhost.registry import (
    BadPlugin,
    PluginFailed,
    PluginRegistry,
    UnknownPlugin,
    checked_sequence,
    registry,
)
from fanyong.values import AwardProposal, SettingsProblem, Tier
from tests.pluginhost.conftest import Loose, Plan, Tiers


def test_the_built_in_plugins_are_found_in_the_order_of_their_names(app: Flask) -> None:
    names = [plugin.name for plugin in registry.plugins()]
    channels = ["payout_bank", "payout_offline", "payout_wechat"]
    plans = ["plan_ladder", "plan_levels", "plan_rules"]
    tiers = ["tiers_flat", "tiers_ladder", "tiers_roles"]
    assert names == sorted([*channels, *plans, *tiers])
    assert [plugin.name for plugin in registry.plugins("tier_structure")] == tiers
    assert [plugin.name for plugin in registry.plugins("commission_plan")] == plans


def test_entry_points_are_loaded_by_name_however_they_are_found(
    fresh: PluginRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    class Point(SimpleNamespace):
        def load(self) -> Plan:
            loaded.append(self.name)
            return Plan(name=self.name)

    points = [Point(name="zebra"), Point(name="apple"), Point(name="mango")]
    monkeypatch.setattr(module, "entry_points", lambda group: points if group == "fanyong.plugins" else [])
    fresh.load_entry_points()
    assert loaded == ["apple", "mango", "zebra"]


def test_an_entry_point_that_leads_nowhere_stops_the_start(
    fresh: PluginRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint(name="gone", value="no_such_module_here:plugin", group="fanyong.plugins")
    monkeypatch.setattr(module, "entry_points", lambda group: [point])
    with pytest.raises(ModuleNotFoundError, match="no_such_module_here"):
        fresh.load_entry_points()


class ExtraArgument(Plan):
    @hookimpl
    def propose_awards(self, settings: Any, facts: Any, database: Any) -> list[Any]:  # type: ignore[override]
        return []


class UnknownHook(Plan):
    @hookimpl
    def pay_everybody(self, settings: Any) -> None:
        return None


class NoProposals(Plan):
    propose_awards = None  # type: ignore[assignment]


class NoDecision(Tiers):
    decide_tier = None  # type: ignore[assignment]


class NotDecorated(Plan):
    def plan_levels(self, settings: Any) -> int:
        return 1


REFUSED = {
    "no attributes": (SimpleNamespace(name="bare"), "bare lacks one of the attributes"),
    "no summary": (
        SimpleNamespace(**{k: getattr(Plan, k) for k in ("name", "version", "requires", "kind", "title")}),
        "lacks",
    ),
    "unknown kind": (Plan(kind="discount"), "a_plan is of an unknown kind 'discount'"),
    "loose settings": (Plan(settings_model=Loose), "a_plan: its settings model must refuse unknown fields"),
    "no model": (Plan(settings_model=dict), "a_plan: settings_model must be a pydantic model"),
    "a model's instance": (Plan(settings_model=Loose()), "a_plan: settings_model must be a pydantic model"),
    "too new": (Plan(requires="fanyong>=99"), r"a_plan needs fanyong>=99, this is fanyong \d"),
    "too old": (Plan(requires="fanyong<0.1"), r"a_plan needs fanyong<0.1, this is fanyong \d"),
    "for something else": (Plan(requires="flask>=0.1"), "a_plan needs flask>=0.1"),
    "nonsense version": (Plan(requires="any time"), "a_plan: requires 'any time' cannot be read"),
    "extra argument": (ExtraArgument(), r"(?s)a_plan: .*database"),
    "unknown hook": (UnknownHook(), r"(?s)a_plan: .*pay_everybody"),
    "missing hook": (NoProposals(), "a_plan: a commission_plan needs the hooks propose_awards"),
    "missing decision": (NoDecision(), "a_structure: a tier_structure needs the hooks decide_tier"),
    "not decorated": (NotDecorated(), "a_plan: a commission_plan needs the hooks plan_levels"),
    "hooks of the other kind": (Plan(kind="tier_structure"), "needs the hooks decide_tier, tiers"),
}


@pytest.mark.parametrize(("plugin", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_wrong_plugin_is_refused_with_a_message_and_leaves_nothing(
    fresh: PluginRegistry, plugin: Any, message: str
) -> None:
    fresh.register(Tiers(name="before"))
    with pytest.raises(BadPlugin, match=message):
        fresh.register(plugin)
    assert [known.name for known in fresh.plugins()] == ["before"]
    fresh.register(Plan())
    fresh.register(Tiers())
    assert [known.name for known in fresh.plugins()] == ["a_plan", "a_structure", "before"]


def test_a_name_is_taken_once_and_the_first_keeps_it(fresh: PluginRegistry) -> None:
    first = Plan()
    fresh.register(first)
    with pytest.raises(BadPlugin, match="a_plan"):
        fresh.register(Plan())
    with pytest.raises(BadPlugin, match="a_plan"):
        fresh.register(first)
    assert fresh.plugins() == [first]
    assert fresh.call("a_plan", "plan_levels", settings=None) == 1


def test_a_plugin_is_found_by_kind_and_name(fresh: PluginRegistry) -> None:
    plan = Plan()
    fresh.register(plan)
    assert fresh.get("commission_plan", "a_plan") is plan
    with pytest.raises(UnknownPlugin):
        fresh.get("tier_structure", "a_plan")
    with pytest.raises(UnknownPlugin) as error:
        fresh.get("commission_plan", "nobody")
    assert error.value.params == {"name": "nobody"}


class Answers(Plan):
    """Says its own name."""

    @hookimpl
    def check_settings(self, settings: Any, tiers: Any) -> Any:
        return [SettingsProblem("", f"from {self.name}")]


def test_only_the_one_that_is_asked_answers(fresh: PluginRegistry) -> None:
    for name in ("one", "two", "three"):
        fresh.register(Answers(name=name))
    fresh.register(Plan(name="silent"))
    for name in ("two", "one", "three", "two"):
        assert [p.message for p in fresh.call(name, "check_settings", settings=None, tiers=())] == [f"from {name}"]
    assert fresh.call("silent", "check_settings", settings=None, tiers=()) is None


def test_one_that_comes_or_goes_changes_who_is_asked(fresh: PluginRegistry) -> None:
    fresh.register(Answers(name="one"))
    assert fresh.call("one", "check_settings", settings=None, tiers=())
    fresh.register(Answers(name="two"))
    assert [p.message for p in fresh.call("one", "check_settings", settings=None, tiers=())] == ["from one"]
    fresh.unregister("one")
    fresh.register(Plan(name="one"))
    assert fresh.call("one", "check_settings", settings=None, tiers=()) is None


@pytest.mark.parametrize(
    "error", [RuntimeError("no"), KeyError("x"), AssertionError(), RecursionError(), SystemError()]
)
def test_whatever_a_plugin_raises_becomes_a_failure_with_its_name(fresh: PluginRegistry, error: Exception) -> None:
    class Raises(Plan):
        @hookimpl
        def plan_levels(self, settings: Any) -> int:
            raise error

    fresh.register(Raises())
    with pytest.raises(PluginFailed, match="plugin a_plan failed in plan_levels") as failure:
        fresh.call("a_plan", "plan_levels", settings=None)
    assert failure.value.__cause__ is error
    assert (failure.value.plugin, failure.value.hook) == ("a_plan", "plan_levels")


def test_an_interrupt_is_nobodys_failure(fresh: PluginRegistry) -> None:
    class Interrupted(Plan):
        @hookimpl
        def plan_levels(self, settings: Any) -> int:
            raise KeyboardInterrupt

    fresh.register(Interrupted())
    with pytest.raises(KeyboardInterrupt):
        fresh.call("a_plan", "plan_levels", settings=None)


@pytest.mark.parametrize(
    ("answer", "of"),
    [
        (None, Tier),
        ("tiers", Tier),
        (b"tiers", Tier),
        (7, Tier),
        ([("key", "name", 0)], Tier),
        ([Tier("a", "A", 0), None], Tier),
        ({"line": 1}, AwardProposal),
        ([SettingsProblem("", "")], AwardProposal),
    ],
)
def test_an_answer_of_the_wrong_kind_is_a_failure(answer: object, of: type) -> None:
    with pytest.raises(PluginFailed, match="failed in hook"):
        checked_sequence("p", "hook", answer, of=of)


def test_any_sequence_of_the_right_kind_will_do() -> None:
    tier = Tier("a", "A", 0)
    for answer in ([tier], (tier,), iter([tier]), {tier}, (t for t in [tier])):
        assert checked_sequence("p", "hook", answer, of=Tier) == [tier]
    assert checked_sequence("p", "hook", [], of=Tier) == []


def test_a_generator_that_breaks_halfway_is_a_failure_too() -> None:
    def halfway() -> Any:
        yield Tier("a", "A", 0)
        raise RuntimeError("halfway")

    with pytest.raises(PluginFailed):
        checked_sequence("p", "hook", halfway(), of=Tier)
