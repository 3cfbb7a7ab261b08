"""Comparing our payments, refunds and transfers with the provider's bills, day by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from fanyong.errors import InvalidRequest
from fanyong.payments.models import PaymentIntent, Refund, Transfer
from fanyong.payments.provider import BillRow
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.wechat.times import BEIJING
from tenants.reconciliation import differences
from tenants.reconciliation.comparing import KINDS, Found, Key, Kind, Ours, bill_sums, compare
from tenants.reconciliation.models import ReconciledDay

#: Bills are cut at midnight in Beijing, and ready at ten the next morning (WECHAT.md B6).
READY_AT = time(10, 0)
#: WeChat keeps bills for three months; what is older cannot be compared any more.
BILLS_KEPT = timedelta(days=90)
#: Pauses before a bill that did not come, or did not add up, is asked for again; the last one repeats.
RETRY_PAUSES = tuple(timedelta(minutes=n) for n in (1, 5, 15, 60, 240))
#: A day with open differences is compared again every day while it is young, then every week.
YOUNG = timedelta(days=7)
_MODELS: dict[Kind, tuple[Any, Any, str]] = {
    "payment": (PaymentIntent, PaymentIntent.out_trade_no, "succeeded"),
    "refund": (Refund, Refund.out_refund_no, "succeeded"),
    "transfer": (Transfer, Transfer.out_bill_no, "paid"),
}
#: One probe of an index for each day that was not compared yet, at most `BILLS_KEPT` of them.
_DAY_TO_COMPARE = f"""
    SELECT min(d.day)::date FROM (
        SELECT day, (day - interval '8 hours') AT TIME ZONE 'UTC' AS start
          FROM generate_series(CAST({{ready}} AS timestamp) - interval '{BILLS_KEPT.days - 1} days',
                               CAST({{ready}} AS timestamp), interval '1 day') AS day
    ) d LEFT JOIN reconciled_day r ON r.day = d.day::date
     WHERE r.next_run_at <= {{now}}
        OR (r.day IS NULL AND (
            d.day = CAST({{ready}} AS timestamp)
            OR EXISTS (SELECT 1 FROM payment_intent
                        WHERE provider_at >= d.start AND provider_at < d.start + interval '1 day')
            OR EXISTS (SELECT 1 FROM refund WHERE provider_at >= d.start AND provider_at < d.start + interval '1 day')
            OR EXISTS (SELECT 1 FROM transfer
                        WHERE provider_at >= d.start AND provider_at < d.start + interval '1 day')))
    """
_NEXT_DAY = sa.text(_DAY_TO_COMPARE.format(ready=":ready", now=":now"))
#: Whether there is a day to compare, and somebody to ask for its bill.
DAY_TO_COMPARE = f"""
    EXISTS (SELECT FROM merchant_account WHERE active) AND ({
    _DAY_TO_COMPARE.format(
        ready=f"((clock.brand_now - interval '{READY_AT.hour} hours') AT TIME ZONE 'Asia/Shanghai')::date - 1",
        now="clock.brand_now",
    )
}) IS NOT NULL"""


def store(day: date, bill: Sequence[BillRow]) -> list[Found]:
    """Compare a day with its bills and keep the result; doing it again brings it up to date."""
    ours = _booked_on(day)
    found = compare(ours, bill, known=_behind(bill, day=day))
    differences.keep(day, found)
    there = bill_sums(bill)
    values: dict[str, Any] = {
        "compared_at": brand_now(),
        "differences": len(found),
        "problem": "",
        "try_count": 0,
        "next_run_at": _look_again_at(day),
    }
    for kind in KINDS:
        mine = [o.amount_fen for o in ours if o.kind == kind]
        values |= {f"{kind}s": len(mine), f"{kind}s_fen": sum(mine)}
        values[f"bill_{kind}s_fen"] = sum(fen for (moved, _number), fen in there.items() if moved == kind)
    _save(day, values)
    return found


def store_failure(day: date, problem: str) -> None:
    """Remember that a day's bills could not be compared, and when to try again; other days do not wait for it."""
    known = session().get(ReconciledDay, day)
    tries = known.try_count if known else 0
    pause = RETRY_PAUSES[min(tries, len(RETRY_PAUSES) - 1)]
    _save(day, {"problem": problem, "try_count": tries + 1, "next_run_at": brand_now() + pause})


def check_day(day: date) -> None:
    """Raise InvalidRequest for a day whose bill cannot be there yet."""
    if day > last_ready_day():
        raise InvalidRequest


def last_ready_day() -> date:
    """Return the newest day whose bill is ready, by the bound brand's clock."""
    now = brand_now().astimezone(BEIJING)
    return now.date() - timedelta(days=1 if now.time() >= READY_AT else 2)


def next_day() -> date | None:
    """Return the oldest day to compare now, or None.

    That is a day with movements, or the newest ready one, that was never compared; or one that is to be compared
    again because its bill did not come or because it has open differences.
    """
    day: date | None = session().scalar(_NEXT_DAY, {"ready": last_ready_day(), "now": brand_now()})
    return day


def days() -> sa.Select[ReconciledDay]:
    """Return the query of compared days, newest first."""
    return sa.select(ReconciledDay).order_by(ReconciledDay.day.desc())


def unexplained() -> list[str]:
    """Return the days whose bill and books differ by more than the differences found (MONEY.md 3, invariant 8)."""
    lines = []
    for kind in KINDS:
        ours, bill = (getattr(ReconciledDay, name) for name in (f"{kind}s_fen", f"bill_{kind}s_fen"))
        explained = sa.func.coalesce(differences.gaps(kind, ReconciledDay.day), 0)
        query = sa.select(ReconciledDay.day, ours, bill, sa.cast(explained, sa.BigInteger))
        for day, here, there, gap in session().execute(query.where(bill - ours != explained)):
            lines.append(f"{kind}s of {day}: here {here}, in the bill {there}, explained {gap}")
    return lines + _changed_since()


def _changed_since() -> list[str]:
    """Return the days whose paid transfers became others after they were compared, and that nobody looks at."""
    day = sa.cast(sa.func.timezone(sa.text("INTERVAL '8 hours'"), Transfer.provider_at), sa.Date)
    total = sa.cast(sa.func.sum(Transfer.amount_fen), sa.BigInteger)
    paid = (
        sa.select(day.label("day"), total.label("fen"))
        .where(Transfer.state == "paid")
        .group_by(sa.text("1"))
        .subquery()
    )
    now = sa.func.coalesce(paid.c.fen, 0)
    query = (
        sa.select(ReconciledDay.day, ReconciledDay.transfers_fen, now)
        .outerjoin(paid, paid.c.day == ReconciledDay.day)
        .where(ReconciledDay.bill_transfers_fen.is_not(None), ReconciledDay.next_run_at.is_(None))
        .where(now != ReconciledDay.transfers_fen)
    )
    return [
        f"transfers of {changed}: compared when they came to {then}, now {fen}"
        for changed, then, fen in session().execute(query)
    ]


def _booked_on(day: date) -> list[Ours]:
    start = datetime.combine(day, time(), BEIJING)
    rows: list[Ours] = []
    for kind, (model, number, settled) in _MODELS.items():
        at = model.provider_at
        moved = sa.select(number, model.amount_fen).where(
            model.state == settled, at >= start, at < start + timedelta(days=1)
        )
        rows += [Ours(kind, moved_no, fen, settled=True) for moved_no, fen in session().execute(moved)]
    return rows


def _behind(bill: Sequence[BillRow], *, day: date) -> dict[Key, Ours]:
    start = datetime.combine(day, time(), BEIJING)
    known: dict[Key, Ours] = {}
    for kind, (model, number, settled) in _MODELS.items():
        at = model.provider_at
        # One array, however many numbers: a statement takes 65,535 parameters at most.
        numbers = sa.literal([row.number for row in bill if row.kind == kind], ARRAY(sa.Text()))
        on_day = sa.func.coalesce(sa.and_(at >= start, at < start + timedelta(days=1)), sa.false())
        query = sa.select(number, model.amount_fen, model.state == settled, on_day).where(number == sa.any_(numbers))
        for row in session().execute(query):
            known[kind, row[0]] = Ours(kind, *row)
    return known


def _look_again_at(day: date) -> datetime | None:
    if not differences.any_open(day):
        return None
    is_young = last_ready_day() - day < YOUNG
    return brand_now() + timedelta(days=1 if is_young else 7)


def _save(day: date, values: dict[str, Any]) -> None:
    insertion = insert(ReconciledDay).values(day=day, **values)
    session().execute(
        insertion.on_conflict_do_update(index_elements=[ReconciledDay.day], set_=values).execution_options(
            populate_existing=True
        )
    )
