"""Back-tests of plan versions over past orders: start, watch, read, cancel."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.pluginhost import versions
from fanyong.pluginhost.models import PluginActivation
from fanyong.pluginhost.registry import PluginFailed
from fanyong.tenancy.database import session
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.money import hundredths
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from fanyong.wechat.times import BEIJING
from tenants.commissions import backtest
from tenants.commissions.engine import FULL_BP
from tenants.console.base import bp, done, record, refused, typed
from tenants.console.views.versions import version_page

TOP = 10


@bp.get("/plan/backtests")
@requires(Permission.PLANS_READ)
def backtests() -> ResponseReturnValue:
    """List the back-tests."""
    return render_template("console/backtests.html", page=paginate(backtest.runs()))


@bp.post("/plan/versions/<int:number>/backtest")
@requires(Permission.PLANS_WRITE)
def start_backtest(number: int) -> ResponseReturnValue:
    """Start a back-test of a version over whole days in Beijing."""
    row = versions.get_version("commission_plan", number)
    try:
        starts_at, last = (datetime.fromisoformat(typed(name)).replace(tzinfo=BEIJING) for name in ("from", "to"))
    except ValueError:
        return version_page("plan", number, problem=_("Please choose the first and the last day.")), 422
    try:
        run = backtest.start(row, starts_at=starts_at, ends_at=last + timedelta(days=1), actor=current_actor())
    except FanyongError as error:
        return version_page("plan", number, problem=refused(error)), error.status
    except PluginFailed as failure:
        session().rollback()
        return version_page("plan", number, problem=_("The plan fails: %(reason)s", reason=failure.reason)), 422
    record("plan.backtest_started", version=number, first_day=f"{starts_at:%Y-%m-%d}", last_day=f"{last:%Y-%m-%d}")
    return done(_("The back-test is running."), "console.backtest_run", run_id=run.id)


@bp.get("/plan/backtests/<uuid:run_id>")
@requires(Permission.PLANS_READ)
def backtest_run(run_id: UUID) -> ResponseReturnValue:
    """Show how far a back-test is, and what it found; its promoters as a file."""
    run = backtest.get_run(run_id)
    if wants_csv():
        header = (_("Nickname"), _("OpenID"), _("Got"), _("Would have got"), _("Difference"))
        rows = (
            (member.nickname, member.openid, hundredths(now), hundredths(then), hundredths(then - now))
            for member, now, then in everything(backtest.promoters_of(run_id))
        )
        return csv_response("backtest", header=header, rows=rows)
    # While it runs, the page asks again and again for its figures alone.
    template = "backtest_figures.html" if request.headers.get("HX-Request") else "backtest.html"
    return render_template(
        f"console/{template}",
        run=run,
        version=session().get_one(PluginActivation, run.activation_id),
        last_day=run.ends_at - timedelta(seconds=1),
        share=run.orders_done * 100 // run.orders_total if run.orders_total else 0,
        now_bp=_share(run.totals.get("now_fen", 0), run.totals.get("paid_fen", 0)),
        then_bp=_share(run.totals.get("then_fen", 0), run.totals.get("paid_fen", 0)),
        rules=sorted(run.totals.get("rules", {}).items(), key=lambda item: -item[1][1])[:50],
        winners=backtest.top(run_id, losers=False, limit=TOP),
        losers=backtest.top(run_id, losers=True, limit=TOP),
    )


@bp.post("/plan/backtests/<uuid:run_id>/cancel")
@requires(Permission.PLANS_WRITE)
def cancel_backtest(run_id: UUID) -> ResponseReturnValue:
    """Stop a back-test."""
    backtest.cancel(run_id)
    record("plan.backtest_canceled", run=run_id.hex)
    return done(_("The back-test is canceled."), "console.backtest_run", run_id=run_id)


def _share(part_fen: int, whole_fen: int) -> int:
    return part_fen * FULL_BP // whole_fen if whole_fen else 0
