"""Working inside a brand from somewhere else: with a context, a scope and a session of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, current_app

from fanyong.tenancy.context import Tenant, tenant_scope


@contextmanager
def in_tenant(tenant: Tenant) -> Iterator[Tenant]:
    """Bind `tenant` for the block, in an application context whose session is not shared with the caller's."""
    application: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    with application.app_context(), tenant_scope(tenant):
        yield tenant
