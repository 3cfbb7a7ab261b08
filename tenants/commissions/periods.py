"""What a month that is over brings, after policy: the rewards a plan works out at its end, as a pure function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args
from uuid import UUID

from fanyong.values import BaseKind, PeriodFacts, PeriodPerson, PeriodProposal
from tenants.commissions.proposals import (
    MAX_DETAILS,
    MAX_FEN,
    MAX_REASON_LENGTH,
    MAX_RULE_LENGTH,
    ImpossibleProposal,
    is_detail,
    is_text,
)

FULL_BP = 10_000
BASES = frozenset(get_args(BaseKind))


@dataclass(frozen=True, slots=True)
class PeriodAward:
    """What a period brings somebody: what will be posted, with its explanation."""

    beneficiary_id: UUID
    rule: str
    amount_fen: int
    base_fen: int
    rate_bp: int
    tier: str
    explanation: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PeriodWithheld:
    """Who gets nothing for a period, and why: `not_promoter`, `frozen`, `team_not_allowed`, `zero`."""

    beneficiary_id: UUID
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class PeriodResult:
    """What a plan comes to for one period."""

    awards: tuple[PeriodAward, ...]
    withheld: tuple[PeriodWithheld, ...]


def settle_period(facts: PeriodFacts, proposals: Sequence[PeriodProposal]) -> PeriodResult:
    """Return what a period's proposals come to; raises ImpossibleProposal for a plan that talks nonsense."""
    people = {person.member_id: person for person in facts.people}
    awards: list[PeriodAward] = []
    withheld: list[PeriodWithheld] = []
    seen: set[tuple[UUID, str]] = set()
    for proposal in proposals:
        person = _check(proposal, people)
        key = (proposal.beneficiary_id, proposal.rule)
        if key in seen:
            raise ImpossibleProposal(f"rule {proposal.rule!r} is proposed twice for the same person")
        seen.add(key)
        reason = _reason_to_withhold(proposal, person, facts)
        if reason is None:
            awards.append(_award(proposal, person, period=facts.period))
        else:
            withheld.append(PeriodWithheld(proposal.beneficiary_id, proposal.rule, reason))
    return PeriodResult(tuple(awards), tuple(withheld))


def _check(proposal: PeriodProposal, people: Mapping[UUID, PeriodPerson]) -> PeriodPerson:
    person = people.get(proposal.beneficiary_id) if isinstance(proposal.beneficiary_id, UUID) else None
    amounts = (proposal.amount_fen, proposal.base_fen)
    details = {} if proposal.details is None else proposal.details
    if (
        person is None
        or any(type(amount) is not int or not 0 <= amount <= MAX_FEN for amount in amounts)
        or type(proposal.rate_bp) is not int
        or not 0 <= proposal.rate_bp <= FULL_BP
        or proposal.base not in BASES
        or type(proposal.team) is not bool
        or not proposal.rule
        or not is_text(proposal.rule, MAX_RULE_LENGTH)
        or not is_text(proposal.because, MAX_REASON_LENGTH)
        or not isinstance(details, Mapping)
        or len(details) > MAX_DETAILS
        or not all(is_detail(name, value) for name, value in details.items())
    ):
        raise ImpossibleProposal(f"rule {proposal.rule!r}: a person, a number or a text of it cannot be")
    return person


def _reason_to_withhold(proposal: PeriodProposal, person: PeriodPerson, facts: PeriodFacts) -> str | None:
    if person.tier is None:
        return "not_promoter"
    if person.frozen:
        return "frozen"
    if proposal.team and not facts.team_allowed:
        return "team_not_allowed"
    return "zero" if proposal.amount_fen == 0 else None


def _award(proposal: PeriodProposal, person: PeriodPerson, *, period: str) -> PeriodAward:
    explanation: dict[str, object] = {
        "rule": proposal.rule,
        "period": period,
        "because": proposal.because,
        "tier": person.tier,
        "base": proposal.base,
        "base_fen": proposal.base_fen,
        "rate_bp": proposal.rate_bp,
        "amount_fen": proposal.amount_fen,
    }
    if proposal.details:
        explanation["details"] = dict(proposal.details)
    return PeriodAward(
        proposal.beneficiary_id,
        proposal.rule,
        proposal.amount_fen,
        proposal.base_fen,
        proposal.rate_bp,
        person.tier or "",
        explanation,
    )
