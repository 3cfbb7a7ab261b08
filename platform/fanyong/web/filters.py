"""What templates can say: `fen | yuan`, `rate_bp | percent`, `at | localtime`."""

from __future__ import annotations

from datetime import date, datetime

from flask import Flask

from fanyong.web import money
from fanyong.wechat.times import BEIJING


def localtime(value: datetime | None, *, seconds: bool = False) -> str:
    """Return a time as Beijing's clocks show it, or a dash for none."""
    if value is None:
        return "–"
    here = value.astimezone(BEIJING)
    return f"{here:%Y-%m-%d %H:%M:%S}" if seconds else f"{here:%Y-%m-%d %H:%M}"


def beijing_day(value: datetime) -> date:
    """Return the day in Beijing that a moment belongs to."""
    return value.astimezone(BEIJING).date()


def init_filters(app: Flask) -> None:
    """Register the filters."""
    app.jinja_env.filters.update(
        yuan=money.yuan, percent=money.percent, hundredths=money.hundredths, localtime=localtime
    )
