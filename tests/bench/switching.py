"""What it costs that every transaction first becomes a brand's: its schema, its role, its time-out."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import cycle
from statistics import median
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from fanyong.tenancy.context import Tenant, tenant_scope
from fanyong.tenancy.database import TENANT_BIND, db
from tenants.members.models import Member
from tests.bench.figures import Figure
from tests.bench.lab import Lab, add_members

BLOCK = 25


def measure(lab: Lab, *, brands: int = 20, blocks: int = 30) -> list[Figure]:
    """Read a member by its key and commit, going round many brands, beside the same in one plain schema."""
    with ExitStack() as stack:
        tenants = [stack.enter_context(lab.brand()) for _ in range(brands)]
        members: list[tuple[Tenant, UUID]] = []
        for tenant in tenants:
            with lab.inside(tenant):
                members += [(tenant, member) for member in add_members(1)]
        stack.enter_context(lab.app.app_context())
        plain, prepared = (_plain_engine(lab, tenants[0], stack, prepare=prepare) for prepare in (None, 5))
        everybody, only = cycle(members), members[0][1]
        ways: dict[str, Callable[[], None]] = {
            "tenant": lambda: _read_as_tenant(*next(everybody)),
            "plain": lambda: _read(plain, only),
            "prepared": lambda: _read(prepared, only),
        }
        taken = {name: median(values) * 1_000_000 for name, values in _in_blocks(ways, blocks=blocks).items()}
    what = f"read by key and commit, {brands} brands in turn (p50)"
    return [
        Figure("switch", f"{what}; floor: one plain schema", taken["tenant"], "us", taken["plain"]),
        Figure("switch", f"{what}; floor: statements prepared as well", taken["tenant"], "us", taken["prepared"]),
    ]


def _in_blocks(ways: dict[str, Callable[[], None]], *, blocks: int) -> dict[str, list[float]]:
    for read in ways.values():
        for _ in range(BLOCK):
            read()
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(blocks):
        for name, read in ways.items():
            for _ in range(BLOCK):
                started = time.perf_counter()
                read()
                taken[name].append(time.perf_counter() - started)
    return taken


def _read_as_tenant(tenant: Tenant, member_id: UUID) -> None:
    with tenant_scope(tenant):
        _read(db.engines[TENANT_BIND], member_id)


def _read(engine: sa.Engine, member_id: UUID) -> None:
    with Session(engine, expire_on_commit=False) as work:
        work.get_one(Member, member_id)
        work.commit()


def _plain_engine(lab: Lab, tenant: Tenant, stack: ExitStack, *, prepare: int | None) -> sa.Engine:
    """Return an engine as any single-schema application has it."""
    url = lab.app.extensions["settings"].database_url
    options = {"prepare_threshold": prepare, "options": f"-c search_path={tenant.schema}"}
    engine = sa.create_engine(url, connect_args=options)
    stack.callback(engine.dispose)
    return engine
