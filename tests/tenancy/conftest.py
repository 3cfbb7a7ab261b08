"""Two brands that look the same from outside, and the owner's view of the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from fanyong.cli import build_schema
from fanyong.ids import new_id
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import TENANT_BIND, db, unit_of_work
from fanyong.tenancy.migrate import driver_dsn
from fanyong.tenancy.runtime import in_tenant
from tenants.members.models import Member
from tests.conftest import Brand, beside, set_up
from tests.tenancy.parts import sign_up_two

SAME_OPENID = "o-same-in-both"


@pytest.fixture
def dsn(app: Flask) -> str:
    """How the owner of all schemas connects."""
    return driver_dsn(app.extensions["settings"].database_url)


@pytest.fixture
def owner(dsn: str) -> Iterator[psycopg.Connection]:
    """A connection of the owner of all schemas."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def login_role(app: Flask) -> str:
    """The role that the tenant engine logs in with."""
    with app.app_context():
        name = db.engines[TENANT_BIND].url.username
    assert name is not None
    return name


@pytest.fixture(scope="session")
def twin_brands(app: Flask) -> tuple[Brand, Brand]:
    """Two brands for tests that only try to get across and leave no trace."""
    return sign_up_two(app)


@pytest.fixture(scope="session")
def twins(app: Flask, twin_brands: tuple[Brand, Brand]) -> tuple[Tenant, Tenant, UUID]:
    """The two with a member each, of the same id and openid; only the nicknames tell them apart."""
    member_id = new_id()
    for each in twin_brands:
        with app.app_context(), in_tenant(each.tenant), unit_of_work() as work:
            nickname = f"of {each.slug}"
            work.add(Member(id=member_id, openid=SAME_OPENID, nickname=nickname, joined_at=sa.func.now()))
    return twin_brands[0].tenant, twin_brands[1].tenant, member_id


@pytest.fixture
def bound(app: Flask) -> Callable[[Tenant], object]:
    """Return a context that works for a brand with a session of its own."""

    @contextmanager
    def enter(tenant: Tenant) -> Iterator[Tenant]:
        with app.app_context(), in_tenant(tenant):
            yield tenant

    return enter


@pytest.fixture(scope="session")
def spare_app(app: Flask) -> Iterator[Flask]:
    """The application on a database of its own, for tests that change how schemas are built."""
    with set_up(beside(app, "spare")) as spare:
        yield spare


@pytest.fixture
def spare_dsn(spare_app: Flask) -> str:
    """How the owner of the spare database connects."""
    return driver_dsn(spare_app.extensions["settings"].database_url)


@pytest.fixture
def spare_owner(spare_dsn: str) -> Iterator[psycopg.Connection]:
    """A connection of the spare database's owner."""
    with psycopg.connect(spare_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def full_pool(spare_app: Flask, spare_owner: psycopg.Connection) -> Flask:
    """The application on the spare database, with exactly three schemas in the pool."""
    for (schema,) in spare_owner.execute("SELECT schema_name FROM control.tenant WHERE state = 'ready'").fetchall():
        spare_owner.execute(
            f"DELETE FROM control.tenant WHERE schema_name = '{schema}'; DROP SCHEMA {schema} CASCADE; "
            f"DROP OWNED BY {schema}; DROP ROLE {schema}".encode()
        )
    with spare_app.app_context():
        for _ in range(3):
            build_schema()
    return spare_app
