"""Debts: who owes the brand money after refunds, and giving a debt up."""

from __future__ import annotations

from uuid import UUID

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.ids import new_token
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.filters import localtime
from fanyong.web.money import NotANumber, hundredths, parse_yuan
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from tenants.console.base import bp, done, record, refused, typed
from tenants.payouts import debts as service


@bp.get("/debts")
@requires(Permission.WITHDRAWALS_READ)
def debts() -> ResponseReturnValue:
    """List the promoters who owe something, or what was given up."""
    if not wants_csv():
        return _page()
    if request.args.get("view") == "given_up":
        header: tuple[str, ...] = (_("Member"), _("Nickname"), _("Amount"), _("Reason"), _("By"), _("At"))
        rows = [
            (
                member.id.hex,
                member.nickname,
                hundredths(row.amount_fen),
                row.reason,
                row.written_off_by,
                localtime(row.written_off_at),
            )
            for row, member in everything(service.write_offs())
        ]
        return csv_response("debts-given-up", header=header, rows=rows)
    owed = everything(service.debtors(search=_search()))
    header = (_("Member"), _("Nickname"), _("Debt"))
    return csv_response("debts", header=header, rows=[(m.id.hex, m.nickname, hundredths(fen)) for m, fen in owed])


@bp.post("/debts/<uuid:member_id>/write-off")
@requires(Permission.DEBTS_WRITE_OFF)
def write_off_debt(member_id: UUID) -> ResponseReturnValue:
    """Give a debt up, or a part of it."""
    try:
        amount_fen = parse_yuan(typed("amount"))
    except NotANumber:
        return _page(problem=_("Please enter an amount like 12.50."), problem_at=member_id), 422
    try:
        given_up = service.write_off(
            member_id,
            amount_fen=amount_fen,
            reason=typed("reason"),
            idempotency_key=typed("idempotency_key")[:255] or new_token(),
            actor=current_actor(),
        )
    except FanyongError as error:
        return _page(problem=refused(error), problem_at=member_id), error.status
    record("debt.written_off", member=member_id.hex, amount_fen=amount_fen, reason=given_up.reason)
    return done(_("The debt is written off."), "console.debts")


def _search() -> str:
    return request.args.get("q", "").strip()


def _page(*, problem: str = "", problem_at: UUID | None = None) -> str:
    view = "given_up" if request.args.get("view") == "given_up" else ""
    return render_template(
        "console/debts.html",
        view=view,
        page=paginate(service.write_offs() if view else service.debtors(search=_search())),
        problem=problem,
        problem_at=problem_at,
        form_key=typed("idempotency_key") if problem else new_token(),
    )
