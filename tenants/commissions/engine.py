"""From a plan's proposals to awards: policy, rounding and caps, as pure functions.

The same code pays, previews and is property-tested. Order of the steps (MONEY.md section 1): who may earn, which
levels and team rewards are allowed, floor to the fen, then the caps of lines and order: what one line awards never
exceeds what was paid for it. Caps that need to know what was paid before (a promoter's day, a budget) come after, in
`limit_by_spending`. This is the path of every order, so it looks things up by the integers inside the ids.
"""

from __future__ import annotations

from collections.abc import Sequence

from fanyong.values import Award, AwardProposal, Caps, LineFacts, OrderFacts, Person, Proposal, Withheld
from tenants.commissions.caps import Result, Spending, hold_to_caps, limit_by_spending
from tenants.commissions.proposals import ImpossibleProposal, check_details, check_proposal, check_withheld
from tenants.commissions.rounding import allocate, reversed_to_date

__all__ = [
    "FULL_BP",
    "NO_CAPS",
    "ImpossibleProposal",
    "Result",
    "Spending",
    "allocate",
    "limit_by_spending",
    "reversed_to_date",
    "settle",
]

FULL_BP = 10_000
NO_CAPS = Caps()


def settle(facts: OrderFacts, proposals: Sequence[Proposal], caps: Caps = NO_CAPS) -> Result:
    """Return what `proposals` come to for `facts`; raises ImpossibleProposal for a plan that talks nonsense.

    Caps per promoter and day and budgets are left to `limit_by_spending`.
    """
    lines = {line.line_id.int: line for line in facts.lines}
    people = {person.member_id.int: person for person in (facts.buyer, *facts.upline)}
    agents = {person.member_id.int: person for person in facts.region_agents}
    awards: list[Award] = []
    withheld: list[Withheld] = []
    seen: set[tuple[int, int, str]] = set()
    for proposal in proposals:
        if isinstance(proposal, Withheld):
            withheld.append(check_withheld(proposal, lines, people, agents))
            continue
        line, person = check_proposal(proposal, lines, agents if proposal.kind == "region" else people)
        # The books keep one award for a line, person and rule, so a second one would be lost or change the first.
        key = (proposal.line_id.int, proposal.beneficiary_id.int, proposal.rule)
        if key in seen:
            raise ImpossibleProposal(f"rule {proposal.rule!r} is proposed twice for the same line and person")
        seen.add(key)
        amount = _amount(proposal, line)
        reason = _reason_to_withhold(proposal, person, facts) or ("zero" if amount == 0 else None)
        if reason is None:
            awards.append(_award(proposal, amount, person=person, line=line))
        else:
            withheld.append(Withheld(proposal.line_id, proposal.beneficiary_id, proposal.level, proposal.rule, reason))
    return hold_to_caps(facts, awards, withheld, caps)


def _amount(proposal: AwardProposal, line: LineFacts) -> int:
    """Return the floor of the percentage, or the fixed amount as far as what was paid for the line goes."""
    if proposal.fixed_fen is None:
        return proposal.base_fen * proposal.rate_bp // FULL_BP
    return min(proposal.fixed_fen, line.paid_fen)


def _reason_to_withhold(proposal: AwardProposal, person: Person, facts: OrderFacts) -> str | None:
    if person.tier is None:
        return "not_promoter"
    if person.frozen:
        return "frozen"
    kind = proposal.kind
    if kind == "team":
        return None if facts.team_allowed else "team_not_allowed"
    # A bonus above the levels a brand may pay rewards a team's turnover, whatever a plan calls it.
    if proposal.level > facts.levels_allowed and not (kind == "bonus" and facts.team_allowed):
        return "level_not_allowed"
    return None


def _award(proposal: AwardProposal, amount: int, *, person: Person, line: LineFacts) -> Award:
    details: dict[str, object] = {"sku": line.sku, "line_paid_fen": line.paid_fen, "base": proposal.base}
    if proposal.because:
        details["because"] = proposal.because
    if proposal.fixed_fen is not None:
        details["fixed_fen"] = proposal.fixed_fen
    if proposal.details:
        details["details"] = check_details(proposal)
    return Award(
        proposal.line_id,
        proposal.beneficiary_id,
        proposal.kind,
        proposal.level,
        proposal.rule,
        proposal.base_fen,
        proposal.rate_bp,
        amount,
        person.tier or "",
        details,
    )
