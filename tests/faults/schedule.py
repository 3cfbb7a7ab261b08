"""Which trials there are: a class and a seed each, so that any of them can be played again alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.classes import CLASSES

#: Classes that keep processes or servers of their own: each stays in one half, so that they are started once.
_AT_HOME = {"sigkill": 1, "raced": 0, "postgres-killed": 1}


@dataclass(frozen=True)
class Ticket:
    """One trial to play."""

    fault: str
    seed: int


def tickets(*, trials: int, seed: int, names: Sequence[str] = ()) -> list[Ticket]:
    """Return the trials: the classes take turns by their shares, the seeds count up from the first."""
    chosen = list(names) or list(CLASSES)
    weights = [CLASSES[name].share for name in chosen] if len(chosen) > 1 else [1]
    drawn = [0.0] * len(chosen)
    found = []
    for number in range(trials):
        # Whoever is furthest behind its share is next.
        next_ = min(range(len(chosen)), key=lambda i: ((drawn[i] + 1) / weights[i], i))
        drawn[next_] += 1
        found.append(Ticket(chosen[next_], seed + number))
    return found


def halves(all_tickets: Sequence[Ticket], count: int) -> list[list[Ticket]]:
    """Deal the trials out to processes."""
    dealt: list[list[Ticket]] = [[] for _ in range(count)]
    for ticket in all_tickets:
        home = _AT_HOME.get(ticket.fault)
        smallest = min(range(count), key=lambda i: len(dealt[i]))
        dealt[smallest if home is None else home % count].append(ticket)
    return dealt
