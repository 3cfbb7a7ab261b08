"""The brand console: the pages a brand's admins work with."""

from __future__ import annotations

from flask import Blueprint

from tenants.console.base import bp
from tenants.console.views import (
    audit,
    backtests,
    books,
    compliance,
    dashboard,
    debts,
    holds,
    joining,
    login,
    offers,
    order_refunds,
    orders,
    payout_batches,
    payout_channels,
    payout_tax,
    plugin_choice,
    product_import,
    products,
    promoters,
    reconciliation,
    regions,
    rewards,
    sandbox,
    screening,
    settings,
    simulation,
    staff,
    statements,
    tier_trials,
    versions,
    withdrawals,
)

#: Each module adds its pages to the blueprint when it is imported.
PAGES = (
    audit,
    backtests,
    books,
    compliance,
    dashboard,
    debts,
    holds,
    joining,
    login,
    offers,
    order_refunds,
    orders,
    payout_batches,
    payout_channels,
    payout_tax,
    plugin_choice,
    product_import,
    products,
    promoters,
    reconciliation,
    regions,
    rewards,
    sandbox,
    screening,
    settings,
    simulation,
    staff,
    statements,
    tier_trials,
    versions,
    withdrawals,
)


def blueprint() -> Blueprint:
    """Return the console's blueprint with all its pages."""
    return bp
