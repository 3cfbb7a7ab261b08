"""Withdrawals: the money is set aside and the transfer's number fixed in the request's own transaction."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from pydantic import Field

from fanyong.errors import FanyongError, IdempotencyMismatch, NotFound
from fanyong.events import publish
from fanyong.ids import new_id
from fanyong.payments import service as payments
from fanyong.payments.models import Transfer
from fanyong.tenancy import settings
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, PostingKind
from tenants.ledger.service import Entry, Release
from tenants.members.models import Member
from tenants.payouts.models import Withdrawal
from tenants.promoters import service as promoters

#: WeChat Pay wants the payee's real name from 2,000 CNY on (transfer rules of 2025; WECHAT.md B1).
REAL_NAME_FROM_FEN = 200_000
AUTOMATIC = "automatic"


class WithdrawalRules(settings.SettingsGroup):
    """What a brand allows; 0.10 CNY is the least WeChat Pay transfers."""

    key: ClassVar[str] = "withdrawal"
    minimum_fen: int = Field(default=100, ge=10, le=100_000_000)
    #: Withdrawals below this amount need nobody's approval; 0 means all do.
    auto_approve_below_fen: int = Field(default=0, ge=0, le=100_000_000)


class WithdrawalBelowMinimum(FanyongError):
    code = "withdrawal_below_minimum"
    status = 422
    message = _l("The least you can withdraw is %(minimum)s.")


class NotEnoughAvailable(FanyongError):
    code = "not_enough_available"
    status = 422
    message = _l("You have %(available)s to withdraw.")


class WithdrawalBlockedByDebt(FanyongError):
    code = "withdrawal_blocked_by_debt"
    status = 409
    message = _l("You owe %(debt)s from refunded orders. Your next commissions repay it first.")


class PromoterFrozen(FanyongError):
    code = "promoter_frozen"
    status = 403
    message = _l("Withdrawals are on hold for this account. Please contact the shop.")


class RealNameMissing(FanyongError):
    code = "real_name_missing"
    status = 422
    message = _l("From 2,000.00 on, WeChat Pay needs the real name of the payee.")


class WrongWithdrawalState(FanyongError):
    code = "wrong_withdrawal_state"
    status = 409
    message = _l("This withdrawal has been decided on already.")


class RejectNeedsReason(FanyongError):
    code = "reason_missing"
    status = 422
    message = _l("Please give a reason.")


def request_withdrawal(
    member: Member, *, amount_fen: int, idempotency_key: str, real_name: str | None = None
) -> Withdrawal:
    """Set `amount_fen` aside for a transfer to the member's wallet; the same key again returns the same withdrawal.

    Raises WithdrawalBelowMinimum, NotEnoughAvailable, WithdrawalBlockedByDebt, PromoterFrozen, RealNameMissing or
    IdempotencyMismatch.
    """
    ledger.lock_books()
    known = session().scalar(
        sa.select(Withdrawal).where(Withdrawal.member_id == member.id, Withdrawal.idempotency_key == idempotency_key)
    )
    if known is not None:
        if known.amount_fen != amount_fen:
            raise IdempotencyMismatch
        return known
    _check(member, amount_fen=amount_fen, real_name=real_name)
    withdrawal_id, now = new_id(), brand_now()
    transfer = payments.create_transfer(
        reference_id=withdrawal_id,
        openid=member.openid,
        amount_fen=amount_fen,
        remark=f"{now.year}年{now.month}月推广佣金",
        user_name=real_name if amount_fen >= REAL_NAME_FROM_FEN else None,
    )
    withdrawal = Withdrawal(
        id=withdrawal_id,
        member_id=member.id,
        amount_fen=amount_fen,
        state="requested",
        transfer_id=transfer.id,
        idempotency_key=idempotency_key,
        requested_at=now,
    )
    session().add(withdrawal)
    session().flush()
    _move(withdrawal, PostingKind.HOLD, debit=AccountName.AVAILABLE, credit=AccountName.IN_TRANSFER)
    publish("withdrawal.requested", withdrawal, object_id=withdrawal.id, amount_fen=amount_fen)
    if amount_fen < settings.load(WithdrawalRules).auto_approve_below_fen:
        approve(withdrawal.id, actor=AUTOMATIC)
    return withdrawal


def approve(withdrawal_id: UUID, *, actor: str) -> Withdrawal:
    """Let the transfer go to the provider; raises WrongWithdrawalState when it was rejected or is over."""
    withdrawal, transfer = _locked(withdrawal_id)
    if withdrawal.state == "approved":
        return withdrawal
    if withdrawal.state != "requested":
        raise WrongWithdrawalState
    withdrawal.state, withdrawal.decided_by, withdrawal.decided_at = "approved", actor, brand_now()
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
    if withdrawal.state != "requested":
        raise WrongWithdrawalState
    withdrawal.state, withdrawal.decided_by, withdrawal.decided_at = "rejected", actor, brand_now()
    _return(withdrawal, reason=reason.strip())
    publish("withdrawal.rejected", withdrawal, object_id=withdrawal.id, reason=withdrawal.reason)
    return withdrawal


def on_transfer_paid(transfer: Transfer) -> None:
    """Book that the money is in the member's wallet."""
    withdrawal = _by_transfer(transfer)
    if withdrawal is not None and withdrawal.state == "approved":
        withdrawal.state, withdrawal.finished_at = "paid", brand_now()
        _move(withdrawal, PostingKind.PAID, debit=AccountName.IN_TRANSFER, credit=AccountName.PAID)
        publish("withdrawal.paid", withdrawal, object_id=withdrawal.id, amount_fen=withdrawal.amount_fen)


def on_transfer_ended_unpaid(transfer: Transfer) -> None:
    """Give the money back: the provider says for certain that the transfer failed, expired or was canceled."""
    withdrawal = _by_transfer(transfer)
    if withdrawal is not None and withdrawal.state == "approved":
        withdrawal.state = "failed"
        _return(withdrawal, reason=transfer.problem or transfer.state)
        publish("withdrawal.failed", withdrawal, object_id=withdrawal.id, reason=withdrawal.reason)


def get_withdrawal(withdrawal_id: UUID) -> tuple[Withdrawal, Transfer]:
    """Return a withdrawal with its transfer; raises NotFound."""
    withdrawal = session().get(Withdrawal, withdrawal_id)
    if withdrawal is None:
        raise NotFound
    return withdrawal, session().get_one(Transfer, withdrawal.transfer_id)


def withdrawals(*, state: str = "", member_id: UUID | None = None) -> sa.Select[Withdrawal, Transfer, Member]:
    """Return the query of withdrawals with transfer and member, newest first."""
    query = (
        sa.select(Withdrawal, Transfer, Member)
        .join(Transfer, Transfer.id == Withdrawal.transfer_id)
        .join(Member, Member.id == Withdrawal.member_id)
        .order_by(Withdrawal.id.desc())
    )
    if state:
        query = query.where(Withdrawal.state == state)
    return query.where(Withdrawal.member_id == member_id) if member_id else query


def yuan(amount_fen: int) -> str:
    """Return an amount as people write it: 123456 -> `¥1,234.56`."""
    sign = "-" if amount_fen < 0 else ""
    return f"{sign}¥{abs(amount_fen) // 100:,}.{abs(amount_fen) % 100:02d}"


def _check(member: Member, *, amount_fen: int, real_name: str | None) -> None:
    minimum = settings.load(WithdrawalRules).minimum_fen
    if amount_fen < minimum:
        raise WithdrawalBelowMinimum(minimum=yuan(minimum))
    promoter = promoters.get_promoter(member.id)
    if promoter is not None and promoter.frozen_at is not None:
        raise PromoterFrozen
    debt = ledger.stored_balance(member.id, AccountName.DEBT)
    if debt:
        raise WithdrawalBlockedByDebt(debt=yuan(debt))
    available = ledger.stored_balance(member.id, AccountName.AVAILABLE)
    if amount_fen > available:
        raise NotEnoughAvailable(available=yuan(available))
    if amount_fen >= REAL_NAME_FROM_FEN and not (real_name or "").strip():
        raise RealNameMissing


def _locked(withdrawal_id: UUID) -> tuple[Withdrawal, Transfer]:
    """Lock the transfer, then the books, then the withdrawal: the order in which a callback comes."""
    withdrawal = session().get(Withdrawal, withdrawal_id)
    if withdrawal is None:
        raise NotFound
    transfer = session().get_one(Transfer, withdrawal.transfer_id, with_for_update=True, populate_existing=True)
    ledger.lock_books()
    session().refresh(withdrawal, with_for_update=True)
    return withdrawal, transfer


def _by_transfer(transfer: Transfer) -> Withdrawal | None:
    ledger.lock_books()
    return session().get(Withdrawal, transfer.reference_id, with_for_update=True, populate_existing=True)


def _move(withdrawal: Withdrawal, kind: PostingKind, *, debit: AccountName, credit: AccountName) -> None:
    ledger.post([Entry(kind, withdrawal.id, withdrawal.member_id, debit, credit, withdrawal.amount_fen)])


def _return(withdrawal: Withdrawal, *, reason: str) -> None:
    withdrawal.reason, withdrawal.finished_at = reason, brand_now()
    returned = Release(withdrawal.id, withdrawal.member_id, withdrawal.amount_fen)
    ledger.release_to_available(PostingKind.RETURN, [returned], out_of=AccountName.IN_TRANSFER)
