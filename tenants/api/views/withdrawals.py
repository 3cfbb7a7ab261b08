"""Withdrawals of a promoter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fanyong.errors import IdempotencyMismatch, NotFound
from fanyong.ids import parse_id
from fanyong.payments.models import Transfer
from fanyong.payments.provider import active_account
from tenants.api import service
from tenants.api.auth import current_member
from tenants.api.blueprint import bp
from tenants.api.operations import operation
from tenants.api.schemas import withdrawals as schemas
from tenants.api.schemas.common import IdempotencyHeaders
from tenants.api.texts import mark as _
from tenants.payouts import service as payouts
from tenants.payouts.models import Withdrawal


@bp.post("/withdrawals")
@operation(
    tag="withdrawals",
    summary=_("Withdraw money"),
    description=_(
        "Sets the amount aside until the shop has approved it and WeChat Pay has moved it. The same Idempotency-Key "
        "again returns the same withdrawal with status 200; with another amount it is refused."
    ),
    answers={201: schemas.Withdrawal, 200: schemas.Withdrawal},
    raises=(
        payouts.WithdrawalBelowMinimum,
        payouts.NotEnoughAvailable,
        payouts.RealNameMissing,
        payouts.WithdrawalBlockedByDebt,
        payouts.PromoterFrozen,
        IdempotencyMismatch,
    ),
)
def request_withdrawal(json: schemas.RequestWithdrawal, headers: IdempotencyHeaders) -> tuple[schemas.Withdrawal, int]:
    """Ask for a withdrawal."""
    withdrawal, is_new = service.request_withdrawal(
        current_member(),
        amount_fen=json.amount_fen,
        real_name=json.real_name,
        idempotency_key=headers.key,
    )
    view = schemas.Withdrawal(**_values(*payouts.get_withdrawal(withdrawal.id)))
    return view, 201 if is_new else 200


@bp.get("/withdrawals")
@operation(tag="withdrawals", summary=_("My withdrawals"), answers={200: schemas.WithdrawalPage})
def list_withdrawals(query: schemas.WithdrawalQuery) -> schemas.WithdrawalPage:
    """Return a page of the member's withdrawals."""
    mine = payouts.withdrawals(state=query.state or "", member_id=current_member().id)
    return schemas.WithdrawalPage.of(mine, number=query.page, views=_views)


@bp.get("/withdrawals/<withdrawal_id>")
@operation(
    tag="withdrawals",
    summary=_("One of my withdrawals"),
    description=_(
        "While the transfer waits for the member, confirm holds the arguments of wx.requestMerchantTransfer."
    ),
    answers={200: schemas.WithdrawalToConfirm},
    raises=(NotFound,),
)
def get_withdrawal(withdrawal_id: str) -> schemas.WithdrawalToConfirm:
    """Return a withdrawal, with what the member needs to take the money."""
    parsed = parse_id(withdrawal_id)
    if parsed is None:
        raise NotFound
    withdrawal, transfer = payouts.get_withdrawal(parsed)
    if withdrawal.member_id != current_member().id:
        raise NotFound
    return schemas.WithdrawalToConfirm(**_values(withdrawal, transfer), confirm=_confirmation(transfer))


def _confirmation(transfer: Transfer) -> schemas.TransferConfirmation | None:
    account = active_account()
    if transfer.state != "requires_action" or not transfer.package_info or account is None:
        return None
    return schemas.TransferConfirmation(mchId=account.mchid, appId=account.appid, package=transfer.package_info)


def _views(rows: Sequence[Any]) -> Iterator[schemas.Withdrawal]:
    for withdrawal, transfer, _member in rows:
        yield schemas.Withdrawal(**_values(withdrawal, transfer))


def _values(withdrawal: Withdrawal, transfer: Transfer) -> dict[str, Any]:
    return {
        "id": withdrawal.id,
        "amount_fen": withdrawal.amount_fen,
        "state": withdrawal.state,
        "transfer_state": transfer.state,
        "transfer_number": transfer.out_bill_no,
        "requested_at": withdrawal.requested_at,
        "decided_at": withdrawal.decided_at,
        "finished_at": withdrawal.finished_at,
        "reason": withdrawal.reason,
    }
