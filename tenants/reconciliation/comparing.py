"""What differs between our books and a day's bills: a pure comparison."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fanyong.payments.provider import BillRow

Kind = Literal["payment", "refund", "transfer"]
KINDS: tuple[Kind, ...] = ("payment", "refund", "transfer")
Problem = Literal["missing_here", "missing_there", "amount_differs", "state_differs", "day_differs"]
Key = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Ours:
    """One movement as our books have it; `on_day` tells whether they have it on the day that is compared."""

    kind: Kind
    number: str
    amount_fen: int
    settled: bool
    on_day: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """One difference."""

    kind: Kind
    number: str
    problem: Problem
    here_fen: int
    there_fen: int

    @property
    def gap_fen(self) -> int:
        """By how much the bill's sum of the day exceeds ours because of it."""
        return self.there_fen - (self.here_fen if self.problem in COUNTED_HERE else 0)


#: Problems whose amount is part of our own sum of the day.
COUNTED_HERE: frozenset[Problem] = frozenset({"missing_there", "amount_differs"})


def bill_sums(bill: Sequence[BillRow]) -> dict[Key, int]:
    """Return what moved under each number; money that came back on the same day is taken off."""
    sums: dict[Key, int] = defaultdict(int)
    for row in bill:
        sums[row.kind, row.number] += row.amount_fen
    return dict(sums)


def compare(ours: Sequence[Ours], bill: Sequence[BillRow], *, known: Mapping[Key, Ours]) -> list[Found]:
    """Return the differences between what we booked for a day and its bills, by kind and number.

    `ours` are the settled movements of the day. `known` are our objects behind every number of the bills, whatever
    their day and state.
    """
    there = bill_sums(bill)
    found = [Found(o.kind, o.number, "missing_there", o.amount_fen, 0) for o in ours if (o.kind, o.number) not in there]
    found += [
        Found(kind, number, problem, mine.amount_fen if mine else 0, fen)
        for (kind, number), fen in there.items()
        if (problem := _problem(mine := known.get((kind, number)), fen)) is not None
    ]
    return sorted(found, key=lambda f: (f.kind, f.number))


def _problem(mine: Ours | None, there_fen: int) -> Problem | None:
    """Name what is wrong, the state before the day and the day before the amount: that order decides the sums."""
    if mine is not None and mine.settled and mine.on_day:
        return "amount_differs" if mine.amount_fen != there_fen else None
    if not there_fen:
        # It moved there and back on one day, and nothing is left of it.
        return None
    if mine is None:
        return "missing_here"
    return "day_differs" if mine.settled else "state_differs"
