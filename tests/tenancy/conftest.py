"""Two brands that look the same from outside, and the owner's view of the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from fanyong.ids import new_id
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import TENANT_BIND, db, unit_of_work
from fanyong.tenancy.migrate import driver_dsn
from fanyong.tenancy.runtime import in_tenant
from tenants.members.models import Member
from tests.conftest import Brand

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


@pytest.fixture
def twins(app: Flask, brand: Brand, other_brand: Brand) -> tuple[Tenant, Tenant, UUID]:
    """Two brands with a member each, of the same id and openid; only the nicknames tell them apart."""
    member_id = new_id()
    for each in (brand, other_brand):
        with app.app_context(), in_tenant(each.tenant), unit_of_work() as work:
            nickname = f"of {each.slug}"
            work.add(Member(id=member_id, openid=SAME_OPENID, nickname=nickname, joined_at=sa.func.now()))
    return brand.tenant, other_brand.tenant, member_id


@pytest.fixture
def bound(app: Flask) -> Callable[[Tenant], object]:
    """Return a context that works for a brand with a session of its own."""

    @contextmanager
    def enter(tenant: Tenant) -> Iterator[Tenant]:
        with app.app_context(), in_tenant(tenant):
            yield tenant

    return enter
