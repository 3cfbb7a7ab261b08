"""Withdrawals of a promoter, and where they go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fanyong.errors import IdempotencyMismatch, NotFound
from fanyong.ids import parse_id
from fanyong.payments.models import Transfer
from fanyong.payments.provider import active_account
from fanyong.tenancy.database import session
from tenants.api import service
from tenants.api.auth import current_member
from tenants.api.blueprint import bp
from tenants.api.operations import operation
from tenants.api.schemas import withdrawals as schemas
from tenants.api.texts import mark as _
from tenants.payouts import channels, corrections, errors, payees
from tenants.payouts import service as payouts
from tenants.payouts.channels import Channel
from tenants.payouts.models import PayeeAccount, Withdrawal

REFUSALS = (
    errors.WithdrawalBelowMinimum,
    errors.WithdrawalAboveMaximum,
    errors.PayeeDayAmount,
    errors.PayeeDayCount,
    errors.BrandDayAmount,
    errors.NotAPayoutDay,
    errors.NotEnoughAvailable,
    errors.NothingLeft,
    errors.AboveChannelMaximum,
    errors.RealNameMissing,
    errors.UnknownChannel,
    errors.PayeeMissing,
    errors.WithdrawalBlockedByDebt,
    errors.PromoterFrozen,
)


@bp.post("/withdrawals")
@operation(
    tag="withdrawals",
    summary=_("Withdraw money"),
    description=_(
        "Sets the amount aside until the shop has approved it and paid it. The same Idempotency-Key again returns "
        "the same withdrawal with status 200; with another amount or channel it is refused."
    ),
    answers={201: schemas.Withdrawal, 200: schemas.Withdrawal},
    raises=(*REFUSALS, IdempotencyMismatch),
)
def request_withdrawal(
    json: schemas.RequestWithdrawal, headers: schemas.WithdrawalHeaders
) -> tuple[schemas.Withdrawal, int]:
    """Ask for a withdrawal."""
    withdrawal, is_new = service.request_withdrawal(
        current_member(),
        amount_fen=json.amount_fen,
        real_name=json.real_name,
        channel=json.channel or "",
        device_id=headers.device_id,
        idempotency_key=headers.key,
    )
    (view,) = _views([(*payouts.get_withdrawal(withdrawal.id), None)])
    return view, 201 if is_new else 200


@bp.get("/withdrawal-preview")
@operation(
    tag="withdrawals",
    summary=_("What a withdrawal would come to"),
    description=_("Asks for nothing: tells tax, fee and what would arrive, and why it could not be, as things are."),
    answers={200: schemas.WithdrawalPreview},
    raises=(errors.UnknownChannel,),
)
def preview_withdrawal(query: schemas.PreviewQuery) -> schemas.WithdrawalPreview:
    """Return the parts of a withdrawal that is not requested yet."""
    channel, asked, problem = payouts.preview(
        current_member(), amount_fen=query.amount_fen, channel=query.channel or "", real_name=query.real_name
    )
    return schemas.WithdrawalPreview(
        amount_fen=asked.amount_fen,
        fee_fen=asked.fee_fen,
        net_fen=asked.net_fen,
        **asked.stored_tax(),
        channel=channel.name,
        problem=problem,
    )


@bp.get("/payout-channels")
@operation(
    tag="withdrawals",
    summary=_("Ways the shop pays out"),
    answers={200: schemas.PayoutChannelList},
)
def list_payout_channels() -> schemas.PayoutChannelList:
    """Return the channels with what they need to know of a payee."""
    return schemas.PayoutChannelList(items=[_channel_view(channel) for channel in channels.channels()])


@bp.post("/payout-channels/<channel>/payee")
@operation(
    tag="withdrawals",
    summary=_("Say where the money should go"),
    description=_("Stored encrypted and shown masked. Withdrawals that are under way keep the account they have."),
    answers={200: schemas.PayoutChannel},
    raises=(errors.UnknownChannel, errors.BadPayee),
)
def save_payee(channel: str, json: schemas.SavePayee) -> schemas.PayoutChannel:
    """Store the member's account for a channel."""
    chosen = channels.get_channel(channel)
    payees.save_payee(current_member(), chosen, json.fields)
    return _channel_view(chosen)


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
    (view,) = _views([(withdrawal, transfer, None)])
    return schemas.WithdrawalToConfirm(
        **view.model_dump(),
        confirm=_confirmation(transfer),
        tax_details=withdrawal.tax_details,
        tax_given_back_fen=corrections.corrected_of(withdrawal.id),
    )


def _confirmation(transfer: Transfer | None) -> schemas.TransferConfirmation | None:
    account = active_account()
    if transfer is None or transfer.state != "requires_action" or not transfer.package_info or account is None:
        return None
    return schemas.TransferConfirmation(mchId=account.mchid, appId=account.appid, package=transfer.package_info)


def _channel_view(channel: Channel) -> schemas.PayoutChannel:
    payee = payees.current_payee(current_member().id, channel.name)
    return schemas.PayoutChannel(
        channel=channel.name,
        title=str(channel.plugin.title),
        summary=str(channel.plugin.summary),
        minimum_fen=channel.traits.minimum_fen,
        fields=list(_fields(channel)),
        payee=payee.shown if payee else None,
    )


def _fields(channel: Channel) -> Iterator[schemas.PayeeField]:
    model = channel.payee_model
    for name, info in model.model_fields.items() if model else ():
        lengths = [part.max_length for part in info.metadata if hasattr(part, "max_length")]
        yield schemas.PayeeField(
            name=name,
            label=str(info.title or name),
            help=str(info.description or ""),
            required=info.is_required(),
            max_length=next(iter(lengths), None),
        )


def _views(rows: Sequence[Any]) -> Iterator[schemas.Withdrawal]:
    shown = _shown({withdrawal.payee_id for withdrawal, _transfer, _member in rows if withdrawal.payee_id})
    for withdrawal, transfer, _member in rows:
        yield _view(withdrawal, transfer, payee=shown.get(withdrawal.payee_id))


def _shown(payee_ids: set[UUID]) -> dict[UUID, str]:
    query = sa.select(PayeeAccount.id, PayeeAccount.shown).where(PayeeAccount.id.in_(payee_ids))
    return dict(session().execute(query).all()) if payee_ids else {}


def _view(withdrawal: Withdrawal, transfer: Transfer | None, *, payee: str | None) -> schemas.Withdrawal:
    return schemas.Withdrawal.model_validate(
        {
            **{name: getattr(withdrawal, name) for name in _SAME_NAMES},
            "payee": payee,
            "transfer_state": transfer.state if transfer else None,
            "transfer_number": withdrawal.payout_number,
        }
    )


_SAME_NAMES = tuple(name for name in schemas.Withdrawal.model_fields if hasattr(Withdrawal, name))
