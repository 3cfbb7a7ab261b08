"""Brands for the tests of the policy, each as new for every test."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.conftest import Brand
from tests.tenancy.parts import renew, sign_up_two


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
