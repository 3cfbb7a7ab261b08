"""Schemas that wait in a pool, and who gets one."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from fanyong.cli import build_schema
from fanyong.ids import new_token
from fanyong.signup.service import sign_up
from fanyong.tenancy import migrate, provision
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import TENANT_BIND, db, session, unit_of_work
from fanyong.tenancy.directory import RESERVED_SLUGS, BadSlug, ReservedSlug, SlugTaken, check_slug
from fanyong.tenancy.models import TenantRecord
from fanyong.tenancy.runtime import in_tenant
from tests.conftest import PASSWORD
from tests.tenancy.parts import ROLES_USED_HERE


def race(count: int, work: Callable[[int], object]) -> list[object]:
    """Do something in so many threads at once and return each one's result or error."""
    results: list[object] = [None] * count
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        try:
            results[number] = work(number)
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def ready(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM control.tenant WHERE state = 'ready'").fetchone()
    assert row is not None
    return int(row[0])


def test_eight_sign_ups_at_once_get_eight_schemas_from_a_pool_of_three(
    full_pool: Flask, spare_owner: psycopg.Connection
) -> None:
    built: list[UUID] = []

    def build() -> None:
        built.append(build_schema())

    def work(number: int) -> Tenant:
        slug = f"race-{number}-{new_token(8).lower()}"
        with full_pool.app_context():
            return sign_up(name=slug, slug=slug, email=f"o@{slug}.example", password=PASSWORD, build=build)[0]

    results = race(8, work)
    tenants = [result for result in results if isinstance(result, Tenant)]
    assert len(tenants) == 8, results
    assert len({tenant.schema for tenant in tenants}) == 8
    assert len(built) >= 5
    assert ready(spare_owner) == 3 + len(built) - 8
    for tenant in tenants:
        with full_pool.app_context(), in_tenant(tenant):
            query = sa.text("SELECT email FROM admin_user")
            assert session().scalars(query).all() == [f"o@{tenant.slug}.example"]


def test_of_many_who_want_one_name_one_gets_it_and_no_schema_is_lost(
    full_pool: Flask, spare_owner: psycopg.Connection
) -> None:
    slug = f"wanted-{new_token(8).lower()}"

    def work(number: int) -> Tenant:
        with full_pool.app_context():
            email = f"owner{number}@example.com"
            return sign_up(name=f"n{number}", slug=slug, email=email, password=PASSWORD, build=build_schema)[0]

    results = race(6, work)
    kinds = Counter(type(result) for result in results)
    assert kinds == {Tenant: 1, SlugTaken: 5}, results
    winner = next(number for number, result in enumerate(results) if isinstance(result, Tenant))
    rows = spare_owner.execute("SELECT name, state FROM control.tenant WHERE slug = %s", [slug]).fetchall()
    assert rows == [(f"n{winner}", "active")]
    row = spare_owner.execute("SELECT count(*) FROM control.tenant").fetchone()
    named = spare_owner.execute("SELECT count(*) FROM control.tenant WHERE state <> 'ready'").fetchone()
    assert row is not None
    assert named is not None
    assert ready(spare_owner) == row[0] - named[0]
    assert ready(spare_owner) >= 2


def test_a_claimed_schema_is_a_brand_at_once_and_stays_it(full_pool: Flask, spare_owner: psycopg.Connection) -> None:
    slug = f"claim-{new_token(8).lower()}"
    with full_pool.app_context(), unit_of_work():
        record = provision.claim(name="乔木", slug=slug, actor="test")
        assert record is not None
        assert record.schema_name == f"t_{record.id.hex}"
        assert slug not in record.schema_name
        assert record.claimed_at is not None
    assert ready(spare_owner) == 2
    with full_pool.app_context(), pytest.raises(SlugTaken):
        provision.claim(name="x", slug=slug, actor="test")


def test_an_empty_pool_gives_nothing_and_changes_nothing(full_pool: Flask, spare_owner: psycopg.Connection) -> None:
    with full_pool.app_context():
        for number in range(3):
            with unit_of_work():
                assert provision.claim(name="x", slug=f"e{number}{new_token(6).lower()}", actor="t") is not None
        with unit_of_work():
            assert provision.claim(name="x", slug="nobody-gets-this", actor="t") is None
        assert provision.slug_is_free("nobody-gets-this")


def test_a_schema_of_another_version_is_not_given_away(full_pool: Flask, spare_owner: psycopg.Connection) -> None:
    spare_owner.execute("UPDATE control.tenant SET version = 'older' WHERE state = 'ready'")
    try:
        with full_pool.app_context(), unit_of_work():
            assert provision.claim(name="x", slug="too-old-for-this", actor="t") is None
    finally:
        with full_pool.app_context():
            spare_owner.execute(
                "UPDATE control.tenant SET version = %s WHERE version = 'older'", [migrate.head_version()]
            )


def test_the_pool_is_filled_up_and_not_over(full_pool: Flask, spare_owner: psycopg.Connection) -> None:
    with full_pool.app_context():
        dsn = migrate.driver_dsn(full_pool.extensions["settings"].database_url)
        login = db.engines[TENANT_BIND].url.username or ""
        assert provision.refill_pool(dsn, login_role=login, size=4) == 1
        assert provision.refill_pool(dsn, login_role=login, size=4) == 0
        assert provision.refill_pool(dsn, login_role=login, size=1) == 0
    assert ready(spare_owner) == 4


def test_a_build_that_fails_leaves_nothing(
    full_pool: Flask, spare_owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count() -> object:
        return spare_owner.execute(
            f"SELECT (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM control.tenant), ({ROLES_USED_HERE})"
        ).fetchone()

    before = count()
    monkeypatch.setattr(migrate, "script_for", lambda *_, **__: "CREATE TABLE one (id int); SELECT nonsense;")
    with full_pool.app_context(), pytest.raises(psycopg.errors.UndefinedColumn):
        build_schema()
    assert count() == before


@pytest.mark.parametrize("slug", sorted(RESERVED_SLUGS))
def test_reserved_names_are_not_given_away(slug: str) -> None:
    with pytest.raises((ReservedSlug, BadSlug)):
        check_slug(slug)


@pytest.mark.parametrize(
    "slug",
    [
        "",
        "a",
        "ab",
        "-abc",
        "abc-",
        "a--b",
        "xn--fiqs8s",
        "1abc",
        "Abc",
        "a.b.c",
        "a_b",
        "abc\n",
        "abc ",
        " abc",
        "abc\x00",
        "ａｂｃ",
        "аbc",
        "abc;drop",
        "abc'",
        'abc"',
        "../abc",
        "a" * 33,
        "a" * 10_000,
    ],
)
def test_hostile_names_are_refused_before_anything_is_touched(full_pool: Flask, slug: str) -> None:
    with pytest.raises(BadSlug):
        check_slug(slug)
    with full_pool.app_context(), pytest.raises(BadSlug):
        provision.claim(name="x", slug=slug, actor="t")


@pytest.mark.parametrize("slug", ["abc", "a1b", "a-b", "a" * 32, "qiao-mu-2026", "t-control"])
def test_good_names_are_taken(slug: str) -> None:
    check_slug(slug)


def test_a_brands_role_can_neither_log_in_nor_do_anything_special(
    full_pool: Flask, spare_owner: psycopg.Connection
) -> None:
    with full_pool.app_context():
        schema = f"t_{build_schema().hex}"
    attributes = spare_owner.execute(
        "SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles "
        "WHERE rolname = %s",
        [schema],
    ).fetchone()
    assert attributes == (False,) * 6
    of_others = "SELECT count(*) FROM pg_auth_members WHERE member = %s::regrole"
    assert spare_owner.execute(of_others, [schema]).fetchone() == (0,)
    owned = "SELECT count(*) FROM pg_class WHERE relowner = %s::regrole"
    assert spare_owner.execute(owned, [schema]).fetchone() == (0,)
    rights = spare_owner.execute(
        "SELECT has_schema_privilege(%(r)s::name, %(r)s::text, 'USAGE'), "
        "has_schema_privilege(%(r)s::name, %(r)s::text, 'CREATE'), "
        "has_schema_privilege(%(r)s::name, 'control', 'USAGE'), has_schema_privilege(%(r)s::name, 'public', 'CREATE'), "
        "has_database_privilege(%(r)s::name, current_database(), 'TEMPORARY'), "
        "has_database_privilege(%(r)s::name, current_database(), 'CREATE')",
        {"r": schema},
    ).fetchone()
    assert rights == (True, False, False, False, False, False)


def test_the_login_owns_nothing_and_may_only_become_a_brand(full_pool: Flask, spare_owner: psycopg.Connection) -> None:
    with full_pool.app_context():
        login = db.engines[TENANT_BIND].url.username
    attributes = spare_owner.execute(
        "SELECT rolcanlogin, rolinherit, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolconfig "
        "FROM pg_roles WHERE rolname = %s",
        [login],
    ).fetchone()
    assert attributes == (True, False, False, False, False, False, False, ['search_path=""'])
    shared = spare_owner.execute(
        "SELECT count(*) FROM pg_shdepend WHERE refobjid = %s::regrole AND deptype IN ('o', 'a')", [login]
    )
    assert shared.fetchone() == (0,)
    memberships = spare_owner.execute(
        "SELECT roleid::regrole::text, admin_option, inherit_option, set_option FROM pg_auth_members "
        "WHERE member = %s::regrole",
        [login],
    ).fetchall()
    schemas = {row[0] for row in spare_owner.execute("SELECT schema_name FROM control.tenant").fetchall()}
    assert {row[0] for row in memberships} >= schemas
    assert all(name.startswith("t_") for name, *_ in memberships)
    assert {tuple(options) for _, *options in memberships} == {(False, False, True)}
    readable = spare_owner.execute(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE (nspname LIKE 't\\_%%' "
        "OR nspname IN ('control', 'public')) AND relkind = 'r' AND has_table_privilege(%s, c.oid, 'SELECT')",
        [login],
    )
    assert readable.fetchone() == (0,)


def test_the_logins_password_follows_the_secret_key(
    full_pool: Flask, spare_dsn: str, spare_owner: psycopg.Connection
) -> None:
    url = full_pool.extensions["settings"].database_url
    name = provision.tenant_login(url, secret_key="x").username

    def stored() -> object:
        return spare_owner.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [name]).fetchone()

    before = stored()
    one = provision.tenant_login(url, secret_key="one")
    assert provision.tenant_login(url, secret_key="one") == one
    assert provision.tenant_login(url, secret_key="two").password != one.password
    assert provision.tenant_login(f"{url}x", secret_key="one").password != one.password
    provision.ensure_tenant_login(spare_dsn, one)
    assert stored() != before
    provision.ensure_tenant_login(
        spare_dsn, provision.tenant_login(url, secret_key=full_pool.extensions["settings"].secret_key)
    )


def test_the_directory_refuses_a_brand_without_a_name(full_pool: Flask) -> None:
    with full_pool.app_context(), pytest.raises(sa.exc.IntegrityError), unit_of_work() as work:
        work.add(TenantRecord(schema_name="t_nameless", state="active", version="x"))
