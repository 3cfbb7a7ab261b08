"""The menu: what is where, who sees it, and what waits there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from flask import request, url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

from fanyong.identity.permissions import Permission
from fanyong.identity.web import may
from fanyong.pluginhost.models import PluginActivation
from fanyong.tenancy.database import session
from tenants.orders.models import Order
from tenants.payouts.models import Withdrawal
from tenants.periods import service as periods
from tenants.promoters.models import Application
from tenants.reconciliation.models import Difference


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the menu."""

    endpoint: str
    icon: str
    label: str | LazyString
    permission: Permission


@dataclass(frozen=True, slots=True)
class Item:
    """An entry as one person sees it."""

    url: str
    icon: str
    label: str | LazyString
    active: bool
    count: int


@dataclass(frozen=True, slots=True)
class Group:
    """Entries under one heading."""

    title: str | LazyString
    items: list[Item]


_P = Permission
_MENU: tuple[tuple[str | LazyString, tuple[Entry, ...]], ...] = (
    ("", (Entry("console.dashboard", "home", _l("Overview"), _P.BRAND_READ),)),
    (
        _l("Shop"),
        (
            Entry("console.orders", "receipt", _l("Orders"), _P.ORDERS_READ),
            Entry("console.products", "package", _l("Products"), _P.PRODUCTS_READ),
            Entry("console.offers", "discount", _l("Coupons and shipping"), _P.PRODUCTS_READ),
        ),
    ),
    (
        _l("Promotion"),
        (
            Entry("console.promoters", "users", _l("Promoters"), _P.PROMOTERS_READ),
            Entry("console.promoter_applications", "forms", _l("Applications"), _P.PROMOTERS_READ),
            Entry("console.region_agents", "map-pin", _l("Region agents"), _P.PROMOTERS_READ),
            Entry("console.tiers", "stairs-up", _l("Tiers"), _P.PLANS_READ),
            Entry("console.plan", "percentage", _l("Commission plan"), _P.PLANS_READ),
            Entry("console.compliance_page", "shield-check", _l("Compliance"), _P.PLANS_READ),
        ),
    ),
    (
        _l("Money"),
        (
            Entry("console.rewards", "calendar-dollar", _l("Month-end rewards"), _P.LEDGER_READ),
            Entry("console.withdrawals", "cash", _l("Withdrawals"), _P.WITHDRAWALS_READ),
            Entry("console.payout_batches", "building-bank", _l("Payout batches"), _P.WITHDRAWALS_READ),
            Entry("console.payout_channels", "route", _l("Payout channels"), _P.SETTINGS_READ),
            Entry("console.payout_tax", "receipt-tax", _l("Tax"), _P.WITHDRAWALS_READ),
            Entry("console.screening", "eye-search", _l("Money laundering"), _P.WITHDRAWALS_READ),
            Entry("console.debts", "coin-off", _l("Debts"), _P.WITHDRAWALS_READ),
            Entry("console.reconciliation", "scale", _l("Reconciliation"), _P.LEDGER_READ),
            Entry("console.books", "book", _l("Books"), _P.LEDGER_READ),
            Entry("console.brand_month", "file-text", _l("Statements"), _P.LEDGER_READ),
        ),
    ),
    (
        _l("Brand"),
        (
            Entry("console.brand_settings", "settings", _l("Settings"), _P.SETTINGS_READ),
            Entry("console.staff", "user-shield", _l("Staff"), _P.STAFF_WRITE),
            Entry("console.audit", "history", _l("Audit trail"), _P.SETTINGS_READ),
        ),
    ),
)


def waiting() -> dict[str, int]:
    """Return how many things wait for somebody, by the endpoint where they wait."""
    counted = {
        "console.orders": sa.select(sa.func.count()).where(Order.state == "paid"),
        "console.withdrawals": sa.select(sa.func.count()).where(Withdrawal.state.in_(("requested", "held"))),
        "console.reconciliation": sa.select(sa.func.count()).where(Difference.state != "closed"),
    }
    counted["console.promoter_applications"] = sa.select(sa.func.count()).where(Application.state == "open")
    counted["console.rewards"] = periods.to_look_at()
    counted["console.plan"] = _refused("commission_plan")
    counted["console.tiers"] = _refused("tier_structure")
    return {endpoint: session().scalar(query) or 0 for endpoint, query in counted.items()}


def _refused(kind: str) -> sa.Select[int]:
    """Return the query of versions that were not allowed when their time came."""
    return sa.select(sa.func.count()).where(PluginActivation.kind == kind, PluginActivation.state == "refused")


def groups(counts: Mapping[str, int]) -> list[Group]:
    """Return the menu of whoever is logged in, without headings that would stand alone."""
    drawn = [
        Group(title, [_item(entry, counts) for entry in entries if may(entry.permission)]) for title, entries in _MENU
    ]
    return [group for group in drawn if group.items]


def _item(entry: Entry, counts: Mapping[str, int]) -> Item:
    url = url_for(entry.endpoint)
    here = request.path == url or (entry.endpoint != "console.dashboard" and request.path.startswith(f"{url}/"))
    return Item(url, entry.icon, entry.label, here, counts.get(entry.endpoint, 0))
