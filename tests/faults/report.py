"""What a run of trials prints: a line a class, how to play a failed trial again, and one last line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from tests.faults.classes import CLASSES
from tests.faults.verdict import Outcome

_HEAD = ("class", "trials", "struck", "double", "losses", "stuck", "violations", "recovery p50", "max", "")


@dataclass(frozen=True)
class Row:
    """What became of the trials of one class; times to recover in milliseconds."""

    fault: str
    trials: int
    struck: int
    double: int
    losses: int
    stuck: int
    violations: int
    recovery_p50_ms: float | None
    recovery_max_ms: float | None
    seconds: float
    notes: dict[str, int]


def rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """Return a row for each class, in the order of the classes."""
    found = []
    for name in CLASSES:
        of_class = [outcome for outcome in outcomes if outcome.fault == name]
        if of_class:
            found.append(_row(name, of_class))
    return found


def _row(name: str, outcomes: Sequence[Outcome]) -> Row:
    wrong = Counter(outcome.wrong for outcome in outcomes)
    times = [outcome.recovery_ms for outcome in outcomes if outcome.recovery_ms is not None]
    notes: Counter[str] = Counter()
    for outcome in outcomes:
        notes.update(outcome.notes)
    return Row(
        name,
        trials=len(outcomes),
        struck=sum(outcome.strikes > 0 for outcome in outcomes),
        double=wrong["double"],
        losses=wrong["loss"],
        stuck=wrong["stuck"],
        violations=wrong["violation"],
        recovery_p50_ms=round(median(times), 1) if times else None,
        recovery_max_ms=round(max(times), 1) if times else None,
        seconds=round(sum(outcome.seconds for outcome in outcomes), 1),
        notes=dict(notes),
    )


def as_text(outcomes: Sequence[Outcome]) -> str:
    """Return the table, the trials that failed, and the last line."""
    lines = [_line(_HEAD)]
    lines += [_line(_cells(row)) for row in rows(outcomes)]
    lines += failures(outcomes)
    return "\n".join([*lines, last_line(outcomes)])


def as_json(outcomes: Sequence[Outcome]) -> str:
    """Return a line of JSON for each class, and one for each trial that failed."""
    lines = [json.dumps(asdict(row)) for row in rows(outcomes)]
    lines += [
        json.dumps({"failed": o.fault, "seed": o.seed, "what": o.what, "again": again(o)}) for o in outcomes if o.wrong
    ]
    return "\n".join([*lines, last_line(outcomes)])


def failures(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a line for each trial that failed: what was wrong, and how to see it again."""
    return [f"  {outcome.fault}: {outcome.what}\n    {again(outcome)}" for outcome in outcomes if outcome.wrong]


def again(outcome: Outcome) -> str:
    """Return the command that plays a trial again."""
    return f"./dev faults --seed {outcome.seed} --class {outcome.fault} --trials 1"


def last_line(outcomes: Sequence[Outcome]) -> str:
    """Return the line that says it all; every trial that failed in any way counts as a violation."""
    return f"faults: {len(outcomes)} trials, {sum(outcome.wrong is not None for outcome in outcomes)} violations"


def _cells(row: Row) -> tuple[str, ...]:
    counts = (row.trials, row.struck, row.double, row.losses, row.stuck, row.violations)
    times = (row.recovery_p50_ms, row.recovery_max_ms)
    notes = ", ".join(f"{name} {count}" for name, count in row.notes.items())
    return (row.fault, *map(str, counts), *("-" if ms is None else f"{ms:.0f} ms" for ms in times), notes)


def _line(cells: Sequence[str]) -> str:
    name, *others, notes = cells
    return f"{name:22}{''.join(f'{cell:>13}' for cell in others)}  {notes}".rstrip()
