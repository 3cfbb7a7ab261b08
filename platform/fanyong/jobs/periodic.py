"""The jobs that the scheduler queues again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask, current_app

from fanyong.jobs.tending import tick
from fanyong.tenancy import migrate, provision


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """A function and how often it is queued."""

    function: Callable[[], Any]
    every_seconds: int
    timeout_seconds: int = int(timedelta(minutes=5).total_seconds())


def refill_pool() -> int:
    """Keep ready schemas in the pool, so that a sign-up never waits for one to be built."""
    application: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    settings = application.extensions["settings"]
    login = provision.tenant_login(settings.database_url, secret_key=settings.secret_key)
    return provision.refill_pool(migrate.driver_dsn(settings.database_url), login_role=login.username or "")


JOBS = (PeriodicJob(tick, every_seconds=2), PeriodicJob(refill_pool, every_seconds=10))
