"""A database that goes away in the middle, answers with an error, or commits without anybody hearing of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any

import sqlalchemy as sa

from fanyong.tenancy.database import TENANT_BIND, db
from tests.faults.conduct import Conduct
from tests.faults.deaths import Struck
from tests.faults.lab import Lab
from tests.faults.proxy import Proxy
from tests.faults.strikes import Point

#: What PostgreSQL says when it wants a transaction to be tried again, and what it says when it gives up.
CODES = {"40001": "serialization failure", "40P01": "deadlock", "55P03": "lock timeout", "57014": "statement timeout"}
_RAISE = "DO $$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '{code}'; END $$"


class BackendTerminated(Struck):
    """An operator (or the memory killer) ends the connection's backend in the middle of a transaction."""

    name, share = "backend-gone", 4

    def point(self) -> Point:
        return Point("statement", self.rng.choice(("before", "after")), self.rng.randint(1, 60))

    def strike(self, connection: sa.Connection | None = None) -> None:
        super().strike(connection)
        assert connection is not None
        driver: Any = connection.connection.dbapi_connection
        pid = driver.info.backend_pid
        owner = self.lab.owner()
        owner.execute("SELECT pg_terminate_backend(%s)", [pid])
        while owner.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone():
            time.sleep(0.001)


class DatabaseErrors(Conduct):
    """A statement is answered with an error of the server's, one to three times."""

    name, share = "database-errors", 6

    def __init__(self, lab: Lab, rng: Random) -> None:
        super().__init__(lab, rng)
        self.from_phase = rng.randint(0, 4)
        self.code = rng.choice(sorted(CODES))
        self.gaps = [rng.randint(1, 60) for _ in range(rng.randint(1, 3))]

    @contextmanager
    def exposed(self) -> Iterator[None]:
        if self.phase < self.from_phase or not self.gaps:
            yield
            return
        with self.lab.app.app_context():
            engine = db.engines[TENANT_BIND]
        sa.event.listen(engine, "before_cursor_execute", self._spoil, retval=True)
        try:
            yield
        finally:
            sa.event.remove(engine, "before_cursor_execute", self._spoil)

    def _spoil(
        self, _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool
    ) -> tuple[str, Any]:
        if self.gaps:
            self.gaps[0] -= 1
            if self.gaps[0] == 0:
                self.gaps.pop(0)
                self.strike()
                # The server itself raises it, so that the transaction is as broken as it would be.
                return _RAISE.format(code=self.code), [()] if executemany else ()
        return statement, parameters


class CommitLost(Conduct):
    """The answer to a COMMIT is lost, or the COMMIT itself: whoever sent it cannot know which."""

    name, share = "commit-lost", 6

    def __init__(self, lab: Lab, rng: Random) -> None:
        super().__init__(lab, rng)
        self.from_phase = rng.randint(0, 5)
        self.count = rng.randint(1, 10)
        self.is_forwarded = rng.random() < 0.75

    @contextmanager
    def trial(self) -> Iterator[None]:
        with self.lab.app.app_context(), ExitStack() as stack:
            engine = db.engines[TENANT_BIND]
            proxy = stack.enter_context(Proxy(engine.url.host or "127.0.0.1", engine.url.port or 5432, self.strike))

            def detour(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
                parameters |= {"host": "127.0.0.1", "port": proxy.port}

            self.proxy = proxy
            engine.dispose()
            sa.event.listen(engine, "do_connect", detour)
            stack.callback(engine.dispose)
            stack.callback(sa.event.remove, engine, "do_connect", detour)
            yield

    @contextmanager
    def exposed(self) -> Iterator[None]:
        if self.phase < self.from_phase or self.strikes:
            yield
            return
        self.proxy.lose(self.count, forward=self.is_forwarded)
        try:
            yield
        finally:
            self.count = self.proxy.left or self.count
            self.proxy.lose(0)
