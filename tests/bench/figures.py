"""What a measurement hands back, and how two ways are timed side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

#: Units of which more is better; of all others less is.
_MORE_IS_BETTER = ("/s", "x", "%")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, beside what can be had at all (`floor`), what the plain way comes to, and what we want.

    `floor`, `naive` and `goal` are in the value's own unit.
    """

    bench: str
    what: str
    value: float
    unit: str
    floor: float | None = None
    naive: float | None = None
    goal: float | None = None

    @property
    def ratio_floor(self) -> float | None:
        """How near we are to the floor: 1 is as fast."""
        return self._times(self.floor)

    @property
    def ratio_naive(self) -> float | None:
        """How many times faster than the plain way."""
        return self._times(self.naive)

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self._more_is_better else self.value <= self.goal

    def as_json(self) -> str:
        """Return the figure as one line of JSON, rounded to what such a measurement can bear."""
        told = {
            **{name: getattr(self, name) for name in ("bench", "what", "value", "unit", "floor", "naive")},
            **{name: getattr(self, name) for name in ("ratio_floor", "ratio_naive", "goal", "met")},
        }
        return json.dumps({name: _rounded(value) for name, value in told.items()}, ensure_ascii=False)

    def as_text(self) -> str:
        """Return the figure as one line for people."""
        beside = [
            f"{_shown(ratio)} x {name} ({_shown(other)})"
            for name, ratio, other in (
                ("floor", self.ratio_floor, self.floor),
                ("naive", self.ratio_naive, self.naive),
            )
            if ratio is not None and other is not None
        ]
        if self.goal is not None:
            sign = ">=" if self._more_is_better else "<="
            beside.append(f"goal {sign} {_shown(self.goal)}: {'met' if self.met else 'NOT met'}")
        return f"  {self.what:<76}{_shown(self.value):>10} {self.unit:<14}{'; '.join(beside)}".rstrip()

    @property
    def _more_is_better(self) -> bool:
        return self.unit.endswith(_MORE_IS_BETTER)

    def _times(self, other: float | None) -> float | None:
        if other is None:
            return None
        return self.value / other if self._more_is_better else other / self.value


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


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def medians(taken: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the median of what each way took."""
    return {name: median(values) for name, values in taken.items()}


def _rounded(value: object) -> object:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _shown(value: float) -> str:
    if value >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
