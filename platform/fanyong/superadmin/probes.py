"""What only the features know of a brand: they register here, because the core never looks down at them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from flask_babel import LazyString


@dataclass(frozen=True, slots=True)
class Figure:
    """One number on a brand's page, in its unit."""

    label: str | LazyString
    value: int
    unit: Literal["count", "fen"] = "count"


#: Both are called with the brand bound, in a session of their own.
FigureProbe = Callable[[], Iterable[Figure]]
#: Returns what is wrong with the books, in words; nothing when all is well.
LedgerProbe = Callable[[], list[str]]

_figure_probes: dict[str, FigureProbe] = {}
_ledger_probes: dict[str, LedgerProbe] = {}


def register_figures(name: str, probe: FigureProbe) -> None:
    """Add figures to every brand's page; registering a name again replaces it."""
    _figure_probes[name] = probe


def register_ledger_check(name: str, probe: LedgerProbe) -> None:
    """Add a check of the books; registering a name again replaces it."""
    _ledger_probes[name] = probe


def figures() -> list[Figure]:
    """Return the bound brand's figures."""
    return [figure for probe in _figure_probes.values() for figure in probe()]


def ledger_problems() -> list[str]:
    """Return everything that is wrong with the bound brand's books."""
    return [problem for probe in _ledger_probes.values() for problem in probe()]
