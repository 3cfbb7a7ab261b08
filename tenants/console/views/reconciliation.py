"""Reconciliation: our books against the bills of WeChat Pay, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from http import HTTPStatus
from uuid import UUID

import sqlalchemy as sa
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from fanyong.errors import FanyongError, NotFound
from fanyong.identity.permissions import Permission
from fanyong.identity.service import admins
from fanyong.identity.web import current_actor, requires
from fanyong.payments.provider import ProviderError
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.filters import localtime
from fanyong.web.money import hundredths
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from tenants.console import labels
from tenants.console.base import bp, done, record, refused, typed
from tenants.reconciliation import differences, service, tasks
from tenants.reconciliation.comparing import KINDS
from tenants.reconciliation.differences import RUN
from tenants.reconciliation.models import Difference, ReconciledDay

DAYS_SHOWN = 10


@bp.get("/reconciliation")
@requires(Permission.LEDGER_READ)
def reconciliation() -> ResponseReturnValue:
    """List what differed, and how the last days stand."""
    return _differences_csv() if wants_csv() else _page()


@bp.get("/reconciliation/days")
@requires(Permission.LEDGER_READ)
def reconciled_days() -> ResponseReturnValue:
    """List the compared days with their sums."""
    if wants_csv():
        return _days_csv()
    page = paginate(service.days())
    return render_template("console/reconciled_days.html", page=page, state_of=_day_states(page.items))


@bp.post("/reconciliation/run")
@requires(Permission.RECONCILIATION_WRITE)
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


@bp.post("/reconciliation/<uuid:difference_id>/assign")
@requires(Permission.RECONCILIATION_WRITE)
def assign_difference(difference_id: UUID) -> ResponseReturnValue:
    """Give a difference to somebody, or back to everybody."""
    try:
        difference = differences.assign(difference_id, email=typed("assignee"))
    except FanyongError as error:
        return _page(problem=refused(error)), error.status
    record("difference.assigned", difference=difference_id.hex, number=difference.number, to=difference.assignee)
    if difference.assignee:
        return done(_("%(who)s looks after it.", who=difference.assignee), "console.reconciliation")
    return done(_("Nobody in particular looks after it now."), "console.reconciliation")


@bp.post("/reconciliation/<uuid:difference_id>/close")
@requires(Permission.RECONCILIATION_WRITE)
def close_difference(difference_id: UUID) -> ResponseReturnValue:
    """Close a difference with a note that says what it was."""
    try:
        difference = differences.close(difference_id, note=typed("note"), actor=current_actor())
    except FanyongError as error:
        text = refused(error)
        problem = text if typed("note") else _("Please note what it was.")
        return _page(problem=problem), error.status
    record("difference.closed", difference=difference_id.hex, number=difference.number, note=difference.note)
    return done(_("The difference is closed."), "console.reconciliation")


@bp.post("/reconciliation/<uuid:difference_id>/record")
@requires(Permission.ORDERS_REFUND)
def record_difference(difference_id: UUID) -> ResponseReturnValue:
    """Lead to the form that records a refund which stands in the bill and not in our books."""
    # The conversation with WeChat Pay must not happen inside this request's transaction.
    session().commit()
    try:
        order_id = tasks.order_of_refund(difference_id)
    except NotFound as error:
        return _page(problem=_("The bill names no order of yours for this refund.")), error.status
    except FanyongError as error:
        return _page(problem=refused(error)), error.status
    except ProviderError as error:
        session().rollback()
        return _page(problem=_("WeChat Pay did not hand the bills out (%(code)s).", code=error.code)), 503
    return redirect(
        url_for("console.order", order_id=order_id, difference=difference_id, _anchor="record"), HTTPStatus.SEE_OTHER
    )


def _filters() -> dict[str, str]:
    asked = {name: request.args.get(name, "").strip() for name in ("state", "kind", "day", "assignee", "q")}
    if request.args.get("all"):
        asked["state"] = "all"
    asked["state"] = asked["state"] if asked["state"] in (*differences.STATES, "all") else "unclosed"
    asked["kind"] = asked["kind"] if asked["kind"] in KINDS else ""
    return asked


def _query(asked: dict[str, str]) -> sa.Select[Difference]:
    return differences.differences(
        state=asked["state"],
        kind=asked["kind"],
        day=_day(asked["day"]),
        assignee=asked["assignee"],
        search=asked["q"],
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _page(*, problem: str = "") -> str:
    asked, last = _filters(), service.last_ready_day()
    page = paginate(_query(asked))
    days = session().scalars(service.days().limit(DAYS_SHOWN)).all()
    return render_template(
        "console/reconciliation.html",
        page=page,
        asked=asked,
        is_filtered=any(asked[name] for name in ("kind", "day", "assignee", "q")) or asked["state"] != "unclosed",
        behind=differences.behind(page.items),
        can_be_recorded=differences.can_be_recorded,
        days=days,
        state_of=_day_states(days),
        ages=differences.unclosed_by_age(),
        people=[admin.email for admin in admins() if admin.active],
        me=current_user.account.email,
        now=brand_now(),
        last_ready_day=last,
        day=typed("day") or last.isoformat(),
        closing=closing,
        problem=problem,
    )


def closing(difference: Difference) -> str:
    """Return what was noted when a difference was closed, in words."""
    return labels.label("closed_by_run", difference.note) if difference.closed_by == RUN else difference.note


def _day_states(days: Sequence[ReconciledDay]) -> dict[date, tuple[str, int]]:
    """Return for each day the word for its state, and how many differences of it are open."""
    unclosed = differences.unclosed_by_day(day.day for day in days)
    states = {}
    for row in days:
        count = unclosed.get(row.day, 0)
        word = "failed" if row.problem else "differs" if count else "settled" if row.differences else "agrees"
        states[row.day] = (word, count)
    return states


def _differences_csv() -> ResponseReturnValue:
    header = (
        _("Day"),
        _("Kind"),
        _("Number"),
        _("Problem"),
        _("Here"),
        _("In the bill"),
        _("State"),
        _("Found at"),
        _("Looked after by"),
        _("Closed at"),
        _("Closed by"),
        _("Note"),
    )
    rows = (
        (
            found.day,
            labels.label("kind", found.kind),
            found.number,
            labels.label("problem", found.problem),
            hundredths(found.here_fen),
            hundredths(found.there_fen),
            labels.label("difference", found.state),
            localtime(found.found_at),
            found.assignee,
            localtime(found.closed_at) if found.closed_at else "",
            _("comparison") if found.closed_by == RUN else found.closed_by,
            closing(found) if found.closed_at else "",
        )
        for found in everything(_query(_filters()))
    )
    return csv_response("differences", header=header, rows=rows)


def _days_csv() -> ResponseReturnValue:
    rows: Sequence[ReconciledDay] = everything(service.days())
    states = _day_states(rows)
    kinds = (_("payments"), _("refunds"), _("transfers"))
    header = (
        _("Day"),
        _("State"),
        *(text for kind in kinds for text in (_("Number of %(kind)s", kind=kind), _("Here"), _("In the bill"))),
        _("Differences"),
        _("Open"),
        _("Compared at"),
        _("Problem"),
    )
    lines = (
        (
            row.day,
            labels.label("reconciled_day", states[row.day][0]),
            *(text for kind in KINDS for text in _sums(row, kind)),
            row.differences,
            states[row.day][1],
            localtime(row.compared_at),
            row.problem,
        )
        for row in rows
    )
    return csv_response("reconciled-days", header=header, rows=lines)


def _sums(row: ReconciledDay, kind: str) -> tuple[str, str, str]:
    bill = getattr(row, f"bill_{kind}s_fen")
    return (
        str(getattr(row, f"{kind}s")),
        hundredths(getattr(row, f"{kind}s_fen")),
        hundredths(bill) if bill is not None else "",
    )
