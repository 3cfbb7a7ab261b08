"""Rewards of months that are over: what an admin may do with a run, and what there is to see.

Nothing of a run is in the books before somebody lets it be posted. The work itself is done by `tasks`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from pydantic import Field

from fanyong.errors import FanyongError, InvalidRequest, NotFound
from fanyong.jobs.wake import request_wake
from fanyong.tenancy import settings
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.tenancy.months import Span, month_of, month_span, months_between
from tenants.commissions.models import Attribution
from tenants.members.models import Member
from tenants.periods.models import PeriodLine, PeriodRun

MAX_REASON = 200
#: Months that are looked back at when a brand is seen for the first time.
MOST_MONTHS = 24


class RewardSettings(settings.SettingsGroup):
    """What a brand says about its month-end rewards."""

    key: ClassVar[str] = "month_end_rewards"
    #: Spans of 24 hours from the posting until the rewards become available; 0 for at once.
    release_days: int = Field(default=0, ge=0, le=365)


class WrongRunState(FanyongError):
    code = "wrong_run_state"
    status = 409
    message = _l("These rewards are not in a state for that any more. Please look at them again.")


def runs() -> sa.Select[PeriodRun]:
    """Return the query of all months that are over, newest first, but for those that reward nobody."""
    return sa.select(PeriodRun).where(PeriodRun.state != "nothing").order_by(PeriodRun.month.desc())


def get_run(month: str, *, lock: bool = False) -> PeriodRun:
    """Return the run of a month; raises NotFound."""
    query = sa.select(PeriodRun).where(PeriodRun.month == month)
    run = session().scalar(query.with_for_update().execution_options(populate_existing=True) if lock else query)
    if run is None:
        raise NotFound
    return run


def months_of(run_ids: list[UUID]) -> dict[UUID, str]:
    """Return the months of runs; ids that are no run's are left out."""
    query = sa.select(PeriodRun.id, PeriodRun.month).where(PeriodRun.id.in_(run_ids))
    return dict(session().execute(query).all()) if run_ids else {}


def lines(run_id: UUID, *, withheld: bool = False, search: str = "") -> sa.Select[PeriodLine, Member]:
    """Return the query of a run's rewards, the largest first, or of those nobody gets."""
    query = (
        sa.select(PeriodLine, Member)
        .join(Member, Member.id == PeriodLine.member_id)
        .where(PeriodLine.run_id == run_id, PeriodLine.reason.is_not(None) if withheld else PeriodLine.reason.is_(None))
        .order_by(PeriodLine.amount_fen.desc(), PeriodLine.id)
    )
    return query.where(Member.nickname.icontains(search, autoescape=True)) if search else query


def rules(run_id: UUID) -> list[tuple[str, int, int]]:
    """Return rewards by rule: how many there are and what they come to, the largest sum first."""
    total = sa.cast(sa.func.sum(PeriodLine.amount_fen), sa.BigInteger)
    query = (
        sa.select(PeriodLine.rule, sa.func.count(), total)
        .where(PeriodLine.run_id == run_id, PeriodLine.reason.is_(None))
        .group_by(PeriodLine.rule)
        .order_by(total.desc(), PeriodLine.rule)
    )
    return [(rule, count, fen) for rule, count, fen in session().execute(query)]


def work_out_again(month: str) -> PeriodRun:
    """Let a month that is not posted be worked out from how things stand now; raises NotFound or WrongRunState."""
    run = get_run(month, lock=True)
    if run.state not in ("nothing", "computed", "failed", "discarded"):
        raise WrongRunState
    run.state, run.problem, run.reason = "waiting", "", ""
    run.decided_by, run.decided_at = "", None
    request_wake()
    return run


def discard(month: str, *, reason: str, actor: str) -> PeriodRun:
    """Say that a month's rewards are not paid; raises NotFound, WrongRunState, or InvalidRequest without a reason."""
    given = " ".join(reason.split())[:MAX_REASON]
    if not given:
        raise InvalidRequest
    run = get_run(month, lock=True)
    if run.state not in ("computed", "failed"):
        raise WrongRunState
    now = brand_now()
    run.state, run.reason, run.decided_by, run.decided_at = "discarded", given, actor, now
    return run


def post(month: str, *, actor: str) -> PeriodRun:
    """Let a month's rewards be posted; raises NotFound, or WrongRunState for whoever comes second.

    They become available so many days from now as the brand has set.
    """
    run = get_run(month, lock=True)
    if run.state != "computed":
        raise WrongRunState
    now = brand_now()
    due_at = now + timedelta(days=settings.load(RewardSettings).release_days)
    run.state, run.decided_by, run.decided_at, run.due_at = "posting", actor, now, due_at
    request_wake()
    return run


def months_to_open() -> list[str]:
    """Return the months that are over and have no run yet, oldest first; the first one is that of the first order."""
    now = brand_now()
    newest = session().scalar(sa.select(sa.func.max(PeriodRun.month)))
    first = month_span(newest) if newest else _first_month()
    if first is None:
        return []
    over = [month for month in months_between(first.starts_at, now)[1:] if newest is None or month > newest]
    return over[:MOST_MONTHS][::-1]


def waiting_count() -> int:
    """Return how many months the background has before it; for whoever waits until it is done."""
    query = sa.select(sa.func.count()).where(PeriodRun.state.in_(("waiting", "posting")))
    return (session().scalar(query) or 0) + len(months_to_open())


def to_look_at() -> sa.Select[int]:
    """Return the query of how many months wait for somebody."""
    return sa.select(sa.func.count()).where(PeriodRun.state.in_(("computed", "failed")))


def _first_month() -> Span | None:
    query = sa.select(Attribution.frozen_at).order_by(Attribution.order_id).limit(1)
    first = session().scalar(query)
    return month_span(month_of(first)) if first else None
