"""A database and a queue of their own, so that workers meet the brands of these tests and no others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from redis import Redis

from fanyong.cli import build_schema
from fanyong.devtools.paths import ROOT
from fanyong.ids import new_token
from fanyong.signup.service import sign_up
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.migrate import driver_dsn
from fanyong.tenancy.runtime import in_tenant
from tenants.members import service as members
from tenants.promoters import service as promoters
from tests.conftest import PASSWORD, beside, set_up

PATIENCE_SECONDS = 40
#: Redis has sixteen databases; the lower half belongs to the other tests.
OWN_REDIS_OFFSET = 8


@pytest.fixture(scope="session")
def jobs_app(app: Flask, redis_url: str, worker_number: int) -> Iterator[Flask]:
    """The application on a database and a queue of its own."""
    own_redis = f"{redis_url.rsplit('/', 1)[0]}/{worker_number + OWN_REDIS_OFFSET}"
    with set_up(replace(beside(app, "jobs"), redis_url=own_redis)) as own:
        yield own


@pytest.fixture
def jobs_owner(jobs_app: Flask) -> Iterator[psycopg.Connection]:
    """A connection of the owner of that database."""
    dsn = driver_dsn(jobs_app.extensions["settings"].database_url)
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def empty_queue(jobs_app: Flask) -> Redis:
    """The queue's Redis, emptied."""
    redis: Redis = jobs_app.extensions["redis"]
    redis.flushdb()
    return redis


@dataclass(frozen=True)
class Waiting:
    """A brand with one promoter who waits for a new tier, which only the background gives."""

    app: Flask
    tenant: Tenant

    def is_done(self) -> bool:
        with self.app.app_context(), in_tenant(self.tenant):
            return promoters.stale_count() == 0

    def ask_again(self) -> None:
        """Change the structure, so that there is something to do once more."""
        with self.app.app_context(), in_tenant(self.tenant), unit_of_work():
            values = {"tier_name": new_token(8)}
            promoters.activate_structure("tiers_flat", values, actor="test")


@pytest.fixture(scope="session")
def jobs_tenant(jobs_app: Flask) -> Tenant:
    """The one brand there is."""
    slug = f"job{new_token(10).lower()}"
    with jobs_app.app_context():
        tenant, _ = sign_up(name=slug, slug=slug, email=f"o@{slug}.example", password=PASSWORD, build=build_schema)
        with in_tenant(tenant), unit_of_work():
            member, _ = members.register("o-member", nickname="m")
            promoters.enroll(member.id)
    return tenant


@pytest.fixture
def waiting(jobs_app: Flask, jobs_tenant: Tenant, empty_queue: Redis) -> Waiting:
    """The brand with something to do."""
    brand = Waiting(jobs_app, jobs_tenant)
    brand.ask_again()
    assert not brand.is_done()
    return brand


class Processes:
    """Processes of the product, with their words in a file each."""

    def __init__(self, app: Flask, folder: Path) -> None:
        settings = app.extensions["settings"]
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(ROOT / "platform"), str(ROOT)]),
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "SECRET_KEY": settings.secret_key,
            "PUBLIC_URL": settings.public_url,
            "CALLBACK_URL": settings.callback_url,
            "SIMULATOR_URL": settings.simulator_url,
        }
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Start `flask worker` or `flask scheduler` in a process group of its own."""
        with (self.folder / f"{command}-{len(self.running)}.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "flask", "--app", "wsgi", command],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def words(self) -> str:
        """Return what all of them said."""
        return "\n".join(f"{file.name}:\n{file.read_text()}" for file in sorted(self.folder.glob("*.log")))

    def stop(self) -> None:
        """End everything that still runs."""
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def processes(jobs_app: Flask, tmp_path: Path) -> Iterator[Processes]:
    """Start processes that end with the test."""
    started = Processes(jobs_app, tmp_path)
    yield started
    started.stop()


def wait_until(happened: Callable[[], object], *, words: Callable[[], str] = lambda: "") -> None:
    """Wait for something that another process does, and fail with its words when it never happens."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < give_up_at, f"it did not happen\n{words()}"
        time.sleep(0.05)
