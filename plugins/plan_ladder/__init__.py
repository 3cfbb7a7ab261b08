"""A rate that grows with the paid amount of the order, and a rate of its own for a promoter's own purchases."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from fanyong.hooks import CommissionPlanPlugin, CompiledPlan, PluginKind, hookimpl
from fanyong.values import AwardProposal, OrderFacts, Person, Proposal, SettingsProblem, Tier, Withheld

FULL_BP = 10_000


class Band(BaseModel):
    """The rate from one amount on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_fen: int = Field(
        ge=0,
        le=10**12,
        title=_l("From an order of"),
        description=_l("Goods paid after discounts, without freight."),
        json_schema_extra={"unit": "fen"},
    )
    rate_bp: int = Field(ge=0, le=FULL_BP, title=_l("Rate"), json_schema_extra={"unit": "bp"})


class Settings(BaseModel):
    """The bands, and what happens when a promoter buys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bands: list[Band] = Field(
        default=[
            Band(from_fen=0, rate_bp=500),
            Band(from_fen=20_000, rate_bp=800),
            Band(from_fen=50_000, rate_bp=1_200),
        ],
        min_length=1,
        max_length=50,
        title=_l("Bands, lowest first"),
        description=_l("The whole order earns the rate of the band it falls into."),
    )
    self_purchase_bp: int | None = Field(
        default=None,
        ge=0,
        le=FULL_BP,
        title=_l("Rate on own purchases"),
        description=_l("What a promoter gets back on an order of their own. Empty: nothing."),
        json_schema_extra={"unit": "bp"},
    )
    pay_upline_on_self_purchase: bool = Field(
        default=False,
        title=_l("Pay the upline on own purchases too"),
        description=_l("When a promoter gets a rebate, whoever brought that promoter earns as well."),
    )


class PlanLadder:
    """The commission plan `plan_ladder`."""

    name = "plan_ladder"
    version = "1.0"
    requires = "fanyong>=0.1,<1"
    kind: PluginKind = "commission_plan"
    title = _l("Ladder by order amount")
    summary = _l("The larger the paid order, the higher the rate; own purchases have a rate of their own.")
    settings_model = Settings

    @hookimpl
    def plan_levels(self, settings: Settings) -> int:
        """Return 1: only whoever brought the buyer earns."""
        return 1

    @hookimpl
    def propose_awards(self, settings: Settings, facts: OrderFacts) -> Sequence[Proposal]:
        """Propose the rebate of a promoter's own purchase, and the share of level 1."""
        return CompiledLadder(settings)(facts)

    @hookimpl
    def compile_plan(self, settings: Settings) -> CompiledPlan:
        """Return the plan with its bands made ready."""
        return CompiledLadder(settings)

    @hookimpl
    def check_settings(self, settings: Settings, tiers: Sequence[Tier]) -> Sequence[SettingsProblem]:
        """Refuse bands that leave a gap at the bottom, overlap, or together with the rebate give away everything."""
        problems = []
        if settings.bands[0].from_fen != 0:
            problems.append(SettingsProblem("bands.0.from_fen", _("The lowest band starts at 0.")))
        for index, (lower, higher) in enumerate(pairwise(settings.bands), start=1):
            if higher.from_fen <= lower.from_fen:
                path = f"bands.{index}.from_fen"
                problems.append(SettingsProblem(path, _("Each band starts above the one before it.")))
        highest = max(band.rate_bp for band in settings.bands)
        both = highest + (settings.self_purchase_bp or 0)
        if settings.pay_upline_on_self_purchase and both > FULL_BP:
            message = _("Rebate and share together would give away %(percent)s %%.", percent=both / 100)
            problems.append(SettingsProblem("self_purchase_bp", message))
        return problems


class CompiledLadder:
    """The plan with one brand's settings."""

    def __init__(self, settings: Settings) -> None:
        self._starts = [band.from_fen for band in settings.bands]
        self._bands = settings.bands
        self._rebate_bp = settings.self_purchase_bp
        self._pay_upline = settings.pay_upline_on_self_purchase

    def __call__(self, facts: OrderFacts) -> list[Proposal]:
        """Return what the plan proposes for an order, or that nobody brought the buyer."""
        rebate_bp = self._rebate_bp
        is_self_purchase = rebate_bp is not None and facts.buyer.tier is not None
        proposals: list[Proposal] = []
        if rebate_bp is not None and is_self_purchase:
            proposals += _each_line(facts, facts.buyer, kind_is_self=True, rule="ladder:self", rate_bp=rebate_bp)
        if is_self_purchase and not self._pay_upline:
            return proposals
        band = self._bands[bisect_right(self._starts, facts.paid_goods_fen) - 1]
        rule = f"ladder:from:{band.from_fen}"
        if facts.upline:
            proposals += _each_line(facts, facts.upline[0], kind_is_self=False, rule=rule, rate_bp=band.rate_bp)
        elif band.rate_bp:
            proposals += [Withheld(line.line_id, None, 1, rule, "no_upline") for line in facts.lines]
        return proposals


def _each_line(
    facts: OrderFacts, person: Person, *, kind_is_self: bool, rule: str, rate_bp: int
) -> list[AwardProposal]:
    return [
        AwardProposal(
            line_id=line.line_id,
            beneficiary_id=person.member_id,
            kind="self" if kind_is_self else "share",
            level=person.level,
            rule=rule,
            base_fen=line.paid_fen,
            rate_bp=rate_bp,
            because=f"order of {facts.paid_goods_fen} fen",
        )
        for line in facts.lines
    ]


plugin: CommissionPlanPlugin[Settings] = PlanLadder()
