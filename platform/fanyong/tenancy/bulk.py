"""Many rows at once, past the ORM and inside the present unit of work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from fanyong.tenancy.database import session

encode_json: Callable[[Any], bytes] = msgspec.json.Encoder().encode


def driver() -> psycopg.Connection:
    """Return the driver's connection under the session, in the transaction that the session is in."""
    connection = session().connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return connection


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
