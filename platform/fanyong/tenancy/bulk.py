"""Many rows at once, past the ORM and inside the present unit of work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from fanyong.tenancy.database import session

encode_json: Callable[[Any], bytes] = msgspec.json.Encoder().encode
#: A statement with its parameters, by position.
Statement = tuple[LiteralString, Sequence[Any]]
#: From so many rows on COPY is faster than one INSERT.
COPY_FROM = 50


def driver() -> psycopg.Connection:
    """Return the driver's connection under the session, in the transaction that the session is in."""
    connection = session().connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return connection


def ask_together(*statements: Statement) -> list[list[tuple[Any, ...]]]:
    """Send statements in one round trip and return the rows of each; every one sees what those before it waited for.

    Errors are the driver's own (`psycopg.Error`).
    """
    connection = driver()
    with connection.pipeline():
        cursors = [connection.execute(statement.encode(), parameters) for statement, parameters in statements]
    return [cursor.fetchall() if cursor.description else [] for cursor in cursors]


def in_one_trip(*, rows: int) -> AbstractContextManager[object]:
    """Send what the block adds in one round trip, where no table gets more than so many rows and these are few.

    COPY cannot be in a pipeline.
    """
    return driver().pipeline() if rows < COPY_FROM else nullcontext()


def add_rows(table: LiteralString, columns: Mapping[LiteralString, str], rows: Sequence[Sequence[Any]]) -> None:
    """Add rows to a table of the bound brand in the quickest way for their number; otherwise like `copy_rows`."""
    if len(rows) >= COPY_FROM:
        copy_rows(table, columns, rows)
    elif rows:
        values = ", ".join(f"%b::{kind}[]" for kind in columns.values())
        statement = f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({values})"
        driver().execute(statement.encode(), [list(column) for column in zip(*rows, strict=True)])


def copy_rows(table: LiteralString, columns: Mapping[LiteralString, str], rows: Iterable[Sequence[Any]]) -> None:
    """COPY rows into a table of the bound brand; `columns` are their names with PostgreSQL's names of their types.

    Errors are the driver's own (`psycopg.Error`); all or none of the rows are there afterwards.
    """
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
    with driver().cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.set_types(list(columns.values()))
        write = copy.write_row
        for row in rows:
            write(row)


def jsonb(value: Any) -> Jsonb:
    """Return a value as a parameter for a jsonb column, encoded the fast way."""
    return Jsonb(value, encode_json)
