"""Working days in China, with the holidays and the working weekends that the State Council announces each autumn.

The dates come from the `holidays` library. For a year that is not announced yet it knows the statutory days only
(New Year, Spring Festival, Qingming, Labour Day, Dragon Boat, Mid-Autumn, National Day) and neither the bridging days
nor the weekends that are worked in exchange; `announced_until` says where that begins.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import holidays
from holidays.countries.china import ChinaStaticHolidays


def announced_until() -> int:
    """Return the last year whose holidays and working weekends have been announced, as far as we know."""
    return max(ChinaStaticHolidays.special_public_holidays)


@lru_cache(maxsize=4_096)
def is_working_day(day: date) -> bool:
    """Return whether people work in China on a day."""
    return bool(_calendar(day.year).is_working_day(day))


def working_day_after(day: date, *, count: int) -> date:
    """Return the `count`-th working day after `day`, which itself does not count; `count` is 1 or more."""
    while count:
        day += timedelta(days=1)
        count -= is_working_day(day)
    return day


@lru_cache(maxsize=64)
def _calendar(year: int) -> holidays.HolidayBase:
    # One calendar a year, filled before anybody shares it: a calendar that grows on demand is not safe in threads.
    return holidays.country_holidays("CN", years=year, expand=False)
