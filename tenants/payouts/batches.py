"""Batches for channels that pay by file: made once, exported as often as wanted, settled by the bank's result file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fanyong.errors import NotFound
from fanyong.events import publish
from fanyong.ids import new_id
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.values import PayoutFile, PayoutOrder, PayoutResult
from fanyong.wechat.times import BEIJING
from tenants.ledger import service as ledger
from tenants.ledger.models import Balance
from tenants.members.models import Member
from tenants.payouts import books, channels, payees, settling
from tenants.payouts.channels import Channel
from tenants.payouts.errors import NothingToPay, UnknownChannel
from tenants.payouts.models import CAME_BACK, PayeeAccount, PayoutBatch, PayoutImport, Withdrawal
from tenants.promoters.models import Promoter

MOST_PAYOUTS = 1_000
#: By the state of a withdrawal, what a row may say of it that is booked already: an old file is often read again.
SAID_BEFORE = {"paid": ("paid",), "failed": ("failed", "returned"), "returned": ("paid", "failed", "returned")}


@dataclass
class ImportReport:
    """What came of a result file's rows; numbers are listed where somebody has to look."""

    counts: Counter[str] = field(default_factory=Counter)
    #: Numbers that are not in the batch; rows with another amount; rows that contradict what is booked.
    unknown: list[str] = field(default_factory=list)
    amount_differs: list[str] = field(default_factory=list)
    contradicts: list[str] = field(default_factory=list)

    def stored(self) -> dict[str, object]:
        """Return the report as it is kept."""
        return {
            "counts": dict(self.counts),
            "unknown": self.unknown,
            "amount_differs": self.amount_differs,
            "contradicts": self.contradicts,
        }


def waiting(channel: str) -> sa.Select[Withdrawal]:
    """Return the query of approved withdrawals of a channel that are in no batch, oldest first.

    Those of promoters who were frozen or came to owe something since are kept back until that is over: the same rule
    as that of `quoting.kept_back`, for many.
    """
    frozen = sa.exists().where(Promoter.member_id == Withdrawal.member_id, Promoter.frozen_at.is_not(None))
    return (
        sa.select(Withdrawal)
        .where(Withdrawal.channel == channel, Withdrawal.state == "approved", Withdrawal.batch_id.is_(None))
        .where(~frozen, Withdrawal.member_id.not_in(books.debts().with_only_columns(Balance.owner_id)))
        .order_by(Withdrawal.id)
    )


def make_batch(channel_name: str, *, actor: str) -> PayoutBatch:
    """Lock up to 1,000 approved withdrawals of a channel into a batch; each is in one batch for life.

    Raises UnknownChannel or NothingToPay.
    """
    channel = _file_channel(channel_name)
    ledger.lock_books()
    chosen = session().scalars(waiting(channel_name).limit(MOST_PAYOUTS).with_for_update()).all()
    if not chosen:
        raise NothingToPay
    number = session().scalar(sa.select(sa.func.max(PayoutBatch.number)))
    batch = PayoutBatch(
        id=new_id(),
        number=(number or 0) + 1,
        channel=channel_name,
        settings=channel.settings.model_dump(mode="json"),
        payouts=len(chosen),
        sum_fen=sum(withdrawal.net_fen for withdrawal in chosen),
        made_at=brand_now(),
        made_by=actor,
    )
    session().add(batch)
    session().flush()
    for withdrawal in chosen:
        withdrawal.batch_id = batch.id
    publish("payout_batch.made", batch, object_id=batch.id, payouts=batch.payouts, sum_fen=batch.sum_fen)
    session().flush()
    return batch


def get_batch(batch_id: UUID) -> PayoutBatch:
    """Return a batch; raises NotFound."""
    batch = session().get(PayoutBatch, batch_id)
    if batch is None:
        raise NotFound
    return batch


def batches() -> sa.Select[PayoutBatch]:
    """Return the query of all batches, newest first."""
    return sa.select(PayoutBatch).order_by(PayoutBatch.number.desc())


def open_payouts(batch_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many payouts of batches have no outcome yet."""
    query = (
        sa.select(Withdrawal.batch_id, sa.func.count())
        .where(Withdrawal.batch_id.in_(list(batch_ids)), Withdrawal.state == "approved")
        .group_by(Withdrawal.batch_id)
    )
    return {batch_id: count for batch_id, count in session().execute(query) if batch_id is not None}


def payouts_of(batch_id: UUID) -> sa.Select[Withdrawal, PayeeAccount, Member]:
    """Return the query of a batch's withdrawals with payee and member, in the order of the file."""
    return (
        sa.select(Withdrawal, PayeeAccount, Member)
        .join(PayeeAccount, PayeeAccount.id == Withdrawal.payee_id)
        .join(Member, Member.id == Withdrawal.member_id)
        .where(Withdrawal.batch_id == batch_id)
        .order_by(Withdrawal.id)
    )


def imports_of(batch_id: UUID) -> list[PayoutImport]:
    """Return the result files that were read for a batch, newest first."""
    query = sa.select(PayoutImport).where(PayoutImport.batch_id == batch_id).order_by(PayoutImport.id.desc())
    return list(session().scalars(query))


def export(batch_id: UUID) -> PayoutFile:
    """Return a batch's file, without payouts that failed or came back and whose money is back in the balance.

    As long as there are none, it is the same bytes whenever it is asked for. Raises NotFound, UnknownChannel or
    UnwritableFile.
    """
    batch = get_batch(batch_id)
    channel = channels.open_channel(batch.channel, batch.settings)
    month = batch.made_at.astimezone(BEIJING)
    remark = f"{month.year}年{month.month}月{channel.traits.remark}" if channel.traits.remark else ""
    rows = session().execute(payouts_of(batch_id).where(Withdrawal.state.not_in(CAME_BACK)))
    orders = [
        PayoutOrder(withdrawal.payout_number, withdrawal.net_fen, payees.fields_of(payee), remark)
        for withdrawal, payee, _member in rows
    ]
    return channel.export(orders)


def import_results(batch_id: UUID, content: bytes, *, actor: str) -> ImportReport:
    """Book what a bank's result file says; the same file again, or a longer one later, books nothing twice.

    Rows are matched by number within the batch. A row with another amount, or against what is booked already, is
    reported and changes nothing. Raises NotFound, UnknownChannel or UnreadableResults.
    """
    batch = get_batch(batch_id)
    results = channels.open_channel(batch.channel, batch.settings).read_results(content)
    ledger.lock_books()
    known = session().scalars(sa.select(Withdrawal).where(Withdrawal.batch_id == batch_id).with_for_update())
    by_number = {withdrawal.payout_number: withdrawal for withdrawal in known}
    report = ImportReport()
    for result in results:
        report.counts[_apply(by_number.get(result.number), result, report=report, actor=actor)] += 1
    report.counts["not_in_file"] = len(set(by_number) - {result.number for result in results})
    session().execute(
        insert(PayoutImport)
        .values(
            id=new_id(),
            batch_id=batch_id,
            file_hash=sha256(content).hexdigest(),
            outcome=report.stored(),
            imported_at=brand_now(),
            imported_by=actor,
        )
        .on_conflict_do_nothing(index_elements=[PayoutImport.batch_id, PayoutImport.file_hash])
    )
    return report


def _apply(withdrawal: Withdrawal | None, result: PayoutResult, *, report: ImportReport, actor: str) -> str:
    if withdrawal is None:
        report.unknown.append(result.number[:64])
        return "unknown"
    if result.amount_fen not in (None, withdrawal.net_fen):
        report.amount_differs.append(result.number)
        return "amount_differs"
    if result.outcome == "pending":
        return "pending"
    if result.outcome in SAID_BEFORE.get(withdrawal.state, ()):
        return "already"
    match withdrawal.state, result.outcome:
        case "approved", "paid":
            settling.finish_paid(withdrawal, by=actor)
            return "paid"
        case "approved", "failed" | "returned":
            settling.finish_failed(withdrawal, reason=result.reason or result.outcome, by=actor)
            return "failed"
        case "paid", "returned":
            settling.finish_returned(withdrawal, reason=result.reason or "returned", by=actor)
            return "returned"
    report.contradicts.append(result.number)
    return "contradicts"


def _file_channel(name: str) -> Channel:
    channel = next((one for one in channels.channels(active_only=False) if one.name == name), None)
    if channel is None or channel.traits.delivery != "file":
        raise UnknownChannel
    return channel
