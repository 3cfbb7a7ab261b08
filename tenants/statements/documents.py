"""What all statements share on paper: who made them, for which days, and how amounts are printed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from fanyong.tenancy.months import Span
from fanyong.web.filters import localtime
from fanyong.web.money import yuan
from fanyong.web.words import _

Rows = Iterator[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Preparation:
    """Whose document it is, who made it and when."""

    brand: str
    by: str
    at: datetime


def facts(made: Preparation, span: Span, *, is_over: bool) -> list[tuple[str, str]]:
    """Return what stands at the head of every statement."""
    period = str(span) if is_over else _("%(period)s, not over yet", period=str(span))
    return [
        (_("Brand"), made.brand),
        (_("Period"), period),
        (_("Currency"), _("CNY, in yuan")),
        (_("Prepared at"), localtime(made.at, seconds=True)),
        (_("Prepared by"), made.by),
        (_("Reviewed by"), "________________"),
    ]


def plain(amount_fen: int) -> str:
    """Return an amount with its thousands apart and without a sign of the currency, which the head names."""
    return yuan(amount_fen).replace("¥", "")
