"""Plugins that can be bent, in registries of their own and next to the built-in ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from pydantic import BaseModel, ConfigDict

from fanyong.hooks import hookimpl
from fanyong.pluginhost.registry import PluginRegistry, registry
from fanyong.values import Tier
from tests.conftest import Brand
from tests.tenancy.parts import renew, sign_up_two


class Open(BaseModel):
    """Settings that any plugin may have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = 1


class Loose(BaseModel):
    """Settings that swallow what they do not know."""


class Plan:
    """A commission plan that can be bent by its attributes."""

    name = "a_plan"
    version = "1.0"
    requires = "fanyong>=0.1,<1"
    kind = "commission_plan"
    title = summary = "a plan"
    settings_model = Open

    def __init__(self, **changes: Any) -> None:
        for attribute, value in changes.items():
            setattr(self, attribute, value)

    @hookimpl
    def plan_levels(self, settings: Open) -> int:
        return 1

    @hookimpl
    def propose_awards(self, settings: Open, facts: Any) -> list[Any]:
        return []


class Tiers(Plan):
    """A tier structure of the same kind."""

    name = "a_structure"
    kind = "tier_structure"
    plan_levels = propose_awards = None  # type: ignore[assignment]

    @hookimpl
    def tiers(self, settings: Open) -> list[Tier]:
        return [Tier("one", "One", 0)]

    @hookimpl
    def decide_tier(self, settings: Open, facts: Any) -> str | None:
        return "one"


@pytest.fixture
def fresh() -> PluginRegistry:
    """A registry without plugins."""
    return PluginRegistry()


@pytest.fixture
def install(app: Flask) -> Iterator[Callable[[Any], Any]]:
    """Put a plugin next to the built-in ones until the test ends."""
    names: list[str] = []

    def add(plugin: Any) -> Any:
        registry.register(plugin)
        names.append(plugin.name)
        return plugin

    yield add
    for name in names:
        if any(plugin.name == name for plugin in registry.plugins()):
            registry.unregister(name)


@pytest.fixture(scope="session")
def kept_pair(app: Flask) -> tuple[Brand, Brand]:
    """Two brands for all tests of this folder."""
    return sign_up_two(app)


@pytest.fixture
def brand(app: Flask, kept_pair: tuple[Brand, Brand]) -> Brand:
    """A brand as new."""
    return renew(app, kept_pair[0])


@pytest.fixture
def other_brand(app: Flask, kept_pair: tuple[Brand, Brand]) -> Brand:
    """Another brand as new."""
    return renew(app, kept_pair[1])
