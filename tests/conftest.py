"""What all tests share: real servers, one database a worker, brands to play with, and a watch for leaks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from werkzeug.security import generate_password_hash
from werkzeug.serving import make_server
from werkzeug.test import TestResponse
from xdist.scheduler import LoadScopeScheduling

os.environ.setdefault("ENCRYPTION_KEY", Fernet.generate_key().decode())

from fanyong.app import create_app
from fanyong.cli import build_schema
from fanyong.config import Settings
from fanyong.identity import service as identity
from fanyong.ids import new_token
from fanyong.jobs.tending import tend_bound_tenant
from fanyong.signup.service import sign_up
from fanyong.tenancy import migrate
from fanyong.tenancy.context import Tenant, bound_tenant
from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.runtime import in_tenant
from fanyong.wechat.keys import make_rsa_key_pair
from fanyong.wechat.simulator import client as simulator_client
from fanyong.wechat.simulator.client import SimulatorClient
from fanyong.wechat.simulator.process import SimulatorHandle, running_simulator
from tests.brands import give_back

PASSWORD = "correct horse battery"
STAFF_EMAIL = "root@example.com"
#: Files whose tests share something that takes long to make; one worker runs them all, before anything else.
TOGETHER = ("tests/story/test_stories.py", "tests/faults/test_faults.py", "tests/bench/test_bench_runs.py")


class TogetherFirst(LoadScopeScheduling):
    """Deals the tests out one by one, but for the files that one worker runs as a whole; those come first."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        return file if file in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TogetherFirst:
    """Deal the tests out to the workers so that the long ones do not come last.

    The mark `xdist_group` would do, but pytest 9 keeps the names of tests where pytest-xdist 3.8 does not change them.
    """
    return TogetherFirst(config, log)


class HostClient(FlaskClient):
    """A browser that asks one host; Werkzeug takes the host from the base address alone."""

    base_url = "http://localhost:8000"

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Send a request."""
        if args and isinstance(args[0], str):
            kwargs.setdefault("base_url", self.base_url)
        return super().open(*args, **kwargs)


@dataclass(frozen=True)
class Brand:
    """A brand made for one test, with its owner's log-in."""

    tenant: Tenant
    email: str
    password: str
    host: str

    @property
    def slug(self) -> str:
        return self.tenant.slug


@pytest.fixture(scope="session", autouse=True)
def _cheap_keys() -> Iterator[None]:
    """Hash passwords in no time and make one key pair for all sandboxes: neither is what these tests are about."""
    cheap = partial(generate_password_hash, method="pbkdf2:sha256:1")
    pair = make_rsa_key_pair()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "generate_password_hash", cheap)
        patch.setattr(identity, "_NOBODY", cheap("nobody has this password"))
        patch.setattr(simulator_client, "make_rsa_key_pair", lambda: pair)
        yield


@pytest.fixture(scope="session")
def worker_number(request: pytest.FixtureRequest) -> int:
    """0 for the first worker (or the only one), 1 for the next."""
    name = getattr(request.config, "workerinput", {}).get("workerid", "gw0")
    return int(name.removeprefix("gw"))


@pytest.fixture(scope="session")
def database_url(worker_number: int) -> str:
    """A database of this worker's own, made anew."""
    if not os.environ.get("TEST_DATABASE_URL"):
        pytest.exit("run the tests with ./dev test: it starts the servers they need", returncode=2)
    return _new_database(f"fanyong_test_{worker_number}")


def _new_database(name: str) -> str:
    maintenance = os.environ["TEST_DATABASE_URL"]
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{maintenance.rsplit('/', 1)[0]}/{name}"


@pytest.fixture(scope="session")
def redis_url(worker_number: int) -> str:
    """A Redis database of this worker's own, emptied."""
    url = f"{os.environ['TEST_REDIS_URL'].rstrip('/').rsplit('/', 1)[0]}/{worker_number}"
    if not os.environ["TEST_REDIS_URL"].rstrip("/").rsplit("/", 1)[-1].isdigit():
        url = f"{os.environ['TEST_REDIS_URL'].rstrip('/')}/{worker_number}"
    with Redis.from_url(url) as connection:
        connection.flushdb()
    return url


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorHandle]:
    """WeChat, as far as these tests go."""
    folder: Path = tmp_path_factory.mktemp("simulator")
    with running_simulator(folder / "simulator.sqlite3") as handle:
        yield handle


@pytest.fixture
def simulator(simulator_process: SimulatorHandle) -> Iterator[SimulatorClient]:
    """The simulator's control routes; faults that did not strike are forgotten after each test."""
    yield simulator_process.control
    simulator_process.control.clear_faults()


@pytest.fixture(scope="session")
def app(database_url: str, redis_url: str, simulator_process: SimulatorHandle) -> Iterator[Flask]:
    """The application, set up, and listening so that callbacks reach it."""
    os.environ |= {"SUPERADMIN_EMAIL": STAFF_EMAIL, "SUPERADMIN_PASSWORD": PASSWORD}
    settings = Settings(
        database_url=database_url,
        redis_url=redis_url,
        secret_key="only for tests",
        public_url="http://localhost:8000",
        callback_url="",
        simulator_url=simulator_process.url,
        development=True,
    )
    with listening(settings) as application:
        application.testing = False
        yield application


@contextmanager
def listening(settings: Settings) -> Iterator[Flask]:
    """Run an application that listens, and tells WeChat so, for the block."""
    server = make_server("127.0.0.1", 0, lambda environ, start: application(environ, start), threaded=True)
    with set_up(replace(settings, callback_url=f"http://127.0.0.1:{server.server_port}")) as application:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield application
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def set_up(settings: Settings) -> Iterator[Flask]:
    """Make an application, prepare its database, and close its connections after the block."""
    application = create_app(settings)
    result = application.test_cli_runner().invoke(args=["setup"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    yield application
    application.extensions["redis"].close()
    with application.app_context():
        for engine in application.extensions["sqlalchemy"].engines.values():
            engine.dispose()


def beside(app: Flask, name: str) -> Settings:
    """Return the settings of an application like `app` on a new database, where only its own brands are."""
    settings: Settings = app.extensions["settings"]
    return replace(settings, database_url=_new_database(f"{settings.database_url.rsplit('/', 1)[1]}_{name}"))


@pytest.fixture(autouse=True)
def _no_tenant_left_behind() -> Iterator[None]:
    """A test that leaves a brand bound would decide what the next one sees."""
    assert bound_tenant() is None
    yield
    assert bound_tenant() is None, "the test left a brand bound"


@pytest.fixture(scope="session")
def new_brand(app: Flask) -> Callable[..., Brand]:
    """Sign a fresh brand up: one tier, no plan yet, a sandbox on the simulator."""

    def make(*, name: str = "乔木") -> Brand:
        slug = f"b{new_token(10).lower()}"
        with app.app_context():
            tenant, owner = sign_up(
                name=name, slug=slug, email=f"owner@{slug}.example", password=PASSWORD, build=build_schema
            )
        return Brand(tenant, owner.email, PASSWORD, f"{slug}.localhost")

    return make


@pytest.fixture(scope="session")
def recycle(app: Flask) -> Callable[[Brand], None]:
    """Let a later brand have this one's schema; whoever alters tables keeps to `new_brand` alone."""
    dsn = migrate.driver_dsn(app.extensions["settings"].database_url)
    with app.app_context():
        head = migrate.head_version()
    return lambda brand: give_back(dsn, brand.tenant, head=head)


@pytest.fixture
def brand(new_brand: Callable[..., Brand], recycle: Callable[[Brand], None]) -> Iterator[Brand]:
    """A fresh brand."""
    made = new_brand()
    yield made
    recycle(made)


@pytest.fixture
def other_brand(new_brand: Callable[..., Brand], recycle: Callable[[Brand], None]) -> Iterator[Brand]:
    """Another fresh brand, which must never see anything of the first."""
    made = new_brand(name="白露")
    yield made
    recycle(made)


@pytest.fixture
def inside(app: Flask, brand: Brand) -> Iterator[Tenant]:
    """The brand, bound for the whole test, with a session of its own."""
    with app.app_context(), in_tenant(brand.tenant) as tenant:
        yield tenant


@pytest.fixture
def tend(app: Flask) -> Callable[[Brand], None]:
    """Do what the background would do for a brand, here and now."""

    def run(brand: Brand) -> None:
        with app.app_context(), in_tenant(brand.tenant):
            assert tend_bound_tenant() == []

    return run


@pytest.fixture
def client_for(app: Flask) -> Callable[[str], FlaskClient]:
    """Return a browser that is at a host (`localhost` is the platform)."""

    def make(host: str = "localhost") -> FlaskClient:
        client = HostClient(app, app.response_class, use_cookies=True)
        client.base_url = f"http://{host}:8000"
        return client

    return make


@pytest.fixture
def login_as(app: Flask, client_for: Callable[[str], FlaskClient]) -> Callable[..., FlaskClient]:
    """Return a browser that is logged in to a brand's console with a role, or to the platform with brand None."""

    def make(brand: Brand | None, role: str = "owner") -> FlaskClient:
        email = _account(app, brand, role)
        client = client_for(brand.host if brand else "localhost")
        door = "/console/login" if brand else "/superadmin/login"
        token = csrf_token(client, door)
        answer = client.post(door, data={"email": email, "password": PASSWORD, "csrf_token": token})
        assert answer.status_code == 303, answer.get_data(as_text=True)
        return client

    return make


def csrf_token(client: FlaskClient, path: str) -> str:
    """Return the token that a page's form carries."""
    text = client.get(path).get_data(as_text=True)
    head, _, rest = text.partition('name="csrf_token"')
    assert rest, f"{path} shows no form: {head[:300]}"
    value: Any = rest.partition('value="')[2].partition('"')[0]
    return str(value)


def _account(app: Flask, brand: Brand | None, role: str) -> str:
    if brand is None and role == "superadmin":
        return STAFF_EMAIL
    if brand is not None and role == "owner":
        return brand.email
    email = f"{role}-{new_token(6).lower()}@example.com"
    with app.app_context():
        if brand is None:
            with unit_of_work():
                identity.create_staff(email, name=role, password=PASSWORD, role=role)
        else:
            with in_tenant(brand.tenant), unit_of_work():
                identity.create_admin(email, name=role, password=PASSWORD, role=role)
    return email
