"""Trying a plan on an order that does not exist, with the same code that pays."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from flask import request

from fanyong.compliance import service as compliance
from fanyong.ids import new_id
from fanyong.pluginhost.registry import PluginFailed
from fanyong.pluginhost.service import ActivePlugin
from fanyong.tenancy.clock import brand_now
from fanyong.values import LineFacts, OrderFacts, Person
from fanyong.web.paging import everything
from fanyong.web.settings_form import SettingsForm, from_post, from_values
from fanyong.web.words import _
from tenants.catalog import service as catalog
from tenants.commissions import engine, processing
from tenants.commissions.explain import award_sentence
from tenants.console.forms import TryForm
from tenants.promoters import service as promoters

SHOWN_PRODUCTS = 200


@dataclass(frozen=True, slots=True)
class Line:
    """What one person would earn, or why not."""

    who: str
    amount_fen: int
    sentence: str
    reason: str


@dataclass(frozen=True, slots=True)
class Trial:
    """The form, and what came of it."""

    form: SettingsForm
    lines: list[Line] | None


def preview(plan: ActivePlugin) -> Trial:
    """Return what the plan would make of the order described in the request's query."""
    products = everything(catalog.products().limit(SHOWN_PRODUCTS))
    tiers = promoters.tiers_to_show()
    choices = {
        "products": [(p.sku, f"{p.name} ({p.sku})") for p in products],
        "tiers": [(tier.key, tier.name) for tier in tiers],
    }
    if "amount" not in request.args:
        start = {"level_1": tiers[0].key} if tiers else {}
        return Trial(from_values(TryForm, start, choices=choices), None)
    form = from_post(TryForm, request.args, choices=choices)
    if not form.ok:
        return Trial(form, None)
    categories = {p.sku: p.category for p in products}
    facts = _facts(form, category=categories.get(form.values["sku"], ""))
    try:
        result = processing.propose(plan, facts)
    except PluginFailed as failure:
        form.add_error([], str(failure))
        return Trial(form, None)
    return Trial(form, _lines(facts, result, plan=plan))


def _facts(form: SettingsForm, *, category: str) -> OrderFacts:
    values = form.values
    upline = []
    for level in (1, 2, 3):
        # An empty place ends the upline: nobody is above a buyer whom nobody brought.
        if not values[f"level_{level}"]:
            break
        upline.append(Person(new_id(), level, values[f"level_{level}"]))
    line = LineFacts(new_id(), values["sku"], category, 1, values["amount"])
    return OrderFacts(
        order_id=new_id(),
        paid_at=brand_now(),
        lines=(line,),
        buyer=Person(new_id(), 0, values["buyer"] or None),
        upline=tuple(upline),
        levels_allowed=compliance.levels_allowed(),
    )


def _lines(facts: OrderFacts, result: engine.Result, *, plan: ActivePlugin) -> list[Line]:
    levels: dict[UUID, int] = {person.member_id: person.level for person in (facts.buyer, *facts.upline)}

    def who(member_id: UUID) -> str:
        level = levels[member_id]
        return _("Level %(level)d", level=level) if level else _("The buyer")

    awards = [
        Line(
            who(award.beneficiary_id),
            award.amount_fen,
            award_sentence({**award.explanation, "plan_version": plan.number}),
            "",
        )
        for award in result.awards
    ]
    return awards + [
        Line(who(item.beneficiary_id) if item.beneficiary_id else "", 0, item.rule, item.reason)
        for item in result.withheld
    ]
