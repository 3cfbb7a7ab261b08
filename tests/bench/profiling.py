"""Where the time of a process goes: its own functions, and what it waits for in PostgreSQL."""

from __future__ import annotations

import cProfile
import io
import pstats
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import sqlalchemy as sa

from tenants.commissions import awarding, processing
from tenants.ledger import service as ledger

SHOWN_FUNCTIONS = 25
SHOWN_CHARACTERS = 70


class Profile:
    """A profile of whatever runs in `running`; costs nothing when it is off."""

    def __init__(self, *, on: bool) -> None:
        self._on = on
        self._functions = cProfile.Profile()
        self._statements: dict[str, list[float]] = defaultdict(list)
        self._wall = self._cpu = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Watch the block."""
        if not self._on:
            yield
            return
        wall, cpu = time.perf_counter(), time.process_time()
        with self._counting(), self._past_the_engine():
            self._functions.enable()
            try:
                yield
            finally:
                self._functions.disable()
        self._wall, self._cpu = time.perf_counter() - wall, time.process_time() - cpu

    def as_text(self, *, orders: int) -> str:
        """Return what was seen, for people; nothing when it was off."""
        if not self._on:
            return ""
        out = io.StringIO()
        each = 1_000_000 / max(orders, 1)
        out.write(f"{orders:,} orders: {self._wall * each:.0f} us an order, of them {self._cpu * each:.0f} us our own")
        out.write(" (the profiler slows our own part down). Statements, with the waiting for them:\n")
        for name, taken in sorted(self._statements.items(), key=lambda item: -sum(item[1])):
            out.write(f"  {sum(taken) * each:8.1f} us an order {len(taken):7} times  {name}\n")
        pstats.Stats(self._functions, stream=out).sort_stats("tottime").print_stats(SHOWN_FUNCTIONS)
        return out.getvalue()

    @contextmanager
    def _counting(self) -> Iterator[None]:
        begun: list[float] = []

        def before(*_arguments: object) -> None:
            begun.append(time.perf_counter())

        def after(_connection: object, _cursor: object, statement: str, *_arguments: object) -> None:
            name = " ".join(statement.split())[:SHOWN_CHARACTERS]
            self._statements[name].append(time.perf_counter() - begun.pop())

        sa.event.listen(sa.Engine, "before_cursor_execute", before)
        sa.event.listen(sa.Engine, "after_cursor_execute", after)
        try:
            yield
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", before)
            sa.event.remove(sa.Engine, "after_cursor_execute", after)

    @contextmanager
    def _past_the_engine(self) -> Iterator[None]:
        with ExitStack() as patches:
            for owner, name, title in (
                (processing, "_claim", "claim and read"),
                (awarding, "add_rows", "COPY"),
                (ledger, "add_rows", "COPY"),
                (ledger, "lock_books_and_ask", "lock the books and ask"),
            ):
                timed = self._timed(getattr(owner, name), title)
                patches.enter_context(mock.patch.object(owner, name, timed))
            patches.enter_context(mock.patch.object(sa.engine.default.DefaultDialect, "do_commit", self._commit()))
            yield

    def _timed(self, function: Any, name: str) -> Any:
        def timed(*arguments: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*arguments)
            finally:
                title = f"{name} {arguments[0]}" if arguments and isinstance(arguments[0], str) else name
                self._statements[title].append(time.perf_counter() - started)

        return timed

    def _commit(self) -> Any:
        commit = sa.engine.default.DefaultDialect.do_commit

        def timed(dialect: Any, connection: Any) -> None:
            started = time.perf_counter()
            commit(dialect, connection)
            self._statements["COMMIT"].append(time.perf_counter() - started)

        return timed
