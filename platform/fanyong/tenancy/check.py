"""Does every brand's schema look like a freshly built one?

One query fingerprints all schemas: columns with type, nullability and default, indexes, constraints with their
text, triggers and grants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import UUID

import psycopg

_PARTS = r"""
WITH schemas AS (SELECT oid, nspname FROM pg_namespace WHERE nspname LIKE 't\_%%'),
rel AS (SELECT c.oid, s.nspname AS schema, c.relname, c.relacl FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p')),
parts AS (
    SELECT r.schema, format('column %%s.%%s %%s null=%%s default=%%s', r.relname, a.attname,
                            format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
                            coalesce(pg_get_expr(d.adbin, d.adrelid), '-')) AS part
      FROM rel r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
    UNION ALL
    SELECT r.schema, 'index ' || replace(pg_get_indexdef(i.indexrelid), r.schema || '.', '')
      FROM rel r JOIN pg_index i ON i.indrelid = r.oid
    UNION ALL
    SELECT r.schema, format('constraint %%s.%%s %%s', r.relname, k.conname,
                            replace(pg_get_constraintdef(k.oid), r.schema || '.', ''))
      FROM rel r JOIN pg_constraint k ON k.conrelid = r.oid
    UNION ALL
    SELECT r.schema, 'trigger ' || replace(pg_get_triggerdef(t.oid), r.schema || '.', '')
      FROM rel r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT r.schema, format('grant %%s %%s to %%s', r.relname, a.privilege_type,
                            CASE WHEN a.grantee::regrole::text = r.schema THEN 'tenant'
                                 WHEN a.grantee = a.grantor THEN 'owner' ELSE a.grantee::regrole::text END)
      FROM rel r, aclexplode(r.relacl) a
)
"""


def drifted_schemas(owner_dsn: str, *, build: Callable[[], UUID]) -> list[str]:
    """Return a line for each difference between a schema and one built for the comparison."""
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        reference = _take_out_of_the_pool(connection, build)
        try:
            return list(_differences(connection, reference))
        finally:
            _drop(connection, reference)


def _differences(connection: psycopg.Connection, reference: str) -> Iterator[str]:
    fingerprints = connection.execute(
        _PARTS.replace("%%", "%")
        + 'SELECT schema, md5(string_agg(part, chr(10) ORDER BY part COLLATE "C")) FROM parts GROUP BY schema'
    ).fetchall()
    by_schema = {str(schema): digest for schema, digest in fingerprints}
    known = connection.execute("SELECT schema_name FROM control.tenant ORDER BY schema_name").fetchall()
    for (schema,) in known:
        if by_schema.get(schema) != by_schema[reference]:
            yield from (f"{schema}: {line}" for line in _diff(connection, schema, reference))


def _diff(connection: psycopg.Connection, schema: str, reference: str) -> list[str]:
    query = _PARTS.replace("%%", "%").replace("nspname LIKE 't\\_%'", "nspname IN ('{a}', '{b}')")
    query = query.format(a=schema, b=reference) + "SELECT schema, part FROM parts"
    parts: dict[str, set[str]] = {schema: set(), reference: set()}
    for owner, part in connection.execute(query.encode()).fetchall():
        parts[owner].add(part)
    missing = [f"missing {part}" for part in sorted(parts[reference] - parts[schema])]
    extra = [f"additional {part}" for part in sorted(parts[schema] - parts[reference])]
    return missing + extra


def _take_out_of_the_pool(connection: psycopg.Connection, build: Callable[[], UUID]) -> str:
    """Build a schema that no sign-up can claim; one that was claimed at once is a brand's, and another is built."""
    while True:
        tenant_id = build()
        taken = connection.execute("DELETE FROM control.tenant WHERE id = %s AND state = 'ready'", [tenant_id])
        if taken.rowcount:
            return f"t_{tenant_id.hex}"


def _drop(connection: psycopg.Connection, schema: str) -> None:
    connection.execute(
        f"BEGIN; DROP SCHEMA {schema} CASCADE; DROP OWNED BY {schema}; DROP ROLE {schema}; COMMIT".encode()
    )
