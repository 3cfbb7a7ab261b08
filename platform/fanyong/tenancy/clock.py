"""A brand's time: the database's clock, which a sandbox brand may move forward to try things out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from pydantic import Field

from fanyong.errors import FanyongError
from fanyong.tenancy import settings
from fanyong.tenancy.database import once_a_transaction, session

MAX_OFFSET_SECONDS = 10 * 366 * 86_400
#: Answers what a brand's time takes, the database's clock and the brand's settings, for `remember`.
ASK = "SELECT clock_timestamp(), (SELECT jsonb_object_agg(key, value) FROM brand_setting)"


class ClockRunsForward(FanyongError):
    code = "clock_runs_forward"
    status = 422
    message = _l("A test clock can only be moved forward, and by ten years at most.")


class TestClock(settings.SettingsGroup):
    """How far a sandbox brand's clock is ahead of the database's; a live brand's is never moved."""

    key: ClassVar[str] = "test_clock"
    offset_seconds: int = Field(default=0, ge=0, le=MAX_OFFSET_SECONDS)


#: The bound brand's present time as an SQL expression, for statements that ask what is due.
BRAND_NOW = f"""clock_timestamp() + make_interval(secs => coalesce(
    (SELECT CAST(value ->> 'offset_seconds' AS float8) FROM brand_setting WHERE key = '{TestClock.key}'), 0))"""


def server_now() -> datetime:
    """Return the database's time, which no test clock moves.

    It is asked once a transaction; from there our own clock, which is only trusted to run, counts on.
    """
    ahead = once_a_transaction("clock_ahead", _database_ahead)
    return datetime.now(UTC) + ahead


def brand_now() -> datetime:
    """Return the bound brand's present time, by the database's clock."""
    # What a brand's time takes comes with one statement.
    once_a_transaction("clock_ahead", _ask)
    offset = settings.load(TestClock).offset_seconds
    return server_now() + timedelta(seconds=offset)


def remember(row: Sequence[Any]) -> None:
    """Keep what `ASK` answered until the transaction ends."""
    once_a_transaction("clock_ahead", partial(_take, row))


def _ask() -> timedelta:
    return _take(session().execute(sa.text(ASK)).one())


def _take(row: Sequence[Any]) -> timedelta:
    now, groups = row
    settings.remember(groups or {})
    return _ahead_of_ours(now)


def _database_ahead() -> timedelta:
    return _ahead_of_ours(session().scalars(sa.select(sa.func.clock_timestamp(type_=sa.DateTime(timezone=True)))).one())


def _ahead_of_ours(now: datetime) -> timedelta:
    return now - datetime.now(UTC)


def set_test_clock(*, offset_seconds: int, actor: str) -> TestClock:
    """Move the bound brand's test clock to an absolute offset, so that saying it twice changes nothing more.

    The caller checks that the brand is in sandbox mode. Raises ClockRunsForward.
    """
    present = settings.load(TestClock)
    if not present.offset_seconds <= offset_seconds <= MAX_OFFSET_SECONDS:
        raise ClockRunsForward
    clock = TestClock(offset_seconds=offset_seconds)
    settings.save(clock, actor=actor)
    return clock
