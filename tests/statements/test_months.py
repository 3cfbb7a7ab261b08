"""Months are Beijing's: where they begin and end, and which there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanyong.tenancy.months import Span, month_of, month_span, months_between

MOMENTS = st.integers(0, 90 * 365 * 86_400).map(
    lambda seconds: datetime(2001, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-00", "1999-01", "2026-1", "2026-11-01", "２０２６-11"])
def test_what_is_no_month_is_none(text: str) -> None:
    assert month_span(text) is None


def test_a_month_begins_at_midnight_in_beijing() -> None:
    span = month_span("2026-11")
    assert span is not None
    assert span.starts_at == datetime(2026, 10, 31, 16, tzinfo=UTC)
    assert span.ends_at == datetime(2026, 11, 30, 16, tzinfo=UTC)
    assert str(span) == "2026-11-01 – 2026-11-30"


@given(moment=MOMENTS)
def test_every_moment_is_in_its_month_and_in_no_other(moment: datetime) -> None:
    span = month_span(month_of(moment))
    assert span is not None
    assert span.starts_at <= moment < span.ends_at
    following = month_span(month_of(span.ends_at))
    assert following is not None
    assert following.starts_at == span.ends_at, "months leave no moment between them"
    assert Span(span.first, span.last).ends_at - span.starts_at == timedelta(days=span.last.day)


@given(first=MOMENTS, days=st.integers(0, 2_000))
def test_all_months_between_two_moments(first: datetime, days: int) -> None:
    last = first + timedelta(days=days)
    months = months_between(first, last)
    assert months[0] == month_of(last)
    assert months[-1] == month_of(first)
    assert months == sorted(set(months), reverse=True)
    for newer, older in pairwise(months):
        span = month_span(older)
        assert span is not None
        assert month_of(span.ends_at) == newer
