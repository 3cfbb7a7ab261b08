"""What a brand allows: limits with their figures, fees, and the days on which withdrawals are taken."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tenants.payouts import errors
from tenants.payouts.rules import (
    Drawn,
    WithdrawalRules,
    broken_limit,
    fee_of,
    is_payout_day,
    needs_two_people,
    next_payout_day,
)

#: A Sunday.
DAY = date(2026, 11, 22)
RULES = WithdrawalRules(
    minimum_fen=1_000, maximum_fen=50_000, payee_day_fen=80_000, payee_day_count=3, brand_day_fen=200_000
)


@pytest.mark.parametrize(
    ("amount_fen", "drawn", "error", "says"),
    [
        (999, Drawn(), errors.WithdrawalBelowMinimum, "¥10.00"),
        (50_001, Drawn(), errors.WithdrawalAboveMaximum, "¥500.00"),
        (30_001, Drawn(payee_fen=50_000, payee_count=1), errors.PayeeDayAmount, "¥300.00 is left"),
        (1_000, Drawn(payee_fen=3_000, payee_count=3), errors.PayeeDayCount, "3 withdrawals"),
        (1_001, Drawn(brand_fen=199_000), errors.BrandDayAmount, "¥10.00 is left"),
        (1_000, Drawn(brand_fen=900_000), errors.BrandDayAmount, "¥0.00 is left"),
    ],
)
def test_a_broken_limit_says_the_figures(amount_fen: int, drawn: Drawn, error: type[Exception], says: str) -> None:
    found = broken_limit(RULES, amount_fen=amount_fen, day=DAY, drawn=drawn)
    assert type(found) is error
    assert says in found.text


def test_the_limits_themselves_are_allowed() -> None:
    for amount_fen, drawn in [
        (1_000, Drawn()),
        (50_000, Drawn()),
        (30_000, Drawn(50_000, 2, 170_000)),
    ]:
        assert broken_limit(RULES, amount_fen=amount_fen, day=DAY, drawn=drawn) is None


@given(st.integers(10, 100_000_000), st.integers(0, 100_000), st.integers(0, 2_000))
def test_a_fee_is_whole_and_never_more_than_the_amount(amount_fen: int, fixed_fen: int, share_bp: int) -> None:
    fee = fee_of(WithdrawalRules(fee_fixed_fen=fixed_fen, fee_bp=share_bp), amount_fen)
    assert 0 <= fee <= amount_fen
    assert fee == min(amount_fen, fixed_fen + amount_fen * share_bp // 10_000)


def test_a_share_is_floored() -> None:
    assert fee_of(WithdrawalRules(fee_fixed_fen=100, fee_bp=60), 999) == 105


@pytest.mark.parametrize(
    ("cycle", "days", "day", "allowed"),
    [
        ("any_day", "5", DAY, True),
        ("weekdays", "", DAY, True),
        ("weekdays", "1,2,3,4,5", DAY, False),
        ("weekdays", "7", DAY, True),
        ("month_days", "1, 15", DAY, False),
        ("month_days", "1，22", DAY, True),
        ("month_days", "31", date(2026, 2, 28), True),
        ("month_days", "31", date(2026, 2, 27), False),
    ],
)
def test_days_of_the_cycle(cycle: Any, days: str, day: date, allowed: bool) -> None:
    assert is_payout_day(WithdrawalRules(cycle=cycle, days=days), day) is allowed


def test_the_next_day_is_named() -> None:
    rules = WithdrawalRules(cycle="month_days", days="1,15")
    found = broken_limit(rules, amount_fen=100, day=DAY, drawn=Drawn())
    assert isinstance(found, errors.NotAPayoutDay)
    assert "2026-12-01" in found.text


@given(st.sampled_from(["weekdays", "month_days"]), st.lists(st.integers(1, 31), max_size=5), st.integers(0, 800))
def test_the_next_day_is_the_first_one_that_fits(cycle: Any, days: list[int], ahead: int) -> None:
    rules = WithdrawalRules(cycle=cycle, days=",".join(map(str, days)))
    day = DAY + timedelta(days=ahead)
    found = next_payout_day(rules, day)
    if found is None:
        assert cycle == "weekdays"
        assert min(days) > 7
        return
    assert is_payout_day(rules, found)
    assert not any(is_payout_day(rules, day + timedelta(days=n)) for n in range(1, (found - day).days))


def test_two_people_from_the_threshold_on() -> None:
    rules = WithdrawalRules(two_people_from_fen=10_000)
    assert [needs_two_people(rules, fen) for fen in (9_999, 10_000)] == [False, True]


@pytest.mark.parametrize(
    "values", [{"days": "0"}, {"days": "32"}, {"days": "mon"}, {"fee_bp": 2_001}, {"minimum_fen": 9}]
)
def test_rules_that_cannot_be_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WithdrawalRules(**values)
