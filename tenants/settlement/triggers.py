"""When the commissions of an order are released: the brand's rule, and the time it comes to. All of it is pure."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, ClassVar, Literal

from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from pydantic import Field

from fanyong.tenancy.settings import SettingsGroup
from fanyong.web.words import _
from tenants.settlement.workdays import working_day_after

Trigger = Literal["window", "receipt", "working_days", "cycle"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKDAY_WORDS = {
    "monday": _l("Monday"),
    "tuesday": _l("Tuesday"),
    "wednesday": _l("Wednesday"),
    "thursday": _l("Thursday"),
    "friday": _l("Friday"),
    "saturday": _l("Saturday"),
    "sunday": _l("Sunday"),
}


class Settlement(SettingsGroup):
    """When commissions become the promoter's; frozen into an order when it is paid.

    `receipt`: at once. `window`: after the after-sale window. `working_days`: at the start of the N-th working day
    after the receipt, but not before the window is over. `cycle`: at the start of the first settlement day (days of
    the month, or a weekday) after the window.
    """

    key: ClassVar[str] = "settlement"
    trigger: Trigger = "window"
    #: The after-sale window, in spans of exactly 24 hours from the receipt. `receipt` does not look at it.
    window_days: int = Field(default=7, ge=0, le=365)
    working_days: int = Field(default=1, ge=1, le=60)
    cycle: Literal["month", "week"] = "month"
    #: 29, 30 and 31 mean the last day of a month that is shorter.
    month_days: tuple[Annotated[int, Field(ge=1, le=31)], ...] = Field(default=(15,), min_length=1, max_length=31)
    weekday: Weekday = "monday"
    #: So many spans of 24 hours after shipping an order counts as received; None waits for the buyer.
    auto_receive_days: int | None = Field(default=None, ge=1, le=90)


def due_at(settlement: Settlement, received_at: datetime, *, tz: tzinfo) -> datetime:
    """Return when commissions of an order that was received at `received_at` are released; `tz` is the brand's.

    The answer is in UTC, never before the receipt, and with any trigger but `receipt` never before the window is over.
    """
    over = received_at + timedelta(days=settlement.window_days)
    match settlement.trigger:
        case "receipt":
            return received_at
        case "window":
            return over
        case "working_days":
            day = working_day_after(received_at.astimezone(tz).date(), count=settlement.working_days)
            return max(over, _start_of(day, tz))
        case "cycle":
            starts = (_start_of(day, tz) for day in _settlement_days(settlement, over.astimezone(tz).date()))
            return next(start for start in starts if start >= over)


def in_words(settlement: Settlement) -> str:
    """Return the rule as a sentence, in the language of the request."""
    window = str(ngettext("%(num)d day", "%(num)d days", settlement.window_days))
    match settlement.trigger:
        case "receipt":
            return _("Commissions are available as soon as the buyer has the goods.")
        case "window":
            return _("Commissions are available %(window)s after the buyer has the goods.", window=window)
        case "working_days":
            return _(
                "Commissions are available on working day %(count)d after the buyer has the goods, "
                "but not before the after-sale window of %(window)s is over.",
                count=settlement.working_days,
                window=window,
            )
        case "cycle":
            return _(
                "Commissions are available on the next settlement day (%(days)s) after the after-sale window of "
                "%(window)s is over.",
                days=_days_in_words(settlement),
                window=window,
            )


def _days_in_words(settlement: Settlement) -> str:
    if settlement.cycle == "week":
        return _("every %(weekday)s", weekday=WEEKDAY_WORDS[settlement.weekday])
    return _("day %(days)s of the month", days=_(", ").join(str(day) for day in sorted(set(settlement.month_days))))


def _settlement_days(settlement: Settlement, first: date) -> Iterator[date]:
    """Yield the settlement days from `first` on."""
    if settlement.cycle == "week":
        day = first + timedelta(days=(WEEKDAYS.index(settlement.weekday) - first.weekday()) % 7)
        while True:
            yield day
            day += timedelta(days=7)
    month = first.replace(day=1)
    while True:
        length = calendar.monthrange(month.year, month.month)[1]
        days = sorted({min(number, length) for number in settlement.month_days})
        yield from (day for day in (month.replace(day=number) for number in days) if day >= first)
        month = month.replace(day=length) + timedelta(days=1)


def _start_of(day: date, tz: tzinfo) -> datetime:
    return datetime.combine(day, time(), tz).astimezone(UTC)
