"""A whole PostgreSQL server that is killed: every connection breaks; its recovery brings back what was committed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa

from fanyong.tenancy.database import db, session
from tests.faults.deaths import Struck
from tests.faults.lab import Lab
from tests.faults.strikes import Point

if TYPE_CHECKING:
    from tests.faults.story import World

START_SECONDS = 60


class PostgresKilled(Struck):
    """SIGKILL for the server itself, in the middle of a transaction, on a server of these trials' own."""

    name, share = "postgres-killed", 1
    # After the restart every pooled connection is found dead, one after the other.
    lasting = True

    def __init__(self, lab: Lab, rng: Random) -> None:
        super().__init__(lab, rng)
        self.is_away = False

    @classmethod
    def home(cls, lab: Lab) -> Lab:
        return lab.fragile()

    @contextmanager
    def trial(self) -> Iterator[None]:
        try:
            yield
        finally:
            # The next trial needs the server, whatever became of this one.
            self.pause()

    def point(self) -> Point:
        return Point("statement", self.rng.choice(("before", "after")), self.rng.randint(1, 60))

    def strike(self, connection: sa.Connection | None = None) -> None:
        super().strike(connection)
        assert self.lab.supervisor is not None
        os.kill(self.lab.supervisor.pids()["postgres"], signal.SIGKILL)
        self.is_away = True

    def pause(self) -> None:
        """Wait until the server is back and a connection can be made again, as any client would."""
        if not self.is_away:
            return
        assert self.lab.supervisor is not None
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < until, "PostgreSQL never came back"
            self.lab.supervisor.tick()
            time.sleep(0.05)
        self.is_away = False
        self.lab.forget_owner()

    def insist(self, name: str, arguments: dict[str, Any]) -> Any:
        answer = super().insist(name, arguments)
        self.pause()
        return answer

    def background(self, world: World) -> list[str]:
        problems = super().background(world)
        self.pause()
        return problems

    def _answers(self) -> bool:
        try:
            # Backends of the dead server serve on for a moment; only a live server takes a new connection.
            psycopg.connect(self.lab.dsn).close()
            with self.lab.till.work():
                session().execute(sa.select(1))
                with db.engines[None].connect() as control:
                    control.execute(sa.select(1))
        except (psycopg.OperationalError, sa.exc.DBAPIError):
            return False
        return True
