"""Payouts that somebody makes by hand: the core books them when a proof is given."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from fanyong.hooks import PayoutChannelPlugin, PluginKind, hookimpl
from fanyong.values import PayoutTraits

#: No control characters, and nothing that a spreadsheet takes for a formula.
PLAIN = r"^[^\x00-\x1f=+@\-][^\x00-\x1f]*$"


class Settings(BaseModel):
    """Nothing to choose but the least amount."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum_fen: int = Field(
        default=100, ge=1, le=100_000_000, title=_l("Least payout"), json_schema_extra={"unit": "fen"}
    )


class Payee(BaseModel):
    """Who gets the money, and where."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=64, pattern=PLAIN, title=_l("Real name"))
    account: str = Field(
        min_length=1,
        max_length=128,
        pattern=PLAIN,
        title=_l("Account"),
        description=_l("Where the shop can pay you, for example an Alipay account."),
    )


class PayoutOffline:
    """The payout channel `payout_offline`."""

    name = "payout_offline"
    version = "1.0"
    requires = "fanyong>=0.1,<1"
    kind: PluginKind = "payout_channel"
    title = _l("By hand")
    summary = _l("Somebody of the brand pays and enters the number of the proof.")
    settings_model = Settings

    @hookimpl
    def payout_traits(self, settings: Settings) -> PayoutTraits:
        """Return how a payout by hand is delivered."""
        return PayoutTraits("manual", minimum_fen=settings.minimum_fen, account_field="account", name_field="name")

    @hookimpl
    def payee_model(self, settings: Settings) -> type[BaseModel]:
        """Return what a payee has to tell."""
        return Payee


plugin: PayoutChannelPlugin[Settings] = PayoutOffline()
