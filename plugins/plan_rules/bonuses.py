"""Extras on an order: for the nearest group leader, and for whoever brought a buyer who pays a first order."""

from __future__ import annotations

from dataclasses import dataclass

from fanyong.values import OrderFacts, Person
from plugins.plan_rules.rows import ANY_TIER
from plugins.plan_rules.rules import Details, Rule, Sale, named
from plugins.plan_rules.sections import Bonuses as BonusSettings
from tenants.commissions.rounding import allocate


@dataclass(frozen=True, slots=True)
class NewMember:
    """The bonus of one first order: a percentage, or the part of a fixed amount that each line bears."""

    person: Person
    rule: Rule
    parts: dict[int, int] | None


class Bonuses:
    """The bonuses of a plan, ready for orders."""

    def __init__(self, settings: BonusSettings) -> None:
        self._leaders = {
            row.tier: Rule(
                named("rules:leader", row.tier),
                0 if row.fixed_fen is not None else row.rate_bp or 0,
                row.fixed_fen,
                {"by": "leader"},
            )
            for row in settings.leaders
        }
        self._depth = settings.leader_depth
        self._new_member_fen = settings.new_member_fen
        self._new_member_from_fen = settings.new_member_from_fen
        self._new_member = Rule("rules:new-member", settings.new_member_bp or 0, None, {"by": "new_member"})

    def of_order(self, facts: OrderFacts) -> NewMember | None:
        """Return the new-member bonus of an order; it is paid for the buyer's first paid order, not for the buyer."""
        goods = facts.paid_goods_fen
        if facts.order_number != 1 or not facts.upline or goods <= 0 or goods < self._new_member_from_fen:
            return None
        if self._new_member_fen is None:
            return NewMember(facts.upline[0], self._new_member, None) if self._new_member.pays else None
        total = min(self._new_member_fen, goods)
        parts = allocate(total, [line.paid_fen for line in facts.lines])
        by_line = {line.line_id.int: part for line, part in zip(facts.lines, parts, strict=True)}
        return NewMember(facts.upline[0], self._new_member, by_line)

    def propose(self, sale: Sale, new_member: NewMember | None) -> None:
        """Propose the leader's extra and the new-member bonus of one line."""
        if self._leaders:
            leader, rule = self._leader(sale.facts)
            # The nearest one counts, also where the row of their tier brings nothing.
            if leader is not None and rule is not None and rule.pays:
                sale.offer("bonus", rule, leader)
        if new_member is None:
            return
        if new_member.parts is None:
            sale.offer("bonus", new_member.rule, new_member.person)
        elif part := new_member.parts[sale.line.line_id.int]:
            details: Details = {"by": "new_member", "order_fen": sum(new_member.parts.values())}
            sale.offer_amount("bonus", new_member.rule, new_member.person, part, details=details)

    def _leader(self, facts: OrderFacts) -> tuple[Person | None, Rule | None]:
        for person in facts.upline[: self._depth]:
            if person.tier is not None:
                rule = self._leaders.get(person.tier) or self._leaders.get(ANY_TIER)
                if rule is not None:
                    return person, rule
        return None, None
