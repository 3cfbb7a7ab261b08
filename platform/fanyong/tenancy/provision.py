"""Building schemas ahead of time, and claiming one for a brand at sign-up."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

import psycopg
import sqlalchemy as sa
from psycopg import sql

from fanyong.ids import new_id
from fanyong.tenancy import migrate
from fanyong.tenancy.database import session
from fanyong.tenancy.directory import SlugTaken, audit, check_slug
from fanyong.tenancy.models import TenantRecord

#: Built once and granted to the tenant engine's login; see `tenant_login`.
POOL_SIZE = 3


def tenant_login(database_url: str, *, secret_key: str) -> sa.URL:
    """Return the URL of the tenant engine: a login of its own that owns nothing.

    Its password follows from the secret key, so that nobody has to configure a second one.
    """
    url = sa.make_url(database_url)
    name = f"{url.database}_app"
    password = hmac.new(secret_key.encode(), f"tenant engine {name}".encode(), hashlib.sha256).hexdigest()
    return url.set(username=name, password=password)


def ensure_tenant_login(owner_dsn: str, login: sa.URL) -> None:
    """Create the tenant engine's login, or give it its present password; it inherits no right of any brand."""
    role = sql.Identifier(login.username or "")
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [login.username]).fetchone()
        verb = sql.SQL("ALTER ROLE" if exists else "CREATE ROLE")
        connection.execute(
            sql.SQL("{} {} LOGIN NOINHERIT PASSWORD {}").format(verb, role, sql.Literal(str(login.password)))
        )
        # Without a bound tenant no name resolves: a forgotten scope fails instead of finding something.
        connection.execute(sql.SQL("ALTER ROLE {} SET search_path = ''").format(role))
        # A temporary table outlives its transaction and is found first: on a pooled connection the next brand
        # would read it instead of its own.
        database = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))


def build_schema(owner_dsn: str, *, login_role: str) -> UUID:
    """Build one schema with its role, tables and grants in one round trip, and put it into the pool."""
    tenant_id = new_id()
    schema = f"t_{tenant_id.hex}"
    head = migrate.head_version()
    script = (
        f"BEGIN; CREATE SCHEMA {schema}; SET LOCAL search_path TO {schema}; CREATE ROLE {schema} NOLOGIN;\n"
        f"GRANT USAGE ON SCHEMA {schema} TO {schema};\n"
        f"{migrate.script_for(schema, start=migrate.BASE, end=head)}\n"
        f'GRANT {schema} TO "{login_role}";\n'
        f"INSERT INTO control.tenant (id, name, schema_name, cell, state, version) "
        f"VALUES ('{tenant_id}', '', '{schema}', 1, 'ready', '{head}'); COMMIT"
    )
    with psycopg.connect(owner_dsn, autocommit=True, prepare_threshold=None) as connection:
        connection.execute(script.encode())
    return tenant_id


def refill_pool(owner_dsn: str, *, login_role: str, size: int = POOL_SIZE) -> int:
    """Build schemas until `size` wait in the pool; returns how many were built."""
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM control.tenant WHERE state = 'ready'").fetchone()
        waiting = row[0] if row else 0
    missing = max(0, size - waiting)
    for _ in range(missing):
        build_schema(owner_dsn, login_role=login_role)
    return missing


def slug_is_free(slug: str) -> bool:
    """Return whether no brand has this subdomain."""
    return session().scalar(sa.select(TenantRecord.id).where(TenantRecord.slug == slug)) is None


def claim(*, name: str, slug: str, actor: str) -> TenantRecord | None:
    """Give a ready schema to a brand; None when the pool is empty (build one, then claim again).

    Raises BadSlug, ReservedSlug or SlugTaken. Two sign-ups never get the same schema: rows are taken with
    SKIP LOCKED, and the unique subdomain decides who of two rivals gets the name.
    """
    check_slug(slug)
    if not slug_is_free(slug):
        raise SlugTaken
    ready = (
        sa.select(TenantRecord)
        .where(TenantRecord.state == "ready", TenantRecord.version == migrate.head_version())
        .order_by(TenantRecord.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    record = session().scalar(ready)
    if record is None:
        return None
    # Asked before the name is set: the query would flush it, outside of what catches a rival's being faster.
    now = session().scalar(sa.select(sa.func.now()))
    record.slug, record.name, record.state, record.claimed_at = slug, name, "active", now
    audit("tenant.signed_up", actor=actor, tenant_id=record.id, slug=slug, name=name)
    try:
        session().flush()
    except sa.exc.IntegrityError:
        raise SlugTaken from None
    return record
