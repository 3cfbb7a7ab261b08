"""Brands for the tests of accounts and doors, each as new for every test."""

from __future__ import annotations

import psycopg
import pytest
from flask import Flask

from fanyong.tenancy.migrate import driver_dsn
from tests.conftest import Brand
from tests.tenancy.parts import renew, sign_up_two


@pytest.fixture(scope="session")
def kept_pair(app: Flask) -> tuple[Brand, Brand]:
    """Two brands for all tests of this folder, whose owners have the same id, as after one was copied."""
    one, two = sign_up_two(app)
    dsn = driver_dsn(app.extensions["settings"].database_url)
    with psycopg.connect(dsn) as connection:
        connection.execute(
            f"UPDATE {two.tenant.schema}.admin_user SET id = (SELECT id FROM {one.tenant.schema}.admin_user)".encode()
        )
    return one, two


@pytest.fixture
def brand(app: Flask, kept_pair: tuple[Brand, Brand]) -> Brand:
    """A brand as new."""
    return renew(app, kept_pair[0])


@pytest.fixture
def other_brand(app: Flask, kept_pair: tuple[Brand, Brand]) -> Brand:
    """Another brand as new."""
    return renew(app, kept_pair[1])
