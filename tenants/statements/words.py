"""Movements in words, as statements name them."""

from __future__ import annotations

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from tenants.ledger.models import PostingKind

MOVEMENTS: dict[PostingKind, LazyString] = {
    PostingKind.AWARD: _l("Commission earned"),
    PostingKind.RECEIVE: _l("Goods received"),
    PostingKind.RELEASE: _l("Released"),
    PostingKind.REVERSE: _l("Taken back after a refund"),
    PostingKind.OFFSET: _l("Debt repaid"),
    PostingKind.HOLD: _l("Set aside for a withdrawal"),
    PostingKind.PAID: _l("Paid out"),
    PostingKind.RETURN: _l("Withdrawal returned"),
    PostingKind.TAX: _l("Tax withheld"),
    PostingKind.FEE: _l("Withdrawal fee"),
    PostingKind.WRITE_OFF: _l("Debt written off"),
    PostingKind.TAX_BACK: _l("Tax given back"),
}
#: Kinds of awards, by who earns.
AWARD_KINDS: dict[str, LazyString] = {
    "share": _l("Share"),
    "self": _l("Own purchase"),
    "bonus": _l("Bonus"),
    "team": _l("Team reward"),
    "region": _l("Region agent"),
    "period": _l("Period reward"),
}
