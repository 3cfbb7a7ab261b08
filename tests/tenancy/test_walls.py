"""What SQL that runs for one brand can and cannot reach."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import TENANT_BIND, TenantBase, db, session, unit_of_work
from tenants.members.models import Member

Twins = tuple[Tenant, Tenant, UUID]
Bound = Callable[[Tenant], AbstractContextManager[Tenant]]
#: What is only ever added to. A table that joins this list or leaves it changes what the books promise.
APPEND_ONLY = {
    "admin_action",
    "attribution",
    "award",
    "award_reversal",
    "debt_write_off",
    "event",
    "member_binding",
    "payout_batch",
    "payout_import",
    "payout_policy",
    "plugin_change",
    "posting",
    "seal",
    "tax_correction",
    "tier_change",
}
DENIED = psycopg.errors.InsufficientPrivilege


def refuse(statement: str) -> BaseException | None:
    """Run a statement in a transaction of its own and return the driver's error, or None when it worked."""
    try:
        with unit_of_work() as work:
            work.execute(sa.text(statement))
    except sa.exc.DBAPIError as error:
        return error.orig
    return None


OTHER_BRAND = (
    "SELECT * FROM {other}.member",
    "SELECT count(*) FROM {other}.posting",
    "INSERT INTO {other}.coupon (code, amount_fen, threshold_fen, active) VALUES ('x', 1, 1, true)",
    "UPDATE {other}.member SET nickname = 'x'",
    "DELETE FROM {other}.member",
    "TRUNCATE {other}.member",
    "LOCK TABLE {other}.member",
    "DROP TABLE {other}.member",
    "ALTER TABLE {other}.member SET SCHEMA {own}",
    "DROP SCHEMA {other} CASCADE",
    "COPY {other}.member TO STDOUT",
    "SELECT '{other}.member'::regclass",
    "SELECT {other}.refuse_change()",
    "SELECT 1 FROM member JOIN {other}.member theirs USING (openid)",
    "SELECT pg_relation_size('{other}.member')",
)


@pytest.mark.parametrize("statement", OTHER_BRAND)
def test_another_brands_schema_is_locked(bound: Bound, twins: Twins, statement: str) -> None:
    own, other, _ = twins
    with bound(own):
        assert isinstance(refuse(statement.format(own=own.schema, other=other.schema)), DENIED)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM control.tenant",
        "SELECT * FROM control.staff_user",
        "SELECT * FROM control.audit_entry",
        "SELECT * FROM control.alembic_version",
        "INSERT INTO control.domain (host, tenant_id) SELECT 'evil.example', gen_random_uuid()",
        "UPDATE control.tenant SET state = 'active'",
        "SELECT * FROM pg_authid",
        "SELECT * FROM pg_shadow",
        "SELECT pg_read_file('postgresql.conf')",
        "COPY member TO PROGRAM 'cat'",
        "SELECT * FROM pg_statistic",
    ],
)
def test_the_platforms_own_tables_and_the_server_are_locked(bound: Bound, twins: Twins, statement: str) -> None:
    with bound(twins[0]):
        assert isinstance(refuse(statement), DENIED)


@pytest.mark.parametrize(
    "path",
    ["{other}", "{other}, {own}", "control", "control, public", "public", ""],
)
def test_another_search_path_finds_no_foreign_rows(bound: Bound, twins: Twins, path: str) -> None:
    own, other, _ = twins
    with bound(own), unit_of_work() as work:
        work.execute(
            sa.select(sa.func.set_config("search_path", path.format(own=own.schema, other=other.schema), True))
        )
        query = sa.text("SELECT nickname FROM member")
        if own.schema in path.format(own=own.schema, other=other.schema):
            assert set(work.execute(query).scalars()) == {f"of {own.slug}"}
        else:
            with pytest.raises(sa.exc.ProgrammingError, match='relation "member" does not exist'):
                work.execute(query)
            work.rollback()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = '{other}'",
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = '{other}'",
        "SELECT count(*) FROM pg_stats WHERE schemaname = '{other}'",
        "SELECT count(*) FROM pg_stats_ext WHERE schemaname = '{other}'",
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = '{other}' "
        "AND (has_schema_privilege(n.oid, 'USAGE') OR has_table_privilege(c.oid, 'SELECT'))",
        "SELECT count(*) FROM pg_roles WHERE rolname <> current_user AND pg_has_role(rolname, 'USAGE')",
        "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query NOT LIKE '<insufficient%%' "
        "AND query <> ''",
    ],
)
def test_catalogs_tell_nothing_of_another_brands_rows(
    bound: Bound, twins: Twins, owner: psycopg.Connection, query: str
) -> None:
    own, other, _ = twins
    owner.execute(f"ANALYZE {other.schema}.member".encode())
    with bound(own):
        assert session().scalar(sa.text(query.format(other=other.schema).replace("%%", "%"))) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE extra (id int)",
        "CREATE TEMPORARY TABLE member (id int)",
        "CREATE TABLE public.extra (id int)",
        "SELECT * INTO extra FROM member",
        "CREATE VIEW extra AS SELECT 1 AS one",
        "CREATE SEQUENCE extra",
        "CREATE FUNCTION extra() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TYPE extra AS (id int)",
        "CREATE SCHEMA extra",
        "CREATE ROLE extra",
        "ALTER TABLE member ADD extra int",
        "ALTER TABLE posting DISABLE TRIGGER append_only",
        "DROP TRIGGER append_only ON posting",
        "CREATE INDEX extra ON member (nickname)",
        "CREATE RULE extra AS ON SELECT TO member DO INSTEAD SELECT 1",
        "DROP TABLE coupon",
        "DROP FUNCTION refuse_change CASCADE",
        "ALTER SCHEMA {own} RENAME TO t_renamed",
        "ALTER ROLE {own} SUPERUSER",
        "SET session_replication_role = replica",
        "SET SESSION AUTHORIZATION {other}",
    ],
)
def test_a_brand_cannot_change_how_the_database_is_built(bound: Bound, twins: Twins, statement: str) -> None:
    own, other, _ = twins
    with bound(own):
        assert isinstance(refuse(statement.format(own=own.schema, other=other.schema)), DENIED)


@pytest.mark.parametrize("table", sorted(APPEND_ONLY))
def test_what_is_append_only_for_a_brand_can_only_be_added_to(
    bound: Bound, twins: Twins, owner: psycopg.Connection, table: str
) -> None:
    own, _, _ = twins
    column = next(iter(TenantBase.metadata.tables[table].primary_key)).name
    with bound(own):
        for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            assert isinstance(refuse(statement), DENIED), statement
        assert refuse(f"SELECT * FROM {table} FOR UPDATE") is not None
    # The trigger stands even when somebody grants the right one day.
    triggers = owner.execute(
        "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal",
        [f"{own.schema}.{table}"],
    ).fetchall()
    assert triggers == [("append_only", "O")]


def test_the_owner_cannot_rewrite_history_by_accident_either(
    bound: Bound, twins: Twins, owner: psycopg.Connection
) -> None:
    own, _, _ = twins
    event = (
        f"INSERT INTO {own.schema}.event (id, type, object_id, data) "
        "VALUES (gen_random_uuid(), 'x', gen_random_uuid(), '{}')"
    )
    owner.execute(event.encode())
    for statement in (f"UPDATE {own.schema}.event SET type = 'y'", f"DELETE FROM {own.schema}.event"):
        with pytest.raises(DENIED, match="event is append only"):
            owner.execute(statement.encode())


def test_rights_are_exactly_read_and_write_or_read_and_add(owner: psycopg.Connection, twins: Twins) -> None:
    own, _, _ = twins
    rows = owner.execute(
        "SELECT relname, string_agg(privilege_type, ' ' ORDER BY privilege_type), bool_or(is_grantable) "
        "FROM pg_class, aclexplode(relacl) WHERE relnamespace = %s::regnamespace AND grantee = %s::regrole GROUP BY 1",
        [own.schema, own.schema],
    ).fetchall()
    changeable = set(TenantBase.metadata.tables) - APPEND_ONLY
    expected = dict.fromkeys(changeable, "DELETE INSERT SELECT UPDATE") | dict.fromkeys(APPEND_ONLY, "INSERT SELECT")
    assert {name: rights for name, rights, _ in rows} == expected
    assert not any(grantable for *_, grantable in rows)


def test_a_brands_transaction_runs_as_its_role_in_its_schema_with_a_time_limit(
    bound: Bound, twins: Twins, login_role: str
) -> None:
    own, _, _ = twins
    query = sa.text(
        "SELECT current_user::text, session_user::text, current_setting('search_path'), "
        "current_setting('statement_timeout'), current_setting('role')"
    )
    with bound(own):
        row = tuple(session().execute(query).one())
    assert row == (own.schema, login_role, own.schema, "15s", own.schema)


def test_a_statement_that_takes_too_long_is_ended(bound: Bound, twins: Twins) -> None:
    own, _, _ = twins
    hasty = Tenant(id=own.id, schema=own.schema, slug=own.slug, name=own.name, state=own.state, statement_timeout_ms=50)
    with bound(hasty):
        assert isinstance(refuse("SELECT pg_sleep(20)"), psycopg.errors.QueryCanceled)


def test_the_login_alone_can_do_nothing(app: Flask, twins: Twins) -> None:
    own, _, _ = twins
    with app.app_context():
        raw = db.engines[TENANT_BIND].raw_connection()
    try:
        with raw.cursor() as cursor:
            cursor.execute("SHOW search_path")
            assert cursor.fetchone() == ('""',)
            for statement in ("SELECT * FROM {}.member", "INSERT INTO {}.coupon VALUES ('x', 1, 1, true)"):
                with pytest.raises(DENIED):
                    cursor.execute(statement.format(own.schema))
                raw.rollback()
            for schema in ("control.tenant", "public.anything", "member"):
                with pytest.raises(psycopg.errors.Error):
                    cursor.execute(f"SELECT * FROM {schema}")
                raw.rollback()
    finally:
        raw.close()


def test_hostile_sql_that_leaves_its_role_leaves_nothing_behind(bound: Bound, twins: Twins) -> None:
    """The role is a wall against wrong code, not against a brand that runs SQL of its own: no feature offers that.

    PostgreSQL lets the login change among its roles inside a session. What must hold all the same: whatever a
    transaction leaves behind in the session, the next one starts inside its own brand.
    """
    own, other, _ = twins
    for leftover in (
        f"SET ROLE {other.schema}",
        f"SET search_path TO {other.schema}",
        "RESET ROLE",
        "SET statement_timeout = 0",
        "SET default_transaction_read_only = off",
    ):
        with bound(own), unit_of_work() as work:
            work.execute(sa.text(leftover))
        for tenant in (own, other, own):
            with bound(tenant):
                assert session().scalars(sa.select(Member.nickname)).all() == [f"of {tenant.slug}"]
                settings = (
                    "SELECT current_user::text, current_setting('search_path'), current_setting('statement_timeout')"
                )
                assert tuple(session().execute(sa.text(settings)).one()) == (tenant.schema, tenant.schema, "15s")
