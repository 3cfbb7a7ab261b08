"""Differences as tasks: found by a comparison, taken by somebody, closed with a note."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.dialects.postgresql import insert

from fanyong.errors import FanyongError, InvalidRequest, NotFound
from fanyong.identity.models import AdminUser
from fanyong.ids import new_id
from fanyong.payments.models import PaymentIntent, Refund, Transfer
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import TenantBase, session
from tenants.reconciliation.comparing import COUNTED_HERE, Found, Kind
from tenants.reconciliation.models import Difference

#: Who closes what a comparison no longer finds, and the words it leaves.
RUN = "run"
GONE = "gone"
#: Both sides of one movement, in the books before midnight and in the bill after it, or the other way round.
MIDNIGHT = "midnight"
STATES = ("open", "assigned", "closed")


class DifferenceClosed(FanyongError):
    code = "difference_closed"
    status = 409
    message = _l("This difference is closed already.")


def keep(day: date, found: Sequence[Found]) -> None:
    """Make the differences of a day those that were found; what disappeared is closed with that reason.

    What somebody closed stays closed until there is something new to say about it.
    """
    present = {(item.kind, item.number) for item in found}
    for stale in session().scalars(sa.select(Difference).where(Difference.day == day, Difference.state != "closed")):
        if (stale.kind, stale.number) not in present:
            _close_by_run(stale, GONE)
    session().flush()
    if not found:
        return
    session().execute(
        _upsert(),
        [
            {
                "id": new_id(),
                "day": day,
                "kind": item.kind,
                "number": item.number,
                "problem": item.problem,
                "here_fen": item.here_fen,
                "there_fen": item.there_fen,
                "found_at": brand_now(),
            }
            for item in found
        ],
    )
    _close_at_midnight(day)


def differences(
    *, state: str = "unclosed", kind: str = "", day: date | None = None, assignee: str = "", search: str = ""
) -> sa.Select[Difference]:
    """Return the query of differences, the oldest unclosed ones first; `state` is one of them, `unclosed` or `all`."""
    query = sa.select(Difference).order_by(
        Difference.closed_at.desc().nulls_first(), Difference.found_at, Difference.id
    )
    if state == "unclosed":
        query = query.where(Difference.state != "closed")
    elif state in STATES:
        query = query.where(Difference.state == state)
    if kind:
        query = query.where(Difference.kind == kind)
    if day:
        query = query.where(Difference.day == day)
    if assignee:
        query = query.where(Difference.assignee == assignee)
    return query.where(Difference.number.icontains(search, autoescape=True)) if search else query


def any_open(day: date) -> bool:
    """Return whether a day has differences that nobody closed."""
    query = sa.select(sa.exists().where(Difference.day == day, Difference.state != "closed"))
    return bool(session().scalar(query))


def unclosed_by_day(days: Iterable[date]) -> dict[date, int]:
    """Return how many differences of each day wait for somebody."""
    query = (
        sa.select(Difference.day, sa.func.count())
        .where(Difference.day.in_(list(days)), Difference.state != "closed")
        .group_by(Difference.day)
    )
    return dict(list(session().execute(query)))


def unclosed_by_age() -> list[int]:
    """Return how many unclosed differences are younger than 3 days, younger than 7, and older."""
    counts = [0, 0, 0]
    for days in ages_in_days():
        counts[0 if days < 3 else 1 if days < 7 else 2] += 1
    return counts


def ages_in_days() -> list[int]:
    """Return for how many whole days each unclosed difference has been known."""
    now = brand_now()
    return [
        (now - at).days for at in session().scalars(sa.select(Difference.found_at).where(Difference.state != "closed"))
    ]


def assign(difference_id: UUID, *, email: str) -> Difference:
    """Give a difference to an active admin of the brand; an empty address gives it back to everybody.

    Raises NotFound, InvalidRequest for somebody unknown, or DifferenceClosed.
    """
    difference = _locked(difference_id)
    if email and not session().scalar(sa.select(sa.exists().where(AdminUser.email == email, AdminUser.active))):
        raise InvalidRequest
    assigned_at = brand_now() if email else None
    difference.state = "assigned" if email else "open"
    difference.assignee, difference.assigned_at = email, assigned_at
    return difference


def close(difference_id: UUID, *, note: str, actor: str) -> Difference:
    """Close a difference with a note that says what it was; raises NotFound, InvalidRequest or DifferenceClosed."""
    difference = _locked(difference_id)
    if not note.strip():
        raise InvalidRequest
    closed_at = brand_now()
    difference.state, difference.closed_at = "closed", closed_at
    difference.closed_by, difference.note = actor, note.strip()
    return difference


def refund_to_record(difference_id: UUID) -> Difference:
    """Return an unclosed difference about a refund that our books do not have; raises NotFound."""
    difference = session().get(Difference, difference_id)
    if difference is None or not can_be_recorded(difference):
        raise NotFound
    return difference


def can_be_recorded(difference: Difference) -> bool:
    """Return whether a difference goes away when somebody records a refund of an order."""
    return (difference.kind, difference.problem) == ("refund", "missing_here") and difference.state != "closed"


def order_of_payment(number: str) -> UUID:
    """Return the order that was paid under a number; raises NotFound."""
    query = sa.select(PaymentIntent.reference_id).where(PaymentIntent.out_trade_no == number)
    order_id: UUID | None = session().scalar(query)
    if order_id is None:
        raise NotFound
    return order_id


def behind(found: Sequence[Difference]) -> dict[UUID, UUID]:
    """Return what each difference is about, where our books know it: an order's id, or a withdrawal's."""
    numbers: dict[str, dict[str, UUID]] = {"payment": {}, "refund": {}, "transfer": {}}
    wanted = {kind: [d.number for d in found if d.kind == kind] for kind in numbers}
    queries: dict[str, sa.Select[str, UUID]] = {
        "payment": sa.select(PaymentIntent.out_trade_no, PaymentIntent.reference_id).where(
            PaymentIntent.out_trade_no.in_(wanted["payment"])
        ),
        "refund": sa.select(Refund.out_refund_no, PaymentIntent.reference_id)
        .join(PaymentIntent, PaymentIntent.id == Refund.intent_id)
        .where(Refund.out_refund_no.in_(wanted["refund"])),
        "transfer": sa.select(Transfer.out_bill_no, Transfer.reference_id).where(
            Transfer.out_bill_no.in_(wanted["transfer"])
        ),
    }
    for kind, query in queries.items():
        numbers[kind] = dict(list(session().execute(query))) if wanted[kind] else {}
    return {d.id: numbers[d.kind][d.number] for d in found if d.number in numbers[d.kind]}


def gaps(kind: Kind, day: sa.SQLColumnExpression[date]) -> sa.ScalarSelect[int]:
    """Return a subquery: by how much the differences of a day let the bill's sum exceed ours (`Found.gap_fen`)."""
    counted = sa.case((Difference.problem.in_(COUNTED_HERE), Difference.here_fen), else_=0)
    is_gone = sa.and_(Difference.closed_by == RUN, Difference.note == GONE)
    return (
        sa.select(sa.func.sum(Difference.there_fen - counted))
        .where(Difference.day == day, Difference.kind == kind, sa.not_(is_gone))
        .correlate_except(Difference)
        .scalar_subquery()
    )


def _upsert() -> Any:
    insertion = insert(TenantBase.metadata.tables[Difference.__tablename__])
    insertion = insertion.values(state="open", assignee="", closed_by="", note="")
    new = insertion.excluded
    was_closed = Difference.state == "closed"
    news = sa.or_(
        Difference.problem != new.problem,
        Difference.here_fen != new.here_fen,
        Difference.there_fen != new.there_fen,
        sa.and_(was_closed, Difference.closed_by == RUN, Difference.note == GONE),
    )
    reopened = sa.case((Difference.assignee != "", "assigned"), else_="open")
    return insertion.on_conflict_do_update(
        index_elements=[Difference.day, Difference.kind, Difference.number],
        set_={
            "problem": new.problem,
            "here_fen": new.here_fen,
            "there_fen": new.there_fen,
            "found_at": sa.case((was_closed, new.found_at), else_=Difference.found_at),
            "state": sa.case((was_closed, reopened), else_=Difference.state),
            "closed_at": None,
            "closed_by": "",
            "note": "",
        },
        where=news,
    )


def _close_at_midnight(day: date) -> None:
    """Close what is in our books on one day and in the bill of its neighbour, with the same amount."""
    theirs = sa.orm.aliased(Difference)
    pairs = (
        sa.select(Difference, theirs)
        .join(theirs, sa.and_(theirs.kind == Difference.kind, theirs.number == Difference.number))
        .where(Difference.problem == "missing_there", theirs.problem == "day_differs")
        .where(Difference.here_fen == theirs.there_fen, sa.func.abs(Difference.day - theirs.day) == 1)
        .where(sa.or_(Difference.day == day, theirs.day == day))
        .where(Difference.day.between(day - timedelta(days=1), day + timedelta(days=1)))
    )
    for pair in session().execute(pairs.execution_options(populate_existing=True)).all():
        # One that the run had closed because it was gone is no half of a pair.
        if not any(half.note == GONE and half.closed_by == RUN for half in pair):
            for half in pair:
                if half.state != "closed":
                    _close_by_run(half, MIDNIGHT)
    session().flush()


def _close_by_run(difference: Difference, note: str) -> None:
    closed_at = brand_now()
    difference.state, difference.closed_at = "closed", closed_at
    difference.closed_by, difference.note = RUN, note


def _locked(difference_id: UUID) -> Difference:
    difference = session().get(Difference, difference_id, with_for_update=True)
    if difference is None:
        raise NotFound
    if difference.state == "closed":
        raise DifferenceClosed
    return difference
