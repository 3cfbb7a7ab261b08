"""The brand's days: figures by day and month follow the calendar of its time zone, which is China's."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from fanyong.tenancy.clock import brand_now
from fanyong.tier_conditions import first_of_last_month
from fanyong.wechat.times import BEIJING

Span = tuple[date, date]


def day_of(moment: datetime) -> date:
    """Return the brand's day that a moment lies in."""
    return moment.astimezone(BEIJING).date()


def today() -> date:
    """Return the brand's present day."""
    return day_of(brand_now())


def month_of(day: date) -> Span:
    """Return the first and the last day of a day's calendar month."""
    return day.replace(day=1), (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def span_of(period: str, *, on: date) -> Span | None:
    """Return the first and the last day of a period as it stands on a day, or None for `ever`.

    `days_30` are the thirty days that end with the day itself. Raises ValueError for a period that does not exist.
    """
    match period:
        case "ever":
            return None
        case "this_month":
            return month_of(on)
        case "last_month":
            return month_of(first_of_last_month(on))
    name, _underscore, days = period.partition("_")
    if name != "days" or not days.isascii() or not days.isdigit() or int(days) < 1:
        raise ValueError(f"there is no period {period!r}")
    return on - timedelta(days=int(days) - 1), on
