"""The ways a brand pays out: plugins of the kind `payout_channel`, several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fanyong.hooks import Plugin, PluginKind
from fanyong.pluginhost.registry import PluginFailed, UnknownPlugin, checked_sequence, parse_settings, registry
from fanyong.tenancy import settings
from fanyong.values import PayoutFile, PayoutOrder, PayoutResult, PayoutTraits
from tenants.payouts.errors import LastChannel, UnknownChannel, UnreadableResults, UnwritableFile
from tenants.payouts.models import WECHAT

KIND: PluginKind = "payout_channel"


class ChannelChoice(BaseModel):
    """One channel of a brand; one that is not active takes no new withdrawals and finishes those it has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plugin: str
    active: bool = True
    settings: dict[str, Any] = Field(default_factory=dict)


class PayoutChannels(settings.SettingsGroup):
    """The channels of a brand, the one offered first first."""

    key: ClassVar[str] = "payout_channels"
    channels: list[ChannelChoice] = Field(default_factory=lambda: [ChannelChoice(plugin=WECHAT)])


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel with the brand's settings, ready to be asked."""

    plugin: Plugin
    settings: BaseModel
    traits: PayoutTraits
    active: bool = True

    @property
    def name(self) -> str:
        """The plugin's name, which withdrawals keep."""
        return self.plugin.name

    @property
    def payee_model(self) -> type[BaseModel] | None:
        """What a payee has to tell, None where nothing is needed; raises PluginFailed."""
        model = registry.call(self.name, "payee_model", settings=self.settings)
        if model is not None and not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise PluginFailed(plugin=self.name, hook="payee_model", error=TypeError("answered no model"))
        return model

    def export(self, orders: Sequence[PayoutOrder]) -> PayoutFile:
        """Return the file for a bank; raises UnwritableFile with the plugin's own words, or PluginFailed."""
        try:
            answer = registry.call(self.name, "export_payouts", settings=self.settings, orders=tuple(orders))
        except PluginFailed as failure:
            if isinstance(failure.error, ValueError):
                raise UnwritableFile(problem=failure.reason) from failure
            raise
        if not isinstance(answer, PayoutFile):
            raise PluginFailed(plugin=self.name, hook="export_payouts", error=TypeError("answered no file"))
        return answer

    def read_results(self, content: bytes) -> Sequence[PayoutResult]:
        """Return the rows of a result file; raises UnreadableResults with the plugin's own words, or PluginFailed."""
        try:
            answer = registry.call(self.name, "read_results", settings=self.settings, content=content)
        except PluginFailed as failure:
            if isinstance(failure.error, ValueError):
                raise UnreadableResults(problem=failure.reason) from failure
            raise
        return checked_sequence(self.name, "read_results", answer, of=PayoutResult)


def open_channel(name: str, values: dict[str, Any], *, active: bool = True) -> Channel:
    """Return a channel with given settings; raises UnknownChannel when its plugin is gone or refuses them."""
    try:
        plugin = registry.get(KIND, name)
        parsed = parse_settings(plugin, values)
        traits = registry.call(name, "payout_traits", settings=parsed)
    except (UnknownPlugin, ValidationError, PluginFailed) as error:
        raise UnknownChannel from error
    if not isinstance(traits, PayoutTraits):
        raise UnknownChannel
    return Channel(plugin, parsed, traits, active)


def channels(*, active_only: bool = True) -> list[Channel]:
    """Return the brand's channels in their order, without those whose plugin is gone."""
    found = []
    for choice in settings.load(PayoutChannels).channels:
        if choice.active or not active_only:
            try:
                found.append(open_channel(choice.plugin, choice.settings, active=choice.active))
            except UnknownChannel:
                continue
    return found


def get_channel(name: str = "") -> Channel:
    """Return an active channel, the first one for no name; raises UnknownChannel."""
    offered = channels()
    found = next((channel for channel in offered if name in ("", channel.name)), None)
    if found is None:
        raise UnknownChannel
    return found


def delivery_of(name: str) -> str:
    """Return how a channel delivers, also one that is switched off; raises UnknownChannel."""
    chosen = {choice.plugin: choice.settings for choice in settings.load(PayoutChannels).channels}
    return open_channel(name, chosen.get(name, {})).traits.delivery


def save_channel(name: str, values: dict[str, Any], *, active: bool, actor: str) -> PayoutChannels:
    """Add a channel, change it, or switch it on or off; raises UnknownChannel or LastChannel."""
    opened = open_channel(name, values)
    choice = ChannelChoice(plugin=name, active=active, settings=opened.settings.model_dump(mode="json"))
    present = settings.load(PayoutChannels).channels
    kept = [choice if one.plugin == name else one for one in present]
    if all(one.plugin != name for one in present):
        kept.append(choice)
    if not any(one.active for one in kept):
        raise LastChannel
    saved = PayoutChannels(channels=kept)
    settings.save(saved, actor=actor)
    return saved
