"""A brand with many posted orders, which several measurements look at one after the other."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session
from tenants.commissions.models import OrderCommission
from tests.bench.hands import hands
from tests.bench.lab import Lab, add_members, members_of
from tests.bench.rows import fill_inbox, round_robin

KEPT = "posted"
MEMBERS = 20_000
WORKERS = 2


def brand_with(lab: Lab, *, orders: int, members: int = MEMBERS) -> Tenant:
    """Return the kept brand, with at least so many orders posted."""
    tenant = open_brand(lab, members=members)
    missing = orders - count_posted(lab, tenant)
    if missing > 0:
        add_orders(lab, tenant, count=missing)
        with hands(lab.app, size=WORKERS) as workers:
            workers.ask("work_off", [{"tenant": tenant.id.hex}] * WORKERS)
    with lab.owner_connection(tenant) as connection:
        connection.autocommit = True
        # As autovacuum leaves a brand that is not filled within a minute.
        connection.execute("VACUUM ANALYZE")
    return tenant


def open_brand(lab: Lab, *, members: int) -> Tenant:
    """Return the kept brand, made with so many promoters when it is not there yet."""
    known = lab.kept.get(KEPT)
    if known is not None:
        return known
    tenant = lab.make_brand()
    lab.kept[KEPT] = tenant
    with lab.inside(tenant):
        add_members(members)
    return tenant


def add_orders(lab: Lab, tenant: Tenant, *, count: int) -> None:
    """Put paid orders of all members in turn into the inbox."""
    with lab.inside(tenant):
        people: list[UUID] = members_of()
    fill_inbox(lab, tenant, round_robin(people), count=count)


def count_posted(lab: Lab, tenant: Tenant) -> int:
    """Return how many orders reached the books."""
    with lab.inside(tenant):
        return session().scalar(sa.select(sa.func.count()).select_from(OrderCommission)) or 0
