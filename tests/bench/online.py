"""Many at the same time: clients that sell under one upline, and many small brands with a few orders each."""

from __future__ import annotations

from itertools import repeat
from statistics import median
from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session
from tenants.commissions import service as commissions
from tenants.commissions.models import Award
from tenants.invariants.service import check_books
from tenants.ledger import service as ledger
from tests.bench.figures import Figure, seconds
from tests.bench.hands import Hands, hands
from tests.bench.lab import Lab, add_members, current_plan
from tests.bench.rows import LEVELS, fill_inbox

GOAL_ONLINE, GOAL_BRANDS = 3_000, 2_000
WORKERS = 2


def measure_online(
    lab: Lab, *, orders: int = 40_000, sold: int = 8_000, clients: int = 8, batch: int = 20
) -> list[Figure]:
    """Post small batches from many processes at once, all for one hot upline, and see that nothing was lost."""
    with lab.brand() as tenant, hands(lab.app, size=clients) as helping:
        with lab.inside(tenant):
            # The three of the upline and one buyer: every order pays the same three.
            people = add_members(LEVELS + 1)
            plan = current_plan().activation_id
        fill_inbox(lab, tenant, repeat(people), count=orders)
        asked = [{"tenant": tenant.id.hex, "portion": batch}] * clients
        posted = orders / seconds(lambda: helping.ask("work_off", asked))
        whole = [
            {
                "tenant": tenant.id.hex,
                "plan": plan.hex,
                "people": [person.hex for person in people],
                "count": sold // clients,
                "batch": batch,
            }
        ] * clients
        through = sold // clients * clients / seconds(lambda: helping.ask("sell_and_post", whole))
        helping.ask("work_off", asked)
        _nothing_lost(lab, tenant, orders=orders + -(-(sold // clients) // batch) * batch * clients)
    what = f"{clients} processes, portions of {batch}, one upline"
    return [
        Figure("online", f"{what}: from the inbox into the books", posted, "orders/s", goal=GOAL_ONLINE),
        Figure("online", f"{what}: frozen and queued one by one as well", through, "orders/s", goal=GOAL_ONLINE),
    ]


def measure_brands(lab: Lab, *, brands: int = 200, orders: int = 5, ticks: int = 4) -> list[Figure]:
    """Give many brands a few orders each, again and again, and go round them."""
    tenants = [lab.make_brand(sandbox=True) for _ in range(brands)]
    try:
        people = {}
        for tenant in tenants:
            with lab.inside(tenant):
                people[tenant.id] = add_members(LEVELS + 1)
        with hands(lab.app, size=WORKERS) as workers:
            # What is done once a day is over then, the bills of the day before for one.
            _round(lab, workers, tenants, people, orders=1, whole=True)
            speeds, whole = [
                [_round(lab, workers, tenants, people, orders=orders, whole=whole) for _ in range(ticks)]
                for whole in (False, True)
            ]
        for tenant in tenants:
            _nothing_lost(lab, tenant, orders=1 + orders * ticks * 2)
    finally:
        for tenant in tenants:
            lab.drop(tenant)
    usual, everything = median(speeds), median(whole)
    what = f"{brands} brands, {orders} orders each a tick, {WORKERS} workers"
    return [
        Figure("brands", f"{what}: orders into the books", usual, "orders/s", goal=GOAL_BRANDS),
        Figure(
            "brands", "with all else that the background does for each brand", everything, "orders/s", goal=GOAL_BRANDS
        ),
        Figure("brands", "brands a second, orders only", usual / orders, "brands/s"),
    ]


def _round(
    lab: Lab, workers: Hands, tenants: list[Tenant], people: dict[UUID, list[UUID]], *, orders: int, whole: bool
) -> float:
    """Give each brand its orders and go round all of them; return how many orders a second."""
    for tenant in tenants:
        fill_inbox(lab, tenant, repeat(people[tenant.id]), count=orders)
    shares = [tenants[number :: workers.size] for number in range(workers.size)]
    asked = [{"tenants": [tenant.id.hex for tenant in share], "whole": whole} for share in shares]
    return orders * len(tenants) / seconds(lambda: workers.ask("work_brands_off", asked))


def _nothing_lost(lab: Lab, tenant: Tenant, *, orders: int) -> None:
    """See that every order has its awards, and that what each promoter has is the sum of them."""
    with lab.inside(tenant):
        report = check_books()
        assert report.ok, report.problems
        assert commissions.open_work() == 0
        sums = sa.select(Award.beneficiary_id, sa.func.sum(Award.amount_fen), sa.func.count()).group_by(
            Award.beneficiary_id
        )
        rows = session().execute(sums).all()
        assert sum(count for _owner, _fen, count in rows) == LEVELS * orders
        figures = ledger.figures(owner for owner, _fen, _count in rows)
        assert {owner: found.estimated_fen for owner, found in figures.items()} == {r[0]: r[1] for r in rows}
