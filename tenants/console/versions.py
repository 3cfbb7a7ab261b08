"""What the pages of plans and tiers show of a version: its settings in words, what it changes, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanyong.compliance import service as compliance
from fanyong.errors import FanyongError
from fanyong.hooks import Plugin, PluginKind
from fanyong.pluginhost import checking
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.checking import InvalidPluginSettings
from fanyong.pluginhost.differences import Difference, differences, from_json
from fanyong.pluginhost.models import PluginActivation, PluginChange
from fanyong.pluginhost.registry import PluginFailed, registry
from fanyong.pluginhost.service import ActivePlugin
from fanyong.tenancy.clock import brand_now
from fanyong.web.money import percent, yuan
from fanyong.web.settings_form import Choices
from fanyong.web.settings_words import ToldChange, ToldSetting, told_change, told_settings
from fanyong.web.words import _
from tenants.commissions.simulate import Example, examples
from tenants.promoters import service as promoters

KINDS_BY_WORD: Mapping[str, PluginKind] = {"plan": "commission_plan", "tiers": "tier_structure"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether settings may be put in force: what the plugin minds, and each rule of the policy."""

    problems: Sequence[str]
    findings: Sequence[compliance.Finding]

    @property
    def ok(self) -> bool:
        """Whether nothing stands against it."""
        return not self.problems and all(finding.problem is None for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Told:
    """One example in a sentence, and its cost in percent of what was paid."""

    sentence: str
    cost: str


def active_or_none(kind: PluginKind) -> ActivePlugin | None:
    """Return what is in force, or None also when its plugin was taken out: pages then still offer another one."""
    try:
        return plugins.current(kind)
    except PluginFailed:
        return None


def loaded_or_none(row: PluginActivation) -> ActivePlugin | None:
    """Return a version ready to be asked, or None when its plugin was taken out or refuses its settings."""
    try:
        return plugins.compiled(row)
    except PluginFailed:
        return None


def settings_words(row: PluginActivation, choices: Choices) -> list[ToldSetting]:
    """Return a version's settings in words."""
    plugin = _plugin(row)
    if plugin is None:
        return [ToldSetting(_("The plugin “%(name)s” is not installed any more.", name=row.plugin))]
    return told_settings(plugin.settings_model, row.settings, choices=choices)


def between(before: PluginActivation | None, after: PluginActivation, choices: Choices) -> list[ToldChange]:
    """Return what tells two versions apart in words; the first version changes everything and says nothing."""
    plugin = _plugin(after)
    if before is None or plugin is None:
        return []
    if before.plugin != after.plugin:
        old = _plugin(before)
        return [ToldChange(_("Kind"), str(old.title if old else before.plugin), str(plugin.title))]
    # A field that is new in the plugin has its default in both; written out, so that it is no difference.
    values = [_written_out(plugin, row.settings) for row in (before, after)]
    return [told_change(plugin.settings_model, each, choices=choices) for each in differences(*values)]


def change_words(row: PluginActivation, change: PluginChange, choices: Choices) -> list[ToldChange]:
    """Return in words what a change did to the settings of a version."""
    plugin = _plugin(row)
    if plugin is None:
        return []
    return [told_change(plugin.settings_model, from_json(each), choices=choices) for each in change.changes]


def verdict(kind: PluginKind, name: str, values: dict[str, Any]) -> Verdict:
    """Return whether settings could be put in force now, and all that stands against it."""
    try:
        settings = checking.parsed(kind, name, values)
    except InvalidPluginSettings as error:
        return Verdict([f"{each['path']}: {each['message']}" for each in error.details], ())
    except FanyongError as error:
        return Verdict([error.text], ())
    problems = []
    try:
        tiers = plugins.brand_tiers() if kind == "commission_plan" else ()
        checking.validate(kind, name, values, tiers=tiers)
    except InvalidPluginSettings as error:
        problems = [_problem_words(kind, name, each) for each in error.details]
    except PluginFailed:
        problems = [_("The plugin could not check these settings.")]
    try:
        return Verdict(problems, checking.findings(kind, name, settings))
    except PluginFailed:
        return Verdict([*problems, _("The plugin does not say what the compliance policy asks.")], ())


def told_examples(plan: ActivePlugin | None) -> list[Told]:
    """Return in plain sentences what an order of ¥100 costs under a plan; nothing while the plan fails."""
    if plan is None:
        return []
    try:
        found = examples(
            plan,
            tiers=promoters.tiers_to_show(),
            at=brand_now(),
            levels_allowed=compliance.levels_allowed(),
            team_allowed=compliance.team_allowed(),
        )
    except PluginFailed:
        return []
    return [Told(_sentence(example), percent(example.simulation.cost_bp)) for example in _without_repeats(found)]


def _without_repeats(found: Sequence[Example]) -> list[Example]:
    """Leave out tiers that earn just what the one before them earns."""
    kept: list[Example] = []
    for example in found:
        amounts = [(award.level, award.amount_fen) for award in example.simulation.awards]
        last = kept[-1] if kept else None
        if last is None or amounts != [(a.level, a.amount_fen) for a in last.simulation.awards]:
            kept.append(example)
    return kept


def _sentence(example: Example) -> str:
    simulation = example.simulation
    paid, tier = yuan(simulation.paid_fen), example.tier.name
    said = (
        _("A promoter (%(tier)s) pays %(paid)s for their own purchase", tier=tier, paid=paid)
        if example.own_purchase
        else _("Somebody whom a promoter (%(tier)s) brought pays %(paid)s", tier=tier, paid=paid)
    )
    by_level: dict[int, int] = {}
    for award in simulation.awards:
        by_level[award.level] = by_level.get(award.level, 0) + award.amount_fen
    if not by_level:
        return _("%(said)s: nobody earns.", said=said)
    shares = _(", ").join(_share(level, fen) for level, fen in sorted(by_level.items()))
    return _("%(said)s: %(shares)s. Together %(cost)s.", said=said, shares=shares, cost=yuan(simulation.cost_fen))


def _share(level: int, amount_fen: int) -> str:
    if level == 0:
        return _("the buyer gets %(amount)s back", amount=yuan(amount_fen))
    if level == 1:
        return _("that promoter gets %(amount)s", amount=yuan(amount_fen))
    return _("level %(level)d above gets %(amount)s", level=level, amount=yuan(amount_fen))


def _problem_words(kind: PluginKind, name: str, problem: Mapping[str, str]) -> str:
    if not problem["path"]:
        return problem["message"]
    model = registry.get(kind, name).settings_model
    where = told_change(model, Difference(problem["path"], None, None)).where
    return f"{where}: {problem['message']}"


def _written_out(plugin: Plugin, values: dict[str, Any]) -> dict[str, Any]:
    try:
        return plugin.settings_model.model_validate(values).model_dump(mode="json")
    except ValueError:
        return values


def _plugin(row: PluginActivation) -> Plugin | None:
    return next((plugin for plugin in registry.plugins() if plugin.name == row.plugin), None)
