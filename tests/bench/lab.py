"""A running Fanyong to measure: the application in this process, the simulator and the web server beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import sqlalchemy as sa
from flask import Flask
from psycopg.types.json import Jsonb
from sqlalchemy.dialects.postgresql import JSONB

from fanyong.cli import build_schema, owner_dsn
from fanyong.compliance import service as compliance
from fanyong.ids import new_id, new_token
from fanyong.payments.sandbox import open_sandbox
from fanyong.pluginhost.service import ActivePlugin
from fanyong.tenancy import provision
from fanyong.tenancy.bulk import encode_json
from fanyong.tenancy.clock import server_now
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import TENANT_BIND, TenantBase, db, session, unit_of_work
from fanyong.tenancy.runtime import in_tenant
from fanyong.wechat.simulator.process import SimulatorHandle
from tenants.commissions import service as commissions
from tenants.members.models import Member
from tenants.wiring import start_with_flat_tiers

#: Three levels, so that each order has three beneficiaries.
THREE_LEVELS = {"rates": [{"level": level, "rate_bp": rate} for level, rate in ((1, 1_000), (2, 500), (3, 200))]}


_TYPES: dict[type, str] = {
    sa.Uuid: "uuid",
    sa.BigInteger: "int8",
    sa.Integer: "int4",
    sa.SmallInteger: "int2",
    sa.DateTime: "timestamptz",
    sa.Text: "text",
    JSONB: "jsonb",
}


@dataclass(frozen=True)
class Lab:
    """What the measurements share; whatever they make, they drop again."""

    app: Flask
    simulator: SimulatorHandle

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
        try:
            yield tenant
        finally:
            self.drop(tenant)

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
        """COPY rows into a brand's tables in one transaction, with all their keys and indexes in place."""
        with self.owner_connection(tenant) as connection:
            copy_rows(connection, rows)
            connection.commit()

    @contextmanager
    def counting(self, statements: Counter[str], name: str) -> Iterator[None]:
        """Add the statements that the tenant engine sends in the block to `statements[name]`.

        BEGIN and COMMIT are left out. Unlike a time, the number is the same on every machine.
        """
        with self.app.app_context():
            engine = db.engines[TENANT_BIND]

        def count(*_arguments: object) -> None:
            statements[name] += 1

        sa.event.listen(engine, "before_cursor_execute", count)
        try:
            yield
        finally:
            sa.event.remove(engine, "before_cursor_execute", count)

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


def copy_rows(connection: psycopg.Connection, rows: dict[type[TenantBase], list[dict[str, Any]]]) -> None:
    """COPY rows into the tables of their models, in the given order."""
    for model, values in rows.items():
        columns = list(values[0])
        types = [_TYPES[type(model.__table__.c[name].type)] for name in columns]
        _copy(connection, model.__tablename__, dict(zip(columns, types, strict=True)), values)


def _copy(connection: psycopg.Connection, table: str, types: Mapping[str, str], rows: list[dict[str, Any]]) -> None:
    statement = f'COPY "{table}" ({", ".join(types)}) FROM STDIN (FORMAT BINARY)'.encode()
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(list(types.values()))
        for row in rows:
            copy.write_row([Jsonb(v, dumps=encode_json) if isinstance(v, dict | list) else v for v in row.values()])
