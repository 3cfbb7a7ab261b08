"""A running Fanyong to measure: the application in this process, the simulator and the web server beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import sqlalchemy as sa
from flask import Flask

from fanyong.cli import build_schema, owner_dsn
from fanyong.compliance import service as compliance
from fanyong.ids import new_id, new_token
from fanyong.payments.sandbox import open_sandbox
from fanyong.pluginhost.service import ActivePlugin
from fanyong.tenancy import provision
from fanyong.tenancy.clock import server_now
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import TenantBase, session, unit_of_work
from fanyong.tenancy.runtime import in_tenant
from fanyong.wechat.simulator.process import SimulatorHandle
from tenants.commissions import service as commissions
from tenants.members.models import Member
from tenants.wiring import start_with_flat_tiers

#: Three levels, so that each order has three beneficiaries.
THREE_LEVELS = {"rates": [{"level": level, "rate_bp": rate} for level, rate in ((1, 1_000), (2, 500), (3, 200))]}


@dataclass(frozen=True)
class Lab:
    """What the measurements share; whatever they make, they drop again."""

    app: Flask
    simulator: SimulatorHandle
    #: Brands that several measurements share, by a name.
    kept: dict[str, Tenant] = field(default_factory=dict)

    @property
    def web_port(self) -> int:
        """The port of the web server that callbacks go to."""
        port: int | None = urlsplit(self.app.extensions["settings"].callback_url).port
        assert port is not None
        return port

    @property
    def owner_dsn(self) -> str:
        """The connection string of the role that owns all schemas."""
        with self.app.app_context():
            return owner_dsn()

    @contextmanager
    def brand(self, *, sandbox: bool = False) -> Iterator[Tenant]:
        """Give a fresh brand with one tier and a plan of three levels, and drop it with all its rows."""
        tenant = self.make_brand(sandbox=sandbox)
        try:
            yield tenant
        finally:
            self.drop(tenant)

    def make_brand(self, *, sandbox: bool = False) -> Tenant:
        """Make a brand with one tier and a plan of three levels; whoever asks for it drops it."""
        with self.app.app_context():
            tenant = claim_schema()
            with in_tenant(tenant), unit_of_work():
                start_with_flat_tiers()
                ends_at = server_now() + timedelta(days=1)
                compliance.grant_waiver(
                    tenant_id=tenant.id, levels=3, reason="measuring", ends_at=ends_at, actor="bench"
                )
                commissions.activate_plan("plan_levels", THREE_LEVELS, actor="bench")
            if sandbox:
                with in_tenant(tenant):
                    open_sandbox()
        return tenant

    def close(self) -> None:
        """Drop the brands that were kept for several measurements."""
        while self.kept:
            self.drop(self.kept.popitem()[1])

    @contextmanager
    def inside(self, tenant: Tenant) -> Iterator[None]:
        """Work inside a brand for the block."""
        with self.app.app_context(), in_tenant(tenant):
            yield

    def drop(self, tenant: Tenant) -> None:
        """Forget a brand: directory, schema and role."""
        with psycopg.connect(self.owner_dsn, autocommit=True) as connection:
            connection.execute("DELETE FROM control.level_waiver WHERE tenant_id = %s", [tenant.id])
            connection.execute("DELETE FROM control.tenant WHERE id = %s", [tenant.id])
            drop_schema(connection, tenant.schema)

    def copy(self, tenant: Tenant, rows: dict[type[TenantBase], list[dict[str, Any]]]) -> None:
        """COPY rows into the tables of their models, in the given order and in one transaction."""
        with self.owner_connection(tenant) as connection:
            for model, values in rows.items():
                names = ", ".join(values[0])
                statement = f'COPY "{model.__tablename__}" ({names}) FROM STDIN'.encode()
                with connection.cursor() as cursor, cursor.copy(statement) as copy:
                    for row in values:
                        copy.write_row(list(row.values()))
            connection.commit()

    @contextmanager
    def owner_connection(self, tenant: Tenant) -> Iterator[psycopg.Connection]:
        """Give a plain connection to a brand's schema, past the tenant engine."""
        with psycopg.connect(self.owner_dsn, options=f"-c search_path={tenant.schema}") as connection:
            yield connection


def claim_schema() -> Tenant:
    """Build a schema for the pool and claim one from it, as a sign-up does."""
    build_schema()
    with unit_of_work():
        record = provision.claim(name="Bench", slug=f"bench-{new_token(12).lower()}", actor="bench")
        assert record is not None
        return record.as_tenant()


def drop_schema(connection: psycopg.Connection, schema: str) -> None:
    """Drop a brand's schema and role."""
    connection.execute(f"DROP SCHEMA {schema} CASCADE; DROP OWNED BY {schema}; DROP ROLE {schema}".encode())


def current_plan() -> ActivePlugin:
    """Return the bound brand's plan."""
    plan = commissions.current_plan()
    assert plan is not None
    return plan


def add_members(count: int) -> list[UUID]:
    """Add members without an upline to the bound brand."""
    ids = [new_id() for _ in range(count)]
    now = server_now()
    rows = [{"id": i, "openid": f"o{i.hex}", "nickname": "n", "ancestors": [], "joined_at": now} for i in ids]
    with unit_of_work():
        session().execute(sa.insert(Member), rows)
    return ids


def members_of() -> list[UUID]:
    """Return the ids of the bound brand's members."""
    return list(session().scalars(sa.select(Member.id).order_by(Member.id)))


def be_patient() -> None:
    """Let the statements of this transaction take the time and the memory that the books' check takes for itself."""
    session().execute(
        sa.text("SELECT set_config('statement_timeout', '10min', true), set_config('work_mem', '64MB', true)")
    )
