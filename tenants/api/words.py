"""Postings in words, for the people whose money it is."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

#: By the kind of a posting.
MOVEMENTS = {
    "award": _l("Commission earned; it waits until the buyer has the goods."),
    "receive": _l("The buyer has the goods; it waits for the end of the after-sale window."),
    "release": _l("Released; it can be withdrawn."),
    "offset": _l("Repaid a debt from orders that were refunded."),
    "reverse": _l("Taken back because the order was refunded."),
    "hold": _l("Set aside for a withdrawal."),
    "paid": _l("Paid to the wallet."),
    "return": _l("A withdrawal did not reach the wallet; the money is back in the balance."),
    "tax": _l("Withheld as tax."),
    "fee": _l("Fee of a withdrawal."),
    "write_off": _l("The shop waived a debt."),
    "tax_back": _l("Tax given back, because a withdrawal that counted towards it did not arrive."),
}
