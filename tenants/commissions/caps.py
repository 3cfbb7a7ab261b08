"""The limits of a plan: per line and order when awards are made, per promoter's day and budget beside what was spent.

A line and an order are scaled down by largest remainder, so that nobody is preferred; whoever gets less is told which
limit it was, what it allows and what it took.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from msgspec.structs import replace

from fanyong.values import Award, Caps, LineFacts, OrderFacts, Withheld
from tenants.commissions.rounding import allocate

FULL_BP = 10_000


@dataclass(frozen=True, slots=True)
class Result:
    """What a plan comes to for one order."""

    awards: tuple[Award, ...]
    withheld: tuple[Withheld, ...]

    @property
    def total_fen(self) -> int:
        """What the order costs the brand in commissions."""
        return sum(award.amount_fen for award in self.awards)


@dataclass(frozen=True, slots=True)
class Spending:
    """What was awarded before this order, less what refunds took back: where the limits over several orders stand."""

    #: Per promoter, in the calendar day of the order's payment, in the brand's time zone.
    promoter_day_fen: Mapping[UUID, int] = field(default_factory=dict)
    #: By the plan version, in the period of its budget.
    budget_fen: int = 0


def hold_to_caps(facts: OrderFacts, awards: list[Award], withheld: list[Withheld], caps: Caps) -> Result:
    """Return the awards within the limits of each line, which include what was paid for it, and of the order."""
    of_lines: dict[int, int] = {}
    total = 0
    for award in awards:
        number = award.line_id.int
        of_lines[number] = of_lines.get(number, 0) + award.amount_fen
        total += award.amount_fen
    over = [line for line in facts.lines if of_lines.get(line.line_id.int, 0) > _line_limit(line, caps)]
    order_limit = _order_limit(facts, caps)
    if not over and (order_limit is None or total <= order_limit):
        return Result(tuple(awards), tuple(withheld))
    for line in over:
        limit = _line_limit(line, caps)
        chosen = [i for i, award in enumerate(awards) if award.line_id == line.line_id]
        _scale(awards, chosen, limit, cap="line_paid" if limit == line.paid_fen else "line_cap")
    if order_limit is not None and sum(award.amount_fen for award in awards) > order_limit:
        _scale(awards, range(len(awards)), order_limit, cap="order_cap")
    return _without_nothing(awards, withheld)


def limit_by_spending(result: Result, caps: Caps, spent: Spending) -> Result:
    """Return the awards within the limits over several orders: a promoter's day first, then the budget.

    A promoter's day is cut in the order of the awards. A budget that ends lets the order have nothing (`stop`), what
    is left of it, shared by largest remainder (`cut`), or everything, with the explanation saying so (`warn`).
    """
    awards, withheld = list(result.awards), list(result.withheld)
    if caps.promoter_day_fen is not None:
        _cut_days(awards, caps.promoter_day_fen, spent.promoter_day_fen)
    result = _without_nothing(awards, withheld)
    if not result.awards or caps.budget_fen is None or spent.budget_fen + result.total_fen <= caps.budget_fen:
        return result
    awards, withheld = list(result.awards), list(result.withheld)
    left = max(caps.budget_fen - spent.budget_fen, 0)
    if caps.on_budget_end == "warn":
        awards = [_told(a, a.amount_fen, cap="budget_passed", limit=left) for a in awards]
    else:
        _scale(awards, range(len(awards)), 0 if caps.on_budget_end == "stop" else left, cap="budget")
    return _without_nothing(awards, withheld)


def _line_limit(line: LineFacts, caps: Caps) -> int:
    """Return what all awards of a line may come to; a plan may set less than what was paid, never more."""
    return line.paid_fen if caps.line_bp is None else min(line.paid_fen, line.paid_fen * caps.line_bp // FULL_BP)


def _order_limit(facts: OrderFacts, caps: Caps) -> int | None:
    limits = [] if caps.order_fen is None else [caps.order_fen]
    if caps.order_bp is not None:
        limits.append(facts.paid_goods_fen * caps.order_bp // FULL_BP)
    return min(limits, default=None)


def _scale(awards: list[Award], chosen: Iterable[int], limit: int, *, cap: str) -> None:
    """Scale some of the awards down so that together they come to `limit` fen."""
    indexes = list(chosen)
    for index, amount in zip(indexes, allocate(limit, [awards[i].amount_fen for i in indexes]), strict=True):
        awards[index] = _told(awards[index], amount, cap=cap, limit=limit)


def _cut_days(awards: list[Award], limit: int, spent: Mapping[UUID, int]) -> None:
    so_far = dict(spent)
    for index, award in enumerate(awards):
        left = max(limit - so_far.get(award.beneficiary_id, 0), 0)
        if award.amount_fen > left:
            awards[index] = award = _told(award, left, cap="promoter_day_cap", limit=limit)
        so_far[award.beneficiary_id] = so_far.get(award.beneficiary_id, 0) + award.amount_fen


def _told(award: Award, amount: int, *, cap: str, limit: int) -> Award:
    """Return the award with another amount and with what made it so."""
    told = {"cap": cap, "limit_fen": limit, "before_fen": award.amount_fen, "after_fen": amount}
    before = award.details.get("caps")
    caps = [*before, told] if isinstance(before, list) else [told]
    return replace(award, amount_fen=amount, details={**award.details, "caps": caps})


def _without_nothing(awards: Sequence[Award], withheld: list[Withheld]) -> Result:
    """Return the awards that are worth something; of the others it is told which limit left nothing."""
    kept = []
    for award in awards:
        if award.amount_fen > 0:
            kept.append(award)
            continue
        cap = str(award.explanation["cap"])
        reason = "line_cap" if cap == "line_paid" else cap
        withheld.append(Withheld(award.line_id, award.beneficiary_id, award.level, award.rule, reason))
    return Result(tuple(kept), tuple(withheld))
