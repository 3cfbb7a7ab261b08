"""The brand that the present request, job or command works for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

# Only generated names pass, so that they need no quoting anywhere.
_SCHEMA_NAME = re.compile(r"t_[a-z0-9]{1,40}\Z")


class NoTenant(RuntimeError):
    """Tenant data was asked for while no tenant is bound."""


class TenantMixup(RuntimeError):
    """Work for one tenant reached for another."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A brand as the code that works for it sees it; equal by id alone."""

    id: UUID
    schema: str
    slug: str
    name: str
    state: str
    statement_timeout_ms: int = 15_000

    def __post_init__(self) -> None:
        if not _SCHEMA_NAME.match(self.schema):
            raise ValueError(f"bad schema name {self.schema!r}")

    @property
    def begin_sql(self) -> bytes:
        """The statements that open every transaction of this tenant, sent in one round trip.

        SET LOCAL ends with the transaction, so a pooled connection carries nothing to the next tenant.
        """
        return (
            f"BEGIN; SET LOCAL search_path TO {self.schema}; SET LOCAL ROLE {self.schema}; "
            f"SET LOCAL statement_timeout TO {self.statement_timeout_ms}"
        ).encode()


_current: ContextVar[Tenant | None] = ContextVar("fanyong_tenant", default=None)


def current_tenant() -> Tenant:
    """Return the tenant that is bound now; raises NoTenant when there is none."""
    tenant = _current.get()
    if tenant is None:
        raise NoTenant("no tenant is bound")
    return tenant


def bound_tenant() -> Tenant | None:
    """Return the tenant that is bound now, or None."""
    return _current.get()


@contextmanager
def tenant_scope(tenant: Tenant) -> Iterator[Tenant]:
    """Bind `tenant` for the block and restore what was before, also after an error.

    Raises TenantMixup when another tenant is bound: work for one brand never calls into another's.
    """
    bound = _current.get()
    if bound is not None and bound.id != tenant.id:
        raise TenantMixup(f"{bound.schema} is bound, {tenant.schema} was asked for")
    token = _current.set(tenant)
    try:
        yield tenant
    finally:
        _current.reset(token)
