"""What the tests of orders share: a till whose brand begins anew for each of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from fanyong.cli import build_schema
from fanyong.ids import new_token
from fanyong.signup.service import sign_up
from fanyong.tenancy.context import Tenant
from tests.money.parts import Till, open_till, wipe


@pytest.fixture(scope="session")
def orders_tenant(app: Flask) -> Tenant:
    """A brand that many tests use one after the other, each finding it empty."""
    slug = f"orders{new_token(8).lower()}"
    with app.app_context():
        return sign_up(
            name="乔木", slug=slug, email=f"owner@{slug}.example", password="correct horse battery", build=build_schema
        )[0]


@pytest.fixture
def renewed(app: Flask, orders_tenant: Tenant) -> Callable[[], Till]:
    """Let the brand begin anew, also in the middle of a test."""

    def begin() -> Till:
        wipe(app, orders_tenant)
        return open_till(app, orders_tenant)

    return begin


@pytest.fixture
def till(renewed: Callable[[], Till]) -> Till:
    """The till of a brand that has just begun."""
    return renewed()
