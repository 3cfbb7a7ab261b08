"""Logging in, and what a mini-program has to know of its brand."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tenants.api.schemas.common import Answer, Body, Fen, Id, Text, Time
from tenants.api.texts import mark as _

ShareOutcome = Literal["bound", "kept", "unknown"]
SHARE_OUTCOME = _(
    "What became of share_token: bound (the member now has this upline), kept (the member had one already, or the "
    "link is their own), unknown (there is no such link); null when none was sent."
)


class LogIn(Body):
    """A log-in."""

    code: Annotated[Text, Field(min_length=1, max_length=128)] = Field(
        examples=["0a1b2c3d4e5f"], description=_("What wx.login gave.")
    )
    nickname: Annotated[Text, Field(max_length=64)] | None = Field(default=None, examples=["茉莉"])
    share_token: Annotated[Text, Field(max_length=64)] | None = Field(
        default=None,
        examples=["7kQ2mXw9ZbT4cRdA"],
        description=_("The link through which the member came, if any."),
    )


class LoggedInMember(Answer):
    """The member who logged in."""

    id: Id
    nickname: str = Field(examples=["茉莉"])
    tier: str | None = Field(examples=["promoter"], description=_("null for a member who is no promoter."))
    is_new: bool


class Session(Answer):
    """A log-in that succeeded."""

    token: str = Field(
        examples=["ImRlYWRiZWVmIg.aRb3Xg.c2lnbmF0dXJl"],
        description=_("Send it as “Authorization: Bearer …”. It holds for 30 days, for this brand alone."),
    )
    member: LoggedInMember
    share: ShareOutcome | None = Field(examples=["bound"], description=SHARE_OUTCOME)


class WithdrawalLimits(Answer):
    """What a withdrawal has to keep to."""

    minimum_fen: Fen
    real_name_from_fen: Fen = Field(description=_("From here on WeChat Pay wants the payee's real name."))


class Brand(Answer):
    """The brand behind this host."""

    slug: str = Field(examples=["moli"])
    name: str = Field(examples=["茉莉茶铺"])
    mode: Literal["sandbox", "live"] = Field(description=_("A sandbox moves play money only."))
    appid: str | None = Field(examples=["wx0123456789abcdef"])
    currency: Literal["CNY"] = "CNY"
    now: Time = Field(description=_("The brand's clock; a sandbox may be ahead of real time."))
    window_days: int = Field(
        examples=[7], description=_("The after-sale window in days; `settlement` says what follows from it.")
    )
    settlement: str = Field(
        examples=["Commissions are available 7 days after the buyer has the goods."],
        description=_("When commissions can be withdrawn, in words and in the language of Accept-Language."),
    )
    withdrawal: WithdrawalLimits
