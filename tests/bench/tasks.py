"""What helping processes are asked to do, by name; all of it through the product's own doors."""

from __future__ import annotations

import select
import sys
import time
from itertools import cycle
from unittest import mock
from uuid import UUID

import sqlalchemy as sa
from flask import Flask

from fanyong.ids import new_token
from fanyong.jobs.periodic import JOBS
from fanyong.jobs.tending import tend_bound_tenant, tend_tenant, tick
from fanyong.tenancy.context import Tenant, tenant_scope
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.directory import directory
from tenants.commissions import processing
from tenants.commissions import service as commissions
from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, Balance
from tenants.members.models import Member
from tenants.payouts import service as payouts
from tests.bench.figures import seconds
from tests.bench.profiling import Profile
from tests.bench.rows import make_order, round_robin

WITHDRAWN_FEN = 100
PAUSE_SECONDS = 0.005
TICK_SECONDS = next(job.every_seconds for job in JOBS if job.function is tick)
#: Promoters who withdraw in turn.
WITHDRAWERS = 500


def work_off(
    app: Flask, *, tenant: str, count: int = 0, portion: int = processing.PORTION, profile: bool = False
) -> dict[str, object]:
    """Work so many inbox rows off, or all of them, in portions; a negative count is nothing at all."""
    found, watched, done = _tenant(app, tenant), Profile(on=profile), 0
    with watched.running():
        while not count or done < count:
            # A context for each portion, as the background has it.
            with app.app_context(), tenant_scope(found):
                worked = processing.process_portion(limit=min(portion, count - done) if count else portion)
            if not worked:
                break
            done += worked
    return {"done": done, "profile": watched.as_text(orders=done)}


def work_brands_off(app: Flask, *, tenants: list[str], whole: bool) -> int:
    """Work the inbox of each brand off once, in turn; `whole` does all that the background does for a brand."""
    done = 0
    for name in tenants:
        with app.app_context(), tenant_scope(_tenant(app, name)):
            if whole:
                assert tend_bound_tenant() == []
            else:
                done += processing.process_portion()
    return done


def sell_and_post(app: Flask, *, tenant: str, plan: str, people: list[str], count: int, batch: int) -> int:
    """Queue paid orders of one upline, so many a transaction, and work the inbox off after each."""
    found, upline, done = _tenant(app, tenant), [UUID(person) for person in people], 0
    for _ in range(0, count, batch):
        with app.app_context(), tenant_scope(found):
            with unit_of_work():
                for _ in range(batch):
                    commissions.queue_paid(make_order(upline, paid_fen=19_900), plan_version_id=UUID(plan))
            done += processing.process_portion(limit=batch)
    return done


def sell_at_rate(
    app: Flask, *, tenant: str, plan: str, people: list[str], rate: float, span: float, begin: float
) -> list[tuple[str, float]]:
    """Pay orders at a steady rate, one a transaction; returns each with the moment at which it should have come.

    An order that comes late because we are too slow counts from when it should have come.
    """
    found = _tenant(app, tenant)
    uplines = round_robin([UUID(person) for person in people])
    entered = []
    time.sleep(max(0.0, begin - time.time()))
    for number in range(int(rate * span)):
        due = begin + number / rate
        time.sleep(max(0.0, due - time.time()))
        facts = make_order(next(uplines), paid_fen=19_900)
        with app.app_context(), tenant_scope(found), unit_of_work():
            commissions.queue_paid(facts, plan_version_id=UUID(plan))
        entered.append((facts.order_id.hex, due))
    return entered


def tend(app: Flask, *, tenant: str) -> int:
    """Do what a worker does for a brand until told to stop: job after job as of wake-ups, and at its time a tick's."""
    rounds, ticked_at = 0, 0.0
    while not _stopped():
        is_tick = time.monotonic() - ticked_at >= TICK_SECONDS
        with app.app_context():
            tend_tenant(tenant, whole=is_tick)
        ticked_at = time.monotonic() if is_tick else ticked_at
        # About as long as a job waits for its worker.
        time.sleep(PAUSE_SECONDS)
        rounds += 1
    return rounds


def withdraw(app: Flask, *, tenant: str) -> list[tuple[float, float]]:
    """Let promoters who have something withdraw a little, until told to stop but at least once.

    Returns for each request how long it waited for the books and how long it took, in seconds.
    """
    found, waits = _tenant(app, tenant), []
    with app.app_context(), tenant_scope(found):
        rich = (
            sa.select(Member)
            .join(Balance, Balance.owner_id == Member.id)
            .where(Balance.account == AccountName.AVAILABLE, Balance.balance_fen > 10 * WITHDRAWN_FEN)
        )
        members = session().scalars(rich.order_by(Balance.balance_fen.desc()).limit(WITHDRAWERS)).all()
    # The first one of a process also reads settings and compiles statements.
    _withdraw(app, found, members[0])
    for member in cycle(members):
        started = time.perf_counter()
        waited = _withdraw(app, found, member)
        waits.append((waited, time.perf_counter() - started))
        time.sleep(PAUSE_SECONDS)
        if _stopped():
            break
    return waits


def _withdraw(app: Flask, tenant: Tenant, member: Member) -> float:
    """Request a withdrawal; returns how many seconds it waited for the books."""
    waits, take_lock = [0.0], ledger._take_lock

    def timed() -> bool:
        waits.append(seconds(take_lock))
        return True

    with mock.patch.object(ledger, "_take_lock", timed), app.app_context(), tenant_scope(tenant), unit_of_work():
        payouts.request_withdrawal(member, amount_fen=WITHDRAWN_FEN, idempotency_key=new_token())
    return max(waits)


def _tenant(app: Flask, name: str) -> Tenant:
    with app.app_context():
        tenant = directory.by_id(UUID(name))
    assert tenant is not None
    return tenant


def _stopped() -> bool:
    """Whether the one who asked has said something more."""
    return bool(select.select([sys.stdin], [], [], 0)[0])
