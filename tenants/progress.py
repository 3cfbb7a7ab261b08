"""What a brand's background still has to do; a story waits for it, and the dashboard shows what is stuck."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from fanyong.payments.models import Refund, Transfer
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.commissions.models import CommissionWork
from tenants.commissions.releasing import due_buckets
from tenants.orders.service import overdue, unconfirmed
from tenants.periods import service as periods
from tenants.promoters.jobs import waiting_count


@dataclass(frozen=True, slots=True)
class Progress:
    """How much waits for its turn, and how much failed and waits for another try."""

    open_work: int
    failing_work: int


def progress() -> Progress:
    """Return what the background of the bound brand has before it."""
    underway = Refund.state.in_(("created", "processing"))
    transfers = Transfer.state.in_(("created", "processing"))
    counts = (
        _count(CommissionWork, CommissionWork.error.is_(None)),
        _count(Refund, underway, Refund.problem.is_(None)),
        _count(Transfer, transfers, Transfer.problem.is_(None)),
        session().scalar(sa.select(sa.func.count()).select_from(overdue().subquery())) or 0,
        session().scalar(sa.select(sa.func.count()).select_from(unconfirmed().subquery())) or 0,
        _due_releases(),
        waiting_count(),
        periods.waiting_count(),
    )
    failing = (
        _count(CommissionWork, CommissionWork.error.is_not(None)),
        _count(Refund, underway, Refund.problem.is_not(None)),
        _count(Transfer, transfers, Transfer.problem.is_not(None)),
    )
    return Progress(sum(counts), sum(failing))


def _due_releases() -> int:
    return session().scalar(sa.select(sa.func.count()).select_from(due_buckets(brand_now()).subquery())) or 0


def _count(model: type, *where: sa.ColumnElement[bool]) -> int:
    return session().scalar(sa.select(sa.func.count()).select_from(model).where(*where)) or 0
