"""The embedded servers keep their data when they are killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis

from fanyong.devtools import processes, servers
from fanyong.devtools.supervisor import Supervisor

Until = Callable[..., None]


@pytest.fixture
def running(supervisor: Supervisor, folder: Path) -> servers.Servers:
    """Give an embedded PostgreSQL and Valkey that a supervisor looks after."""
    return servers.start(supervisor, folder=folder, environment={}, database="sample")


def kill(supervisor: Supervisor, *, name: str, until: Until) -> None:
    """Kill a service as hard as can be, and wait until its successor is up."""
    before = supervisor.pids()[name]
    os.kill(before, signal.SIGKILL)
    until(lambda: supervisor.pids().get(name, before) != before, tick=supervisor.tick)


def connects(url: str) -> bool:
    """Tell whether PostgreSQL takes a connection."""
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def test_postgres_killed_with_work_under_way_comes_back_with_what_was_committed(
    running: servers.Servers, supervisor: Supervisor, until: Until
) -> None:
    url = running.database_url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table paid (amount_fen bigint)")
        connection.execute("insert into paid values (1999)")
    open_transaction = psycopg.connect(url)
    open_transaction.execute("insert into paid values (1)")

    kill(supervisor, name="postgres", until=until)
    until(lambda: connects(url), tick=supervisor.tick)

    with psycopg.connect(url) as connection:
        assert connection.execute("select amount_fen from paid").fetchall() == [(1999,)]
    open_transaction.close()


def test_postgres_finds_its_pid_taken_by_another_process(
    running: servers.Servers, supervisor: Supervisor, folder: Path, until: Until
) -> None:
    server = servers.PostgresServer(servers.postgres.home_for(folder), port=0)
    os.kill(supervisor.pids()["postgres"], signal.SIGKILL)
    until(lambda: not processes.is_alive(supervisor.pids()["postgres"]))
    pid_file = server.data / "postmaster.pid"
    rest = pid_file.read_text().splitlines()[1:]
    pid_file.write_text("\n".join([str(os.getpid()), *rest]) + "\n")

    until(lambda: connects(running.database_url), tick=supervisor.tick)


def test_postgres_has_the_settings_that_tenants_need(running: servers.Servers) -> None:
    with psycopg.connect(running.database_url) as connection:
        found = {
            name: connection.execute(f"show {name}").fetchone()
            for name in (
                "wal_level",
                "max_locks_per_transaction",
                "jit",
                "synchronous_commit",
                "server_encoding",
            )
        }
        trigrams = "create extension pg_trgm; select show_trgm('番用')"
        assert connection.execute(trigrams.split(";")[0]) is not None
        assert connection.execute(trigrams.split(";")[1]).fetchone() != ([],)
    assert found == {
        "wal_level": ("logical",),
        "max_locks_per_transaction": ("256",),
        "jit": ("off",),
        "synchronous_commit": ("on",),
        "server_encoding": ("UTF8",),
    }


def test_valkey_killed_comes_back_with_what_was_written(
    running: servers.Servers, supervisor: Supervisor, until: Until
) -> None:
    with redis.Redis.from_url(running.redis_url) as client:
        client.set("job", "waiting")
        # The file is handed to the disk once a second; WAITAOF returns when this write has been.
        client.execute_command("WAITAOF", 1, 0, 0)

    kill(supervisor, name="valkey", until=until)

    def answers() -> bool:
        try:
            with redis.Redis.from_url(running.redis_url) as again:
                return again.get("job") == b"waiting"
        except redis.ConnectionError:
            return False

    until(answers, tick=supervisor.tick)


def test_servers_of_the_environment_are_used_as_they_are(supervisor: Supervisor, folder: Path) -> None:
    given = {"DATABASE_URL": "postgresql://elsewhere/fanyong", "REDIS_URL": "redis://elsewhere/0"}
    found = servers.start(supervisor, folder=folder, environment=given)
    assert found == servers.Servers(database_url=given["DATABASE_URL"], redis_url=given["REDIS_URL"])
    assert supervisor.pids() == {}


def test_stopping_leaves_no_server(running: servers.Servers, supervisor: Supervisor) -> None:
    pids = list(supervisor.pids().values())
    assert len(pids) == 2
    supervisor.stop()
    assert not any(processes.is_alive(pid) for pid in pids)
    assert not connects(running.database_url)


def test_a_taken_port_is_passed_over() -> None:
    wanted = servers.free_port()
    assert servers.free_port(wanted=wanted) == wanted
    assert servers.free_port(wanted=wanted, taken=(wanted,)) > wanted


def test_a_lock_has_one_holder_and_names_it(tmp_path: Path) -> None:
    lock = tmp_path / "up.lock"
    assert not servers.is_held(lock)
    with servers.exclusive(lock) as first, servers.exclusive(lock) as second:
        assert (first, second) == (True, False)
        assert servers.is_held(lock)
        assert lock.read_text() == str(os.getpid())
    assert not servers.is_held(lock)
