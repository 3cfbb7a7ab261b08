"""What the tests of money share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from fanyong.cli import build_schema
from fanyong.ids import new_token
from fanyong.signup.service import sign_up
from fanyong.tenancy.context import Tenant
from fanyong.wechat.simulator.client import SimulatorClient
from tests.money.parts import Till, open_till, wipe

if TYPE_CHECKING:
    from tests.conftest import Brand


@pytest.fixture(scope="session")
def kept_tenant(app: Flask) -> Tenant:
    """A brand that many tests use one after the other, each finding it empty."""
    slug = f"till{new_token(8).lower()}"
    with app.app_context():
        return sign_up(
            name="乔木",
            slug=slug,
            email=f"owner@{slug}.example",
            password="correct horse battery",
            build=build_schema,
        )[0]


@pytest.fixture
def renewed(app: Flask, kept_tenant: Tenant, simulator: SimulatorClient) -> Callable[[], Till]:
    """Let the brand begin anew, in the middle of a test."""

    def begin() -> Till:
        wipe(app, kept_tenant)
        till = open_till(app, kept_tenant)
        simulator.set_callbacks(till.mchid, mode="normal")
        simulator.set_refunds(till.mchid, mode="at_once")
        simulator.set_clock(till.mchid, offset_seconds=0)
        return till

    return begin


@pytest.fixture
def till(renewed: Callable[[], Till]) -> Till:
    """The till of a brand that has just begun; only the simulator remembers what its merchant did before."""
    return renewed()


@pytest.fixture
def new_till(app: Flask, new_brand: Callable[..., Brand]) -> Callable[[], Till]:
    """Open the till of a brand of one's own."""
    return lambda: open_till(app, new_brand().tenant)
