"""Tax: the check values of the law, the shape of the tables, and that a month's tax does not depend on its parts."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tenants.payouts.tax import (
    Cumulative,
    LabourMonthly,
    NoTax,
    PayeeYear,
    cumulative_tax,
    first_month,
    labour_tax,
    parse,
    tax_of,
)

LABOUR, CUMULATIVE = LabourMonthly(), Cumulative()
NOTHING = PayeeYear({}, {})
#: Labour remuneration of a month and its tax, in yuan.
CHECK_VALUES = [
    (0, 0),
    (800, 0),
    (4_000, 640),
    (5_000, 800),
    (25_000, 4_000),
    (30_000, 5_200),
    (62_500, 13_000),
    (100_000, 25_000),
]
#: Ten fen is the least a brand can allow; of a single fen, the step of the floor may take all.
amounts = st.integers(min_value=10, max_value=20_000_000)


@pytest.mark.parametrize(("gross", "due"), CHECK_VALUES)
def test_labour_remuneration_has_the_tax_of_the_law(gross: int, due: int) -> None:
    assert labour_tax(LABOUR, gross * 100) == due * 100


def test_below_a_fen_is_the_payees() -> None:
    # 800.04 less 800.00 is 4 fen, of which 20 % are 0.8 fen.
    assert labour_tax(LABOUR, 80_004) == 0
    assert labour_tax(LABOUR, 80_005) == 1


def test_a_year_is_taken_together_under_the_cumulative_method() -> None:
    """50,000.00 a month: 35,000.00 at 3 %, then 70,000.00 at 10 % less 2,520.00, less what was withheld."""
    january = tax_of(CUMULATIVE, NOTHING, month=1, amount_fen=5_000_000)
    assert january.tax_fen == 105_000
    year = PayeeYear({1: 5_000_000}, {1: 105_000})
    february = tax_of(CUMULATIVE, year, month=2, amount_fen=5_000_000)
    assert (february.period_gross_fen, february.period_tax_fen) == (10_000_000, 448_000)
    assert february.tax_fen == 448_000 - 105_000


def test_a_month_without_income_begins_anew() -> None:
    year = PayeeYear({1: 100, 2: 100, 4: 100}, {})
    assert [first_month(CUMULATIVE, year, month=month) for month in (2, 3, 5, 7)] == [1, 1, 4, 7]
    assert first_month(Cumulative(months="since_first"), year, month=7) == 1
    rich = PayeeYear({1: 50_000_000}, {1: 5_000_000})
    assert tax_of(CUMULATIVE, rich, month=3, amount_fen=1_000_000).tax_fen == 9_000


def test_a_year_that_earned_little_pays_nothing_and_gets_nothing_back() -> None:
    assert cumulative_tax(CUMULATIVE, 625_000, months=1) == 0
    year = PayeeYear({1: 5_000_000}, {1: 105_000})
    # So little in February that the year's tax is below what was withheld in January.
    assert tax_of(CUMULATIVE, year, month=2, amount_fen=1).tax_fen == 0


def test_nothing_is_withheld_without_a_method() -> None:
    assert tax_of(NoTax(), NOTHING, month=3, amount_fen=10_000_000).tax_fen == 0


@given(st.lists(amounts, min_size=1, max_size=8))
def test_a_months_tax_does_not_depend_on_its_withdrawals(parts: list[int]) -> None:
    gross = withheld = 0
    for part in parts:
        tax = tax_of(LABOUR, PayeeYear({5: gross}, {5: withheld}), month=5, amount_fen=part).tax_fen
        assert 0 <= tax < part
        gross, withheld = gross + part, withheld + tax
    assert withheld == labour_tax(LABOUR, gross)


@given(
    st.lists(st.tuples(st.integers(1, 12), amounts), min_size=1, max_size=8),
    st.sampled_from(["uninterrupted", "since_first"]),
)
def test_a_years_tax_is_what_its_gross_owes_and_never_eats_a_payout(drawn: list[tuple[int, int]], months: Any) -> None:
    parameters = Cumulative(months=months)
    gross: dict[int, int] = {}
    withheld: dict[int, int] = {}
    for month, part in sorted(drawn):
        due = tax_of(parameters, PayeeYear(gross, withheld), month=month, amount_fen=part)
        assert 0 <= due.tax_fen < part
        assert due.tax_fen + due.withheld_before_fen >= due.period_tax_fen
        assert due.tax_fen in (0, due.period_tax_fen - due.withheld_before_fen)
        gross[month] = gross.get(month, 0) + part
        withheld[month] = withheld.get(month, 0) + due.tax_fen


@given(amounts, amounts)
def test_more_gross_never_leaves_less_net(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert labour_tax(LABOUR, low) <= labour_tax(LABOUR, high)
    assert low - labour_tax(LABOUR, low) <= high - labour_tax(LABOUR, high)
    assert low - cumulative_tax(CUMULATIVE, low, months=1) <= high - cumulative_tax(CUMULATIVE, high, months=1)


def test_the_steps_of_the_tables_meet() -> None:
    for parameters in (LABOUR, CUMULATIVE):
        for lower, upper in pairwise(parameters.brackets):
            limit = lower.up_to_fen
            assert limit is not None
            assert (
                limit * lower.rate_bp // 10_000 - lower.quick_fen == limit * upper.rate_bp // 10_000 - upper.quick_fen
            )


@pytest.mark.parametrize(
    "brackets",
    [
        [],
        [{"up_to_fen": 100, "rate_bp": 100}],
        [{"up_to_fen": None, "rate_bp": 100, "quick_fen": 5}],
        [{"up_to_fen": 10_000, "rate_bp": 100}, {"up_to_fen": None, "rate_bp": 200}],
        [{"up_to_fen": 10_000, "rate_bp": 200}, {"up_to_fen": None, "rate_bp": 100, "quick_fen": 0}],
        [{"up_to_fen": None, "rate_bp": 100}, {"up_to_fen": 10_000, "rate_bp": 100}],
    ],
)
def test_a_table_with_a_gap_or_a_step_down_is_refused(brackets: list[dict[str, object]]) -> None:
    with pytest.raises(ValidationError):
        parse({"method": "labour_monthly", "brackets": brackets})


def test_parameters_travel_as_json() -> None:
    for parameters in (NoTax(), LABOUR, Cumulative(costs_bp=0, months="since_first")):
        assert parse(parameters.model_dump(mode="json")) == parameters
