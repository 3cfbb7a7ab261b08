"""A running Fanyong to break: the application in this process, a simulator beside it, one brand used over and over."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from cryptography.fernet import Fernet
from flask import Flask
from redis import Redis

from fanyong.app import create_app
from fanyong.cli import build_schema
from fanyong.compliance import service as compliance
from fanyong.config import Settings
from fanyong.devtools import postgres, servers
from fanyong.devtools.postgres import PostgresServer
from fanyong.devtools.supervisor import Supervisor
from fanyong.ids import new_token
from fanyong.payments import flows
from fanyong.payments.sandbox import open_sandbox
from fanyong.signup.service import sign_up
from fanyong.tenancy import migrate
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import TenantBase, unit_of_work
from fanyong.tenancy.runtime import in_tenant
from fanyong.wechat.simulator.process import SimulatorHandle, running_simulator
from tenants.wiring import start_with_flat_tiers
from tests.faults.crew import Crew
from tests.faults.inbox import Inbox, open_inbox
from tests.money.parts import Till, open_till

#: After so many trials the brand gets a new merchant number, so that the simulator's lists stay short.
TRIALS_PER_MERCHANT = 20
#: Columns that say when something is tried again; a recovery does not sit the pauses out.
_WHEN_NEXT = ("next_try_at", "next_query_at")


@dataclass
class Lab:
    """What the trials of one process share."""

    app: Flask
    simulator: SimulatorHandle
    inbox: Inbox
    tenant: Tenant
    #: Another brand, which must never be touched by anything.
    other: Tenant
    till: Till = field(init=False)
    openids: dict[str, str] = field(default_factory=dict)
    #: Who looks after the PostgreSQL server, where it is this lab's own.
    supervisor: Supervisor | None = None
    _owner: psycopg.Connection | None = None
    _crews: dict[str, Crew] = field(default_factory=dict)
    _fragile: Lab | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _trials: int = 0

    def __post_init__(self) -> None:
        self.till = open_till(self.app, self.tenant)

    @property
    def dsn(self) -> str:
        """The connection string of the role that owns all schemas."""
        return migrate.driver_dsn(self.app.extensions["settings"].database_url)

    def owner(self) -> psycopg.Connection:
        """Return a connection that may do anything to the brand's tables; opened anew when it broke."""
        if self._owner is None or self._owner.broken or self._owner.closed:
            options = f"-c search_path={self.tenant.schema}"
            self._owner = psycopg.connect(self.dsn, autocommit=True, options=options)
        return self._owner

    def forget_owner(self) -> None:
        """Let the next use of that connection open a new one: its server has been away."""
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    def crew(self, kind: str) -> Crew:
        """Return other processes of this application, started on first use: `mortals` die, `workers` race."""
        if kind not in self._crews:
            settings = asdict(self.app.extensions["settings"])
            self._crews[kind] = Crew(settings, size=1 if kind == "mortals" else 3, mortal=kind == "mortals")
        return self._crews[kind]

    def fragile(self) -> Lab:
        """Return a lab on a PostgreSQL server of its own, which may be killed; started on first use."""
        if self._fragile is None:
            self._fragile = self._stack.enter_context(_own_server(self))
        return self._fragile

    def close(self) -> None:
        """End what was started on the way."""
        self._stack.close()
        for crew in self._crews.values():
            crew.close()
        self._crews.clear()
        if self._owner is not None:
            self._owner.close()

    def begin_trial(self) -> Till:
        """Let the brand begin anew, with callbacks off and all clocks at the present."""
        self._trials += 1
        self._empty()
        if self._trials % TRIALS_PER_MERCHANT == 0:
            self._change_merchant()
        self.till = open_till(self.app, self.tenant)
        control, mchid = self.simulator.control, self.till.mchid
        control.set_callbacks(mchid, mode="never")
        control.set_refunds(mchid, mode="at_once")
        control.set_clock(mchid, offset_seconds=0)
        control.clear_faults()
        self.inbox.clear()
        return self.till

    def openid(self, name: str) -> str:
        """Return a shopper's openid at the present merchant."""
        if name not in self.openids:
            self.openids[name] = self.simulator.control.login(appid=self.till.appid, user=name)[1]
        return self.openids[name]

    def make_due(self) -> None:
        """Make everything due that waits for a pause to pass, also what a dead process had claimed."""
        statements = [
            f"UPDATE \"{table.name}\" SET {name} = clock_timestamp() - interval '1 second' WHERE {name} IS NOT NULL"
            for table in TenantBase.metadata.sorted_tables
            for name in _WHEN_NEXT
            if name in table.columns
        ]
        self.owner().execute("; ".join(statements).encode())

    def moved(self) -> dict[str, tuple[str, int]]:
        """Return what really moved at WeChat: our number -> (payment, refund or transfer, fen)."""
        found = self.simulator.control.ledger(self.till.mchid)
        moved: dict[str, tuple[str, int]] = {}
        for row in found["movements"]:
            kind, fen = moved.get(row["our_no"], (row["kind"], 0))
            moved[row["our_no"]] = (kind, fen + row["amount_fen"])
        return moved

    def _empty(self) -> None:
        """Leave of the brand what it was born with; deleting a few rows is faster than truncating as many tables."""
        rows = self.owner().execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [self.tenant.schema])
        deletes = [f'DELETE FROM "{name}"' for (name,) in rows if name not in ("merchant_account", "admin_user")]
        # Triggers that keep the books append-only, and foreign keys, do not fire for a replica.
        statements = ["SET LOCAL session_replication_role = replica", *deletes]
        with self.owner().transaction():
            self.owner().execute("; ".join(statements).encode())
        with self.app.app_context(), in_tenant(self.tenant), unit_of_work():
            start_with_flat_tiers()

    def _change_merchant(self) -> None:
        with psycopg.connect(self.dsn) as connection:
            connection.execute(f"DELETE FROM {self.tenant.schema}.merchant_account".encode())
        with self.app.app_context(), in_tenant(self.tenant):
            open_sandbox()
        self.openids.clear()


@contextmanager
def lab_of(app: Flask, simulator: SimulatorHandle) -> Iterator[Lab]:
    """Use an application that runs already; its callbacks go to the lab's inbox for the block."""
    with open_inbox() as inbox:
        before = flows._callback_url[0]
        app.extensions["settings"] = _with(app.extensions["settings"], callback_url=inbox.url)
        flows.use_callback_url(inbox.url)
        lab = Lab(app, simulator, inbox, _new_brand(app), _new_brand(app))
        try:
            yield lab
        finally:
            lab.close()
            flows.use_callback_url(before)
            app.extensions["settings"] = _with(app.extensions["settings"], callback_url=before)


@contextmanager
def open_lab(number: int, *, maintenance_url: str, redis_url: str) -> Iterator[Lab]:
    """Make a database, a simulator and an application for one process of trials."""
    os.environ.setdefault("ENCRYPTION_KEY", Fernet.generate_key().decode())
    name = f"fanyong_faults_{number}"
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {name}".encode())
    redis = f"{redis_url.rstrip('/').rsplit('/', 1)[0]}/{number}"
    with Redis.from_url(redis) as cache:
        cache.flushdb()
    with tempfile.TemporaryDirectory() as folder, running_simulator(Path(folder) / "simulator.sqlite3") as simulator:
        settings = Settings(
            database_url=f"{maintenance_url.rsplit('/', 1)[0]}/{name}",
            redis_url=redis,
            secret_key=secrets.token_hex(32),
            public_url="http://localhost:8000",
            callback_url="http://127.0.0.1:9",
            simulator_url=simulator.url,
            development=True,
        )
        with _application(settings) as app, lab_of(app, simulator) as lab:
            yield lab


@contextmanager
def _own_server(lab: Lab) -> Iterator[Lab]:
    """Make a lab like another one, on a PostgreSQL server of its own."""
    with servers.temporary_folder() as folder, Supervisor(logs=folder / "logs") as supervisor:
        server = PostgresServer(postgres.home_for(folder), port=servers.free_port())
        server.initialise()
        supervisor.start(server.service())
        server.create_database("fanyong")
        settings = _with(lab.app.extensions["settings"], database_url=server.url("fanyong"))
        with _application(settings) as app:
            own = Lab(app, lab.simulator, lab.inbox, _new_brand(app), _new_brand(app), supervisor=supervisor)
            try:
                yield own
            finally:
                own.close()


@contextmanager
def _application(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    result = app.test_cli_runner().invoke(args=["setup"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    try:
        yield app
    finally:
        app.extensions["redis"].close()
        with app.app_context():
            for engine in app.extensions["sqlalchemy"].engines.values():
                engine.dispose()


def _with(settings: Settings, **changes: Any) -> Settings:
    return Settings(**(asdict(settings) | changes))


def _new_brand(app: Flask) -> Tenant:
    slug = f"f{new_token(10).lower()}"
    with app.app_context():
        tenant, _ = sign_up(
            name="乔木", slug=slug, email=f"owner@{slug}.example", password="correct horse battery", build=build_schema
        )
        with in_tenant(tenant), unit_of_work():
            compliance.accept_notice(actor="story")
    return tenant
