"""How long a sign-up waits for its schema: claiming a ready one, building one, replaying migrations with Alembic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext

from fanyong.cli import build_schema
from fanyong.ids import new_id, new_token
from fanyong.tenancy import migrate, provision
from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.models import TenantRecord
from tests.bench.figures import Figure, medians, side_by_side
from tests.bench.lab import Lab, drop_schema


def measure(lab: Lab, *, rounds: int = 7) -> list[Figure]:
    """Make schemas in the three ways, in turn."""
    made: list[str] = []
    claimed: list[TenantRecord] = []
    with lab.app.app_context():
        engine = sa.create_engine(lab.app.extensions["settings"].database_url, poolclass=sa.pool.NullPool)
        build_schema()
        ways: dict[str, Callable[[], object]] = {
            "build": lambda: build_schema(),
            "claim": lambda: claimed.append(_claim()),
            "replay": lambda: made.append(_replay(engine)),
        }
        taken = {name: value * 1_000 for name, value in medians(side_by_side(ways, rounds=rounds)).items()}
        _clean_up(lab, claimed=claimed, replayed=made)
    replayed = taken["replay"]
    return [
        Figure("provision", "claim a ready schema; naive: replay with Alembic", taken["claim"], "ms", naive=replayed),
        Figure("provision", "build one in one round trip", taken["build"], "ms", naive=replayed),
    ]


def _claim() -> TenantRecord:
    with unit_of_work():
        record = provision.claim(name="Bench", slug=f"bench-{new_token(12).lower()}", actor="bench")
    assert record is not None
    return record


def _replay(engine: sa.Engine) -> str:
    """Run the tenant stream as Alembic does it by itself: statement after statement over one connection."""
    schema = f"t_{new_id().hex}"
    scripts, head = migrate.tenant_scripts(), migrate.head_version()
    environment = EnvironmentContext(
        Config(), scripts, fn=lambda revision, _context: scripts._upgrade_revs(head, revision), destination_rev=head
    )
    with engine.begin() as connection:
        sa.event.listen(connection, "before_cursor_execute", _with_role(schema), retval=True)
        connection.execute(sa.text(f"CREATE ROLE {schema} NOLOGIN"))
        connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
        connection.execute(sa.text(f"SET LOCAL search_path TO {schema}"))
        with environment:
            environment.configure(connection=connection)
            environment.run_migrations()
    return schema


def _with_role(schema: str) -> Callable[..., tuple[str, Any]]:
    def fill_in(_c: object, _cursor: object, statement: str, values: Any, _x: object, _many: bool) -> tuple[str, Any]:
        return statement.replace(migrate.ROLE_TOKEN, schema), values

    return fill_in


def _clean_up(lab: Lab, *, claimed: list[TenantRecord], replayed: list[str]) -> None:
    for record in claimed:
        lab.drop(record.as_tenant())
    with psycopg.connect(lab.owner_dsn, autocommit=True) as connection:
        for schema in replayed:
            drop_schema(connection, schema)
