"""The simulator of the plan page: reading its form, and putting what came of it into words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from fanyong.compliance import service as compliance
from fanyong.ids import new_id, parse_id
from fanyong.pluginhost.service import ActivePlugin
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.values import Award, LineFacts, OrderFacts, Person, Withheld
from fanyong.web.settings_form import Choices
from fanyong.web.words import _
from tenants.catalog import service as catalog
from tenants.catalog.models import Product
from tenants.commissions import plans
from tenants.commissions.engine import FULL_BP
from tenants.commissions.explain import award_sentence
from tenants.commissions.rounding import allocate
from tenants.commissions.simulate import Simulation
from tenants.console import labels
from tenants.console.forms import MAX_FEN
from tenants.members.models import Member
from tenants.orders import own_purchases
from tenants.promoters import regions, sales
from tenants.promoters import service as promoters

SHOWN_PRODUCTS = 200
MAX_LINES = 20
_TIER: dict[str, Any] = {"choices": "tiers"}


class BasketRow(BaseModel):
    """One product of the basket."""

    model_config = ConfigDict(extra="forbid")

    sku: str = Field(min_length=1, max_length=64, title=_l("Product"), json_schema_extra={"choices": "products"})
    quantity: int = Field(default=1, ge=1, le=9_999, title=_l("Pieces"))


class Case(BaseModel):
    """A made-up order."""

    model_config = ConfigDict(extra="forbid")

    basket: list[BasketRow] = Field(
        default=[],
        max_length=MAX_LINES,
        title=_l("Basket"),
        description=_l("Empty: goods of the amount below that have no rate of their own."),
    )
    amount: int = Field(default=10_000, gt=0, le=MAX_FEN, title=_l("Amount"), json_schema_extra={"unit": "fen"})
    discount: int = Field(default=0, ge=0, le=MAX_FEN, title=_l("Discount"), json_schema_extra={"unit": "fen"})
    member: str = Field(
        default="",
        max_length=64,
        title=_l("A real member buys"),
        description=_l("Nickname or openid. Empty: a buyer as described here."),
    )
    buyer: str = Field(default="", max_length=32, title=_l("Tier of the buyer"), json_schema_extra=_TIER)
    level_1: str = Field(default="", max_length=32, title=_l("Level 1"), json_schema_extra=_TIER)
    level_2: str = Field(default="", max_length=32, title=_l("Level 2"), json_schema_extra=_TIER)
    level_3: str = Field(default="", max_length=32, title=_l("Level 3"), json_schema_extra=_TIER)
    first_order: bool = Field(default=False, title=_l("It is the buyer's first order"))
    region: str = Field(
        default="", pattern=r"^([1-9][0-9]{5})?$", title=_l("Region"), description=_l("Six digits, 440106 for example.")
    )
    on: datetime | None = Field(default=None, title=_l("Paid at"), description=_l("Empty: now."))


class SimulatorForm(BaseModel):
    """The simulator's fields, under a name of their own: they stand in one form with a plan's settings."""

    sim: Case = Case()


class NoSuchMember(LookupError):
    """Nobody has that nickname or openid."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one person would earn from one line by one rule, or why nothing."""

    who: str
    level: int
    sku: str
    rule: str
    amount_fen: int
    sentence: str
    reason: str
    explanation: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the page shows, and the JSON answer holds."""

    buyer: str
    rows: list[Row]
    paid_fen: int
    cost_fen: int
    cost_bp: int

    @property
    def paid(self) -> list[Row]:
        """Those that earn."""
        return [row for row in self.rows if not row.reason]

    @property
    def unpaid(self) -> list[Row]:
        """Those that do not."""
        return [row for row in self.rows if row.reason]


def choices() -> Choices:
    """Return what the selects of the simulator and of plans offer."""
    products = session().scalars(catalog.products().limit(SHOWN_PRODUCTS))
    return {
        "products": [(product.sku, f"{product.name} ({product.sku})") for product in products],
        "tiers": [(tier.key, f"{tier.name} ({tier.key})") for tier in promoters.tiers_to_show()],
    }


def facts_of(case: Case, *, plan: ActivePlugin) -> OrderFacts:
    """Return a made-up order as it would be frozen; raises NoSuchMember, or PluginFailed for a plan that fails."""
    at = case.on or brand_now()
    member = _member(case.member) if case.member.strip() else None
    buyer, upline, number = _people(case, member, at=at, depth=plans.upline_depth(plan))
    return OrderFacts(
        order_id=new_id(),
        paid_at=at,
        lines=_lines(case, buyer=buyer, plan=plan),
        buyer=buyer,
        upline=upline,
        levels_allowed=compliance.levels_allowed(at=at),
        order_number=1 if case.first_order else number,
        region=case.region,
        region_agents=promoters.agents(regions.agents_for(case.region, at=at), paid_at=at) if case.region else (),
        team_allowed=compliance.team_allowed(at=at),
    )


def outcome(simulation: Simulation, *, number: int) -> Outcome:
    """Return a simulation in words; `number` is the plan version's, 0 for settings that are no version yet."""
    people = [person.member_id for person in _everybody(simulation.facts)]
    names = dict(session().execute(sa.select(Member.id, Member.nickname).where(Member.id.in_(people))).all())
    lines = {line.line_id: line.sku for line in simulation.facts.lines}
    rows = [
        _award_row(award, simulation, names, sku=lines[award.line_id], number=number) for award in simulation.awards
    ]
    rows += [_withheld_row(item, simulation, names, sku=lines[item.line_id]) for item in simulation.withheld]
    return Outcome(
        names.get(simulation.facts.buyer.member_id, ""),
        rows,
        simulation.paid_fen,
        simulation.cost_fen,
        simulation.cost_bp,
    )


def _everybody(facts: OrderFacts) -> tuple[Person, ...]:
    return (facts.buyer, *facts.upline, *facts.region_agents)


def _member(text: str) -> Member:
    """Return the member of an id, an openid or a nickname; of several with one nickname, the newest."""
    text = text.strip().replace("\0", "")
    same = sa.or_(Member.openid == text, Member.nickname == text, Member.id == parse_id(text))
    found = session().scalars(sa.select(Member).where(same).order_by(Member.id.desc()).limit(1)).first()
    if found is None:
        raise NoSuchMember(text)
    return found


def _people(case: Case, member: Member | None, *, at: datetime, depth: int) -> tuple[Person, tuple[Person, ...], int]:
    """Return the buyer, the upline, and which order of the buyer it is."""
    if member is not None:
        buyer = promoters.people([member.id], first_level=0, paid_at=at)[0]
        upline = promoters.people(member.ancestors[:depth], first_level=1, paid_at=at)
        return buyer, upline, sales.orders_of(member.id) + 1
    ranks = {tier.key: tier.rank for tier in promoters.tiers_to_show()}
    upline_tiers = []
    for tier in (case.level_1, case.level_2, case.level_3):
        # An empty place ends the upline: nobody is above a buyer whom nobody brought.
        if not tier:
            break
        upline_tiers.append(tier)
    people = tuple(
        Person(new_id(), level, tier, rank=ranks.get(tier, 0)) for level, tier in enumerate(upline_tiers, start=1)
    )
    return Person(new_id(), 0, case.buyer or None, rank=ranks.get(case.buyer, 0)), people, 2


def _lines(case: Case, *, buyer: Person, plan: ActivePlugin) -> tuple[LineFacts, ...]:
    """Return the lines as an order would have them: first the buyer's own discount, then the order's is spread."""
    lines = [_as_bought(line, buyer=buyer, plan=plan) for line in _at_full_price(case)]
    values = [line.paid_fen for line in lines]
    discounts = allocate(min(case.discount, sum(values)), values) if any(values) else values
    return tuple(
        replace(line, paid_fen=line.paid_fen - discount) for line, discount in zip(lines, discounts, strict=True)
    )


def _at_full_price(case: Case) -> list[LineFacts]:
    if not case.basket:
        return [LineFacts(new_id(), "", "", 1, case.amount)]
    products = catalog.by_sku([row.sku for row in case.basket])
    return [_line(products[row.sku], quantity=row.quantity) for row in case.basket if row.sku in products]


def _line(product: Product, *, quantity: int) -> LineFacts:
    return LineFacts(
        new_id(),
        product.sku,
        product.category,
        quantity,
        product.price_fen * quantity,
        product=product.product_code,
        cost_fen=None if product.cost_fen is None else product.cost_fen * quantity,
        tax_bp=product.tax_bp,
        fixed_base_fen=product.commission_base_fen,
    )


def _as_bought(line: LineFacts, *, buyer: Person, plan: ActivePlugin) -> LineFacts:
    """Return a line at the price that the plan makes for the buyer, which is lower for promoters of some plans."""
    if buyer.tier is None or buyer.frozen:
        return line
    rate_bp = own_purchases.discount_bp(plan, buyer, line)
    cheaper = line.paid_fen * rate_bp // FULL_BP
    return replace(line, paid_fen=line.paid_fen - cheaper, self_discount_bp=rate_bp)


def _who(member_id: UUID | None, level: int, simulation: Simulation, names: dict[UUID, str]) -> str:
    person = simulation.person(member_id)
    place = _("The buyer") if level == 0 and not (person and person.region) else _("Level %(level)d", level=level)
    if person is not None and person.region:
        place = _("Agent of the region %(region)s", region=person.region)
    name = names.get(member_id, "") if member_id else ""
    return f"{place} · {name}" if name else place


def _award_row(award: Award, simulation: Simulation, names: dict[UUID, str], *, sku: str, number: int) -> Row:
    explanation = {**award.explanation, **({"plan_version": number} if number else {})}
    return Row(
        _who(award.beneficiary_id, award.level, simulation, names),
        award.level,
        sku,
        award.rule,
        award.amount_fen,
        award_sentence(explanation),
        "",
        explanation,
    )


def _withheld_row(item: Withheld, simulation: Simulation, names: dict[UUID, str], *, sku: str) -> Row:
    who = _who(item.beneficiary_id, item.level, simulation, names)
    return Row(who, item.level, sku, item.rule, 0, labels.label("withheld", item.reason), item.reason, {})
