"""Amounts and rates as people type and read them; never through a float."""

from __future__ import annotations

import re
import unicodedata

MAX_DIGITS = 12
_HUNDREDTHS = re.compile(rf"([0-9]{{1,{MAX_DIGITS}}})(?:\.([0-9]{{1,2}}))?\Z")
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]{1,2})?\Z")
_WHOLE = re.compile(rf"-?[0-9]{{1,{MAX_DIGITS + 3}}}\Z")


class NotANumber(ValueError):
    """The text is not a number of the wanted form."""


def yuan(amount_fen: int) -> str:
    """Return an amount as people write it: 123456 -> `¥1,234.56`."""
    return f"{'-' if amount_fen < 0 else ''}¥{abs(amount_fen) // 100:,}.{abs(amount_fen) % 100:02d}"


def percent(rate_bp: int) -> str:
    """Return a rate as people write it: 1050 -> `10.50%`."""
    return f"{hundredths(rate_bp)}%"


def hundredths(value: int) -> str:
    """Return a number of hundredths as `parse_yuan` and `parse_percent` read it: 1250 -> `12.50`."""
    return f"{'-' if value < 0 else ''}{abs(value) // 100}.{abs(value) % 100:02d}"


def parse_yuan(text: str) -> int:
    """Return the fen of an amount like `12.5`, `12.50` or `¥1,234.56`; raises NotANumber.

    Full-width digits, which Chinese keyboards produce, are read as well.
    """
    return _parse_hundredths(_normal(text).removeprefix("¥").strip())


def parse_percent(text: str) -> int:
    """Return the basis points of a rate like `10`, `2.5` or `2.50%`; raises NotANumber."""
    return _parse_hundredths(_normal(text).removesuffix("%").strip())


def parse_whole(text: str) -> int:
    """Return a whole number; raises NotANumber."""
    text = _normal(text)
    if not _WHOLE.match(text):
        raise NotANumber(text)
    return int(text)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def _parse_hundredths(text: str) -> int:
    negative, text = text.startswith("-"), text.removeprefix("-")
    if _GROUPED.match(text):
        text = text.replace(",", "")
    found = _HUNDREDTHS.match(text)
    if found is None:
        raise NotANumber(text)
    whole, rest = found.groups()
    value = int(whole) * 100 + int((rest or "0").ljust(2, "0"))
    return -value if negative else value
