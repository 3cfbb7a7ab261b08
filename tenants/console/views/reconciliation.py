"""Reconciliation: our books against the bills of WeChat Pay, day by day."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import requires
from fanyong.payments.provider import ProviderError
from fanyong.tenancy.database import session
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.money import hundredths
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from tenants.console import labels
from tenants.console.base import bp, done, record, refused, typed
from tenants.reconciliation import service, tasks


@bp.get("/reconciliation")
@requires(Permission.LEDGER_READ)
def reconciliation() -> ResponseReturnValue:
    """List the compared days and what differed."""
    if not wants_csv():
        return _page()
    header = (_("Day"), _("Kind"), _("Number"), _("Problem"), _("Here"), _("In the bill"), _("Note"))
    rows = (
        (
            found.day,
            labels.label("kind", found.kind),
            found.number,
            labels.label("problem", found.problem),
            hundredths(found.here_fen),
            hundredths(found.there_fen),
            found.note,
        )
        for found in everything(service.differences())
    )
    return csv_response("differences", header=header, rows=rows)


@bp.post("/reconciliation/run")
@requires(Permission.LEDGER_READ)
def run_reconciliation() -> ResponseReturnValue:
    """Fetch the bills of a day and compare it."""
    try:
        day = date.fromisoformat(typed("day"))
    except ValueError:
        return _page(problem=_("Please enter a day like 2026-01-31.")), 422
    if day > service.last_ready_day():
        return _page(problem=_("The bills of this day are not ready yet; they come the next morning at ten.")), 422
    # The conversation with WeChat Pay must not happen inside this request's transaction.
    session().commit()
    try:
        found = tasks.reconcile(day)
    except FanyongError as error:
        return _page(problem=refused(error)), error.status
    except ProviderError as error:
        session().rollback()
        return _page(problem=_("WeChat Pay did not hand the bills out (%(code)s).", code=error.code)), 503
    record("reconciliation.run", day=day.isoformat(), differences=len(found))
    message = _("%(day)s: %(count)d differences.", day=day.isoformat(), count=len(found))
    return done(message, "console.reconciliation")


@bp.post("/reconciliation/<uuid:difference_id>/close")
@requires(Permission.LEDGER_READ)
def close_difference(difference_id: UUID) -> ResponseReturnValue:
    """Close a difference with a note that says what it was."""
    try:
        service.close_difference(difference_id, note=typed("note"))
    except FanyongError as error:
        text = refused(error)
        problem = text if typed("note") else _("Please note what it was.")
        return _page(problem=problem), error.status
    record("difference.closed", difference=difference_id.hex, note=typed("note"))
    return done(_("The difference is closed."), "console.reconciliation")


def _page(*, problem: str = "") -> str:
    last = service.last_ready_day()
    return render_template(
        "console/reconciliation.html",
        page=paginate(service.differences(open_only=not request.args.get("all"))),
        days=session().scalars(service.days().limit(14)).all(),
        last_ready_day=last,
        day=typed("day") or last.isoformat(),
        problem=problem,
    )
