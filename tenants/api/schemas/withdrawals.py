"""Withdrawals."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tenants.api.schemas.common import Answer, Body, Fen, Id, Page, PageQuery, Text, Time
from tenants.api.texts import mark as _

WithdrawalState = Literal["requested", "approved", "paid", "rejected", "failed"]


class RequestWithdrawal(Body):
    """A wish to have money in the wallet."""

    amount_fen: int = Field(examples=[5000])
    real_name: Annotated[Text, Field(max_length=64)] | None = Field(
        default=None,
        examples=[None],
        description=_("Needed from 2,000 CNY on; stored encrypted, for WeChat Pay alone."),
    )


class TransferConfirmation(Answer):
    """The arguments of wx.requestMerchantTransfer, with which the member takes the money."""

    mchId: str = Field(examples=["1900000001"])  # noqa: N815
    appId: str = Field(examples=["wx0123456789abcdef"])  # noqa: N815
    package: str = Field(examples=["ABBQO+oYAAABAAAAAABlPk"])


class Withdrawal(Answer):
    """A withdrawal."""

    id: Id
    amount_fen: Fen = Field(examples=[5000])
    state: WithdrawalState = Field(
        examples=["approved"],
        description=_("requested → approved → paid; or rejected by the shop; or failed, and the money is back."),
    )
    transfer_state: str = Field(
        examples=["requires_action"], description=_("requires_action: it waits for the member to take it.")
    )
    transfer_number: str = Field(
        examples=["019a9f5e7c1b7d529d1e2f6c1a0b7e11"],
        description=_("The merchant's number, as the WeChat receipt shows it."),
    )
    requested_at: Time
    decided_at: Time | None
    finished_at: Time | None = Field(examples=[None])
    reason: str | None = Field(examples=[None], description=_("Why it was rejected or failed."))


class WithdrawalToConfirm(Withdrawal):
    """A withdrawal, with what is needed to take the money while it waits for that."""

    confirm: TransferConfirmation | None


class WithdrawalQuery(PageQuery):
    """Which withdrawals."""

    state: WithdrawalState | None = Field(default=None, description=_("Only withdrawals in this state."))


class WithdrawalPage(Page[Withdrawal]):
    """One's own withdrawals, newest first."""
