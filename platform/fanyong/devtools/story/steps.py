"""The steps of a story: one model each, told apart by `do`."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from fanyong.devtools.story import expect_steps as expecting
from fanyong.devtools.story import joining_steps as joining
from fanyong.devtools.story import payout_steps as payouts
from fanyong.devtools.story.parts import (
    AboveZero,
    BaseStep,
    Chosen,
    Fen,
    Key,
    MemberStep,
    Part,
    Pieces,
    SettlementRules,
    Text,
    WaiverTerms,
)


class Join(MemberStep):
    """A member logs in, through somebody's share or not."""

    do: Literal["join"]
    via: Key | None = None


class Share(MemberStep):
    """A member shares a product, or the whole shop."""

    do: Literal["share"]
    sku: Key | None = None
    name: Key | None = Field(default=None, validation_alias="as")


class Quantity(Part):
    """So many pieces of a product."""

    sku: Key
    quantity: Pieces = 1


class Order(MemberStep):
    """A member orders."""

    do: Literal["order"]
    name: Key | None = Field(default=None, validation_alias="as")
    lines: Annotated[list[Quantity], Field(min_length=1, max_length=100)]
    coupon_fen: Fen = 0
    freight_fen: Fen = 0
    region: Annotated[str, Field(max_length=6)] | None = None
    via_share: Key | None = None


class OrderStep(BaseStep):
    """A step with an order of an earlier step."""

    order: Key


class Pay(OrderStep):
    """The buyer pays; another amount or payer than the order's is a lie that must not work."""

    do: Literal["pay"]
    amount_fen: AboveZero | None = None
    payer: Key | None = None
    times: Annotated[int, Field(ge=1, le=100)] = 1

    @property
    def is_lie(self) -> bool:
        """Return whether WeChat will tell of something other than what was asked for."""
        return self.amount_fen is not None or self.payer is not None


class Ship(OrderStep):
    """The brand ships an order."""

    do: Literal["ship"]


class Receive(OrderStep):
    """The buyer confirms the receipt."""

    do: Literal["receive"]


class LineOfOrder(Part):
    """A line of an order, by its product or by its number."""

    sku: Key | None = None
    line: Annotated[int, Field(ge=0, le=99)] | None = None

    @model_validator(mode="after")
    def _names_one_line(self) -> LineOfOrder:
        if (self.sku is None) == (self.line is None):
            raise ValueError("name the line by its sku or by its number (line, from 0), one of the two")
        return self


class RefundLine(LineOfOrder):
    """What a refund covers of one line: pieces, an amount without goods, or both; neither means all that is left."""

    quantity: Pieces | None = None
    amount_fen: AboveZero | None = None


class RecordedLine(LineOfOrder):
    """How much of one line was given back already."""

    amount_fen: AboveZero


class Refund(OrderStep):
    """The brand refunds lines and freight; no lines at all means all that is left of every line."""

    do: Literal["refund"]
    lines: Annotated[list[RefundLine], Field(max_length=100)] | None = None
    freight_fen: Fen = 0
    reason: Text = "refund"


class RecordRefund(OrderStep):
    """The brand books a refund that happened already: at WeChat under a number, or outside of it."""

    do: Literal["record_refund"]
    lines: Annotated[list[RecordedLine], Field(max_length=100)] = Field(default_factory=list)
    freight_fen: Fen = 0
    number: Key | None = None
    reason: Text = "refund"


class Exchange(OrderStep):
    """The brand exchanges pieces of a line for another product; `as` names the order over a difference to pay."""

    do: Literal["exchange"]
    name: Key | None = Field(default=None, validation_alias="as")
    sku: Key
    quantity: Pieces = 1
    for_sku: Key
    for_quantity: Pieces = 1
    reason: Text = "exchange"


class HoldStep(BaseStep):
    """A step about the commissions of an order, or about all of a promoter's."""

    order: Key | None = None
    member: Key | None = None
    reason: Text = "checked"

    @model_validator(mode="after")
    def _names_one_subject(self) -> HoldStep:
        if (self.order is None) == (self.member is None):
            raise ValueError("name an order or a member, one of the two")
        return self


class Hold(HoldStep):
    """The brand keeps commissions from being released."""

    do: Literal["hold"]


class LetGo(HoldStep):
    """The brand lets held commissions go."""

    do: Literal["let_go"]


class ReleaseEarly(OrderStep):
    """The brand makes the commissions of a received order due now."""

    do: Literal["release_early"]
    reason: Text = "trusted"


class Advance(BaseStep):
    """Time passes for one brand."""

    do: Literal["advance"]
    days: Annotated[int, Field(ge=0, le=3_650)] = 0
    hours: Annotated[int, Field(ge=0, le=87_600)] = 0
    minutes: Annotated[int, Field(ge=0, le=5_256_000)] = 0
    seconds: Annotated[int, Field(ge=0, le=315_360_000)] = 0

    @property
    def total_seconds(self) -> int:
        """Return the whole span in seconds."""
        return ((self.days * 24 + self.hours) * 60 + self.minutes) * 60 + self.seconds

    @model_validator(mode="after")
    def _moves(self) -> Advance:
        if self.total_seconds == 0:
            raise ValueError("say how far: days, hours, minutes or seconds above zero")
        return self


class NextMonth(BaseStep):
    """Time passes for one brand, to noon in Beijing of a day of its next month."""

    do: Literal["next_month"]
    day: Annotated[int, Field(ge=1, le=28)] = 1


class CloseMonth(BaseStep):
    """The brand posts the rewards of a month that is over: of the oldest one that waits for it, if none is named."""

    do: Literal["close_month"]
    month: Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")] | None = None


class Freeze(MemberStep):
    """The brand freezes a promoter."""

    do: Literal["freeze"]
    reason: Text = "frozen"


class Unfreeze(MemberStep):
    """The brand lets a frozen promoter go on."""

    do: Literal["unfreeze"]


class AcceptNotice(BaseStep):
    """The brand accepts the notice about two levels, or the one about purchases before somebody may earn."""

    do: Literal["accept_notice"]
    kind: Literal["levels", "entry"] = "levels"


class Waiver(BaseStep, WaiverTerms):
    """The platform allows a brand more for some time: levels, team rewards, or purchases before somebody may earn."""

    do: Literal["waiver"]


class SetTiers(BaseStep, Chosen):
    """The brand chooses its tier structure, now or so many hours ahead."""

    do: Literal["set_tiers"]
    in_hours: Annotated[int, Field(ge=1, le=8_760)] | None = None


class SetPlan(BaseStep, Chosen):
    """The brand chooses its commission plan, now or so many hours ahead."""

    do: Literal["set_plan"]
    in_hours: Annotated[int, Field(ge=1, le=8_760)] | None = None


class SetSettlement(BaseStep, SettlementRules):
    """The brand chooses when commissions of orders that are paid from now on are released."""

    do: Literal["set_settlement"]


AnyStep = (
    Join
    | Share
    | Order
    | Pay
    | Ship
    | Receive
    | Refund
    | RecordRefund
    | Exchange
    | Hold
    | LetGo
    | ReleaseEarly
    | Advance
    | NextMonth
    | CloseMonth
    | payouts.AnyPayoutStep
    | Freeze
    | Unfreeze
    | AcceptNotice
    | Waiver
    | SetTiers
    | SetPlan
    | SetSettlement
    | joining.AnyJoiningStep
    | expecting.Expect
)
Step = Annotated[AnyStep, Field(discriminator="do")]

#: The steps there are, by the word that `do` names them with.
STEP_MODELS: dict[str, type[BaseStep]] = {
    get_args(model.model_fields["do"].annotation)[0]: model for model in get_args(AnyStep)
}
