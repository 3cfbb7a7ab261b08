"""Withdrawals: who wants money, what it comes to, and the decisions about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

import sqlalchemy as sa
from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError, NotFound
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.payments.models import Transfer
from fanyong.tenancy import settings
from fanyong.tenancy.database import session
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.filters import localtime
from fanyong.web.money import hundredths
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from fanyong.wechat.times import BEIJING
from tenants.console import labels
from tenants.console.base import asked_day, bp, done, record, refused, typed
from tenants.members.models import Member
from tenants.payouts import channels, corrections, payees, quoting, screening, settling
from tenants.payouts import service as payouts
from tenants.payouts.models import PayeeAccount, PayoutBatch, PayoutPolicy, Withdrawal
from tenants.payouts.rules import WithdrawalRules, needs_two_people


@dataclass(frozen=True, slots=True)
class Asked:
    """What the list is narrowed down to; nonsense narrows nothing."""

    q: str
    state: str
    channel: str
    first: date | None
    last: date | None

    @property
    def anything(self) -> bool:
        """Whether it is narrowed down at all."""
        return any((self.q, self.state, self.channel, self.first, self.last))


@bp.get("/withdrawals")
@requires(Permission.WITHDRAWALS_READ)
def withdrawals() -> ResponseReturnValue:
    """List the withdrawals."""
    if wants_csv():
        return _csv()
    return _page()


@bp.get("/withdrawals/<uuid:withdrawal_id>")
@requires(Permission.WITHDRAWALS_READ)
def withdrawal(withdrawal_id: UUID) -> ResponseReturnValue:
    """Show one withdrawal with how it came about and what happened to it."""
    return _one(withdrawal_id)


@bp.post("/withdrawals/<uuid:withdrawal_id>/approve")
@requires(Permission.WITHDRAWALS_DECIDE)
def approve_withdrawal(withdrawal_id: UUID) -> ResponseReturnValue:
    """Let a withdrawal be paid, or give the first of two approvals."""
    try:
        found = payouts.approve(withdrawal_id, actor=current_actor())
    except FanyongError as error:
        return _page(problem=refused(error), problem_at=withdrawal_id), error.status
    if found.state != "approved":
        record("withdrawal.approved_once", withdrawal=withdrawal_id.hex, amount_fen=found.amount_fen)
        return done(_("Your approval is recorded. A second person has to approve as well."), "console.withdrawals")
    record("withdrawal.approved", withdrawal=withdrawal_id.hex, amount_fen=found.amount_fen)
    if found.transfer_id is None:
        return done(_("The withdrawal is approved and waits to be paid."), "console.withdrawals")
    return done(_("The withdrawal is approved and goes to WeChat Pay now."), "console.withdrawals")


@bp.post("/withdrawals/<uuid:withdrawal_id>/reject")
@requires(Permission.WITHDRAWALS_DECIDE)
def reject_withdrawal(withdrawal_id: UUID) -> ResponseReturnValue:
    """Give the money of a withdrawal back, with a reason."""
    try:
        found = payouts.reject(withdrawal_id, reason=typed("reason"), actor=current_actor())
    except FanyongError as error:
        return _page(problem=refused(error), problem_at=withdrawal_id), error.status
    record("withdrawal.rejected", withdrawal=withdrawal_id.hex, reason=found.reason)
    return done(_("The withdrawal is rejected; the money is back in the balance."), "console.withdrawals")


@bp.post("/withdrawals/<uuid:withdrawal_id>/release")
@requires(Permission.WITHDRAWALS_REVIEW)
def release_withdrawal(withdrawal_id: UUID) -> ResponseReturnValue:
    """Let a held withdrawal go on to its approval."""
    try:
        found = payouts.release_hold(withdrawal_id, note=typed("note"), actor=current_actor())
    except FanyongError as error:
        return _one(withdrawal_id, problem=refused(error)), error.status
    record("withdrawal.released", withdrawal=withdrawal_id.hex, note=found.review_note)
    message = _("The withdrawal is no longer held. It can be approved now.")
    return done(message, "console.withdrawal", withdrawal_id=withdrawal_id)


@bp.post("/withdrawals/<uuid:withdrawal_id>/paid")
@requires(Permission.WITHDRAWALS_PAY)
def withdrawal_paid(withdrawal_id: UUID) -> ResponseReturnValue:
    """Book a payout that was made by hand."""
    try:
        found = settling.mark_paid(withdrawal_id, proof=typed("proof"), actor=current_actor())
    except FanyongError as error:
        return _one(withdrawal_id, problem=refused(error)), error.status
    record("withdrawal.paid", withdrawal=withdrawal_id.hex, proof=found.proof, net_fen=found.net_fen)
    return done(_("The payout is booked."), "console.withdrawal", withdrawal_id=withdrawal_id)


@bp.post("/withdrawals/<uuid:withdrawal_id>/failed")
@requires(Permission.WITHDRAWALS_PAY)
def withdrawal_failed(withdrawal_id: UUID) -> ResponseReturnValue:
    """Give the money of a payout back that did not arrive."""
    try:
        found = settling.mark_failed(withdrawal_id, reason=typed("reason"), actor=current_actor())
    except FanyongError as error:
        return _one(withdrawal_id, problem=refused(error)), error.status
    record("withdrawal.failed", withdrawal=withdrawal_id.hex, reason=found.reason)
    message = _("The money is back in the balance.")
    return done(message, "console.withdrawal", withdrawal_id=withdrawal_id)


@bp.post("/withdrawals/<uuid:withdrawal_id>/returned")
@requires(Permission.WITHDRAWALS_PAY)
def withdrawal_returned(withdrawal_id: UUID) -> ResponseReturnValue:
    """Give the money of a payout back that was paid and came back from the payee's bank."""
    reason, proof = typed("reason"), typed("proof")
    try:
        found = settling.mark_returned(withdrawal_id, reason=reason, proof=proof, actor=current_actor())
    except FanyongError as error:
        return _one(withdrawal_id, problem=refused(error)), error.status
    record("withdrawal.returned", withdrawal=withdrawal_id.hex, reason=found.reason, proof=found.return_proof)
    message = _("The payout is booked as returned; the money is back in the balance.")
    return done(message, "console.withdrawal", withdrawal_id=withdrawal_id)


@bp.post("/withdrawals/<uuid:withdrawal_id>/payee")
@requires(Permission.WITHDRAWALS_PAY)
def show_payee(withdrawal_id: UUID) -> ResponseReturnValue:
    """Show the payee in clear to whoever pays; the audit trail says who looked."""
    found, _transfer = payouts.get_withdrawal(withdrawal_id)
    payee = session().get(PayeeAccount, found.payee_id) if found.payee_id else None
    if payee is None:
        raise NotFound
    record("payee.shown", withdrawal=withdrawal_id.hex, payee=payee.id.hex)
    return _one(withdrawal_id, payee_fields=payees.fields_of(payee))


def _asked() -> Asked:
    state, channel = request.args.get("state", ""), request.args.get("channel", "")
    return Asked(
        q=request.args.get("q", "").strip(),
        state=state if state in labels.WITHDRAWAL else "",
        channel=channel if channel in _channel_titles() else "",
        first=asked_day("from"),
        last=asked_day("to"),
    )


def _query(asked: Asked) -> sa.Select[Withdrawal, Transfer | None, Member]:
    query = payouts.withdrawals(state=asked.state, channel=asked.channel)
    if asked.q:
        named = Member.nickname.icontains(asked.q, autoescape=True)
        query = query.where(sa.or_(named, Withdrawal.payout_number == asked.q.lower()))
    if asked.first:
        query = query.where(Withdrawal.requested_at >= datetime.combine(asked.first, time(), BEIJING))
    if asked.last and asked.last < date.max:
        ends = datetime.combine(asked.last + timedelta(days=1), time(), BEIJING)
        query = query.where(Withdrawal.requested_at < ends)
    return query


def _channel_titles() -> dict[str, str]:
    """Return what the channels are called, those that are switched off included."""
    return {channel.name: str(channel.plugin.title) for channel in channels.channels(active_only=False)}


def _page(*, problem: str = "", problem_at: UUID | None = None) -> str:
    asked, rules = _asked(), settings.load(WithdrawalRules)
    return render_template(
        "console/withdrawals.html",
        page=paginate(_query(asked)),
        asked=asked,
        states=labels.options(labels.WITHDRAWAL),
        channel_titles=_channel_titles(),
        rules=rules,
        two_people=lambda found: needs_two_people(rules, found.amount_fen),
        sentence=screening.sentence,
        problem=problem,
        problem_at=problem_at,
    )


def _one(withdrawal_id: UUID, *, problem: str = "", payee_fields: dict[str, str] | None = None) -> str:
    found, transfer = payouts.get_withdrawal(withdrawal_id)
    rules = settings.load(WithdrawalRules)
    is_open = found.state in ("requested", "held") or (found.state == "approved" and transfer is None)
    return render_template(
        "console/withdrawal.html",
        found=found,
        kept_back=quoting.kept_back(found.member_id) if is_open else None,
        corrections=corrections.corrections_of(found.id),
        transfer=transfer,
        member=session().get_one(Member, found.member_id),
        payee=session().get(PayeeAccount, found.payee_id) if found.payee_id else None,
        payee_fields=payee_fields,
        batch=session().get(PayoutBatch, found.batch_id) if found.batch_id else None,
        policy=session().get(PayoutPolicy, found.tax_policy_id) if found.tax_policy_id else None,
        channel_title=_channel_titles().get(found.channel, found.channel),
        two_people=needs_two_people(rules, found.amount_fen),
        sentence=screening.sentence,
        problem=problem,
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
        _("Withholding tax"),
        _("Withdrawal fee"),
        _("Net"),
        _("Channel"),
        _("First approved by"),
        _("Why held"),
        _("Proof"),
        _("Came back at"),
    )
    titles = _channel_titles()
    rows = (
        (
            found.id.hex,
            member.nickname,
            hundredths(found.amount_fen),
            labels.label("withdrawal", found.state),
            found.payout_number,
            localtime(found.requested_at),
            found.decided_by or "",
            localtime(found.finished_at),
            found.reason or "",
            hundredths(found.tax_fen),
            hundredths(found.fee_fen),
            hundredths(found.net_fen),
            titles.get(found.channel, found.channel),
            found.first_approved_by or "",
            " ".join(screening.sentence(reason) for reason in found.held_reasons or ()),
            found.proof or "",
            localtime(found.returned_at),
        )
        for found, _transfer, member in everything(_query(_asked()))
    )
    return csv_response("withdrawals", header=header, rows=rows)
