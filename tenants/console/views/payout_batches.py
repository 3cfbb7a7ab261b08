"""Payout batches: to the bank as a file, and back with its results."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from flask import Response, render_template, request
from flask.typing import ResponseReturnValue

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.tenancy.database import session
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.filters import localtime
from fanyong.web.money import hundredths
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from tenants.console import labels
from tenants.console.base import bp, done, record, refused
from tenants.payouts import batches, channels
from tenants.payouts.batches import ImportReport
from tenants.payouts.models import Withdrawal

#: A thousand rows of a bank's file are far below this.
MAX_FILE_BYTES = 2_000_000


@bp.get("/payouts/batches")
@requires(Permission.WITHDRAWALS_READ)
def payout_batches() -> ResponseReturnValue:
    """List the batches, and what waits for one."""
    if wants_csv():
        header = (_("Batch"), _("Channel"), _("Payouts"), _("Sum"), _("Made at"), _("Made by"))
        rows = (
            (
                batch.number,
                batch.channel,
                batch.payouts,
                hundredths(batch.sum_fen),
                localtime(batch.made_at),
                batch.made_by,
            )
            for batch in everything(batches.batches())
        )
        return csv_response("payout-batches", header=header, rows=rows)
    return _list()


@bp.post("/payouts/batches")
@requires(Permission.WITHDRAWALS_PAY)
def make_payout_batch() -> ResponseReturnValue:
    """Lock what is approved into a batch."""
    try:
        batch = batches.make_batch(request.form.get("channel", ""), actor=current_actor())
    except FanyongError as error:
        return _list(problem=refused(error)), error.status
    record("payout_batch.made", batch=batch.number, payouts=batch.payouts, sum_fen=batch.sum_fen)
    return done(_("Batch %(number)d is made.", number=batch.number), "console.payout_batch", batch_id=batch.id)


@bp.get("/payouts/batches/<uuid:batch_id>")
@requires(Permission.WITHDRAWALS_READ)
def payout_batch(batch_id: UUID) -> ResponseReturnValue:
    """Show a batch with the outcome of each payout."""
    if not wants_csv():
        return _one(batch_id)
    batch = batches.get_batch(batch_id)
    header = (_("Number"), _("Member"), _("Payee"), _("Net"), _("State"), _("Finished at"), _("Reason"))
    rows = (
        (
            found.payout_number,
            member.nickname,
            payee.shown,
            hundredths(found.net_fen),
            labels.label("withdrawal", found.state),
            localtime(found.finished_at),
            found.reason or "",
        )
        for found, payee, member in everything(batches.payouts_of(batch_id))
    )
    return csv_response(f"payout-batch-{batch.number}", header=header, rows=rows)


@bp.post("/payouts/batches/<uuid:batch_id>/file")
@requires(Permission.WITHDRAWALS_PAY)
def payout_file(batch_id: UUID) -> ResponseReturnValue:
    """Hand the bank's file out, with the payees in clear; the audit trail says to whom."""
    try:
        file = batches.export(batch_id)
    except FanyongError as error:
        return _one(batch_id, problem=refused(error)), error.status
    batch = batches.get_batch(batch_id)
    record("payout_batch.exported", batch=batch.number, payouts=batch.payouts, sum_fen=batch.sum_fen)
    stem, _dot, ending = file.name.rpartition(".")
    headers = {"Content-Disposition": f'attachment; filename="{stem}-{batch.number}.{ending}"'}
    return Response(file.content, content_type=file.media_type, headers=headers)


@bp.post("/payouts/batches/<uuid:batch_id>/results")
@requires(Permission.WITHDRAWALS_PAY)
def import_payout_results(batch_id: UUID) -> ResponseReturnValue:
    """Book what the bank's result file says."""
    upload = request.files.get("results")
    content = upload.stream.read(MAX_FILE_BYTES + 1) if upload else b""
    if not content or len(content) > MAX_FILE_BYTES:
        return _one(batch_id, problem=_("Please choose the bank's file, of 2 MB at most.")), 422
    try:
        report = batches.import_results(batch_id, content, actor=current_actor())
    except FanyongError as error:
        return _one(batch_id, problem=refused(error)), error.status
    record("payout_batch.results_read", batch=batches.get_batch(batch_id).number, **report.stored())
    session().flush()
    return _one(batch_id, report=report)


def _list(*, problem: str = "") -> str:
    page = paginate(batches.batches())
    by_file = [one for one in channels.channels(active_only=False) if one.traits.delivery == "file"]
    waiting = {channel.name: _waiting(channel.name) for channel in by_file}
    return render_template(
        "console/payout_batches.html",
        page=page,
        by_file=by_file,
        waiting=waiting,
        open_payouts=batches.open_payouts([batch.id for batch in page.items]),
        problem=problem,
    )


def _waiting(channel: str) -> tuple[int, int]:
    """Return how many payouts wait for a batch and what they come to."""
    rows = (
        batches.waiting(channel)
        .order_by(None)
        .with_only_columns(
            sa.func.count(), sa.cast(sa.func.coalesce(sa.func.sum(Withdrawal.net_fen), 0), sa.BigInteger)
        )
    )
    count, total = session().execute(rows).one()
    return count, total


def _one(batch_id: UUID, *, problem: str = "", report: ImportReport | None = None) -> str:
    return render_template(
        "console/payout_batch.html",
        batch=batches.get_batch(batch_id),
        page=paginate(batches.payouts_of(batch_id)),
        imports=batches.imports_of(batch_id),
        open_count=batches.open_payouts([batch_id]).get(batch_id, 0),
        report=report,
        words=labels.PAYOUT_ROW,
        problem=problem,
    )
