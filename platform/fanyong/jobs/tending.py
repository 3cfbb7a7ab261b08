"""What the background does for one brand: each feature registers a duty, a job does those that have something to do.

Most brands have nothing to do most of the time. Each duty comes with a question in SQL, and one statement asks all of
them; a tender is called when its question says yes. A wake-up asks for what somebody waits for, a tick for everything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import sqlalchemy as sa
from flask import Flask, current_app

from fanyong.jobs.wake import BRANDS_A_LOOK, look_mark, redis, send_look, wake, wake_mark
from fanyong.tenancy.clock import BRAND_NOW
from fanyong.tenancy.context import tenant_scope
from fanyong.tenancy.database import session
from fanyong.tenancy.directory import directory, live_tenants

log = logging.getLogger(__name__)
#: A tender opens its own units of work, does one portion, and returns how many things it did.
Tender = Callable[[], int]
#: A portion is small; this bounds what is done in one go.
ROUNDS = 200
#: Rounds of one job: a flood in one brand lets the others in between. The last one of a tick is for all duties.
ROUNDS_A_JOB = 20


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to be done for a brand, and how to know whether there is anything of it.

    `question` is a boolean SQL expression over the brand's tables, without parameters; `clock.brand_now` and
    `clock.today` are the brand's present time and day. It may say yes for nothing, but never no where the tender would
    find something. Without a question the tender is always called. What may stay `behind` waits for the next tick, so
    that it is done for many orders at a time; then it has its turn when the others have nothing to do.
    """

    tender: Tender
    question: str | None = None
    behind: bool = False


@dataclass(frozen=True, slots=True)
class _Turn:
    """What came of tending one brand: what went wrong, by duty, and whether nothing is left that is due."""

    problems: dict[str, str]
    finished: bool


_duties: dict[str, Duty] = {}


class TendingFailed(RuntimeError):
    """Some tenders raised; the job shows as failed and the next tick tries again."""


def register_duty(name: str, duty: Duty) -> None:
    """Add a duty under a name; registering it again replaces it."""
    _duties[name] = duty


def tend_tenant(tenant_hex: str, *, whole: bool = False) -> None:
    """Do what is due in one brand; the job of a wake-up, or of a tick, which leaves nothing behind (`whole`)."""
    tenant_id = UUID(tenant_hex)
    redis().delete(wake_mark(tenant_id, whole=whole))
    with _application().app_context():
        tenant = directory.by_id(tenant_id)
    if tenant is None:
        return
    with tenant_scope(tenant):
        turn = _take_turn(ROUNDS_A_JOB, whole=whole)
    if not turn.finished:
        # What is left of a flood waits behind the other brands.
        wake(tenant_id, whole=whole)
    if turn.problems:
        raise TendingFailed("; ".join(turn.problems.values()))


def tend_bound_tenant() -> list[str]:
    """Do all that is due in the bound brand; returns what went wrong, by duty."""
    return list(_take_turn(ROUNDS, whole=True).problems.values())


def due_duties(*, whole: bool = True) -> list[str]:
    """Return which duties of the bound brand may have something to do, in their order; `whole` includes those behind.

    Where they cannot be asked (a table is missing, the server is away) all of them count, so that each one tells its
    own trouble and the others go on.
    """
    chosen = {name: duty for name, duty in _duties.items() if whole or not duty.behind}
    statement = _asking(tuple(duty.question or "true" for duty in chosen.values()))
    try:
        # Nothing is written, so nothing is committed: the end of the context closes the transaction.
        with _application().app_context():
            answers = session().execute(statement).one()
    except sa.exc.DBAPIError:
        log.exception("what is due cannot be asked")
        return list(chosen)
    return [name for name, answer in zip(chosen, answers, strict=True) if answer is not False]


def tick() -> int:
    """Have every brand looked at; the scheduler's heartbeat, which makes lost wake-ups harmless."""
    with _application().app_context():
        tenants = [tenant.id for tenant in live_tenants()]
    for first in range(0, len(tenants), BRANDS_A_LOOK):
        send_look(tenants[first : first + BRANDS_A_LOOK])
    return len(tenants)


def look_at(tenant_hexes: Sequence[str]) -> int:
    """Wake those of some brands that have something to do; the job that a tick queues. Returns how many."""
    tenant_ids = [UUID(tenant_hex) for tenant_hex in tenant_hexes]
    redis().delete(look_mark(tenant_ids))
    with _application().app_context():
        tenants = live_tenants(among=tenant_ids)
    woken = 0
    for tenant in tenants:
        with tenant_scope(tenant):
            due = due_duties()
        if due:
            wake(tenant.id, whole=True)
            woken += 1
    return woken


#: Asked once in a statement, because the clock of the database runs on within one.
_CLOCK = f"""
    SELECT brand_now, CAST(brand_now AT TIME ZONE 'Asia/Shanghai' AS date) AS today
      FROM (SELECT {BRAND_NOW} AS brand_now OFFSET 0) AS present"""


@lru_cache(maxsize=8)
def _asking(questions: tuple[str, ...]) -> sa.TextClause:
    columns = ",\n".join(f"({question})" for question in questions)
    return sa.text(f"SELECT {columns}\nFROM ({_CLOCK}) AS clock")


def _take_turn(rounds: int, *, whole: bool) -> _Turn:
    """Do what is due in the bound brand until nothing is, or so many rounds are over.

    Who fails, or is asked in vain, is not asked again in this turn: it may have waited for a provider that is away.
    """
    problems: dict[str, str] = {}
    in_vain: set[str] = set()
    for number in range(1, rounds + 1):
        due = [name for name in due_duties(whole=whole) if name not in problems and name not in in_vain]
        if not due:
            return _Turn(problems, finished=True)
        first = [name for name in due if not _duties[name].behind]
        # While others have work, those behind wait for the last round of a job.
        for name in first if first and number % ROUNDS_A_JOB else due:
            if not _did_something(name, problems):
                in_vain.add(name)
    return _Turn(problems, finished=False)


def _did_something(name: str, problems: dict[str, str]) -> bool:
    try:
        # A context of its own gives each tender a session of its own.
        with _application().app_context():
            return _duties[name].tender() > 0
    except Exception as error:
        log.exception("tender %s failed", name)
        problems[name] = f"{name}: {error}"
        return False


def _application() -> Flask:
    application: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return application
