"""Two engines and no third way: control (the platform's own schema) and tenant (one brand at a time)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import psycopg
import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from psycopg.pq import ExecStatus
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Session

from fanyong.tenancy.context import TenantMixup, bound_tenant, current_tenant

CONTROL_SCHEMA = "control"
TENANT_BIND = "tenant"
_REMEMBERED = "remembered"
Value = TypeVar("Value")
_TYPES: dict[Any, Any] = {
    uuid.UUID: sa.Uuid(),
    datetime: sa.DateTime(timezone=True),
    int: sa.BigInteger(),
    str: sa.Text(),
    dict[str, Any]: JSONB(),
    list[Any]: JSONB(),
}
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class ControlBase(DeclarativeBase):
    """Base of the platform's own tables."""

    metadata = sa.MetaData(schema=CONTROL_SCHEMA, naming_convention=_NAMES)
    type_annotation_map = _TYPES


class TenantBase(DeclarativeBase):
    """Base of a brand's tables; their names are never qualified, the transaction's search path decides."""

    metadata = sa.MetaData(naming_convention=_NAMES, info={"bind_key": TENANT_BIND})
    type_annotation_map = _TYPES


class RoutedSession(FlaskSession):
    """Sends each statement to the engine of its tables, and raw SQL to the tenant where one is bound."""

    def get_bind(
        self,
        mapper: Any | None = None,
        clause: Any | None = None,
        bind: sa.engine.Engine | sa.engine.Connection | None = None,
        **kwargs: Any,
    ) -> sa.engine.Engine | sa.engine.Connection:
        """Return the engine for a statement."""
        tenant_engine = self._db.engines[TENANT_BIND]
        engine: sa.engine.Engine | sa.engine.Connection = tenant_engine
        if bind is not None or mapper is not None or bound_tenant() is None or _is_control(clause):
            engine = super().get_bind(mapper=mapper, clause=clause, bind=bind, **kwargs)
        if engine is tenant_engine:
            self._refuse_other_brands()
        return engine

    def get(self, entity: Any, ident: Any, **options: Any) -> Any:
        """Return one object by its primary key, also one that is remembered and needs no query."""
        if sa.inspect(entity).local_table.metadata is TenantBase.metadata:
            self._refuse_other_brands()
        return super().get(entity, ident, **options)

    def _refuse_other_brands(self) -> None:
        """Refuse what an open transaction or a remembered object of another brand would answer."""
        schema = current_tenant().schema
        if self.info.get("tenant", schema) != schema:
            raise TenantMixup(f"a session of {self.info['tenant']} was used for {schema}")


def _is_control(clause: Any) -> bool:
    table = clause.table if isinstance(clause, sa.UpdateBase) else clause
    return isinstance(table, sa.Table) and table.schema == CONTROL_SCHEMA


db = SQLAlchemy(session_options={"class_": RoutedSession, "expire_on_commit": False}, disable_autonaming=True)


def session() -> Session:
    """Return the session of the present unit of work."""
    # The scoped session is called so that callers get a plain, typed Session.
    return db.session()


def once_a_transaction(name: str, compute: Callable[[], Value]) -> Value:
    """Return a value that is computed on the first call in a transaction and remembered until it ends.

    A savepoint that is rolled back forgets it too, because what was done in it is undone.
    """
    known: dict[str, Any] = session().info.setdefault(_REMEMBERED, {})
    if name not in known:
        known[name] = compute()
    value: Value = known[name]
    return value


def forget_once(name: str) -> None:
    """Forget what `once_a_transaction` remembers under a name, because it was changed."""
    session().info.get(_REMEMBERED, {}).pop(name, None)


@contextmanager
def unit_of_work() -> Iterator[Session]:
    """Commit what the block did, or roll all of it back when it raises.

    The edge (a request, a job, a command) opens it; services never do.
    """
    work = session()
    try:
        yield work
        work.commit()
    except BaseException:
        work.rollback()
        raise


def take_minutes() -> None:
    """Let the statements of the present transaction take minutes, and add up in memory what they can."""
    session().execute(
        sa.text("SELECT set_config('statement_timeout', '10min', true), set_config('work_mem', '64MB', true)")
    )


def bind_tenant_engine(engine: sa.Engine) -> None:
    """Make every transaction of `engine` begin inside the bound tenant, in one round trip, or not at all."""

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        tenant = current_tenant()
        driver = connection.connection.dbapi_connection
        assert driver is not None
        # psycopg then sees an open transaction and sends no BEGIN of its own.
        result = driver.pgconn.exec_(tenant.begin_sql)
        if result.status != ExecStatus.COMMAND_OK:
            message = (result.error_message or b"").decode(errors="replace")
            # The connection may be dead or half open, and where one died with the server, its fellows did too.
            connection.invalidate()
            engine.dispose()
            raise sa.exc.OperationalError("BEGIN", None, psycopg.OperationalError(message))
        connection.info["tenant"] = tenant.schema


@event.listens_for(Session, "after_commit")
def _forget_at_commit(work: Session) -> None:
    if not work.in_nested_transaction():
        work.info.pop(_REMEMBERED, None)


@event.listens_for(Session, "after_soft_rollback")
def _forget_at_rollback(work: Session, _transaction: Any) -> None:
    work.info.pop(_REMEMBERED, None)


@event.listens_for(Session, "after_begin")
def _pin_session(work: Session, _transaction: Any, connection: sa.Connection) -> None:
    """Keep one session to one tenant for life: identity keys carry no tenant, so rows would mix."""
    schema = connection.info.get("tenant")
    if schema is None or connection.engine is not db.engines.get(TENANT_BIND):
        return
    if work.info.setdefault("tenant", schema) != schema:
        raise TenantMixup(f"a session of {work.info['tenant']} was used for {schema}")
