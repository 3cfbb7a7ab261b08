"""The first page: how things stand, and what waits for somebody."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from fanyong.identity.permissions import Permission
from fanyong.identity.web import requires
from fanyong.pluginhost import service as plugins
from fanyong.tenancy.clock import brand_now
from fanyong.web.words import _
from tenants.commissions import service as commissions
from tenants.console import figures
from tenants.console.base import bp, done, record
from tenants.console.navigation import waiting
from tenants.ledger import service as ledger


@bp.get("/")
@requires(Permission.BRAND_READ)
def dashboard() -> ResponseReturnValue:
    """Show how the brand stands."""
    now = brand_now()
    members, promoters = figures.people()
    return render_template(
        "console/dashboard.html",
        today=figures.sales_since(figures.start_of_day(now)),
        month=figures.sales_since(figures.start_of_day(now, days_ago=29)),
        bars=figures.daily_sales(now),
        by_state=figures.orders_by_state(),
        members=members,
        promoters=promoters,
        totals=ledger.totals(),
        waiting=waiting(),
        steps=figures.first_steps(),
        failures=plugins.open_failures(),
        failing=commissions.failing_work(),
        look_at=figures.payments_to_look_at(),
    )


@bp.post("/failures/settle")
@requires(Permission.PLANS_WRITE)
def settle_failures() -> ResponseReturnValue:
    """Mark plugin failures as dealt with, and try the work they held up again."""
    plugins.settle_failures()
    commissions.retry_failing_work()
    record("books.failures_settled")
    return done(_("Everything that failed is being tried again."), "console.dashboard")
