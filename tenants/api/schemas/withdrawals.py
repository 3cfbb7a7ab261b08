"""Withdrawals: what they cost, where they go, how far they have come."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tenants.api.schemas.common import Answer, Body, Fen, Id, IdempotencyHeaders, Page, PageQuery, Query, Text, Time
from tenants.api.texts import mark as _

WithdrawalState = Literal["requested", "held", "approved", "paid", "rejected", "failed", "returned"]
MAX_DEVICE_ID = 128
Channel = Annotated[Text, Field(max_length=64)]
Name = Annotated[Text, Field(max_length=64)]


def _device(value: object) -> str | None:
    """Keep what can be seen of a device's id, and no more than fits; nonsense is no reason to refuse a withdrawal."""
    seen = "".join(c for c in str(value or "") if c.isascii() and c.isprintable()).strip()
    return seen[:MAX_DEVICE_ID] or None


class WithdrawalHeaders(IdempotencyHeaders, title=IdempotencyHeaders.__name__):
    """The headers of a request for a withdrawal."""

    device_id: Annotated[str | None, BeforeValidator(_device)] = Field(
        default=None,
        alias="X-Device-Id",
        examples=["6f1c2a9e"],
        description=_("What tells the member's device apart; kept with the withdrawal."),
    )


class RequestWithdrawal(Body):
    """A wish to have money."""

    amount_fen: int = Field(examples=[5000], description=_("Gross; tax and fee are taken from it."))
    channel: Channel | None = Field(
        default=None, examples=[None], description=_("One of the payout channels; the shop's first one if left out.")
    )
    real_name: Name | None = Field(
        default=None,
        examples=[None],
        description=_("Needed from real_name_from_fen on, unless the payee has it; stored encrypted."),
    )


class PreviewQuery(Query):
    """What a withdrawal would be of."""

    amount_fen: int = Field(ge=1, le=10**12, examples=[5000])
    channel: Channel | None = Field(default=None, examples=["payout_wechat"])
    real_name: Name | None = Field(default=None, examples=["张三"])


class WithdrawalPreview(Answer):
    """What a withdrawal would come to: amount_fen = net_fen + tax_fen + fee_fen."""

    amount_fen: Fen = Field(examples=[500000])
    tax_fen: Fen = Field(examples=[80000], description=_("Withheld now; earlier withdrawals of the month count."))
    fee_fen: Fen = Field(examples=[0])
    net_fen: Fen = Field(examples=[420000], description=_("What arrives."))
    period_gross_fen: Fen = Field(examples=[500000], description=_("What is taxed together, with this withdrawal."))
    period_tax_fen: Fen = Field(examples=[80000])
    withheld_before_fen: Fen = Field(examples=[0])
    channel: str = Field(examples=["payout_wechat"])
    problem: str | None = Field(examples=[None], description=_("Why it cannot be requested now; null when it can."))


class PayeeField(Answer):
    """One thing a payee has to tell."""

    name: str = Field(examples=["card_number"])
    label: str = Field(examples=["Card number"])
    help: str = Field(examples=[""])
    required: bool
    max_length: int | None = Field(examples=[25])


class PayoutChannel(Answer):
    """A way the shop pays out."""

    channel: str = Field(examples=["payout_bank"])
    title: str = Field(examples=["Bank card"])
    summary: str = Field(examples=["Batches go to your bank as a file; its result file books them."])
    minimum_fen: Fen = Field(examples=[100])
    fields: list[PayeeField] = Field(description=_("What the member tells first; nothing for the wallet."))
    payee: str | None = Field(examples=["**** 2230 张*"], description=_("The member's account there, masked."))


class PayoutChannelList(Answer):
    """The ways the shop pays out, the usual one first."""

    items: list[PayoutChannel]


class SavePayee(Body):
    """Where the member wants money sent."""

    fields: dict[Text, Annotated[Text, Field(max_length=200)]] = Field(
        max_length=20, examples=[{"name": "张三", "card_number": "6222020200112230", "bank": "工商银行"}]
    )


class TransferConfirmation(Answer):
    """The arguments of wx.requestMerchantTransfer, with which the member takes the money."""

    mchId: str = Field(examples=["1900000001"])  # noqa: N815
    appId: str = Field(examples=["wx0123456789abcdef"])  # noqa: N815
    package: str = Field(examples=["ABBQO+oYAAABAAAAAABlPk"])


class Withdrawal(Answer):
    """A withdrawal."""

    id: Id
    amount_fen: Fen = Field(examples=[5000], description=_("Gross: amount_fen = net_fen + tax_fen + fee_fen."))
    tax_fen: Fen = Field(examples=[0])
    fee_fen: Fen = Field(examples=[0])
    net_fen: Fen = Field(examples=[5000])
    state: WithdrawalState = Field(
        examples=["approved"],
        description=_(
            "requested → approved → paid; held while the shop looks into it; or rejected by the shop; or failed, and "
            "the money is back; or returned: paid, and sent back later by the payee's bank."
        ),
    )
    channel: str = Field(examples=["payout_wechat"])
    payee: str | None = Field(examples=[None], description=_("The account it goes to, masked; null for the wallet."))
    transfer_state: str | None = Field(
        examples=["requires_action"],
        description=_("requires_action: it waits for the member to take it; null where WeChat Pay does not pay."),
    )
    transfer_number: str = Field(
        examples=["019a9f5e7c1b7d529d1e2f6c1a0b7e11"],
        description=_("The merchant's number, as the receipt shows it."),
    )
    requested_at: Time
    decided_at: Time | None
    finished_at: Time | None = Field(examples=[None])
    returned_at: Time | None = Field(examples=[None], description=_("When it was sent back after it had been paid."))
    reason: str | None = Field(examples=[None], description=_("Why it was rejected, failed or came back."))


class WithdrawalToConfirm(Withdrawal):
    """A withdrawal, with what is needed to take the money while it waits for that."""

    confirm: TransferConfirmation | None
    tax_given_back_fen: Fen = Field(
        examples=[0],
        description=_("Of tax_fen, what went back to the balance because another withdrawal did not arrive."),
    )
    tax_details: dict[str, Any] | None = Field(
        examples=[{"tax_fen": 80000, "period_gross_fen": 500000, "period_tax_fen": 80000, "withheld_before_fen": 0}],
        description=_("How the tax came about; null where none is withheld."),
    )


class WithdrawalQuery(PageQuery):
    """Which withdrawals."""

    state: WithdrawalState | None = Field(default=None, description=_("Only withdrawals in this state."))


class WithdrawalPage(Page[Withdrawal]):
    """One's own withdrawals, newest first."""
