"""Which brand a piece of work is bound to, and that nothing works without one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from fanyong.tenancy.context import NoTenant, Tenant, TenantMixup, bound_tenant, current_tenant, tenant_scope
from fanyong.tenancy.database import TENANT_BIND, db, session, unit_of_work
from fanyong.tenancy.runtime import in_tenant
from tenants.members.models import Member

Twins = tuple[Tenant, Tenant, UUID]
MEMBERS = Member.__table__
assert isinstance(MEMBERS, sa.Table)

WITHOUT_A_BRAND: dict[str, Callable[[], object]] = {
    "orm select": lambda: session().scalars(sa.select(Member)).all(),
    "orm column": lambda: session().execute(sa.select(Member.nickname)).all(),
    "orm get": lambda: session().get(Member, uuid4()),
    "orm update": lambda: session().execute(sa.update(Member).values(nickname="x")),
    "core insert": lambda: session().execute(MEMBERS.insert().values(openid="x")),
    "core update": lambda: session().execute(MEMBERS.update().values(nickname="x")),
    "core delete": lambda: session().execute(MEMBERS.delete()),
    "flush": lambda: (session().add(Member(openid="x", nickname="x")), session().flush()),
    "engine text": lambda: db.engines[TENANT_BIND].connect().execute(sa.text("SELECT 1")),
    "engine core": lambda: db.engines[TENANT_BIND].connect().execute(sa.select(MEMBERS)),
    "engine begin": lambda: db.engines[TENANT_BIND].begin().__enter__(),
}


@pytest.mark.parametrize("attempt", WITHOUT_A_BRAND.values(), ids=WITHOUT_A_BRAND.keys())
def test_the_tenant_engine_refuses_to_work_for_nobody(app: Flask, attempt: Callable[[], object]) -> None:
    with app.app_context():
        pool = db.engines[TENANT_BIND].pool
        assert isinstance(pool, sa.pool.QueuePool)
        with pytest.raises(NoTenant):
            attempt()
        session().close()
        assert pool.checkedout() == 0


@pytest.mark.parametrize("statement", [sa.text("SELECT * FROM member"), sa.select(MEMBERS)])
def test_what_names_no_engine_finds_no_tables_of_brands_either(app: Flask, statement: sa.Executable) -> None:
    with app.app_context(), pytest.raises(sa.exc.ProgrammingError, match='relation "member" does not exist'):
        session().execute(statement)


def test_there_is_no_current_tenant_outside() -> None:
    with pytest.raises(NoTenant):
        current_tenant()


def test_scopes_nest_for_one_brand_and_never_for_two(twins: Twins) -> None:
    one, two, _ = twins
    with tenant_scope(one):
        with tenant_scope(one):
            assert current_tenant() is one
        assert current_tenant() is one
        with pytest.raises(TenantMixup), tenant_scope(two):
            pytest.fail("entered another brand")
        assert current_tenant() is one
    assert bound_tenant() is None


def test_the_same_brand_after_a_change_is_still_the_same_brand(twins: Twins) -> None:
    one, _, _ = twins
    suspended = Tenant(id=one.id, schema=one.schema, slug=one.slug, name="another name", state="suspended")
    with tenant_scope(one), tenant_scope(suspended):
        assert current_tenant().state == "suspended"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_an_error_restores_what_was_bound_before(twins: Twins, error: type[BaseException]) -> None:
    one, _, _ = twins
    with tenant_scope(one):
        with pytest.raises(error), tenant_scope(one):
            raise error
        assert current_tenant() is one
    with pytest.raises(error), tenant_scope(one):
        raise error
    assert bound_tenant() is None


def test_a_new_thread_is_bound_to_nobody(app: Flask, twins: Twins) -> None:
    one, _, _ = twins
    seen: list[object] = []

    def look() -> None:
        seen.append(bound_tenant())
        with app.app_context():
            try:
                session().scalars(sa.select(Member)).all()
            except NoTenant as error:
                seen.append(type(error))

    with tenant_scope(one):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [None, NoTenant]


def test_a_session_that_has_worked_for_one_brand_does_not_work_for_another(app: Flask, twins: Twins) -> None:
    one, two, member_id = twins
    with app.app_context():
        with tenant_scope(one), unit_of_work():
            # Kept, so that the session remembers it and could hand it out without a query.
            remembered = session().get_one(Member, member_id)
            assert remembered.nickname == f"of {one.slug}"
        with tenant_scope(two):
            for attempt in (
                lambda: session().scalars(sa.select(Member)).all(),
                lambda: session().execute(sa.text("SELECT * FROM member")).all(),
                lambda: session().get(Member, member_id),
                lambda: session().connection(bind_arguments={"mapper": sa.inspect(Member)}),
            ):
                with pytest.raises(TenantMixup):
                    attempt()
                session().rollback()


def test_an_open_transaction_of_one_brand_answers_no_other(app: Flask, twins: Twins) -> None:
    one, two, member_id = twins
    with app.app_context():
        with tenant_scope(one):
            remembered = session().get_one(Member, member_id)
            assert remembered is session().get(Member, member_id)
        # No commit and no rollback: the connection is still inside the first brand.
        with tenant_scope(two):
            with pytest.raises(TenantMixup):
                session().scalars(sa.select(Member)).all()
            with pytest.raises(TenantMixup):
                session().execute(sa.text("SELECT * FROM member")).all()
            with pytest.raises(TenantMixup):
                session().get(Member, member_id)
        with pytest.raises(NoTenant):
            session().get(Member, member_id)
        with pytest.raises(NoTenant):
            session().scalars(sa.select(Member)).all()


def test_an_object_changed_for_one_brand_is_not_written_for_another(app: Flask, twins: Twins) -> None:
    one, two, member_id = twins
    with app.app_context():
        with tenant_scope(one):
            session().get_one(Member, member_id).nickname = "changed"
        with tenant_scope(two), pytest.raises(TenantMixup):
            session().commit()
        session().rollback()
    for tenant in (one, two):
        with app.app_context(), in_tenant(tenant):
            assert session().get_one(Member, member_id).nickname == f"of {tenant.slug}"


def test_work_of_its_own_does_not_share_the_callers_session(app: Flask, twins: Twins) -> None:
    one, two, member_id = twins
    seen = []
    with app.app_context():
        for tenant in (one, two, one):
            with in_tenant(tenant):
                seen.append(session().get_one(Member, member_id).nickname)
    assert seen == [f"of {one.slug}", f"of {two.slug}", f"of {one.slug}"]


@pytest.mark.parametrize(
    "schema",
    ["public", "control", "t_", "t_A", 't_x"', "t_x; DROP SCHEMA control", "t_x\n", "t_x y", "", "t_" + "a" * 41],
)
def test_only_generated_schema_names_are_bound(schema: str) -> None:
    with pytest.raises(ValueError, match="bad schema name"):
        Tenant(id=uuid4(), schema=schema, slug="x", name="x", state="active")
