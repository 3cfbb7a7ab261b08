"""Brands used again: a schema takes a quarter of a second to build and a few milliseconds to empty."""

from __future__ import annotations

from collections.abc import Collection

import psycopg
from psycopg import sql

from fanyong.ids import new_id
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.directory import directory

#: What a brand that is used again was born with and a test does not change.
BORN_WITH = ("merchant_account", "admin_user")
#: Whoever still works in a brand after its test keeps its schema; the next test gets another one.
_LOCK_TIMEOUT = "2s"


def empty(connection: psycopg.Connection, schema: str, *, keep: Collection[str] = BORN_WITH) -> None:
    """Delete the rows of a brand's tables but for those to keep; no trigger fires until the transaction ends.

    Deleting a few rows is faster than truncating as many tables, each of which would get new files.
    """
    rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema]).fetchall()
    deletes = [
        sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, name)) for (name,) in sorted(rows) if name not in keep
    ]
    # Triggers that keep the books append-only, and foreign keys, do not fire for a replica.
    connection.execute(sql.SQL("; ").join([sql.SQL("SET LOCAL session_replication_role = replica"), *deletes]))


def give_back(dsn: str, tenant: Tenant, *, head: str) -> None:
    """Put a brand's schema back into the pool, without a row and under another id, as if it had just been built.

    A schema that is not at `head`, or that somebody still works in, stays as it is.
    """
    try:
        with psycopg.connect(dsn) as connection:
            connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            fit = connection.execute(
                "SELECT id FROM control.tenant WHERE schema_name = %s AND version = %s AND migration_error IS NULL",
                [tenant.schema, head],
            ).fetchone()
            if fit is None:
                return
            empty(connection, tenant.schema, keep=())
            for table in ("domain", "level_waiver"):
                connection.execute(f"DELETE FROM control.{table} WHERE tenant_id = %s".encode(), fit)
            # Nothing that is remembered of the brand by its id (a wake-up, a session, a callback) fits the next one.
            connection.execute(
                "UPDATE control.tenant SET id = %s, slug = NULL, name = '', state = 'ready', claimed_at = NULL, "
                "suspended_reason = NULL WHERE id = %s",
                [new_id(), *fit],
            )
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        return
    directory.forget()
