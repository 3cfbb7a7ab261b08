"""A plugin that raises or answers nonsense: the order is paid, the work waits, and mending the plugin is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from pydantic import BaseModel, ConfigDict

from fanyong.errors import FanyongError
from fanyong.hooks import PluginKind, hookimpl
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import PluginFailed, UnknownPlugin, registry
from fanyong.pluginhost.service import InvalidPluginSettings
from fanyong.values import AwardProposal, OrderFacts, SettingsProblem, Tier, TierFacts
from tenants.commissions import service as commissions
from tenants.promoters import service as promoters
from tests.money.parts import Till

Answer = Callable[..., Any]


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    rate_bp: int = 1_000


class Rogue:
    """A plugin whose hooks do what a test tells them."""

    version = "1.0"
    requires = "fanyong>=0.1,<1"
    title = summary = "Rogue"
    settings_model: type[BaseModel] = Settings

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}

    def _answer(self, hook: str, good: Answer) -> Any:
        return self.answers.get(hook, good)()

    @hookimpl
    def check_settings(self, settings: Settings, tiers: Sequence[Tier]) -> Sequence[SettingsProblem]:
        answer: Sequence[SettingsProblem] = self._answer("check_settings", tuple)
        return answer


class RoguePlan(Rogue):
    name = "rogue_plan"
    kind: PluginKind = "commission_plan"

    @hookimpl
    def plan_levels(self, settings: Settings) -> int:
        answer: int = self._answer("plan_levels", lambda: 1)
        return answer

    @hookimpl
    def propose_awards(self, settings: Settings, facts: OrderFacts) -> Sequence[AwardProposal]:
        good = [
            AwardProposal(line.line_id, facts.upline[0].member_id, "share", 1, "rogue", line.paid_fen, settings.rate_bp)
            for line in facts.lines
        ]
        answer = self.answers.get("propose_awards")
        proposals: Sequence[AwardProposal] = answer(good) if answer else good
        return proposals


class RogueTiers(Rogue):
    name = "rogue_tiers"
    kind: PluginKind = "tier_structure"

    @hookimpl
    def tiers(self, settings: Settings) -> Sequence[Tier]:
        answer: Sequence[Tier] = self._answer("tiers", lambda: (Tier("one", "One", 0),))
        return answer

    @hookimpl
    def decide_tier(self, settings: Settings, facts: TierFacts) -> str | None:
        answer: str | None = self._answer("decide_tier", lambda: "one")
        return answer


@pytest.fixture
def plan(app: Flask) -> Iterator[RoguePlan]:
    plugin = RoguePlan()
    registry.register(plugin)
    yield plugin
    registry.unregister(plugin.name)


@pytest.fixture
def structure(app: Flask) -> Iterator[RogueTiers]:
    plugin = RogueTiers()
    registry.register(plugin)
    yield plugin
    registry.unregister(plugin.name)


def boom(*_: object) -> Any:
    raise ValueError("a plugin's \0 own trouble")


def failures(till: Till) -> list[tuple[str, str]]:
    """Return the reported failures as (plugin, hook)."""
    with till.work():
        return [(failure.plugin, failure.hook) for failure in plugins.open_failures()]


BAD_PROPOSALS: dict[str, Answer] = {
    "raises": boom,
    "answers None": lambda good: None,
    "answers a text": lambda good: "everything",
    "answers a number": lambda good: 7,
    "answers other things": lambda good: [("line", 5)],
    "answers a dict": lambda good: {"rate_bp": 10},
    "a float rate": lambda good: [replace(p, rate_bp=10.5) for p in good],
    "a negative rate": lambda good: [replace(p, rate_bp=-5) for p in good],
    "more than everything": lambda good: [replace(p, rate_bp=10_001) for p in good],
    "a base that was never paid": lambda good: [replace(p, base_fen=p.base_fen + 1) for p in good],
    "a stranger": lambda good: [replace(p, beneficiary_id=p.line_id) for p in good],
    "another order's line": lambda good: [replace(p, line_id=p.beneficiary_id) for p in good],
    "a rule without a name": lambda good: [replace(p, rule="") for p in good],
    "a rule that is no text": lambda good: [replace(p, rule=3) for p in good],
    "a zero byte": lambda good: [replace(p, because="\0") for p in good],
    "the same twice": lambda good: [*good, *good],
    "a generator that breaks off": lambda good: (p if i < 1 else boom() for i, p in enumerate([*good, *good])),
}


def test_propose_awards_that_answers_nonsense_awards_nothing_and_is_reported(till: Till, plan: RoguePlan) -> None:
    till.product("a", price_fen=10_000)
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    till.plan("rogue_plan", {})
    for count, (case, answer) in enumerate(BAD_PROPOSALS.items(), start=1):
        plan.answers["propose_awards"] = answer
        order_id = till.paid(buyer)
        assert till.process() == 1, case
        assert till.order_row(order_id).state == "paid", case
        with till.work():
            errors = {work.order_id: work.error for work in commissions.failing_work()}
        assert "rogue_plan" in (errors[order_id] or ""), case
        assert len(failures(till)) == count, case
    assert till.figures(parent).estimated_fen == 0
    plan.answers.clear()
    with till.work():
        commissions.retry_failing_work()
    till.process()
    assert till.figures(parent).estimated_fen == 1_000 * len(BAD_PROPOSALS)
    till.check()


def test_propose_awards_that_raises_leaves_the_order_paid_and_the_work_waiting(till: Till, plan: RoguePlan) -> None:
    till.product("a", price_fen=10_000)
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    other = till.member("other", under=parent)
    till.plan("rogue_plan", {})
    plan.answers["propose_awards"] = boom
    order_id = till.paid(buyer)
    till.process()
    assert till.order_row(order_id).state == "paid"
    assert failures(till) == [("rogue_plan", "propose_awards")]
    # Receipt and refund of that order queue behind it; other orders pass.
    till.ship(order_id)
    till.receive(order_id)
    del plan.answers["propose_awards"]
    till.paid(other)
    till.process()
    assert till.figures(parent).estimated_fen == 1_000
    with till.work():
        assert commissions.open_work() == 2
        commissions.retry_failing_work()
    till.process()
    with till.work():
        assert commissions.open_work() == 0
    assert till.figures(parent).estimated_fen == 1_000
    assert till.figures(parent).frozen_fen == 1_000
    till.check()


def test_a_plan_that_was_taken_out_leaves_the_work_waiting(till: Till, plan: RoguePlan) -> None:
    till.product("a", price_fen=10_000)
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    till.plan("rogue_plan", {})
    early = till.paid(buyer)
    registry.unregister("rogue_plan")
    try:
        late = till.paid(buyer)
        till.process()
        assert {till.order_row(order_id).state for order_id in (early, late)} == {"paid"}
        with till.work():
            assert commissions.open_work() == 2
    finally:
        registry.register(plan)
    with till.work():
        commissions.retry_failing_work()
    till.process()
    assert till.figures(parent).estimated_fen == 2_000
    till.check()


def test_a_plan_that_changes_its_mind_is_found_out(till: Till, plan: RoguePlan) -> None:
    """A plan is pure. One that answers differently the second time shows in the books' check."""
    till.product("a", price_fen=10_000)
    buyer = till.member("buyer", under=till.member("parent"))
    till.plan("rogue_plan", {})
    till.paid(buyer)
    till.process()
    till.check()
    plan.answers["propose_awards"] = lambda good: [replace(p, rate_bp=2_000) for p in good]
    with pytest.raises(AssertionError, match="10 computing an order again"):
        till.check()
    plan.answers["propose_awards"] = boom
    with pytest.raises(AssertionError, match="10 computing an order again"):
        till.check()


BAD_TIERS: dict[str, tuple[str, Answer]] = {
    "decide_tier raises": ("decide_tier", boom),
    "decide_tier names an unknown tier": ("decide_tier", lambda: "two"),
    "decide_tier answers a list": ("decide_tier", lambda: ["one"]),
    "decide_tier answers a number": ("decide_tier", lambda: 1),
    "decide_tier answers a zero byte": ("decide_tier", lambda: "\0"),
    "tiers raises": ("tiers", boom),
    "tiers answers None": ("tiers", lambda: None),
    "tiers answers texts": ("tiers", lambda: ["one"]),
    "tiers answers unhashable keys": ("tiers", lambda: [Tier(["one"], "One", 0)]),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", BAD_TIERS)
def test_a_tier_structure_that_fails_stops_neither_joining_nor_paying(
    till: Till, structure: RogueTiers, case: str
) -> None:
    till.product("a", price_fen=10_000)
    till.plan()
    till.tiers("rogue_tiers", {})
    parent = till.member("parent")
    hook, answer = BAD_TIERS[case]
    structure.answers[hook] = answer
    buyer = till.member("buyer", under=parent)
    order_id = till.paid(buyer)
    till.process()
    assert till.order_row(order_id).state == "paid"
    assert till.figures(parent).estimated_fen == 1_000, "the parent keeps the tier held before"
    assert "rogue_tiers" in {plugin for plugin, _hook in failures(till)}
    with till.work():
        promoter = promoters.get_promoter(buyer)
        assert promoter is not None
        assert promoter.tier is None
    structure.answers.clear()
    till.refunded(order_id, {"a": 1})
    with till.work():
        promoter = promoters.get_promoter(buyer)
        assert promoter is not None
        assert promoter.tier == "one", "the next thing that happens puts it right"
    till.check()


BAD_ACTIVATIONS: dict[str, tuple[str, Answer, type[Exception]]] = {
    "check_settings raises": ("check_settings", boom, PluginFailed),
    "check_settings answers a text": ("check_settings", lambda: "no", PluginFailed),
    "check_settings answers numbers": ("check_settings", lambda: [1], PluginFailed),
    "check_settings finds a problem": (
        "check_settings",
        lambda: [SettingsProblem("rate_bp", "Not on a Monday.")],
        InvalidPluginSettings,
    ),
    "plan_levels raises": ("plan_levels", boom, PluginFailed),
    "plan_levels answers a text": ("plan_levels", lambda: "one", PluginFailed),
    "plan_levels answers None": ("plan_levels", lambda: None, PluginFailed),
    "plan_levels answers a fraction": ("plan_levels", lambda: 1.9, PluginFailed),
    "plan_levels answers a negative number": ("plan_levels", lambda: -1, PluginFailed),
}


@pytest.mark.parametrize("case", BAD_ACTIVATIONS)
def test_a_plan_that_fails_is_not_activated(till: Till, plan: RoguePlan, case: str) -> None:
    before = till.plan()
    hook, answer, error = BAD_ACTIVATIONS[case]
    plan.answers[hook] = answer
    with pytest.raises(error):
        till.plan("rogue_plan", {})
    with till.work():
        active = commissions.current_plan()
        assert active is not None
        assert active.activation_id == before


@pytest.mark.parametrize(
    ("name", "values", "error"),
    [
        ("rogue_plan", {"rate": 5}, InvalidPluginSettings),
        ("rogue_plan", {"rate_bp": 10.5}, InvalidPluginSettings),
        ("rogue_plan", {"rate_bp": "ten"}, InvalidPluginSettings),
        ("plan_levels", {"rates": [{"level": 1, "rate_bp": 9_000}, {"level": 1, "rate_bp": 9_000}]}, FanyongError),
        ("plan_levels", {"rates": [{"level": 2, "rate_bp": 100}]}, FanyongError),
        ("tiers_flat", {}, UnknownPlugin),
        ("plan_nobody_wrote", {}, UnknownPlugin),
    ],
)
def test_settings_that_cannot_be_change_nothing(
    till: Till, plan: RoguePlan, name: str, values: dict[str, Any], error: type[Exception]
) -> None:
    before = till.plan()
    with pytest.raises(error):
        till.plan(name, values)
    with till.work():
        assert [version.id for version in plugins.history("commission_plan")] == [before]


def test_settings_are_kept_as_whole_numbers(till: Till, plan: RoguePlan) -> None:
    till.plan("rogue_plan", {"rate_bp": "700"})
    with till.work():
        kept = plugins.history("commission_plan")[0].settings["rate_bp"]
    assert (kept, type(kept)) == (700, int)
