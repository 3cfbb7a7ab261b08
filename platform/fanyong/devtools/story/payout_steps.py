"""Steps about money that leaves the books: withdrawals, batches for a bank, tax, channels, debts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from fanyong.devtools.story.parts import AboveZero, BaseStep, Chosen, Key, MemberStep, Part, Text

_Name = Annotated[str, Field(min_length=1, max_length=32)]


class Withdraw(MemberStep):
    """A promoter asks for money, through one of the brand's channels or its first one."""

    do: Literal["withdraw"]
    amount_fen: AboveZero
    name: Key | None = Field(default=None, validation_alias="as")
    real_name: _Name | None = None
    channel: Key | None = None


class WithdrawalStep(BaseStep):
    """A step with a withdrawal of an earlier step."""

    withdrawal: Key


class Approve(WithdrawalStep):
    """The brand lets a withdrawal be paid."""

    do: Literal["approve"]


class Reject(WithdrawalStep):
    """The brand refuses a withdrawal."""

    do: Literal["reject"]
    reason: Text = "rejected"


class Review(WithdrawalStep):
    """The brand has looked into a withdrawal that was held, and lets it go on to its approval."""

    do: Literal["review"]
    reason: Text = "looked into"


class ConfirmTransfer(WithdrawalStep):
    """The promoter confirms the transfer in WeChat; the money is in the wallet."""

    do: Literal["confirm_transfer"]


class ExpireTransfer(WithdrawalStep):
    """Nobody confirmed the transfer; WeChat closes it."""

    do: Literal["expire_transfer"]


class MarkPaid(WithdrawalStep):
    """The brand has paid a withdrawal by hand, and enters the proof."""

    do: Literal["mark_paid"]
    proof: Text = "receipt"


class MarkFailed(WithdrawalStep):
    """A payout by hand or by file did not arrive."""

    do: Literal["mark_failed"]
    reason: Text = "did not arrive"


class MarkReturned(WithdrawalStep):
    """A payout by hand or by file that was paid came back from the payee's bank."""

    do: Literal["mark_returned"]
    reason: Text = "came back"
    proof: Text = "receipt"


class SetPayoutChannel(BaseStep, Chosen):
    """The brand opens a payout channel, changes it, or switches it off."""

    do: Literal["set_payout_channel"]
    active: bool = True


class SavePayee(MemberStep):
    """A promoter says where the money should go."""

    do: Literal["save_payee"]
    channel: Key
    fields: dict[str, str]


class PayoutBatch(BaseStep):
    """The brand locks what is approved into a batch, and fetches the file for its bank."""

    do: Literal["payout_batch"]
    channel: Key = "payout_bank"
    name: Key | None = Field(default=None, validation_alias="as")


class BankResult(Part):
    """What the bank did with one payout of the file."""

    withdrawal: Key
    outcome: Literal["paid", "failed", "pending", "returned"] = "paid"
    reason: Annotated[str, Field(max_length=200)] = ""
    #: Another amount than the file ordered: a lie that must change nothing.
    amount_fen: AboveZero | None = None


class BankResults(BaseStep):
    """The bank's result file comes back and is read."""

    do: Literal["bank_results"]
    batch: Key
    results: Annotated[list[BankResult], Field(min_length=1, max_length=1_000)]


class SetTaxPolicy(BaseStep):
    """The brand adds a version of its tax policy, in force from this month of its clock or a later one."""

    do: Literal["set_tax_policy"]
    method: Literal["none", "labour_monthly", "cumulative"]
    in_months: Annotated[int, Field(ge=0, le=24)] = 0
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class SetWithdrawalRules(BaseStep):
    """The brand changes what withdrawals have to keep to; fields as on the page, amounts in fen."""

    do: Literal["set_withdrawal_rules"]
    settings: dict[str, int | str]


class WriteOff(MemberStep):
    """The brand gives a promoter's debt up, or a part of it."""

    do: Literal["write_off"]
    amount_fen: AboveZero
    reason: Text = "written off"


AnyPayoutStep = (
    Withdraw
    | Approve
    | Reject
    | Review
    | ConfirmTransfer
    | ExpireTransfer
    | MarkPaid
    | MarkFailed
    | MarkReturned
    | SetPayoutChannel
    | SavePayee
    | PayoutBatch
    | BankResults
    | SetTaxPolicy
    | SetWithdrawalRules
    | WriteOff
)
