"""The two migration streams: `migrations/platform` through Flask-Migrate, `migrations/tenant` rendered and replayed.

A tenant revision is rendered to SQL once and then sent to each brand in one round trip and one transaction,
together with the brand's version row, so that no brand is ever left between two versions.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import current_app

#: Revisions write this where a statement needs the brand's role; names are generated, so it needs no quoting.
ROLE_TOKEN = "__tenant_role__"
BASE = "base"
#: Alembic names its version table in what it renders; a name that no revision uses tells those statements apart.
NO_VERSION_TABLE = "alembic_versions_are_kept_in_control_tenant"
LOCK_TIMEOUT = "2s"


@dataclass(frozen=True, slots=True)
class MigrationResult:
    """How one brand's migration ended; `error` is None on success."""

    schema: str
    version: str
    error: str | None = None


def tenant_scripts() -> ScriptDirectory:
    """Return the tenant migration stream."""
    config = Config()
    config.set_main_option("script_location", str(Path(current_app.root_path).parents[1] / "migrations" / "tenant"))
    return ScriptDirectory.from_config(config)


def head_version() -> str:
    """Return the newest tenant revision."""
    head = tenant_scripts().get_current_head()
    assert head is not None
    return head


@cache
def render(start: str, end: str) -> str:
    """Return the SQL that takes a tenant schema from revision `start` (or `base`) to `end`."""
    scripts = tenant_scripts()
    buffer = io.StringIO()
    context = EnvironmentContext(
        Config(),
        scripts,
        fn=lambda revision, _context: scripts._upgrade_revs(end, revision),
        as_sql=True,
        starting_rev=None if start == BASE else start,
        destination_rev=end,
    )
    with context:
        context.configure(
            dialect_name="postgresql",
            output_buffer=buffer,
            literal_binds=True,
            transactional_ddl=False,  # The runner adds BEGIN and COMMIT itself.
            version_table=NO_VERSION_TABLE,
        )
        context.run_migrations()
    # The version lives in control.tenant; Alembic's own table is not wanted in a brand's schema.
    return "\n".join(part for part in _statements(buffer.getvalue()) if NO_VERSION_TABLE not in part)


def _statements(sql: str) -> Iterator[str]:
    """Yield the blocks Alembic printed; it separates statements by an empty line."""
    yield from (block for block in sql.split("\n\n") if block.strip())


def script_for(schema: str, *, start: str, end: str) -> str:
    """Return the SQL for one schema, with the brand's role filled in."""
    return render(start, end).replace(ROLE_TOKEN, schema)


def migrate_all(*, dsn: str) -> Iterator[MigrationResult]:
    """Bring every brand, and every schema in the pool, to the head; one brand's failure delays no other."""
    head = head_version()
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        todo = connection.execute(
            "SELECT schema_name, version FROM control.tenant WHERE version <> %s ORDER BY state <> 'active', id",
            [head],
        ).fetchall()
        for schema, version in todo:
            yield _migrate_one(connection, schema=schema, version=version, head=head)


def _migrate_one(connection: psycopg.Connection, *, schema: str, version: str, head: str) -> MigrationResult:
    try:
        script = script_for(schema, start=version, end=head)
    except CommandError as error:
        return _failed(connection, schema=schema, version=version, problem=str(error))
    sql = (
        f"BEGIN; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; SET LOCAL search_path TO {schema};\n"
        f"{script}\n"
        f"UPDATE control.tenant SET version = '{head}', migration_error = NULL "
        f"WHERE schema_name = '{schema}' AND version = '{version}'; COMMIT"
    )
    try:
        connection.execute(sql.encode())
    except psycopg.Error as error:
        connection.execute("ROLLBACK")
        problem = f"{error.sqlstate}: {str(error).splitlines()[0]}"
        return _failed(connection, schema=schema, version=version, problem=problem)
    return MigrationResult(schema, head)


def _failed(connection: psycopg.Connection, *, schema: str, version: str, problem: str) -> MigrationResult:
    connection.execute("UPDATE control.tenant SET migration_error = %s WHERE schema_name = %s", [problem, schema])
    return MigrationResult(schema, version, problem)


def driver_dsn(url: str) -> str:
    """Return a SQLAlchemy URL as a libpq connection string."""
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
