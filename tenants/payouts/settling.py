"""The ends of a withdrawal, whatever its channel, and a payout that came back after it.

The caller of those that take a withdrawal holds the books and the withdrawal's row.
"""

from __future__ import annotations

from uuid import UUID

from fanyong.errors import NotFound
from fanyong.events import publish
from fanyong.payments.models import Transfer
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.ledger import service as ledger
from tenants.payouts import books, channels, corrections
from tenants.payouts.errors import PaidByProvider, ProofMissing, RejectNeedsReason, WrongWithdrawalState
from tenants.payouts.models import Withdrawal


def mark_paid(withdrawal_id: UUID, *, proof: str, actor: str) -> Withdrawal:
    """Book a payout that somebody made by hand, or looked up at the bank; saying it again changes nothing.

    Raises NotFound, ProofMissing, PaidByProvider, or WrongWithdrawalState when it is not approved, or in no batch yet.
    """
    proof = proof.strip()[:100]
    if not proof:
        raise ProofMissing
    withdrawal = _to_settle(withdrawal_id)
    if withdrawal.state == "paid" and withdrawal.proof == proof:
        return withdrawal
    # A payout by file is over only when it was in a batch; one by hand needs none.
    in_no_batch = withdrawal.batch_id is None and channels.delivery_of(withdrawal.channel) == "file"
    if withdrawal.state != "approved" or in_no_batch:
        raise WrongWithdrawalState
    withdrawal.proof = proof
    finish_paid(withdrawal, by=actor)
    return withdrawal


def mark_failed(withdrawal_id: UUID, *, reason: str, actor: str) -> Withdrawal:
    """Give the money of a payout back that certainly did not arrive.

    Raises NotFound, RejectNeedsReason, PaidByProvider, or WrongWithdrawalState when it is not approved.
    """
    if not reason.strip():
        raise RejectNeedsReason
    withdrawal = _to_settle(withdrawal_id)
    if withdrawal.state != "approved":
        raise WrongWithdrawalState
    finish_failed(withdrawal, reason=reason.strip()[:200], by=actor)
    return withdrawal


def mark_returned(withdrawal_id: UUID, *, reason: str, proof: str = "", actor: str) -> Withdrawal:
    """Give the money of a payout back that was booked as paid and came back from the payee's bank.

    Saying it again with the same number changes nothing. Raises NotFound, RejectNeedsReason, PaidByProvider, or
    WrongWithdrawalState when it is not paid, or came back already.
    """
    if not reason.strip():
        raise RejectNeedsReason
    proof = proof.strip()[:100]
    withdrawal = _to_settle(withdrawal_id)
    if withdrawal.state == "returned" and (withdrawal.return_proof or "") == proof:
        return withdrawal
    if withdrawal.state != "paid":
        raise WrongWithdrawalState
    finish_returned(withdrawal, reason=reason.strip()[:200], proof=proof, by=actor)
    return withdrawal


def on_transfer_paid(transfer: Transfer) -> None:
    """Book that the money is in the member's wallet."""
    withdrawal = _by_transfer(transfer)
    if withdrawal is not None and withdrawal.state == "approved":
        finish_paid(withdrawal)


def on_transfer_ended_unpaid(transfer: Transfer) -> None:
    """Give the money back: the provider says for certain that the transfer failed, expired or was canceled."""
    withdrawal = _by_transfer(transfer)
    if withdrawal is not None and withdrawal.state == "approved":
        finish_failed(withdrawal, reason=transfer.problem or transfer.state)


def finish_paid(withdrawal: Withdrawal, **data: str) -> None:
    """Book that an approved withdrawal has reached its payee."""
    withdrawal.state, withdrawal.finished_at = "paid", brand_now()
    books.pay(withdrawal)
    corrections.settle(withdrawal)
    publish("withdrawal.paid", withdrawal, object_id=withdrawal.id, amount_fen=withdrawal.amount_fen, **data)


def finish_failed(withdrawal: Withdrawal, *, reason: str, **data: str) -> None:
    """Return the money of an approved withdrawal that certainly did not arrive; its tax counts no longer."""
    withdrawal.state = "failed"
    give_back(withdrawal, reason=reason)
    publish("withdrawal.failed", withdrawal, object_id=withdrawal.id, reason=withdrawal.reason, **data)


def finish_returned(withdrawal: Withdrawal, *, reason: str, proof: str = "", by: str) -> None:
    """Return the money of a paid withdrawal that came back; its tax and its fee come back with it."""
    withdrawal.state, withdrawal.reason, withdrawal.returned_at = "returned", reason, brand_now()
    withdrawal.returned_by, withdrawal.return_proof = by, proof or None
    books.undo_payout(withdrawal, corrected_fen=corrections.corrected_of(withdrawal.id))
    corrections.settle(withdrawal)
    publish("withdrawal.returned", withdrawal, object_id=withdrawal.id, reason=reason, by=by)


def give_back(withdrawal: Withdrawal, *, reason: str) -> None:
    """Return the gross amount and note why."""
    withdrawal.reason, withdrawal.finished_at = reason, brand_now()
    books.give_back(withdrawal)
    corrections.settle(withdrawal)


def _to_settle(withdrawal_id: UUID) -> Withdrawal:
    ledger.lock_books()
    withdrawal = session().get(Withdrawal, withdrawal_id, with_for_update=True, populate_existing=True)
    if withdrawal is None:
        raise NotFound
    if withdrawal.transfer_id is not None:
        raise PaidByProvider
    return withdrawal


def _by_transfer(transfer: Transfer) -> Withdrawal | None:
    ledger.lock_books()
    return session().get(Withdrawal, transfer.reference_id, with_for_update=True, populate_existing=True)
