"""What the tests of statements share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import Brand
from tests.console.parts import Browser, Busy, make_busy
from tests.money.parts import Till, open_till


@pytest.fixture
def till(app: Flask, brand: Brand) -> Till:
    """A fresh brand's till."""
    return open_till(app, brand.tenant)


@pytest.fixture
def busy(till: Till) -> Busy:
    """A brand in which everything has happened once."""
    return make_busy(till)


@pytest.fixture
def owner(brand: Brand, login_as: Callable[..., FlaskClient]) -> Browser:
    """The brand's owner, logged in, reading English."""
    browser = Browser(login_as(brand))
    browser.client.get("/console/?lang=en")
    return browser
