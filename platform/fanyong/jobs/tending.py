"""What the background does for one brand: each feature registers a tender, a job calls them all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID

from flask import Flask, current_app

from fanyong.jobs.wake import redis, wake, wake_mark
from fanyong.tenancy.context import tenant_scope
from fanyong.tenancy.directory import directory, live_tenants

log = logging.getLogger(__name__)
#: A tender opens its own units of work, does one portion, and returns how many things it did.
Tender = Callable[[], int]
#: A portion is small; this bounds one job so that a flood in one brand lets the others in between.
ROUNDS = 200

_tenders: dict[str, Tender] = {}


class TendingFailed(RuntimeError):
    """Some tenders raised; the job shows as failed and the next tick tries again."""


def register_tender(name: str, tender: Tender) -> None:
    """Add a tender under a name; registering it again replaces it."""
    _tenders[name] = tender


def tend_tenant(tenant_hex: str) -> None:
    """Do everything that is due in one brand; the job that a wake-up queues."""
    tenant_id = UUID(tenant_hex)
    redis().delete(wake_mark(tenant_id))
    with _application().app_context():
        tenant = directory.by_id(tenant_id)
    if tenant is None:
        return
    with tenant_scope(tenant):
        problems = tend_bound_tenant()
    if problems:
        raise TendingFailed("; ".join(problems))


def tend_bound_tenant() -> list[str]:
    """Run every tender of the bound brand until none finds work; returns what went wrong, by tender."""
    problems: dict[str, str] = {}
    for _ in range(ROUNDS):
        done = 0
        for name, tender in _tenders.items():
            if name in problems:
                continue
            try:
                # A context of its own gives each tender a session of its own.
                with _application().app_context():
                    done += tender()
            except Exception as error:
                log.exception("tender %s failed", name)
                problems[name] = f"{name}: {error}"
        if not done:
            break
    return list(problems.values())


def tick() -> int:
    """Wake every brand; the scheduler's heartbeat, which makes lost wake-ups harmless."""
    with _application().app_context():
        tenants = live_tenants()
    for tenant in tenants:
        wake(tenant.id)
    return len(tenants)


def _application() -> Flask:
    application: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return application
