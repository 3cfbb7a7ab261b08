"""An award's explanation as a sentence: what a promoter reads and what was paid are the same figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fanyong.web.money import percent, yuan
from fanyong.web.words import _

FULL_BP = 10_000


def award_sentence(explanation: Mapping[str, Any]) -> str:
    """Return how an award's amount came about."""
    parts = [
        _(
            "%(rate)s of %(base)s (%(base_name)s) = %(exact)s",
            rate=percent(int(explanation["rate_bp"])),
            base=yuan(int(explanation["base_fen"])),
            base_name=_base_name(explanation),
            exact=_exact(int(explanation["exact_fen_times_10000"])),
        ),
        _("rule %(rule)s", rule=explanation["rule"]),
    ]
    if explanation.get("plan_version"):
        parts.append(_("plan version %(number)s", number=explanation["plan_version"]))
    if int(explanation["exact_fen_times_10000"]) % FULL_BP:
        floored = int(explanation["exact_fen_times_10000"]) // FULL_BP
        parts.append(_("floored to %(amount)s", amount=yuan(floored)))
    if explanation.get("cap"):
        cap, amount = yuan(int(explanation["cap_fen"])), yuan(int(explanation["amount_fen"]))
        parts.append(_("cut to %(amount)s so that all awards of the line stay within %(cap)s", amount=amount, cap=cap))
    return _(", ").join(parts)


def _base_name(explanation: Mapping[str, Any]) -> str:
    if explanation["base_fen"] == explanation["line_paid_fen"]:
        return _("line paid after discounts")
    return _("part of the line, of which %(paid)s was paid", paid=yuan(int(explanation["line_paid_fen"])))


def _exact(fen_times_10000: int) -> str:
    """Return an amount with all the digits it has beyond the fen."""
    whole, rest = divmod(fen_times_10000, FULL_BP)
    digits = f"{rest:04d}".rstrip("0")
    return f"{yuan(whole)}{digits}"
