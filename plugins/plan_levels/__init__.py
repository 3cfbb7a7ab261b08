"""A percentage by level of the upline and by tier, with exceptions for categories and products."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from fanyong.hooks import CommissionPlanPlugin, CompiledPlan, PluginKind, hookimpl
from fanyong.values import AwardProposal, LineFacts, OrderFacts, Person, Proposal, SettingsProblem, Tier, Withheld

FULL_BP = 10_000
ANY_TIER = ""
#: A brand with more kinds of lines than that has a few of them looked up again.
MAX_REMEMBERED = 50_000
_LEVEL = Field(ge=1, le=3, title=_l("Level"), description=_l("1 is whoever brought the buyer."))
_TIER = Field(
    default=ANY_TIER,
    max_length=32,
    title=_l("Tier"),
    description=_l("Empty: every tier without a rate of its own."),
    json_schema_extra={"choices": "tiers"},
)
_RATE = Field(ge=0, le=FULL_BP, title=_l("Rate"), json_schema_extra={"unit": "bp"})


class LevelRate(BaseModel):
    """What one level earns, for one tier or for all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    level: int = _LEVEL
    tier: str = _TIER
    rate_bp: int = _RATE


class Override(BaseModel):
    """Another rate for one product or one category."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scope: Literal["sku", "category"] = Field(
        title=_l("For"),
        json_schema_extra={"labels": {"sku": _l("One product"), "category": _l("One category")}},
    )
    target: str = Field(min_length=1, max_length=64, title=_l("SKU or category"))
    level: int = _LEVEL
    tier: str = _TIER
    rate_bp: int = _RATE


class Settings(BaseModel):
    """The brand's rates; the most specific wins: SKU, then category, then the brand's own; a tier before all tiers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rates: list[LevelRate] = Field(
        default=[LevelRate(level=1, rate_bp=1_000)],
        min_length=1,
        max_length=100,
        title=_l("Rates of the brand"),
    )
    overrides: list[Override] = Field(
        default=[],
        max_length=500,
        title=_l("Exceptions"),
        description=_l("For single products and categories."),
    )


class PlanLevels:
    """The commission plan `plan_levels`."""

    name = "plan_levels"
    version = "1.0"
    requires = "fanyong>=0.1,<1"
    kind: PluginKind = "commission_plan"
    title = _l("Percent by level and tier")
    summary = _l("Whoever brought the buyer earns a percentage, and so may the one or two above.")
    settings_model = Settings

    @hookimpl
    def plan_levels(self, settings: Settings) -> int:
        """Return the highest level with a rate above zero."""
        return max((key[2] for _path, key, rate_bp in _rows(settings) if rate_bp), default=0)

    @hookimpl
    def propose_awards(self, settings: Settings, facts: OrderFacts) -> Sequence[Proposal]:
        """Propose, for each line and each level, the most specific rate there is."""
        return CompiledLevels(settings)(facts)

    @hookimpl
    def compile_plan(self, settings: Settings) -> CompiledPlan:
        """Return the plan with its table made ready."""
        return CompiledLevels(settings)

    @hookimpl
    def check_settings(self, settings: Settings, tiers: Sequence[Tier]) -> Sequence[SettingsProblem]:
        """Refuse rates that stand twice, name unknown tiers, or together give away more than was paid."""
        return [*_repeated(settings), *_unknown_tiers(settings, tiers), *_too_much(settings)]


Table = dict[tuple[str, str, int, str], int]
#: The rule and the rate that hold for one kind of line, one level and one tier.
Found = tuple[str, int] | None


class CompiledLevels:
    """The plan with one brand's settings; what was looked up once is remembered."""

    def __init__(self, settings: Settings) -> None:
        self._table = _table(settings)
        self._remembered: dict[tuple[str, str, int, str | None], Found] = {}
        self._levels = sorted({level for (_s, _t, level, _tier), rate_bp in self._table.items() if rate_bp})

    def __call__(self, facts: OrderFacts) -> list[Proposal]:
        """Return what the plan proposes for an order, and the levels at which the buyer has nobody."""
        proposals: list[Proposal] = []
        for line in facts.lines:
            for person in facts.upline:
                found = self._find(line, person)
                if found is not None:
                    proposals.append(_proposal(line, person, *found))
            proposals += [
                Withheld(line.line_id, None, level, f"levels:{level}", "no_upline")
                for level in self._levels
                if level > len(facts.upline)
            ]
        return proposals

    def _find(self, line: LineFacts, person: Person) -> Found:
        key = (line.sku, line.category, person.level, person.tier)
        if key not in self._remembered:
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = next(_best(self._table, line, person), None)
        return self._remembered[key]


def _proposal(line: LineFacts, person: Person, rule: str, rate_bp: int) -> AwardProposal:
    return AwardProposal(
        line_id=line.line_id,
        beneficiary_id=person.member_id,
        kind="share",
        level=person.level,
        rule=rule,
        base_fen=line.paid_fen,
        rate_bp=rate_bp,
        because=f"level {person.level}",
    )


def _table(settings: Settings) -> Table:
    table: Table = {("brand", "", rate.level, rate.tier): rate.rate_bp for rate in settings.rates}
    table |= {(o.scope, o.target, o.level, o.tier): o.rate_bp for o in settings.overrides}
    return table


def _best(table: Table, line: LineFacts, person: Person) -> Iterator[tuple[str, int]]:
    """Yield the rule and rate that hold for one line and person, or nothing."""
    for scope, target in (("sku", line.sku), ("category", line.category), ("brand", "")):
        for tier in dict.fromkeys((person.tier or ANY_TIER, ANY_TIER)):
            rate_bp = table.get((scope, target, person.level, tier))
            if rate_bp is not None:
                name = f"levels:{person.level}" if scope == "brand" else f"levels:{person.level}:{scope}:{target}"
                yield (f"{name}:{tier}" if tier else name), rate_bp
                return


def _rows(settings: Settings) -> Iterator[tuple[str, tuple[str, str, int, str], int]]:
    for index, rate in enumerate(settings.rates):
        yield f"rates.{index}", ("brand", "", rate.level, rate.tier), rate.rate_bp
    for index, override in enumerate(settings.overrides):
        key = (override.scope, override.target, override.level, override.tier)
        yield f"overrides.{index}", key, override.rate_bp


def _repeated(settings: Settings) -> Iterator[SettingsProblem]:
    seen = set()
    for path, key, _rate in _rows(settings):
        if key in seen:
            yield SettingsProblem(f"{path}.rate_bp", _("There is another rate for the same level, tier and goods."))
        seen.add(key)


def _unknown_tiers(settings: Settings, tiers: Sequence[Tier]) -> Iterator[SettingsProblem]:
    known = {tier.key for tier in tiers}
    for path, (_scope, _target, _level, tier), _rate in _rows(settings):
        if tier and tier not in known:
            yield SettingsProblem(f"{path}.tier", _("There is no tier “%(tier)s”.", tier=tier))


def _too_much(settings: Settings) -> Iterator[SettingsProblem]:
    """Check the worst case of each kind of goods: every level held by the tier that earns most there."""
    table = _table(settings)
    goods = {("brand", "")} | {(scope, target) for scope, target, _level, _tier in table}
    for scope, target in sorted(goods):
        total = sum(_highest(table, scope, target, level) for level in (1, 2, 3))
        if total > FULL_BP:
            path = next(p for p, key, _rate in _rows(settings) if key[:2] == (scope, target) or scope == "brand")
            yield SettingsProblem(
                f"{path}.rate_bp",
                _("All levels together would give away %(percent)s %%.", percent=total / 100),
            )


def _highest(table: Table, scope: str, target: str, level: int) -> int:
    own = {tier: r for (s, t, lv, tier), r in table.items() if (s, t, lv) == (scope, target, level)}
    brand = {tier: r for (s, _t, lv, tier), r in table.items() if (s, lv) == ("brand", level)}
    # Tiers that the exception does not name keep the brand's rate.
    kept = () if ANY_TIER in own else (r for tier, r in brand.items() if tier not in own)
    return max([*own.values(), *kept], default=0)


plugin: CommissionPlanPlugin[Settings] = PlanLevels()
