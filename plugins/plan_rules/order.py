"""The compiled plan: everything that does not depend on an order is worked out once, and orders are then looked up."""

from __future__ import annotations

from fanyong.values import LineFacts, OrderFacts, Person, Proposal
from plugins.plan_rules.bonuses import Bonuses
from plugins.plan_rules.campaigns import Campaigns, Running, best_of, best_of_each
from plugins.plan_rules.ladders import Ladder
from plugins.plan_rules.regions import Regions
from plugins.plan_rules.rules import Rule, Sale, base_of
from plugins.plan_rules.settings import Settings
from plugins.plan_rules.table import RateTable, coming_before
from plugins.plan_rules.team import Team

MAX_LEVEL = 3


class CompiledRules:
    """The full plan with one brand's settings, ready to be asked about orders."""

    def __init__(self, settings: Settings) -> None:
        self._base_kind = settings.base
        self._rates = RateTable(settings.rates)
        self._order_ladder = Ladder(settings.order_ladder.bands, name="order")
        self._order_instead = settings.order_ladder.together == "instead"
        self._month_ladder = Ladder(settings.month_ladder.bands, name="month")
        self._month_instead = settings.month_ladder.together == "instead"
        self._ladders = bool(self._order_ladder or self._month_ladder)
        own = settings.own_purchases
        self._self_rates = RateTable(own.rates) if own.mode != "none" else None
        self._rebate, self._pay_upline = own.mode == "rebate", own.pay_upline
        self._campaigns = Campaigns(settings.campaigns)
        self._bonuses = Bonuses(settings.bonuses)
        self._team = Team(settings.team)
        self._has_team = bool(self._team)
        self._regions = Regions(settings.regions)
        self._levels = paid_levels(settings, self._rates) or [0]

    def __call__(self, facts: OrderFacts) -> list[Proposal]:
        """Return what the plan proposes for an order, line by line: the buyer, shares, bonuses, team, region."""
        instead, extra = self._campaigns.at(facts.paid_at)
        new_member = self._bonuses.of_order(facts)
        proposals: list[Proposal] = []
        for line in facts.lines:
            sale = Sale(facts, line, base_of(self._base_kind, line), proposals)
            if self._own_purchase(sale):
                earned = self._shares(sale, instead, extra)
                self._bonuses.propose(sale, new_member)
                if self._has_team:
                    self._team.propose(sale, earned)
            if facts.region_agents:
                self._regions.propose(sale)
        return proposals

    def self_discount_bp(self, buyer: Person, line: LineFacts) -> int:
        """Return by how much a promoter buys a line cheaper, in basis points of its price."""
        if self._self_rates is None or self._rebate or buyer.tier is None:
            return 0
        rule = self._self_rates.find(line, 0, buyer.tier, False)
        return rule.rate_bp if rule else 0

    def _own_purchase(self, sale: Sale) -> bool:
        """Propose the buyer's rebate; return whether the people above earn on this line.

        Whoever bought cheaper has had the reward, whatever the plan was then, and gets no rebate beside it; whoever did
        not, because they were frozen or the plan was another one, has had none.
        """
        buyer = sale.facts.buyer
        if self._self_rates is None or buyer.tier is None:
            return True
        if sale.line.self_discount_bp:
            return self._pay_upline
        if not self._rebate:
            return True
        rule = self._self_rates.find(sale.line, 0, buyer.tier, False)
        if rule is None or not rule.pays:
            return True
        sale.offer("self", rule, buyer)
        return self._pay_upline

    def _shares(self, sale: Sale, instead: list[Running], extra: list[Running]) -> dict[int, int]:
        """Propose the shares and the campaigns on top; return what each level earns by shares, in fen."""
        facts = sale.facts
        earned: dict[int, int] = {}
        for person in facts.upline[:MAX_LEVEL]:
            rules = self._share_rules(sale, person, instead)
            for rule in rules:
                sale.offer("share", rule, person)
            if self._has_team and is_paid(person, facts):
                earned[person.level] = sum(map(sale.worth, rules))
            for rule in best_of_each(extra, sale.line, person.level, person.tier) if extra else ():
                sale.offer("bonus", rule, person)
        if len(facts.upline) < self._levels[-1]:
            self._tell_missing(sale)
        return earned

    def _tell_missing(self, sale: Sale) -> None:
        """Say for each level that the plan pays that the buyer has nobody there."""
        for level in self._levels:
            if level > len(sale.facts.upline):
                sale.withhold(None, level, f"rules:{level}", "no_upline")

    def _share_rules(self, sale: Sale, person: Person, instead: list[Running]) -> list[Rule]:
        """Return the rules a person earns a share by: one, and what ladders add to it."""
        rule = self._rates.find(sale.line, person.level, person.tier, sale.facts.order_number == 1)
        if not self._ladders and not instead:
            return [rule] if rule is not None and rule.pays else []
        extras: list[Rule] = []
        if self._ladders and person.level == 1:
            rule, extras = self._climb(sale.facts, person, rule)
        if instead:
            campaign = best_of(instead, sale.line, person.level, person.tier)
            if campaign is not None:
                rule = coming_before(campaign, [rule] if rule else [])
        return [rule, *extras] if rule is not None and rule.pays else extras

    def _climb(self, facts: OrderFacts, person: Person, rule: Rule | None) -> tuple[Rule | None, list[Rule]]:
        """Return the rate after the ladders have stood in for the brand's own, and the rules that come on top."""
        extras = []
        for ladder, is_instead, amount in (
            (self._month_ladder, self._month_instead, person.month_fen),
            (self._order_ladder, self._order_instead, facts.paid_goods_fen),
        ):
            band = ladder.find(person.tier, amount)
            if band is None:
                continue
            if not is_instead:
                extras.append(band)
            elif rule is None or rule.plain:
                rule = coming_before(band, [rule] if rule else [])
        return rule, [band for band in extras if band.pays]


def is_paid(person: Person, facts: OrderFacts) -> bool:
    """Return whether the core is going to pay somebody's share."""
    return person.tier is not None and not person.frozen and person.level <= facts.levels_allowed


def paid_levels(settings: Settings, rates: RateTable) -> list[int]:
    """Return the levels of the upline that earn a share or a campaign's rate, lowest first."""
    levels = set(rates.levels)
    bands = (*settings.order_ladder.bands, *settings.month_ladder.bands)
    if any(band.rate_bp for band in bands):
        levels.add(1)
    levels |= {row.level for row in settings.campaigns if row.rate_bp or row.fixed_fen}
    return sorted(levels)
