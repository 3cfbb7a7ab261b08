"""Withdrawals: the money is set aside and its number fixed in the request's own transaction.

A withdrawal pays at most once, whatever its channel: only an approved one is paid, it leaves that state under the
books lock, and its postings are unique by its id.
"""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from fanyong.errors import IdempotencyMismatch, NotFound
from fanyong.events import publish
from fanyong.ids import new_id
from fanyong.payments import service as payments
from fanyong.payments.models import Transfer
from fanyong.tenancy import settings
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.web.money import yuan
from tenants.ledger import service as ledger
from tenants.members.models import Member
from tenants.payouts import books, channels, payees, policies, quoting, review
from tenants.payouts.channels import Channel
from tenants.payouts.errors import (
    NotEnoughAvailable,
    PromoterFrozen,
    RealNameMissing,
    RejectNeedsReason,
    SamePersonTwice,
    WithdrawalBelowMinimum,
    WithdrawalBlockedByDebt,
    WithdrawalHeld,
    WrongWithdrawalState,
)
from tenants.payouts.models import PayeeAccount, Withdrawal
from tenants.payouts.quoting import Quote
from tenants.payouts.rules import REAL_NAME_FROM_FEN, WithdrawalRules, needs_two_people
from tenants.payouts.screening import Hit, screen
from tenants.payouts.settling import give_back, mark_failed, mark_paid, on_transfer_ended_unpaid, on_transfer_paid

__all__ = [
    "AUTOMATIC",
    "REAL_NAME_FROM_FEN",
    "NotEnoughAvailable",
    "PromoterFrozen",
    "RealNameMissing",
    "RejectNeedsReason",
    "WithdrawalBelowMinimum",
    "WithdrawalBlockedByDebt",
    "WithdrawalRules",
    "WrongWithdrawalState",
    "approve",
    "get_withdrawal",
    "mark_failed",
    "mark_paid",
    "on_transfer_ended_unpaid",
    "on_transfer_paid",
    "preview",
    "reject",
    "release_hold",
    "request_withdrawal",
    "transfer_of",
    "withdrawals",
]
AUTOMATIC = "automatic"


def preview(
    member: Member, *, amount_fen: int, channel: str = "", real_name: str | None = None
) -> tuple[Channel, Quote, str | None]:
    """Return channel and parts of a withdrawal that nobody has asked for yet, and in words why it cannot be.

    Raises UnknownChannel.
    """
    chosen = channels.get_channel(channel)
    asked = quoting.quote(member.id, amount_fen)
    has_name = payees.current_payee(member.id, chosen.name) is not None
    problem = quoting.problem_of(member, asked, channel=chosen, real_name=real_name, has_payee_name=has_name)
    return chosen, asked, problem.text if problem else None


def request_withdrawal(
    member: Member,
    *,
    amount_fen: int,
    idempotency_key: str,
    real_name: str | None = None,
    channel: str = "",
    device_id: str | None = None,
) -> Withdrawal:
    """Set `amount_fen`, the gross amount, aside for a payout; the same key again returns the same withdrawal.

    Without a channel the brand's first one pays. A withdrawal that meets a rule against money laundering is held
    for a review. Raises UnknownChannel, PayeeMissing, IdempotencyMismatch, and what `quoting.problem_of` returns.
    """
    known = _known(member, amount_fen=amount_fen, channel=channel, key=idempotency_key)
    if known is not None:
        return known
    chosen = channels.get_channel(channel)
    payee = payees.payee_for(member, chosen)
    # Looked up before the lock: how long it takes must not keep everybody else from the books.
    facts = review.gather(member, amount_fen=amount_fen, at=brand_now(), payee=payee, device_id=device_id)
    ledger.lock_books()
    known = _known(member, amount_fen=amount_fen, channel=channel, key=idempotency_key)
    if known is not None:
        return known
    asked = quoting.quote(member.id, amount_fen)
    problem = quoting.problem_of(member, asked, channel=chosen, real_name=real_name, has_payee_name=payee is not None)
    if problem is not None:
        raise problem
    hits = screen(policies.screening_rules(), review.refreshed(facts, member.id, payee=payee, device_id=device_id))
    withdrawal = _write(member, asked, chosen, payee=payee, hits=hits, real_name=real_name)
    withdrawal.idempotency_key, withdrawal.device_id = idempotency_key, device_id
    session().add(withdrawal)
    session().flush()
    books.hold(withdrawal)
    publish(f"withdrawal.{withdrawal.state}", withdrawal, object_id=withdrawal.id, amount_fen=amount_fen)
    rules = settings.load(WithdrawalRules)
    if amount_fen < rules.auto_approve_below_fen and not hits and not needs_two_people(rules, amount_fen):
        approve(withdrawal.id, actor=AUTOMATIC)
    return withdrawal


def approve(withdrawal_id: UUID, *, actor: str) -> Withdrawal:
    """Let a withdrawal be paid; from the brand's threshold on it takes two different people.

    The first approval is recorded and changes nothing else. Nothing is paid to a promoter who was frozen, or came to
    owe something, after the request. Raises WrongWithdrawalState, WithdrawalHeld, PayeeFrozen, PayeeInDebt,
    SamePersonTwice.
    """
    withdrawal, transfer = _locked(withdrawal_id)
    if withdrawal.state == "approved":
        return withdrawal
    if withdrawal.state == "held":
        raise WithdrawalHeld
    if withdrawal.state != "requested":
        raise WrongWithdrawalState
    problem = quoting.kept_back(withdrawal.member_id)
    if problem is not None:
        raise problem
    rules, now = settings.load(WithdrawalRules), brand_now()
    if withdrawal.first_approved_by == actor:
        raise SamePersonTwice(amount=yuan(rules.two_people_from_fen))
    if withdrawal.first_approved_by is None and needs_two_people(rules, withdrawal.amount_fen):
        withdrawal.first_approved_by, withdrawal.first_approved_at = actor, now
        publish("withdrawal.approved_once", withdrawal, object_id=withdrawal.id)
        return withdrawal
    withdrawal.state, withdrawal.decided_by, withdrawal.decided_at = "approved", actor, now
    if transfer is not None:
        payments.release_transfer(transfer)
    publish("withdrawal.approved", withdrawal, object_id=withdrawal.id)
    return withdrawal


def reject(withdrawal_id: UUID, *, reason: str, actor: str) -> Withdrawal:
    """Give the money back to the promoter's balance; raises RejectNeedsReason or WrongWithdrawalState."""
    if not reason.strip():
        raise RejectNeedsReason
    withdrawal, _transfer = _locked(withdrawal_id)
    if withdrawal.state == "rejected":
        return withdrawal
    if withdrawal.state not in ("requested", "held"):
        raise WrongWithdrawalState
    withdrawal.state, withdrawal.decided_by, withdrawal.decided_at = "rejected", actor, brand_now()
    give_back(withdrawal, reason=reason.strip()[:200])
    publish("withdrawal.rejected", withdrawal, object_id=withdrawal.id, reason=withdrawal.reason)
    return withdrawal


def release_hold(withdrawal_id: UUID, *, note: str, actor: str) -> Withdrawal:
    """Let a held withdrawal go on to its approval, with what the review found.

    Raises RejectNeedsReason or WrongWithdrawalState.
    """
    if not note.strip():
        raise RejectNeedsReason
    withdrawal, _transfer = _locked(withdrawal_id)
    if withdrawal.state != "held":
        raise WrongWithdrawalState
    withdrawal.state, withdrawal.review_note = "requested", note.strip()[:200]
    withdrawal.reviewed_by, withdrawal.reviewed_at = actor, brand_now()
    publish("withdrawal.released", withdrawal, object_id=withdrawal.id)
    return withdrawal


def get_withdrawal(withdrawal_id: UUID) -> tuple[Withdrawal, Transfer | None]:
    """Return a withdrawal with its transfer, where the provider moves the money; raises NotFound."""
    withdrawal = session().get(Withdrawal, withdrawal_id)
    if withdrawal is None:
        raise NotFound
    return withdrawal, session().get(Transfer, withdrawal.transfer_id) if withdrawal.transfer_id else None


def transfer_of(withdrawal_id: UUID) -> Transfer:
    """Return the transfer of a withdrawal; raises NotFound, also where the provider does not move its money."""
    transfer = get_withdrawal(withdrawal_id)[1]
    if transfer is None:
        raise NotFound
    return transfer


def withdrawals(
    *, state: str = "", channel: str = "", member_id: UUID | None = None
) -> sa.Select[Withdrawal, Transfer | None, Member]:
    """Return the query of withdrawals with transfer (None where there is none) and member, newest first."""
    query: sa.Select[Withdrawal, Transfer | None, Member] = (
        sa.select(Withdrawal, Transfer, Member)
        .outerjoin(Transfer, Transfer.id == Withdrawal.transfer_id)
        .join(Member, Member.id == Withdrawal.member_id)
        .order_by(Withdrawal.id.desc())
    )
    query = query.where(Withdrawal.state == state) if state else query
    query = query.where(Withdrawal.channel == channel) if channel else query
    return query.where(Withdrawal.member_id == member_id) if member_id else query


def _known(member: Member, *, amount_fen: int, channel: str, key: str) -> Withdrawal | None:
    known = session().scalar(
        sa.select(Withdrawal).where(Withdrawal.member_id == member.id, Withdrawal.idempotency_key == key)
    )
    if known is not None and (known.amount_fen != amount_fen or channel not in ("", known.channel)):
        raise IdempotencyMismatch
    return known


def _write(
    member: Member,
    asked: Quote,
    channel: Channel,
    *,
    payee: PayeeAccount | None,
    hits: tuple[Hit, ...],
    real_name: str | None,
) -> Withdrawal:
    withdrawal_id, transfer = new_id(), None
    name = (real_name or "").strip() or payees.real_name_of(payee, channel)
    if channel.traits.delivery == "provider":
        needs_name = asked.amount_fen >= settings.load(WithdrawalRules).real_name_from_fen
        transfer = payments.create_transfer(
            reference_id=withdrawal_id,
            openid=member.openid,
            amount_fen=asked.net_fen,
            remark=quoting.remark_of(channel),
            user_name=name if needs_name else None,
        )
        session().flush()
    return Withdrawal(
        id=withdrawal_id,
        member_id=member.id,
        amount_fen=asked.amount_fen,
        tax_fen=asked.tax.tax_fen,
        fee_fen=asked.fee_fen,
        net_fen=asked.net_fen,
        tax_month=asked.tax_month,
        tax_policy_id=asked.tax_policy_id,
        tax_details=asked.stored_tax() if asked.tax_policy_id else None,
        state="held" if hits else "requested",
        held_reasons=[hit.stored() for hit in hits] or None,
        channel=channel.name,
        payout_number=transfer.out_bill_no if transfer else withdrawal_id.hex,
        transfer_id=transfer.id if transfer else None,
        payee_id=payee.id if payee else None,
        real_name=name,
        requested_at=brand_now(),
    )


def _locked(withdrawal_id: UUID) -> tuple[Withdrawal, Transfer | None]:
    """Lock the transfer, then the books, then the withdrawal: the order in which a callback comes."""
    withdrawal, transfer = get_withdrawal(withdrawal_id)
    if transfer is not None:
        session().refresh(transfer, with_for_update=True)
    ledger.lock_books()
    session().refresh(withdrawal, with_for_update=True)
    return withdrawal, transfer
