"""The brand console: the pages a brand's admins work with."""

from __future__ import annotations

from flask import Blueprint

from tenants.console.base import bp
from tenants.console.views import (
    audit,
    books,
    dashboard,
    login,
    offers,
    orders,
    plugin_choice,
    products,
    promoters,
    reconciliation,
    sandbox,
    settings,
    staff,
    withdrawals,
)

#: Each module adds its pages to the blueprint when it is imported.
PAGES = (
    audit,
    books,
    dashboard,
    login,
    offers,
    orders,
    plugin_choice,
    products,
    promoters,
    reconciliation,
    sandbox,
    settings,
    staff,
    withdrawals,
)


def blueprint() -> Blueprint:
    """Return the console's blueprint with all its pages."""
    return bp
