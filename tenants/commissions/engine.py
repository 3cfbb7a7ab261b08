"""From a plan's proposals to awards: policy, rounding and caps, as pure functions.

The same code pays, previews and is property-tested. Order of the steps (MONEY.md section 1): who may earn, how
many levels are allowed, floor to the fen, then the cap: what one line awards never exceeds what was paid for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from fanyong.values import Award, AwardProposal, LineFacts, OrderFacts, Person, Withheld

FULL_BP = 10_000
MAX_RULE_LENGTH = 200
MAX_REASON_LENGTH = 1_000


class ImpossibleProposal(ValueError):
    """A plan proposed something that no rule can allow: an unknown line or person, a negative or too large number."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a plan comes to for one order."""

    awards: tuple[Award, ...]
    withheld: tuple[Withheld, ...]


def settle(facts: OrderFacts, proposals: Sequence[AwardProposal]) -> Result:
    """Return what `proposals` come to for `facts`; raises ImpossibleProposal for a plan that talks nonsense."""
    people = {person.member_id: person for person in (facts.buyer, *facts.upline)}
    lines = {line.line_id: line for line in facts.lines}
    awards: list[Award] = []
    withheld: list[Withheld] = []
    seen: set[tuple[UUID, UUID, str]] = set()
    for proposal in proposals:
        _check(proposal, lines=lines, people=people)
        # The books keep one award for a line, person and rule, so a second one would be lost or change the first.
        key = (proposal.line_id, proposal.beneficiary_id, proposal.rule)
        if key in seen:
            raise ImpossibleProposal(f"rule {proposal.rule!r} is proposed twice for the same line and person")
        seen.add(key)
        person = people[proposal.beneficiary_id]
        reason = _reason_to_withhold(proposal, person=person, levels_allowed=facts.levels_allowed)
        award = _award(proposal, person=person, line=lines[proposal.line_id])
        reason = reason or ("zero" if award.amount_fen == 0 else None)
        if reason:
            withheld.append(Withheld(proposal.line_id, proposal.beneficiary_id, proposal.level, proposal.rule, reason))
        else:
            awards.append(award)
    return Result(tuple(_capped(awards, lines)), tuple(withheld))


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` fen by `weights` with largest remainder; the parts always add up to `total`.

    Ties go to the earlier part. Not monotone in `total`, so a split is made once and frozen.
    """
    weight = sum(weights)
    if weight <= 0:
        raise ValueError("there is nothing to split by")
    parts = [total * w // weight for w in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % weight), i))
    for index in by_remainder[: total - sum(parts)]:
        parts[index] += 1
    return parts


def reversed_to_date(amount_fen: int, *, paid_fen: int, refunded_fen: int) -> int:
    """Return how much of an award is taken back once `refunded_fen` of its line's `paid_fen` were refunded.

    The reversal of one refund is the difference of two calls: independent of how refunds were cut, never more
    than the award, and all of it on a full refund.
    """
    return amount_fen * refunded_fen // paid_fen if paid_fen else 0


def _check(proposal: AwardProposal, *, lines: dict[UUID, LineFacts], people: dict[UUID, Person]) -> None:
    _check_types(proposal)
    line, person = lines.get(proposal.line_id), people.get(proposal.beneficiary_id)
    if line is None or person is None or person.level != proposal.level:
        raise ImpossibleProposal(f"rule {proposal.rule!r} names a line or person that is not part of the order")
    if (proposal.kind == "self") != (proposal.level == 0):
        raise ImpossibleProposal(f"rule {proposal.rule!r}: only the buyer earns on a purchase of their own")
    if not 0 <= proposal.rate_bp <= FULL_BP or not 0 <= proposal.base_fen <= line.paid_fen:
        raise ImpossibleProposal(f"rule {proposal.rule!r}: rate or base is out of bounds")


def _check_types(proposal: AwardProposal) -> None:
    """Refuse what a plugin's type checker would have caught: a float or a boolean must never become money."""
    numbers = (proposal.level, proposal.base_fen, proposal.rate_bp)
    texts = ((proposal.rule, MAX_RULE_LENGTH), (proposal.because, MAX_REASON_LENGTH))
    if (
        not isinstance(proposal.line_id, UUID)
        or not isinstance(proposal.beneficiary_id, UUID)
        or proposal.kind not in ("share", "self")
        or any(type(number) is not int for number in numbers)
        or any(not isinstance(text, str) or len(text) > limit or not text.isprintable() for text, limit in texts)
        or not proposal.rule
    ):
        raise ImpossibleProposal(
            f"rule {proposal.rule!r}: a value is of the wrong type, or a text is empty or too long"
        )


def _reason_to_withhold(proposal: AwardProposal, *, person: Person, levels_allowed: int) -> str | None:
    if person.tier is None:
        return "not_promoter"
    if person.frozen:
        return "frozen"
    if proposal.level > levels_allowed:
        return "level_not_allowed"
    return None


def _award(proposal: AwardProposal, *, person: Person, line: LineFacts) -> Award:
    exact = proposal.base_fen * proposal.rate_bp
    amount = exact // FULL_BP
    explanation: dict[str, object] = {
        "rule": proposal.rule,
        "because": proposal.because,
        "sku": line.sku,
        "tier": person.tier,
        "level": proposal.level,
        "line_paid_fen": line.paid_fen,
        "base_fen": proposal.base_fen,
        "rate_bp": proposal.rate_bp,
        "exact_fen_times_10000": exact,
        "rounding": "floor",
        "amount_fen": amount,
    }
    return Award(
        proposal.line_id,
        proposal.beneficiary_id,
        proposal.kind,
        proposal.level,
        proposal.rule,
        proposal.base_fen,
        proposal.rate_bp,
        amount,
        explanation,
    )


def _capped(awards: list[Award], lines: dict[UUID, LineFacts]) -> list[Award]:
    """Scale the awards of a line down to what was paid for it, where they exceed it."""
    by_line: dict[UUID, list[int]] = defaultdict(list)
    for index, award in enumerate(awards):
        by_line[award.line_id].append(index)
    for line_id, indexes in by_line.items():
        cap = lines[line_id].paid_fen
        amounts = [awards[i].amount_fen for i in indexes]
        if sum(amounts) <= cap:
            continue
        for index, amount in zip(indexes, allocate(cap, amounts), strict=True):
            explanation = {
                **awards[index].explanation,
                "cap": "line_paid",
                "cap_fen": cap,
                "amount_fen": amount,
            }
            awards[index] = replace(awards[index], amount_fen=amount, explanation=explanation)
    return [award for award in awards if award.amount_fen > 0]
