"""Both migration streams: they give what the models say, and each brand moves by itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import upgrade

from fanyong.cli import build_schema
from fanyong.devtools.paths import ROOT
from fanyong.ids import new_id
from fanyong.tenancy import check, migrate, provision
from fanyong.tenancy.database import CONTROL_SCHEMA, ControlBase, TenantBase, db, unit_of_work
from tests.conftest import PASSWORD
from tests.tenancy.parts import ROLES_USED_HERE

NEXT = "t9001"
REVISION = """
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    for statement in {statements!r}:
        op.execute(statement)
"""
#: Two statements, so that a brand that fails at the second shows whether the first was undone.
STATEMENTS = (
    "CREATE TABLE unused_note (id UUID NOT NULL, CONSTRAINT pk_unused_note PRIMARY KEY (id))",
    "GRANT SELECT, INSERT ON unused_note TO __tenant_role__",
    "ALTER TABLE coupon ADD COLUMN note TEXT NOT NULL DEFAULT ''",
)


@pytest.fixture
def next_revision(
    spare_app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spare_owner: psycopg.Connection
) -> Iterator[str]:
    """One more revision of the tenant stream; afterwards every schema is as it was."""
    with spare_app.app_context():
        head = migrate.head_version()
    folder = tmp_path / "tenant"
    shutil.copytree(ROOT / "migrations" / "tenant", folder)
    (folder / "versions" / "next.py").write_text(
        REVISION.format(revision=NEXT, before=head, statements=STATEMENTS), encoding="utf-8"
    )
    config = Config()
    config.set_main_option("script_location", str(folder))
    monkeypatch.setattr(migrate, "tenant_scripts", lambda: ScriptDirectory.from_config(config))
    migrate.render.cache_clear()
    yield NEXT
    migrate.render.cache_clear()
    for schema in schemas(spare_owner):
        spare_owner.execute(f"DROP TABLE IF EXISTS {schema}.unused_note".encode())
        spare_owner.execute(f"ALTER TABLE {schema}.coupon DROP COLUMN IF EXISTS note".encode())
    spare_owner.execute("UPDATE control.tenant SET version = %s, migration_error = NULL", [head])


@pytest.fixture(scope="module")
def spare_brands(spare_app: Flask) -> list[str]:
    """The schemas of two brands on the spare database, next to those in the pool."""
    found = []
    with spare_app.app_context():
        for _ in range(2):
            build_schema()
            with unit_of_work():
                record = provision.claim(name="x", slug=f"m{new_id().hex[-12:]}", actor="test")
            assert record is not None
            found.append(record.schema_name)
    return found


def schemas(connection: psycopg.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT schema_name FROM control.tenant ORDER BY id").fetchall()]


def versions(connection: psycopg.Connection) -> dict[str, tuple[str, str | None]]:
    rows = connection.execute("SELECT schema_name, version, migration_error FROM control.tenant").fetchall()
    return {schema: (version, error) for schema, version, error in rows}


def has_note(connection: psycopg.Connection, schema: str) -> tuple[bool, bool]:
    """Return whether the first and the last statement of the revision have been carried out."""
    row = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL, EXISTS (SELECT FROM information_schema.columns "
        "WHERE table_schema = %s AND table_name = 'coupon' AND column_name = 'note')",
        [f"{schema}.unused_note", schema],
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def differences(connection: psycopg.Connection, built: str, expected: str) -> list[str]:
    """Return what tells two schemas apart in columns, constraints and indexes."""
    lines = check._diff(connection, built, expected)
    return [
        line for line in lines if line.split()[1] in {"column", "index", "constraint"} and "alembic_version" not in line
    ]


@pytest.fixture
def from_models(spare_app: Flask, spare_owner: psycopg.Connection) -> Iterator[Callable[[sa.MetaData], str]]:
    """Build a schema from the models alone."""
    made: list[str] = []

    def build(metadata: sa.MetaData) -> str:
        schema = f"t_models{len(made)}"
        spare_owner.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}".encode())
        made.append(schema)
        with spare_app.app_context(), db.engine.connect() as connection:
            connection = connection.execution_options(schema_translate_map={CONTROL_SCHEMA: schema})
            connection.execute(sa.text(f"SET LOCAL search_path TO {schema}"))
            metadata.create_all(connection)
            connection.commit()
        return schema

    yield build
    for schema in made:
        spare_owner.execute(f"DROP SCHEMA {schema} CASCADE".encode())


@pytest.mark.parametrize("metadata", [TenantBase.metadata, ControlBase.metadata], ids=["tenant", "control"])
def test_the_migrations_give_exactly_what_the_models_say(
    spare_app: Flask,
    spare_owner: psycopg.Connection,
    from_models: Callable[[sa.MetaData], str],
    metadata: sa.MetaData,
) -> None:
    built = CONTROL_SCHEMA
    if metadata is TenantBase.metadata:
        with spare_app.app_context():
            built = f"t_{build_schema().hex}"
    assert differences(spare_owner, built, from_models(metadata)) == []


def test_a_difference_to_the_models_is_seen(
    spare_app: Flask, spare_owner: psycopg.Connection, from_models: Callable[[sa.MetaData], str]
) -> None:
    with spare_app.app_context():
        built = f"t_{build_schema().hex}"
    expected = from_models(TenantBase.metadata)
    changes = {
        "ALTER TABLE {}.coupon ALTER active DROP NOT NULL": "column coupon.active",
        "ALTER TABLE {}.coupon ALTER amount_fen TYPE int": "column coupon.amount_fen",
        "DROP INDEX {}.ix_release_bucket_open": "index",
        "ALTER TABLE {}.release_bucket DROP CONSTRAINT ck_release_bucket_amount": "constraint release_bucket",
        "ALTER TABLE {}.event ALTER created_at SET DEFAULT now()": "column event.created_at",
    }
    seen: set[str] = set()
    for change, place in changes.items():
        spare_owner.execute(change.format(built).encode())
        found = set(differences(spare_owner, built, expected))
        assert any(place in line for line in found - seen), change
        seen |= found
    spare_owner.execute(f"UPDATE control.tenant SET state = 'ready' WHERE schema_name = '{built}'".encode())
    spare_owner.execute(f"DELETE FROM control.tenant WHERE schema_name = '{built}'".encode())
    spare_owner.execute(f"DROP SCHEMA {built} CASCADE".encode())


def test_what_is_rendered_is_the_brands_alone(spare_app: Flask) -> None:
    with spare_app.app_context():
        script = migrate.script_for("t_abc", start=migrate.BASE, end=migrate.head_version())
    assert migrate.ROLE_TOKEN not in script
    assert "alembic" not in script.lower()
    assert "control." not in script
    assert "BEGIN;" not in script
    assert script.count("CREATE TABLE") - script.count("DROP TABLE") == len(TenantBase.metadata.tables)


def test_one_more_revision_reaches_every_schema_in_a_transaction_of_its_own(
    spare_app: Flask, spare_brands: list[str], spare_owner: psycopg.Connection, next_revision: str
) -> None:
    with spare_app.app_context():
        results = list(migrate.migrate_all(dsn=_dsn(spare_app)))
    everybody = schemas(spare_owner)
    assert {result.schema for result in results} == set(everybody)
    assert all(result == migrate.MigrationResult(result.schema, NEXT) for result in results)
    assert set(versions(spare_owner).values()) == {(NEXT, None)}
    assert {has_note(spare_owner, schema) for schema in everybody} == {(True, True)}
    row = spare_owner.execute("SELECT count(DISTINCT xmin::text), count(*) FROM control.tenant").fetchone()
    assert row is not None
    assert row[0] == row[1], "brands shared a transaction"


def test_brands_come_before_the_pool(
    spare_app: Flask, spare_brands: list[str], spare_owner: psycopg.Connection, next_revision: str
) -> None:
    with spare_app.app_context():
        order = [result.schema for result in migrate.migrate_all(dsn=_dsn(spare_app))]
    states = dict(spare_owner.execute("SELECT schema_name, state FROM control.tenant").fetchall())
    in_order = [states[schema] for schema in order]
    assert in_order == sorted(in_order, key=lambda state: state != "active")


def test_a_broken_brand_stays_whole_and_stops_nobody(
    spare_app: Flask, spare_brands: list[str], spare_owner: psycopg.Connection, next_revision: str
) -> None:
    broken, healthy = spare_brands
    before = versions(spare_owner)[broken][0]
    spare_owner.execute(f"ALTER TABLE {broken}.coupon ADD COLUMN note TEXT".encode())
    with spare_app.app_context():
        results = {result.schema: result for result in migrate.migrate_all(dsn=_dsn(spare_app))}
    assert results[broken].version == before
    assert results[broken].error == '42701: column "note" of relation "coupon" already exists'
    assert [result for result in results.values() if result.error and result.schema != broken] == []
    assert versions(spare_owner)[broken] == (before, results[broken].error)
    assert has_note(spare_owner, broken) == (False, True), "the first statement stayed although the last one failed"
    assert has_note(spare_owner, healthy) == (True, True)

    spare_owner.execute(f"ALTER TABLE {broken}.coupon DROP COLUMN note".encode())
    with spare_app.app_context():
        assert list(migrate.migrate_all(dsn=_dsn(spare_app))) == [migrate.MigrationResult(broken, NEXT)]
    assert versions(spare_owner)[broken] == (NEXT, None)
    assert has_note(spare_owner, broken) == (True, True)


def test_a_brand_that_is_busy_is_left_for_the_next_run(
    spare_app: Flask,
    spare_brands: list[str],
    spare_owner: psycopg.Connection,
    spare_dsn: str,
    next_revision: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = spare_brands[0]
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "50ms")
    with psycopg.connect(spare_dsn) as reader, spare_app.app_context():
        reader.execute(f"SELECT * FROM {busy}.coupon".encode())
        results = {result.schema: result for result in migrate.migrate_all(dsn=spare_dsn)}
        assert (results[busy].error or "").startswith("55P03")
        assert {schema for schema, result in results.items() if result.error} == {busy}
    with spare_app.app_context():
        assert [result.schema for result in migrate.migrate_all(dsn=spare_dsn)] == [busy]
    assert set(versions(spare_owner).values()) == {(NEXT, None)}


def test_a_brand_at_a_version_that_nobody_knows_stops_nobody(
    spare_app: Flask, spare_brands: list[str], spare_owner: psycopg.Connection, next_revision: str
) -> None:
    lost, healthy = spare_brands
    spare_owner.execute("UPDATE control.tenant SET version = 'from-the-future' WHERE schema_name = %s", [lost])
    with spare_app.app_context():
        results = {result.schema: result for result in migrate.migrate_all(dsn=_dsn(spare_app))}
    assert "from-the-future" in (results[lost].error or "")
    assert versions(spare_owner)[lost] == ("from-the-future", results[lost].error)
    assert versions(spare_owner)[healthy] == (NEXT, None)


class _Counting(psycopg.Cursor[Any]):
    """Counts what is sent."""

    sent: list[object] = []

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        _Counting.sent.append(query)
        return super().execute(query, *args, **kwargs)


def test_nothing_to_do_costs_one_query_for_all_brands(
    spare_app: Flask, spare_brands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = psycopg.connect
    monkeypatch.setattr(
        migrate.psycopg, "connect", lambda *args, **kwargs: connect(*args, cursor_factory=_Counting, **kwargs)
    )
    _Counting.sent.clear()
    with spare_app.app_context():
        assert list(migrate.migrate_all(dsn=_dsn(spare_app))) == []
    assert len(_Counting.sent) == 1


def test_a_migrated_brand_and_a_new_one_are_the_same(
    spare_app: Flask, spare_brands: list[str], next_revision: str
) -> None:
    with spare_app.app_context():
        list(migrate.migrate_all(dsn=_dsn(spare_app)))
        assert check.drifted_schemas(_dsn(spare_app), build=build_schema) == []


def test_the_commands_create_list_migrate_and_check(
    spare_app: Flask, spare_brands: list[str], spare_owner: psycopg.Connection, next_revision: str
) -> None:
    flask = spare_app.test_cli_runner()
    broken, healthy = spare_brands
    spare_owner.execute(f"ALTER TABLE {broken}.coupon ADD COLUMN note TEXT".encode())

    migrated = flask.invoke(args=["tenants", "migrate"])
    assert migrated.exit_code == 1
    assert f"{broken} stays at" in migrated.output
    assert "1 failed" in migrated.output

    listed = flask.invoke(args=["tenants", "list"])
    assert listed.exit_code == 0
    lines = {line.split("  ")[3]: line for line in listed.output.splitlines()}
    assert lines[broken].endswith("already exists")
    assert lines[healthy].endswith(f"{NEXT}  -")

    checked = flask.invoke(args=["tenants", "check"])
    assert checked.exit_code == 1
    assert f"{broken}: missing column unused_note.id uuid" in checked.output
    assert healthy not in checked.output

    spare_owner.execute(f"ALTER TABLE {broken}.coupon DROP COLUMN note".encode())
    again = flask.invoke(args=["tenants", "migrate"])
    assert (again.exit_code, again.output.startswith("1 schemas migrated, 0 failed")) == (0, True), again.output
    assert flask.invoke(args=["tenants", "check"]).exit_code == 0


def test_a_brand_is_created_from_the_command_line_once(spare_app: Flask, spare_owner: psycopg.Connection) -> None:
    flask = spare_app.test_cli_runner()
    slug = f"cli{new_id().hex[-12:]}"
    arguments = ["tenants", "create", "--name", "乔木", "--slug", slug, "--email", "a@example.com"]
    created = flask.invoke(args=arguments, input=f"{PASSWORD}\n")
    assert created.exit_code == 0, created.output
    assert slug in created.output
    assert PASSWORD not in created.output
    row = spare_owner.execute("SELECT name, state FROM control.tenant WHERE slug = %s", [slug]).fetchone()
    assert row == ("乔木", "active")
    assert flask.invoke(args=arguments, input=f"{PASSWORD}\n").exit_code != 0


DRIFT = {
    "ALTER TABLE {}.coupon ADD COLUMN extra int": "additional column coupon.extra integer null=t default=-",
    "ALTER TABLE {}.coupon ALTER active DROP NOT NULL": "missing column coupon.active boolean null=f",
    "ALTER TABLE {}.member DROP CONSTRAINT uq_member_openid": "missing constraint member.uq_member_openid",
    "CREATE INDEX extra ON {}.member (nickname)": "additional index CREATE INDEX extra ON member",
    "DROP TRIGGER append_only ON {}.posting": "missing trigger CREATE TRIGGER append_only",
    "GRANT UPDATE ON {}.posting TO {}": "additional grant posting UPDATE to tenant",
    "REVOKE INSERT ON {}.posting FROM {}": "missing grant posting INSERT to tenant",
    "GRANT SELECT ON {}.award TO PUBLIC": "additional grant award SELECT to",
    "ALTER TABLE {}.event ALTER created_at DROP DEFAULT": "additional column event.created_at",
    "DROP TABLE {}.brand_setting": "missing column brand_setting.key",
    "CREATE TABLE {}.extra_table (id int)": "additional column extra_table.id",
}


def test_a_schema_that_drifted_is_named_with_what_differs(spare_app: Flask, spare_owner: psycopg.Connection) -> None:
    with spare_app.app_context():
        schema = f"t_{build_schema().hex}"
    for change in DRIFT:
        spare_owner.execute(change.replace("{}", schema).encode())
    result = spare_app.test_cli_runner().invoke(args=["tenants", "check"])
    spare_owner.execute(f"DELETE FROM control.tenant WHERE schema_name = '{schema}'".encode())
    spare_owner.execute(f"DROP SCHEMA {schema} CASCADE".encode())
    assert result.exit_code == 1
    for line in DRIFT.values():
        assert f"{schema}: {line}" in result.output
    assert {text.split(":")[0] for text in result.output.splitlines()} == {schema, "Error"}


def test_a_check_leaves_no_trace(spare_app: Flask, spare_owner: psycopg.Connection) -> None:
    query = f"SELECT (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM control.tenant), ({ROLES_USED_HERE})"
    before = spare_owner.execute(query).fetchone()
    assert spare_app.test_cli_runner().invoke(args=["tenants", "check"]).exit_code == 0
    assert spare_owner.execute(query).fetchone() == before


def test_a_check_never_drops_a_schema_that_became_a_brand_meanwhile(
    spare_app: Flask, spare_owner: psycopg.Connection
) -> None:
    claimed: list[str] = []

    def build() -> UUID:
        tenant_id = build_schema()
        if not claimed:
            slug = f"c{new_id().hex[-12:]}"
            spare_owner.execute(
                "UPDATE control.tenant SET state = 'active', slug = %s WHERE id = %s", [slug, tenant_id]
            )
            claimed.append(slug)
        return tenant_id

    with spare_app.app_context():
        assert check.drifted_schemas(_dsn(spare_app), build=build) == []
    row = spare_owner.execute("SELECT schema_name FROM control.tenant WHERE slug = %s", claimed).fetchone()
    assert row is not None
    assert spare_owner.execute("SELECT to_regnamespace(%s) IS NOT NULL", [row[0]]).fetchone() == (True,)


def test_the_platforms_migrations_can_be_repeated(spare_app: Flask, spare_owner: psycopg.Connection) -> None:
    def look() -> object:
        return spare_owner.execute(
            "SELECT (SELECT array_agg(version_num) FROM control.alembic_version), (SELECT count(*) FROM control.tenant)"
        ).fetchone()

    before = look()
    with spare_app.app_context():
        upgrade(directory=spare_app.extensions["migrate"].directory)
        upgrade(directory=spare_app.extensions["migrate"].directory)
    assert look() == before
    locks = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    assert spare_owner.execute(locks).fetchone() == (0,)


def test_the_set_up_can_be_repeated(full_pool: Flask, spare_owner: psycopg.Connection) -> None:
    query = "SELECT (SELECT count(*) FROM control.tenant), (SELECT count(*) FROM control.staff_user)"
    before = spare_owner.execute(query).fetchone()
    result = full_pool.test_cli_runner().invoke(args=["setup"])
    assert result.exit_code == 0, result.output
    assert "0 schemas built" in result.output
    assert spare_owner.execute(query).fetchone() == before


def _dsn(app: Flask) -> str:
    return migrate.driver_dsn(app.extensions["settings"].database_url)
