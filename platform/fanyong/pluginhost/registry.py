"""Finding plugins and calling the one a brand has chosen; a plugin's error never leaves here raw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from typing import Any

import pluggy
from flask_babel import lazy_gettext as _l
from packaging.requirements import InvalidRequirement, Requirement
from pydantic import BaseModel

from fanyong import __version__
from fanyong.errors import FanyongError
from fanyong.hooks import KINDS, PROJECT, HookSpecs, Plugin, PluginKind

GROUP = "fanyong.plugins"
#: Without these a plugin of the kind has no answer to what it will be asked; `check_settings` is a courtesy.
REQUIRED_HOOKS: dict[PluginKind, frozenset[str]] = {
    "tier_structure": frozenset({"tiers", "decide_tier"}),
    "commission_plan": frozenset({"plan_levels", "propose_awards"}),
    "payout_channel": frozenset({"payout_traits"}),
}


class UnknownPlugin(FanyongError):
    code = "unknown_plugin"
    status = 422
    message = _l("There is no plugin “%(name)s” here.")


class BadPlugin(RuntimeError):
    """A plugin that cannot be loaded: wrong declaration, wrong version, hooks of the wrong shape."""


class PluginFailed(RuntimeError):
    """A plugin raised, or answered with something of the wrong kind, while it was asked."""

    def __init__(self, *, plugin: str, hook: str, error: BaseException) -> None:
        self.plugin, self.hook, self.error = plugin, hook, error
        # PostgreSQL stores no zero bytes, and the failure has to be stored whatever the plugin said.
        self.reason = str(error).replace("\0", " ")
        super().__init__(f"plugin {plugin} failed in {hook}: {type(error).__name__}: {self.reason}")


class PluginRegistry:
    """The plugins this deployment has, in the order of their names."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(HookSpecs)
        self._callers: dict[tuple[str, str], Any] = {}

    def load_entry_points(self) -> None:
        """Register every installed plugin of the group `fanyong.plugins`."""
        for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
            self.register(point.load())

    def register(self, plugin: Plugin) -> None:
        """Check a plugin's declaration and add it; raises BadPlugin."""
        self._check(plugin)
        try:
            self._manager.register(plugin, name=plugin.name)
            self._manager.check_pending()
            self._check_hooks(plugin)
        except ValueError as error:
            raise BadPlugin(f"{plugin.name}: {error}") from error
        except (pluggy.PluginValidationError, BadPlugin) as error:
            # The manager keeps what it has complained about.
            self._manager.unregister(name=plugin.name)
            raise BadPlugin(f"{plugin.name}: {error}") from error
        finally:
            self._callers.clear()

    def unregister(self, name: str) -> None:
        """Take a plugin out again."""
        self._manager.unregister(name=name)
        self._callers.clear()

    def plugins(self, kind: PluginKind | None = None) -> list[Plugin]:
        """Return the plugins of a kind, or all, by name."""
        found: list[Any] = [plugin for _, plugin in self._manager.list_name_plugin() if plugin is not None]
        return sorted((p for p in found if kind in (None, p.kind)), key=lambda p: p.name)

    def get(self, kind: PluginKind, name: str) -> Plugin:
        """Return one plugin; raises UnknownPlugin."""
        plugin = self._manager.get_plugin(name)
        if plugin is None or plugin.kind != kind:
            raise UnknownPlugin(name=name)
        found: Plugin = plugin
        return found

    def call(self, name: str, hook: str, **arguments: Any) -> Any:
        """Call one hook of one plugin; raises PluginFailed whatever the plugin raises."""
        try:
            return self._caller(name, hook)(**arguments)
        except Exception as error:
            raise PluginFailed(plugin=name, hook=hook, error=error) from error

    def _caller(self, name: str, hook: str) -> Any:
        key = (name, hook)
        if key not in self._callers:
            others = [plugin for other, plugin in self._manager.list_name_plugin() if other != name]
            self._callers[key] = self._manager.subset_hook_caller(hook, remove_plugins=others)
        return self._callers[key]

    def _check_hooks(self, plugin: Plugin) -> None:
        present = {caller.name for caller in self._manager.get_hookcallers(plugin) or ()}
        missing = REQUIRED_HOOKS[plugin.kind] - present
        if missing:
            raise BadPlugin(f"a {plugin.kind} needs the hooks {', '.join(sorted(missing))}")

    def _check(self, plugin: Plugin) -> None:
        name = getattr(plugin, "name", repr(plugin))
        if not isinstance(plugin, Plugin):
            raise BadPlugin(f"{name} lacks one of the attributes of fanyong.hooks.Plugin")
        if plugin.kind not in KINDS:
            raise BadPlugin(f"{name} is of an unknown kind {plugin.kind!r}")
        if not (isinstance(plugin.settings_model, type) and issubclass(plugin.settings_model, BaseModel)):
            raise BadPlugin(f"{name}: settings_model must be a pydantic model")
        if plugin.settings_model.model_config.get("extra") != "forbid":
            raise BadPlugin(f"{name}: its settings model must refuse unknown fields (extra='forbid')")
        try:
            requirement = Requirement(plugin.requires)
        except InvalidRequirement as error:
            raise BadPlugin(f"{name}: requires {plugin.requires!r} cannot be read") from error
        if requirement.name != PROJECT or not requirement.specifier.contains(__version__, prereleases=True):
            raise BadPlugin(f"{name} needs {plugin.requires}, this is fanyong {__version__}")


registry = PluginRegistry()


def parse_settings(plugin: Plugin, values: dict[str, Any]) -> BaseModel:
    """Return validated settings; raises pydantic.ValidationError."""
    return plugin.settings_model.model_validate(values)


def checked_sequence(name: str, hook: str, answer: object, *, of: type | tuple[type, ...]) -> Sequence[Any]:
    """Return `answer` when it is a sequence of values of the right type; raises PluginFailed otherwise."""
    if isinstance(answer, Iterable) and not isinstance(answer, (str, bytes)):
        try:
            values = list(answer)
        except Exception as error:
            # An answer that is made while it is read runs the plugin's code here.
            raise PluginFailed(plugin=name, hook=hook, error=error) from error
        if all(isinstance(value, of) for value in values):
            return values
    raise PluginFailed(plugin=name, hook=hook, error=TypeError(f"answered {type(answer).__name__}"))
