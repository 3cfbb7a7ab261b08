"""How fast a draft plan is tried on a brand's past orders, beside asking it order by order through the ORM."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fanyong.pluginhost import service as plugins
from fanyong.pluginhost import versions
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session, unit_of_work
from tenants.commissions import backtest
from tenants.commissions.attribution import decode_facts
from tenants.commissions.models import Attribution, Award
from tenants.commissions.plans import propose
from tests.bench import posted
from tests.bench.computing import FULL
from tests.bench.figures import Figure
from tests.bench.lab import THREE_LEVELS, Lab

#: A million lines in five minutes.
GOAL = 1_000_000 / 300


def measure(lab: Lab, *, orders: int = 100_000, naive: int = 200) -> list[Figure]:
    """Try two plans on all orders of a brand: a plain one, and one with limits over several orders."""
    tenant = posted.brand_with(lab, orders=orders)
    figures = []
    for name, plugin, values in (("plan_levels", "plan_levels", THREE_LEVELS), ("a budget", "plan_rules", FULL)):
        speed, lines = _run(lab, tenant, plugin, values)
        what = f"{name}: {lines:,} orders of one line tried again"
        figures.append(Figure("backtest", what, speed, "lines/s", naive=_naively(lab, tenant, naive), goal=GOAL))
    return figures


def _run(lab: Lab, tenant: Tenant, plugin: str, values: dict[str, Any]) -> tuple[float, int]:
    now = datetime.now(UTC)
    with lab.inside(tenant), unit_of_work():
        row = versions.create_draft("commission_plan", plugin, values, actor="bench")
        run_id = backtest.start(
            row, starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=1), actor="bench"
        ).id
    started = time.perf_counter()
    done = 1
    while done:
        with lab.inside(tenant):
            done = backtest.run_portion()
    taken = time.perf_counter() - started
    with lab.inside(tenant):
        run = backtest.get_run(run_id)
        assert run.state == "done", run.problem
        assert run.totals["failed"] == 0, run.totals["failure"]
        lines = int(run.totals["lines"])
        assert lines == posted.count_posted(lab, tenant)
    return lines / taken, lines


def _naively(lab: Lab, tenant: Tenant, count: int) -> float:
    """Ask the brand's plan about orders one by one, each with its awards; return how many a second."""
    with lab.inside(tenant):
        ids = session().scalars(sa.select(Attribution.order_id).limit(count)).all()
    started = time.perf_counter()
    for order_id in ids:
        with lab.inside(tenant):
            plan = plugins.current("commission_plan")
            assert plan is not None
            propose(plan, decode_facts(session().get_one(Attribution, order_id).facts))
            session().scalars(sa.select(Award).where(Award.order_id == order_id)).all()
    return len(ids) / (time.perf_counter() - started)
