"""What a plan may propose at all: everything else is nonsense, and the plan has failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args
from uuid import UUID

from fanyong.values import AwardKind, AwardProposal, BaseKind, LineFacts, Person, Withheld

FULL_BP = 10_000
MAX_RULE_LENGTH = 200
MAX_REASON_LENGTH = 1_000
MAX_DETAILS = 30
MAX_FEN = 10**15
#: Kinds of an order's awards; a period's awards go another way.
ORDER_KINDS = frozenset(get_args(AwardKind)) - {"period"}
BASES = frozenset(get_args(BaseKind))
#: What a plan itself may say; the other reasons are the core's.
PLAN_REASONS = frozenset({"no_upline", "outranked", "no_cost", "not_promoter", "frozen", "zero"})

Lines = Mapping[int, LineFacts]
People = Mapping[int, Person]


class ImpossibleProposal(ValueError):
    """A plan proposed something that no rule can allow: an unknown line or person, a negative or too large number."""


def check_proposal(proposal: AwardProposal, lines: Lines, people: People) -> tuple[LineFacts, Person]:
    """Return the line and the person a proposal is about; raises ImpossibleProposal.

    A region's award is to one of the region's agents, every other one to the buyer (level 0) or the upline.
    """
    _check_types(proposal)
    line, person = lines.get(proposal.line_id.int), people.get(proposal.beneficiary_id.int)
    if line is None or person is None or person.level != proposal.level:
        raise ImpossibleProposal(f"rule {proposal.rule!r} names a line or person that is not part of the order")
    kind, level = proposal.kind, proposal.level
    if (kind == "self" and level) or (kind in ("share", "team") and not level):
        raise ImpossibleProposal(f"rule {proposal.rule!r}: only the buyer earns on a purchase of their own")
    if not 0 <= proposal.rate_bp <= FULL_BP or not 0 <= proposal.base_fen <= line.paid_fen:
        raise ImpossibleProposal(f"rule {proposal.rule!r}: rate or base is out of bounds")
    return line, person


def check_withheld(item: Withheld, lines: Lines, people: People, agents: People) -> Withheld:
    """Return what a plan says it withholds when that can be; raises ImpossibleProposal."""
    known = (
        isinstance(item.line_id, UUID)
        and item.line_id.int in lines
        and type(item.level) is int
        and 0 <= item.level <= 100
        and (
            item.beneficiary_id is None
            or (
                isinstance(item.beneficiary_id, UUID)
                and (item.beneficiary_id.int in people or item.beneficiary_id.int in agents)
            )
        )
    )
    if not known or not is_text(item.rule, MAX_RULE_LENGTH) or item.reason not in PLAN_REASONS:
        raise ImpossibleProposal(f"rule {item.rule!r} withholds what is not of the order, or for an unknown reason")
    return item


def check_details(proposal: AwardProposal) -> Mapping[str, int | str]:
    """Return a proposal's details, which are plain texts and whole numbers; raises ImpossibleProposal."""
    details = proposal.details
    assert details is not None
    if isinstance(details, Mapping) and len(details) <= MAX_DETAILS:
        for name, value in details.items():
            if not is_detail(name, value):
                break
        else:
            return details
    raise ImpossibleProposal(f"rule {proposal.rule!r}: its details are not plain texts and whole numbers")


def _check_types(proposal: AwardProposal) -> None:
    """Refuse what a plugin's type checker would have caught: a float or a boolean must never become money."""
    fixed = proposal.fixed_fen
    if (
        isinstance(proposal.line_id, UUID)
        and isinstance(proposal.beneficiary_id, UUID)
        and type(proposal.level) is int
        and type(proposal.base_fen) is int
        and type(proposal.rate_bp) is int
        and proposal.kind in ORDER_KINDS
        and proposal.base in BASES
        and (fixed is None or (type(fixed) is int and 0 <= fixed <= MAX_FEN))
        and proposal.rule
        and is_text(proposal.rule, MAX_RULE_LENGTH)
        and is_text(proposal.because, MAX_REASON_LENGTH)
    ):
        return
    raise ImpossibleProposal(f"rule {proposal.rule!r}: a value is of the wrong type, or a text is empty or too long")


def is_detail(name: object, value: object) -> bool:
    """Return whether a detail is a plain text or a whole number under a short name."""
    return is_text(name, MAX_RULE_LENGTH) and (type(value) is int or is_text(value, MAX_REASON_LENGTH))


def is_text(value: object, limit: int) -> bool:
    """Return whether a value is a text that is short enough and can be shown."""
    return isinstance(value, str) and len(value) <= limit and value.isprintable()
