"""Transfers into the promoter's WeChat wallet, through the brand's own merchant account."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from fanyong.hooks import PayoutChannelPlugin, PluginKind, hookimpl
from fanyong.values import PayoutTraits

#: WeChat Pay transfers 0.10 CNY at least (its merchant guide of 2026).
MINIMUM_FEN = 10


class Settings(BaseModel):
    """What the promoter reads in the wallet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    remark: str = Field(
        default="推广佣金",
        min_length=1,
        max_length=20,
        title=_l("Remark"),
        description=_l("The promoter reads it in the wallet, behind the month."),
    )


class PayoutWechat:
    """The payout channel `payout_wechat`."""

    name = "payout_wechat"
    version = "1.0"
    requires = "fanyong>=0.1,<1"
    kind: PluginKind = "payout_channel"
    title = _l("WeChat wallet")
    summary = _l("WeChat Pay moves the money; the promoter confirms it within 24 hours.")
    settings_model = Settings

    @hookimpl
    def payout_traits(self, settings: Settings) -> PayoutTraits:
        """Return how WeChat Pay delivers."""
        return PayoutTraits("provider", minimum_fen=MINIMUM_FEN, remark=settings.remark)


plugin: PayoutChannelPlugin[Settings] = PayoutWechat()
