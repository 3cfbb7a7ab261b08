"""Which brand a host or a path means."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session
from fanyong.tenancy.models import AuditEntry, Domain, TenantRecord

#: Long enough to save a query per request, short enough that a suspension in another process is felt at once.
CACHE_SECONDS = 2.0
_SLUG = re.compile(r"[a-z](?:[a-z0-9-]{1,30}[a-z0-9])\Z")
RESERVED_SLUGS = frozenset(
    [
        "admin",
        "administrator",
        "api",
        "app",
        "assets",
        "billing",
        "blog",
        "callback",
        "callbacks",
        "cdn",
        "console",
        "control",
        "demo",
        "dev",
        "docs",
        "fanyong",
        "ftp",
        "help",
        "house",
        "imap",
        "localhost",
        "login",
        "mail",
        "ns1",
        "ns2",
        "pay",
        "platform",
        "pop",
        "public",
        "root",
        "shop",
        "signup",
        "simulator",
        "smtp",
        "static",
        "status",
        "superadmin",
        "support",
        "system",
        "test",
        "webhook",
        "wechat",
        "weixin",
        "www",
    ]
)


class BadSlug(FanyongError):
    code = "bad_subdomain"
    status = 422
    message = _l("A subdomain is 3 to 32 small letters, digits or hyphens, and starts with a letter.")


class ReservedSlug(FanyongError):
    code = "reserved_subdomain"
    status = 422
    message = _l("This subdomain is kept for the platform. Please choose another.")


class SlugTaken(FanyongError):
    code = "subdomain_taken"
    status = 409
    message = _l("This subdomain is taken. Please choose another.")


def check_slug(slug: str) -> None:
    """Raise BadSlug or ReservedSlug when `slug` cannot be a brand's subdomain."""
    if not _SLUG.match(slug) or "--" in slug:
        raise BadSlug
    if slug in RESERVED_SLUGS:
        raise ReservedSlug


@dataclass(frozen=True, slots=True)
class _Cached:
    tenant: Tenant | None
    until: float


class Directory:
    """Finds brands by host or id and remembers the answer for a moment."""

    def __init__(self) -> None:
        self._cache: dict[str, _Cached] = {}
        self._lock = Lock()

    def by_host(self, host: str, *, platform_host: str) -> Tenant | None:
        """Return the brand that answers at `host` (with or without a port), or None."""
        name = host.rsplit(":", 1)[0].lower().rstrip(".")
        suffix = "." + platform_host.rsplit(":", 1)[0].lower()
        if name.endswith(suffix):
            slug = name.removesuffix(suffix)
            return self._find(f"slug:{slug}", TenantRecord.slug == slug)
        domain = sa.select(Domain.tenant_id).where(Domain.host == name).scalar_subquery()
        return self._find(f"host:{name}", TenantRecord.id == domain)

    def by_id(self, tenant_id: UUID) -> Tenant | None:
        """Return the brand with this id, or None."""
        return self._find(f"id:{tenant_id}", TenantRecord.id == tenant_id)

    def forget(self) -> None:
        """Drop what is remembered; called in the process that changed a brand."""
        with self._lock:
            self._cache.clear()

    def _find(self, key: str, where: sa.ColumnElement[bool]) -> Tenant | None:
        now = time.monotonic()
        cached = self._cache.get(key)
        if cached is not None and cached.until > now:
            return cached.tenant
        record = session().scalar(sa.select(TenantRecord).where(where, TenantRecord.state != "ready"))
        tenant = record.as_tenant() if record else None
        with self._lock:
            if len(self._cache) > 10_000:  # Hosts come from outside; a flood of made-up ones must not fill memory.
                self._cache.clear()
            self._cache[key] = _Cached(tenant, now + CACHE_SECONDS)
        return tenant


directory = Directory()


def get_record(tenant_id: UUID, *, lock: bool = False) -> TenantRecord | None:
    """Return the directory row of a brand, locked for a change when asked."""
    return session().get(TenantRecord, tenant_id, with_for_update=lock, populate_existing=lock)


def live_tenants(*, among: Collection[UUID] | None = None) -> list[Tenant]:
    """Return every brand that works or is suspended, oldest first; of those `among` alone when they are given."""
    query = sa.select(TenantRecord).where(TenantRecord.state != "ready").order_by(TenantRecord.id)
    if among is not None:
        query = query.where(TenantRecord.id.in_(among))
    return [row.as_tenant() for row in session().scalars(query)]


def set_state(record: TenantRecord, *, state: str, reason: str | None, actor: str) -> None:
    """Suspend (`suspended`, with a reason) or resume (`active`) a brand, and write it into the audit trail."""
    record.state = state
    record.suspended_reason = reason if state == "suspended" else None
    audit(f"tenant.{state}", actor=actor, tenant_id=record.id, reason=reason or "")


def audit(action: str, *, actor: str, tenant_id: UUID | None = None, **details: object) -> None:
    """Write an entry into the platform's audit trail, in the present unit of work."""
    session().add(AuditEntry(action=action, actor=actor, tenant_id=tenant_id, details=details))
