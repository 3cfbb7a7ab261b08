"""Withdrawals: who wants money, and the decision about it."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.payments.models import Transfer
from fanyong.tenancy import settings
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.filters import localtime
from fanyong.web.money import hundredths
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from tenants.console import labels
from tenants.console.base import bp, done, record, refused, typed
from tenants.members.models import Member
from tenants.payouts import service as payouts
from tenants.payouts.models import Withdrawal
from tenants.payouts.service import WithdrawalRules


@bp.get("/withdrawals")
@requires(Permission.WITHDRAWALS_READ)
def withdrawals() -> ResponseReturnValue:
    """List the withdrawals."""
    if wants_csv():
        return _csv()
    return _page()


@bp.post("/withdrawals/<uuid:withdrawal_id>/approve")
@requires(Permission.WITHDRAWALS_DECIDE)
def approve_withdrawal(withdrawal_id: UUID) -> ResponseReturnValue:
    """Let a withdrawal go to WeChat Pay."""
    try:
        withdrawal = payouts.approve(withdrawal_id, actor=current_actor())
    except FanyongError as error:
        return _page(problem=refused(error), problem_at=withdrawal_id), error.status
    record("withdrawal.approved", withdrawal=withdrawal_id.hex, amount_fen=withdrawal.amount_fen)
    return done(_("The withdrawal is approved and goes to WeChat Pay now."), "console.withdrawals")


@bp.post("/withdrawals/<uuid:withdrawal_id>/reject")
@requires(Permission.WITHDRAWALS_DECIDE)
def reject_withdrawal(withdrawal_id: UUID) -> ResponseReturnValue:
    """Give the money of a withdrawal back, with a reason."""
    try:
        withdrawal = payouts.reject(withdrawal_id, reason=typed("reason"), actor=current_actor())
    except FanyongError as error:
        return _page(problem=refused(error), problem_at=withdrawal_id), error.status
    record("withdrawal.rejected", withdrawal=withdrawal_id.hex, reason=withdrawal.reason)
    return done(_("The withdrawal is rejected; the money is back in the balance."), "console.withdrawals")


def _state() -> str:
    state = request.args.get("state", "")
    return state if state in labels.WITHDRAWAL else ""


def _query() -> sa.Select[Withdrawal, Transfer, Member]:
    query = payouts.withdrawals(state=_state())
    search = request.args.get("q", "").strip()
    return query.where(Member.nickname.icontains(search, autoescape=True)) if search else query


def _page(*, problem: str = "", problem_at: UUID | None = None) -> str:
    return render_template(
        "console/withdrawals.html",
        page=paginate(_query()),
        state=_state(),
        states=labels.options(labels.WITHDRAWAL),
        rules=settings.load(WithdrawalRules),
        problem=problem,
        problem_at=problem_at,
    )


def _csv() -> ResponseReturnValue:
    header = (
        _("Withdrawal"),
        _("Member"),
        _("Amount"),
        _("State"),
        _("Transfer"),
        _("Requested at"),
        _("Decided by"),
        _("Finished at"),
        _("Reason"),
    )
    rows = (
        (
            withdrawal.id.hex,
            member.nickname,
            hundredths(withdrawal.amount_fen),
            labels.label("withdrawal", withdrawal.state),
            transfer.out_bill_no,
            localtime(withdrawal.requested_at),
            withdrawal.decided_by or "",
            localtime(withdrawal.finished_at),
            withdrawal.reason or "",
        )
        for withdrawal, transfer, member in everything(_query())
    )
    return csv_response("withdrawals", header=header, rows=rows)
