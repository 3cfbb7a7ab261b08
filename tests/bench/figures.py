"""What a measurement hands back, and how two ways are timed side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, and how it stands to the value it was taken beside."""

    bench: str
    what: str
    value: float
    unit: str
    compared_to: str | None = None
    ratio: float | None = None

    def as_json(self) -> str:
        """Return the figure as one line of JSON, rounded to what such a measurement can bear."""
        rounded = {name: _rounded(value) for name, value in asdict(self).items()}
        return json.dumps(rounded, ensure_ascii=False)

    def as_text(self) -> str:
        """Return the figure as one line for people."""
        beside = "" if self.ratio is None else f"{_shown(self.ratio):>10} x  {self.compared_to}"
        return f"  {self.what:<68}{_shown(self.value):>12} {self.unit:<12}{beside}".rstrip()


def seconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def side_by_side(ways: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Time each way once a round, so that whatever else the machine does strikes all of them alike.

    Another way begins each round: none of them always runs into what the one before it left warm.
    """
    names = list(ways)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            taken[name].append(seconds(ways[name]))
    return taken


def medians(taken: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the median of what each way took."""
    return {name: median(values) for name, values in taken.items()}


def _rounded(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _shown(value: float) -> str:
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
