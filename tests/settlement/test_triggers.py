"""When commissions are released: every trigger against dates that are known, and what holds for all of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fanyong.wechat.times import BEIJING
from tenants.settlement.triggers import WEEKDAYS, Settlement, due_at, in_words
from tenants.settlement.workdays import announced_until, is_working_day, working_day_after

MOMENTS = st.integers(0, 6 * 366 * 86_400).map(lambda second: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(0, second))
RULES = st.builds(
    Settlement,
    trigger=st.sampled_from(["window", "receipt", "working_days", "cycle"]),
    window_days=st.integers(0, 40),
    working_days=st.integers(1, 12),
    cycle=st.sampled_from(["month", "week"]),
    month_days=st.lists(st.integers(1, 31), min_size=1, max_size=4).map(tuple),
    weekday=st.sampled_from(WEEKDAYS),
)


def beijing(text: str) -> datetime:
    """Return a moment by the clock in Beijing."""
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


def due(received: str, **rule: object) -> str:
    """Return when a receipt is due, by the clock in Beijing."""
    found = due_at(Settlement.model_validate(rule), beijing(received), tz=BEIJING)
    return found.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")


def test_at_once_means_at_the_receipt_whatever_the_window() -> None:
    assert due("2026-03-05 10:30", trigger="receipt", window_days=7) == "2026-03-05 10:30"


def test_the_window_is_exactly_so_many_times_24_hours() -> None:
    assert due("2026-03-05 10:30", trigger="window", window_days=7) == "2026-03-12 10:30"
    assert due("2026-03-05 10:30", trigger="window", window_days=0) == "2026-03-05 10:30"


@pytest.mark.parametrize(
    ("received", "count", "expected"),
    [
        ("2026-03-05 10:30", 1, "2026-03-06 00:00"),  # a Thursday
        ("2026-03-06 23:59", 1, "2026-03-09 00:00"),  # a Friday: over the weekend
        ("2026-03-07 10:00", 1, "2026-03-09 00:00"),  # a Saturday
        ("2025-09-29 10:00", 3, "2025-10-10 00:00"),  # 30 Sep, 9 Oct, 10 Oct: eight days off for the National Day
        ("2025-10-10 10:00", 1, "2025-10-11 00:00"),  # a Saturday that is worked in exchange
        ("2026-02-13 10:00", 2, "2026-02-24 00:00"),  # Sat 14 Feb is worked, then Spring Festival 15 to 23 Feb
    ],
)
def test_working_days_follow_the_holidays_and_the_working_weekends(received: str, count: int, expected: str) -> None:
    assert due(received, trigger="working_days", window_days=0, working_days=count) == expected


def test_working_days_wait_for_the_window() -> None:
    assert due("2026-03-05 10:30", trigger="working_days", window_days=7, working_days=2) == "2026-03-12 10:30"
    assert due("2026-03-05 10:30", trigger="working_days", window_days=3, working_days=2) == "2026-03-09 00:00"


def test_the_day_is_that_of_beijing() -> None:
    # 17:00 UTC on Thursday is one o'clock on Friday in Beijing.
    late = due_at(Settlement(trigger="working_days", window_days=0), datetime(2026, 3, 5, 17, tzinfo=UTC), tz=BEIJING)
    assert late == beijing("2026-03-09 00:00")


@pytest.mark.parametrize(
    ("received", "days", "expected"),
    [
        ("2026-03-05 10:30", [15], "2026-03-15 00:00"),
        ("2026-03-08 00:00", [15], "2026-03-15 00:00"),  # the window ends with the settlement day's beginning
        ("2026-03-08 00:01", [15], "2026-04-15 00:00"),
        ("2026-03-08 00:01", [1, 15, 20], "2026-03-20 00:00"),
        ("2026-02-05 10:00", [31], "2026-02-28 00:00"),  # shorter months end earlier
        ("2028-02-05 10:00", [30], "2028-02-29 00:00"),
        ("2026-12-28 10:00", [2], "2027-02-02 00:00"),
    ],
)
def test_a_monthly_cycle(received: str, days: list[int], expected: str) -> None:
    assert due(received, trigger="cycle", window_days=7, cycle="month", month_days=days) == expected


def test_a_weekly_cycle() -> None:
    rule = {"trigger": "cycle", "window_days": 7, "cycle": "week", "weekday": "friday"}
    assert due("2026-03-05 10:30", **rule) == "2026-03-13 00:00"
    assert due("2026-03-06 00:00", **rule) == "2026-03-13 00:00"
    assert due("2026-03-06 00:01", **rule) == "2026-03-20 00:00"


@given(RULES, MOMENTS)
def test_it_is_never_before_the_window_is_over(rule: Settlement, received_at: datetime) -> None:
    days = 0 if rule.trigger == "receipt" else rule.window_days
    found = due_at(rule, received_at, tz=BEIJING)
    assert found >= received_at + timedelta(days=days)
    assert found - received_at <= timedelta(days=rule.window_days + 62)


@given(RULES, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=60)))
def test_whoever_receives_later_is_never_due_earlier(rule: Settlement, received_at: datetime, later: timedelta) -> None:
    assert due_at(rule, received_at, tz=BEIJING) <= due_at(rule, received_at + later, tz=BEIJING)


@given(RULES, MOMENTS)
def test_a_rule_that_was_frozen_says_the_same_when_it_is_read_again(rule: Settlement, received_at: datetime) -> None:
    frozen = Settlement.model_validate(rule.model_dump(mode="json"))
    assert due_at(frozen, received_at, tz=BEIJING) == due_at(rule, received_at, tz=BEIJING)


@given(st.dates(date(2024, 1, 1), date(2026, 12, 1)), st.integers(1, 20))
def test_counting_working_days_one_by_one_comes_to_the_same(day: date, count: int) -> None:
    found = working_day_after(day, count=count)
    between = [day + timedelta(days=n) for n in range(1, (found - day).days + 1)]
    assert [is_working_day(d) for d in between].count(True) == count
    assert is_working_day(found)


def test_what_is_not_announced_yet_is_told_by_weekends_and_statutory_days() -> None:
    unknown = announced_until() + 1
    assert announced_until() >= 2026
    assert not is_working_day(date(unknown, 10, 1))
    assert not is_working_day(date(unknown, 5, 1))
    weekend = next(date(unknown, 7, n) for n in range(1, 8) if date(unknown, 7, n).weekday() == 5)
    assert not is_working_day(weekend)
    assert is_working_day(weekend + timedelta(days=2))


@pytest.mark.parametrize(
    "rule",
    [
        {"trigger": "cycle", "month_days": []},
        {"trigger": "cycle", "month_days": [0]},
        {"trigger": "cycle", "month_days": [32]},
        {"window_days": -1},
        {"window_days": 366},
        {"working_days": 0},
        {"auto_receive_days": 0},
        {"trigger": "someday"},
        {"windows": 7},
    ],
)
def test_rules_that_cannot_be_are_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settlement.model_validate(rule)


def test_every_rule_is_told_in_words(app: Flask) -> None:
    with app.test_request_context("/?lang=en"):
        told = {
            in_words(Settlement(trigger="receipt")): "as soon as the buyer has the goods",
            in_words(Settlement(window_days=1)): "1 day after the buyer has the goods",
            in_words(Settlement(trigger="working_days", working_days=3)): "working day 3 after",
            in_words(Settlement(trigger="cycle", month_days=(20, 5))): "day 5, 20 of the month",
            in_words(Settlement(trigger="cycle", cycle="week", weekday="friday")): "every Friday",
        }
    for sentence, part in told.items():
        assert part in sentence
