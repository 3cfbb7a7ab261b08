"""The postings of a withdrawal: held once, and then paid or given back exactly once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.database import session
from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, Balance, Posting, PostingKind
from tenants.ledger.service import Entry, Release
from tenants.payouts.models import DebtWriteOff, TaxCorrection, Withdrawal


def hold(withdrawal: Withdrawal) -> None:
    """Set the gross amount aside."""
    ledger.post(
        [
            Entry(
                PostingKind.HOLD,
                withdrawal.id,
                withdrawal.member_id,
                AccountName.AVAILABLE,
                AccountName.IN_TRANSFER,
                withdrawal.amount_fen,
            )
        ]
    )


def pay(withdrawal: Withdrawal) -> None:
    """Book that the net amount has reached the payee, and with it the tax withheld and the fee taken."""
    parts = (
        (PostingKind.PAID, AccountName.PAID, withdrawal.net_fen),
        (PostingKind.TAX, AccountName.TAX_WITHHELD, withdrawal.tax_fen),
        (PostingKind.FEE, AccountName.FEE_INCOME, withdrawal.fee_fen),
    )
    ledger.post(
        [
            Entry(kind, withdrawal.id, withdrawal.member_id, AccountName.IN_TRANSFER, account, fen)
            for kind, account, fen in parts
            if fen
        ]
    )


def give_back(withdrawal: Withdrawal) -> None:
    """Return the gross amount to the balance; a debt that came meanwhile is repaid out of it."""
    returned = Release(withdrawal.id, withdrawal.member_id, withdrawal.amount_fen)
    ledger.release_to_available(PostingKind.RETURN, [returned], out_of=AccountName.IN_TRANSFER)


def undo_payout(withdrawal: Withdrawal, *, corrected_fen: int) -> None:
    """Undo the payout of a withdrawal that came back later, and return its money as if it had never been paid.

    Of its tax `corrected_fen` went to the payee before and does not go again.
    """
    parts = (
        (AccountName.PAID, withdrawal.net_fen),
        (AccountName.TAX_WITHHELD, withdrawal.tax_fen - corrected_fen),
        (AccountName.FEE_INCOME, withdrawal.fee_fen),
    )
    ledger.post(
        [
            Entry(PostingKind.RETURN, withdrawal.id, withdrawal.member_id, account, AccountName.IN_TRANSFER, fen, part)
            for part, (account, fen) in enumerate(parts, 1)
            if fen
        ]
    )
    returned = Release(withdrawal.id, withdrawal.member_id, withdrawal.amount_fen - corrected_fen)
    ledger.release_to_available(PostingKind.RETURN, [returned], out_of=AccountName.IN_TRANSFER)


def give_tax_back(correction: TaxCorrection) -> None:
    """Let tax that was withheld too much become available; a debt is repaid out of it first."""
    given = Release(correction.id, correction.member_id, correction.amount_fen)
    ledger.release_to_available(PostingKind.TAX_BACK, [given], out_of=AccountName.TAX_WITHHELD)


def write_off(given_up: DebtWriteOff) -> None:
    """Lower a promoter's debt at the brand's expense."""
    ledger.post(
        [
            Entry(
                PostingKind.WRITE_OFF,
                given_up.id,
                given_up.member_id,
                AccountName.WRITE_OFF,
                AccountName.DEBT,
                given_up.amount_fen,
            )
        ]
    )


def tax_given_back() -> sa.ScalarSelect[int]:
    """Return how much of a withdrawal's tax went back to its payee, for a query over `Withdrawal`."""
    return (
        sa.select(sa.func.coalesce(sa.func.sum(TaxCorrection.amount_fen), 0))
        .where(TaxCorrection.withdrawal_id == Withdrawal.id)
        .correlate(Withdrawal)
        .scalar_subquery()
    )


def available_of(member_id: UUID) -> int:
    """Return what can be withdrawn; with the books locked the answer holds until the commit."""
    return ledger.stored_balance(member_id, AccountName.AVAILABLE)


def debt_of(member_id: UUID) -> int:
    """Return what a promoter owes; with the books locked the answer holds until the commit."""
    return ledger.stored_balance(member_id, AccountName.DEBT)


def debts() -> sa.Select[UUID, int]:
    """Return the query of who owes how much."""
    return sa.select(Balance.owner_id, Balance.balance_fen).where(
        Balance.account == AccountName.DEBT, Balance.balance_fen > 0
    )


def last_release_at(member_id: UUID) -> datetime | None:
    """Return when commissions of a promoter last became available."""
    return session().scalar(
        sa.select(Posting.posted_at)
        .where(Posting.owner_id == member_id, Posting.kind == PostingKind.RELEASE)
        .order_by(Posting.position.desc())
        .limit(1)
    )
