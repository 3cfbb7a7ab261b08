"""Months and days of a brand's calendar, which is Beijing's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from fanyong.wechat.times import BEIJING

_TEXT = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])\Z")


@dataclass(frozen=True, slots=True)
class Span:
    """Days from the first to the last, both of them included."""

    first: date
    last: date

    @property
    def starts_at(self) -> datetime:
        """The first moment."""
        return datetime.combine(self.first, time(), BEIJING)

    @property
    def ends_at(self) -> datetime:
        """The first moment that no longer belongs to it."""
        return datetime.combine(self.last + timedelta(days=1), time(), BEIJING)

    def __str__(self) -> str:
        return f"{self.first} – {self.last}"


def month_span(text: str) -> Span | None:
    """Return the days of a month like `2026-11`, or None for what is no month."""
    found = _TEXT.match(text)
    if found is None:
        return None
    year, month = map(int, found.groups())
    following = date(year + month // 12, month % 12 + 1, 1)
    return Span(date(year, month, 1), following - timedelta(days=1))


def month_of(moment: datetime) -> str:
    """Return the month in Beijing that a moment belongs to."""
    return f"{moment.astimezone(BEIJING):%Y-%m}"


def months_between(first: datetime, last: datetime) -> list[str]:
    """Return all months from one moment to another, the newest first."""
    year, month = map(int, month_of(last).split("-"))
    months = []
    while (text := f"{year:04d}-{month:02d}") >= month_of(first):
        months.append(text)
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return months
