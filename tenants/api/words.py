"""Commissions and postings in words, for the people whose money it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from fanyong.web.money import percent, yuan

#: By the first part of a posting's business key.
MOVEMENTS = {
    "award": _l("Commission earned; it waits until the buyer has the goods."),
    "receive": _l("The buyer has the goods; it waits for the end of the after-sale window."),
    "release": _l("Released; it can be withdrawn."),
    "offset": _l("Repaid a debt from orders that were refunded."),
    "reverse": _l("Taken back because the order was refunded."),
    "hold": _l("Set aside for a withdrawal."),
    "paid": _l("Paid to the wallet."),
    "return": _l("A withdrawal did not reach the wallet; the money is back in the balance."),
}


def explain(facts: Mapping[str, Any]) -> str:
    """Return an award's explanation as sentences."""
    before_cap = facts["exact_fen_times_10000"] // 10_000
    sentences = [
        _(
            "%(rate)s of %(base)s, paid for %(sku)s after discounts, is %(amount)s (rounded down to the fen).",
            rate=percent(facts["rate_bp"]),
            base=yuan(facts["base_fen"]),
            sku=facts["sku"],
            amount=yuan(before_cap),
        )
    ]
    if facts.get("cap"):
        sentences.append(
            _(
                "All commissions of this line were more than was paid for it, so this one was lowered to %(amount)s.",
                amount=yuan(facts["amount_fen"]),
            )
        )
    sentences.append(
        _(
            "Rule %(rule)s, level %(level)s, version %(version)s of the plan.",
            rule=facts["rule"],
            level=facts["level"],
            version=facts["plan_version"],
        )
    )
    return " ".join(sentences)
