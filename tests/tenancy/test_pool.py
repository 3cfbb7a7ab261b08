"""Pooled connections carry nothing from one brand to the next, cost one round trip, and survive the server."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import TENANT_BIND, db, session, unit_of_work
from tenants.members.models import Member
from tests.conftest import Brand

Twins = tuple[Tenant, Tenant, UUID]
Bound = Callable[[Tenant], AbstractContextManager[Tenant]]
NAMES = sa.select(Member.nickname, sa.literal_column("pg_backend_pid()"))


def test_a_pooled_connection_shows_no_foreign_row_in_a_thousand_turns(bound: Bound, twins: Twins) -> None:
    used: dict[str, set[int]] = {tenant.schema: set() for tenant in twins[:2]}
    # By chance, with a seed: in strict turns, a pool of two would always give each brand the same connection.
    chance = random.Random(1)
    for turn in range(1_000):
        tenant = chance.choice(twins[:2])
        with bound(tenant):
            rows = session().execute(NAMES).all()
            assert [name for name, _ in rows] == [f"of {tenant.slug}"], f"turn {turn}"
            used[tenant.schema].add(rows[0][1])
            if turn % 7 == 0:
                with pytest.raises(sa.exc.DataError):
                    session().execute(sa.text("SELECT 1 / 0"))
            elif turn % 5 == 0:
                session().commit()
    shared = set.intersection(*used.values())
    assert shared, "the brands never shared a connection, so the test has shown nothing"


def test_threads_of_two_brands_see_their_own_rows(bound: Bound, twins: Twins) -> None:
    wrong: list[object] = []
    start = threading.Barrier(8)

    def work(tenant: Tenant) -> None:
        start.wait()
        try:
            for _ in range(25):
                with bound(tenant):
                    names = session().scalars(sa.select(Member.nickname)).all()
                    if names != [f"of {tenant.slug}"]:
                        wrong.append((tenant.slug, names))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(twins[number % 2],)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_rollbacks_and_savepoints_do_not_leave_the_brand(bound: Bound, twins: Twins) -> None:
    own, _, member_id = twins
    here = sa.text("SELECT current_schema(), current_user::text")

    def is_inside() -> bool:
        return tuple(session().execute(here).one()) == (own.schema, own.schema)

    with bound(own):
        assert is_inside()
        with pytest.raises(sa.exc.DataError), session().begin_nested():
            session().execute(sa.text("SELECT 1 / 0"))
        assert is_inside()
        with session().begin_nested():
            session().get_one(Member, member_id).nickname = "inside"
        assert is_inside()
        session().rollback()
        assert is_inside()
        assert session().get_one(Member, member_id, populate_existing=True).nickname == f"of {own.slug}"
        session().commit()
        assert is_inside()


@contextmanager
def traced(engine: sa.Engine, file: Path) -> Iterator[None]:
    """Write down what goes over the wire of every connection that is taken from the pool meanwhile."""
    with file.open("w") as output:
        traced_connections: list[Any] = []

        def start(driver: Any, *_: Any) -> None:
            driver.pgconn.trace(output.fileno())
            traced_connections.append(driver)

        sa.event.listen(engine, "checkout", start)
        try:
            yield
        finally:
            sa.event.remove(engine, "checkout", start)
            for driver in traced_connections:
                driver.pgconn.untrace()


def test_the_way_into_a_brand_costs_one_round_trip(app: Flask, bound: Bound, twins: Twins, tmp_path: Path) -> None:
    own, _, _ = twins
    with app.app_context():
        engine = db.engines[TENANT_BIND]
    with bound(own), unit_of_work() as work:
        # A fresh connection asks the server a few things of its own, once.
        work.execute(sa.text("SELECT 1"))
    with traced(engine, tmp_path / "wire"), bound(own), unit_of_work() as work:
        work.execute(sa.text("SELECT 40 + 2"))
    sent = re.findall(r"^[^\t]*\tF\t\d+\t(\w+)(.*)$", (tmp_path / "wire").read_text(), re.MULTILINE)
    # A round trip ends with a simple query, or with the Sync after an extended one.
    trips = [(kind, text) for kind, text in sent if kind in ("Query", "Sync", "FunctionCall")]
    assert len(trips) == 3, sent
    assert "BEGIN; SET LOCAL search_path" in trips[0][1]
    assert "SET LOCAL ROLE" in trips[0][1]
    assert "COMMIT" in trips[2][1]


def terminate(owner: psycopg.Connection, role: str) -> int:
    """End the server processes of a role's idle connections; returns how many."""
    query = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE usename = %s AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    return len(owner.execute(query, [role]).fetchall())


def test_a_killed_connection_costs_one_request(
    owner: psycopg.Connection,
    login_role: str,
    twin_brands: tuple[Brand, Brand],
    client_for: Callable[[str], FlaskClient],
) -> None:
    client = client_for(twin_brands[0].host)
    path = "/api/v1/products"
    assert client.get(path).status_code == 200
    assert terminate(owner, login_role) > 0
    answer = client.get(path)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.json is not None
    assert answer.json["error"]["code"] == "temporarily_unavailable"
    assert [client.get(path).status_code for _ in range(3)] == [200, 200, 200]


def test_a_killed_control_connection_costs_one_request(
    app: Flask, owner: psycopg.Connection, client_for: Callable[[str], FlaskClient]
) -> None:
    client = client_for()
    path = "/signup/subdomain?subdomain=fine-enough"
    assert client.get(path).status_code == 200
    with app.app_context():
        role = db.engine.url.username
    assert role is not None
    assert terminate(owner, role) > 0
    assert [client.get(path).status_code for _ in range(3)] == [503, 200, 200]


def test_a_connection_that_dies_inside_a_transaction_rolls_it_back_and_leaves_the_pool(
    bound: Bound, owner: psycopg.Connection, login_role: str, twins: Twins
) -> None:
    own, _, member_id = twins

    def lose_the_server() -> None:
        with unit_of_work() as work:
            work.get_one(Member, member_id).nickname = "never written"
            work.flush()
            terminate(owner, login_role)

    with bound(own):
        with pytest.raises(sa.exc.OperationalError):
            lose_the_server()
        assert session().get_one(Member, member_id, populate_existing=True).nickname == f"of {own.slug}"
    with bound(own):
        engine = db.engines[TENANT_BIND]
        assert isinstance(engine.pool, sa.pool.QueuePool)
        assert engine.pool.checkedout() == 0


def test_a_brand_whose_role_is_gone_fails_alone(
    app: Flask, bound: Bound, owner: psycopg.Connection, twins: Twins
) -> None:
    own, other, _ = twins
    owner.execute(f"ALTER ROLE {own.schema} RENAME TO {own.schema}_gone".encode())
    try:
        with bound(own), pytest.raises(sa.exc.OperationalError, match="does not exist"):
            session().scalars(sa.select(Member)).all()
        with bound(other):
            assert session().scalars(sa.select(Member.nickname)).all() == [f"of {other.slug}"]
            engine = db.engines[TENANT_BIND]
            session().close()
            assert isinstance(engine.pool, sa.pool.QueuePool)
            assert engine.pool.checkedout() == 0
    finally:
        owner.execute(f"ALTER ROLE {own.schema}_gone RENAME TO {own.schema}".encode())
