"""What the player prints: one line a step with the money that moved, and a table at the end."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from fanyong.devtools.story.expect_steps import FIGURES

#: `pending_fen` is the sum of two others and would tell everything twice.
ACCOUNTS = tuple(name for name in FIGURES if name != "pending_fen")
_SIGNS = {True: "+", False: "-"}


def yuan(amount_fen: int) -> str:
    """Return an amount as people write it: 123456 -> `¥1,234.56`."""
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}¥{abs(amount_fen) // 100:,}.{abs(amount_fen) % 100:02d}"


def percent(rate_bp: int) -> str:
    """Return a rate as people write it: 1050 -> `10.50%`."""
    return f"{rate_bp // 100}.{rate_bp % 100:02d}%"


def moves(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return how a promoter's figures changed, or nothing: `-¥9.00 estimated +¥9.00 frozen`."""
    parts = []
    for name in ACCOUNTS:
        change = after[name] - before.get(name, 0)
        if change:
            parts.append(f"{_SIGNS[change > 0]}{yuan(abs(change))} {name.removesuffix('_fen')}")
    if before and after["tier"] != before["tier"]:
        parts.append(f"tier {before['tier'] or '-'} → {after['tier'] or '-'}")
    return " ".join(parts)


def reasons(awards: Iterable[Mapping[str, Any]]) -> str:
    """Return the rules behind a promoter's awards of one order: `(levels:1 10.00%)`."""
    rules = dict.fromkeys(f"{award['rule']} {percent(award['rate_bp'])}" for award in awards)
    return f"({', '.join(rules)})" if rules else ""


def balances(brand: str, promoters: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the table of a brand's promoters."""
    head = ["promoter", "tier", *(name.removesuffix("_fen") for name in FIGURES)]
    rows = [
        [name, figures["tier"] or "-", *(yuan(figures[account]) for account in FIGURES)]
        for name, figures in promoters.items()
    ]
    widths = [max(width(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return [f"  {brand}", *("  " + "  ".join(_cells(row, widths)) for row in [head, *rows])]


def width(text: str) -> int:
    """Return how many columns a text takes in a terminal; Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _cells(row: list[str], widths: list[int]) -> list[str]:
    padding = [" " * (widths[column] - width(text)) for column, text in enumerate(row)]
    # Words to the left, money to the right.
    return [
        text + pad if column < 2 else pad + text for column, (text, pad) in enumerate(zip(row, padding, strict=True))
    ]
