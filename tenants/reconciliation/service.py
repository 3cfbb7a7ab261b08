"""Comparing our payments, refunds and transfers with the provider's bills, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fanyong.errors import InvalidRequest, NotFound
from fanyong.ids import new_id
from fanyong.payments.models import PaymentIntent, Refund, Transfer
from fanyong.payments.provider import BillRow
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.wechat.times import BEIJING
from tenants.reconciliation.models import Difference, ReconciledDay

#: Bills are cut at midnight in Beijing, and ready at ten the next morning (WECHAT.md B6).
READY_AT = time(10, 0)
#: WeChat keeps bills for three months; what is older cannot be compared any more.
BILLS_KEPT = timedelta(days=90)
#: The note of a difference that a later comparison no longer found.
GONE = "no longer found"
Kind = Literal["payment", "refund", "transfer"]
Problem = Literal["missing_here", "missing_there", "amount_differs", "state_differs"]


@dataclass(frozen=True, slots=True)
class Ours:
    """One movement as our books have it."""

    kind: Kind
    number: str
    amount_fen: int
    settled: bool


@dataclass(frozen=True, slots=True)
class Found:
    """One difference."""

    kind: Kind
    number: str
    problem: Problem
    here_fen: int
    there_fen: int


def compare(ours: Sequence[Ours], bill: Sequence[BillRow], *, known: dict[tuple[str, str], Ours]) -> list[Found]:
    """Return the differences between what we booked for a day and its bill.

    `known` are our objects behind every number of the bill, whatever their day: an object that another day's
    figures contain is not missing here.
    """
    there = {(row.kind, row.number): row.amount_fen for row in bill}
    found = [
        Found(o.kind, o.number, "missing_there", o.amount_fen, 0)
        for o in ours
        if o.settled and (o.kind, o.number) not in there
    ]
    for (kind, number), amount_fen in there.items():
        mine = known.get((kind, number))
        if mine is None:
            found.append(Found(_kind(kind), number, "missing_here", 0, amount_fen))
        elif mine.amount_fen != amount_fen:
            found.append(Found(mine.kind, number, "amount_differs", mine.amount_fen, amount_fen))
        elif not mine.settled:
            found.append(Found(mine.kind, number, "state_differs", mine.amount_fen, amount_fen))
    return sorted(found, key=lambda f: (f.kind, f.number))


def store(day: date, bill: Sequence[BillRow]) -> list[Found]:
    """Compare a day with its bill and keep the result; doing it again brings it up to date."""
    ours = _booked_on(day)
    found = compare(ours, bill, known=_behind(bill))
    present = {(f.kind, f.number) for f in found}
    for stale in session().scalars(sa.select(Difference).where(Difference.day == day, Difference.settled_at.is_(None))):
        if (stale.kind, stale.number) not in present:
            stale.settled_at, stale.note = brand_now(), GONE
    for item in found:
        _keep(day, item)
    counts = {kind: sum(1 for o in ours if o.kind == kind) for kind in ("payment", "refund", "transfer")}
    values = {
        "day": day,
        "compared_at": brand_now(),
        "payments": counts["payment"],
        "refunds": counts["refund"],
        "transfers": counts["transfer"],
        "differences": len(found),
    }
    upsert = insert(ReconciledDay).values(values)
    session().execute(upsert.on_conflict_do_update(index_elements=[ReconciledDay.day], set_=values))
    return found


def check_day(day: date) -> None:
    """Raise InvalidRequest for a day whose bill cannot be there yet."""
    if day > last_ready_day():
        raise InvalidRequest


def last_ready_day() -> date:
    """Return the newest day whose bill is ready, by the bound brand's clock."""
    now = brand_now().astimezone(BEIJING)
    return now.date() - timedelta(days=1 if now.time() >= READY_AT else 2)


def next_day() -> date | None:
    """Return the oldest day with movements whose bill was not compared yet, else the newest ready day, else None."""
    ready = last_ready_day()
    compared = set(session().scalars(sa.select(ReconciledDay.day)))
    moved = {ready}
    for _kind_name, model, _number, _settled in _SOURCES:
        beijing_day = sa.cast(sa.func.timezone(sa.text("INTERVAL '8 hours'"), model.provider_at), sa.Date)
        moved |= set(session().scalars(sa.select(beijing_day).where(model.provider_at.is_not(None)).distinct()))
    return min((day for day in moved - compared if ready - BILLS_KEPT < day <= ready), default=None)


def days() -> sa.Select[ReconciledDay]:
    """Return the query of compared days, newest first."""
    return sa.select(ReconciledDay).order_by(ReconciledDay.day.desc())


def differences(*, open_only: bool = False) -> sa.Select[Difference]:
    """Return the query of differences, newest first."""
    query = sa.select(Difference).order_by(Difference.id.desc())
    return query.where(Difference.settled_at.is_(None)) if open_only else query


def close_difference(difference_id: UUID, *, note: str) -> Difference:
    """Close a difference with a note that says what it was; raises InvalidRequest without one."""
    difference = session().get(Difference, difference_id, with_for_update=True)
    if difference is None:
        raise NotFound
    if not note.strip():
        raise InvalidRequest
    difference.settled_at, difference.note = brand_now(), note.strip()
    return difference


def _booked_on(day: date) -> list[Ours]:
    start = datetime.combine(day, time(), BEIJING)
    rows: list[Ours] = []
    for kind, model, number, settled in _SOURCES:
        moved = sa.select(model).where(model.provider_at >= start, model.provider_at < start + timedelta(days=1))
        rows += [
            Ours(kind, getattr(row, number), row.amount_fen, settled=row.state == settled)
            for row in session().scalars(moved)
        ]
    return rows


def _behind(bill: Sequence[BillRow]) -> dict[tuple[str, str], Ours]:
    known: dict[tuple[str, str], Ours] = {}
    for kind, model, number, settled in _SOURCES:
        numbers = [row.number for row in bill if row.kind == kind]
        for row in session().scalars(sa.select(model).where(getattr(model, number).in_(numbers))):
            known[kind, getattr(row, number)] = Ours(
                kind, getattr(row, number), row.amount_fen, settled=row.state == settled
            )
    return known


def _keep(day: date, item: Found) -> None:
    values = {"problem": item.problem, "here_fen": item.here_fen, "there_fen": item.there_fen}
    key = {"kind": item.kind, "number": item.number}
    upsert = insert(Difference).values(id=new_id(), day=day, found_at=brand_now(), note="", **key, **values)
    # What somebody closed with a note stays closed until there is something new to say.
    news = sa.or_(*(getattr(Difference, name) != value for name, value in values.items()), Difference.note == GONE)
    session().execute(
        upsert.on_conflict_do_update(
            index_elements=[Difference.kind, Difference.number],
            set_={**values, "settled_at": None, "note": ""},
            where=news,
        )
    )


def _kind(text: str) -> Kind:
    return "payment" if text == "payment" else "refund" if text == "refund" else "transfer"


_SOURCES: tuple[tuple[Kind, Any, str, str], ...] = (
    ("payment", PaymentIntent, "out_trade_no", "succeeded"),
    ("refund", Refund, "out_refund_no", "succeeded"),
    ("transfer", Transfer, "out_bill_no", "paid"),
)
