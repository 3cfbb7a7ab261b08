"""A rule that was found to hold, and what it makes of a line: the piece all parts of the plan are built of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fanyong.values import AwardKind, AwardProposal, BaseKind, LineFacts, OrderFacts, Person, Proposal, Withheld
from plugins.plan_rules.rows import FULL_BP

Details = Mapping[str, int | str]
#: No commission ever comes near it; a proposal above it is refused.
MAX_FIXED_FEN = 10**15


@dataclass(frozen=True, slots=True)
class Rule:
    """A rate, or an amount per piece, under the name that stands in the books for ever."""

    name: str
    rate_bp: int
    #: In fen, per piece.
    fixed_fen: int | None = None
    details: Details | None = None
    #: Whether it is the brand's own rate for all orders, which a ladder may stand in for.
    plain: bool = False

    @property
    def pays(self) -> bool:
        """Whether it ever comes to anything."""
        return bool(self.rate_bp or self.fixed_fen)


@dataclass(frozen=True, slots=True)
class Base:
    """What percentages of a line are taken of, in fen, and how that came about."""

    fen: int
    kind: BaseKind
    details: Details | None = None
    #: False where the plan takes its percentages of the margin and nobody said what the goods cost.
    known: bool = True


def base_of(kind: BaseKind, line: LineFacts) -> Base:
    """Return the commission base of a line; it is never negative and never above what was paid."""
    paid = line.paid_fen
    if kind == "paid_less_tax":
        net = paid * FULL_BP // (FULL_BP + line.tax_bp)
        return Base(net, kind, {"tax_bp": line.tax_bp, "tax_fen": paid - net})
    if kind == "margin":
        if line.cost_fen is None:
            return Base(0, kind, known=False)
        return Base(min(max(paid - line.cost_fen, 0), paid), kind, {"cost_fen": line.cost_fen})
    if kind == "fixed_base" and line.fixed_base_fen is not None:
        details = {"piece_base_fen": line.fixed_base_fen, "pieces": line.quantity}
        return Base(min(line.fixed_base_fen * line.quantity, paid), kind, details)
    return Base(paid, "paid")


@dataclass(slots=True)
class Sale:
    """One line of an order on its way through the plan, and what is proposed for it on the way."""

    facts: OrderFacts
    line: LineFacts
    base: Base
    proposals: list[Proposal]

    def offer(self, kind: AwardKind, rule: Rule, person: Person, *, base: Base | None = None) -> None:
        """Propose what a rule comes to for somebody, of the line's base or of another one."""
        line, base = self.line, base or self.base
        if rule.fixed_fen is not None:
            details = {**(rule.details or {}), "piece_fen": rule.fixed_fen, "pieces": line.quantity}
            if line.exchanged_fen:
                details |= {"exchanged_fen": line.exchanged_fen}
            amount_fen = min(line.newly_paid(rule.fixed_fen * line.quantity), MAX_FIXED_FEN)
            self.offer_amount(kind, rule, person, amount_fen, details=details)
            return
        if not base.known:
            self.withhold(person, person.level, rule.name, "no_cost")
            return
        told = rule.details
        if base.details:
            told = {**told, **base.details} if told else base.details
        # Positions are read faster than names, and this is the path of every order.
        self.proposals.append(
            AwardProposal(
                line.line_id,
                person.member_id,
                kind,
                person.level,
                rule.name,
                base.fen,
                rule.rate_bp,
                "",
                None,
                base.kind,
                told,
            )
        )

    def offer_amount(self, kind: AwardKind, rule: Rule, person: Person, amount_fen: int, *, details: Details) -> None:
        """Propose an amount, whatever the line's base is."""
        line = self.line
        self.proposals.append(
            AwardProposal(
                line_id=line.line_id,
                beneficiary_id=person.member_id,
                kind=kind,
                level=person.level,
                rule=rule.name,
                base_fen=line.paid_fen,
                rate_bp=0,
                fixed_fen=amount_fen,
                details=details,
            )
        )

    def withhold(self, person: Person | None, level: int, rule: str, reason: str) -> None:
        """Say who gets nothing, and why."""
        self.proposals.append(Withheld(self.line.line_id, person.member_id if person else None, level, rule, reason))

    def worth(self, rule: Rule) -> int:
        """Return what a rule comes to for the line, in fen, before any cap."""
        if rule.fixed_fen is not None:
            return min(self.line.newly_paid(rule.fixed_fen * self.line.quantity), self.line.paid_fen)
        return self.base.fen * rule.rate_bp // FULL_BP


def named(name: str, tier: str) -> str:
    """Return the name of a rule, with the tier it is for, if it is for one."""
    return f"{name}:{tier}" if tier else name
