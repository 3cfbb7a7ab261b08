"""Income tax withheld from payouts: pure functions on parameters that are data.

Amounts are whole fen, rates whole basis points. One floor at the end of each formula: what is below a fen stays with
the payee. The tax of one withdrawal is the tax of the period with it less what was withheld in the period before
it, and never below zero; so however a month is cut into withdrawals, the month's tax is the same.

Sources: State Taxation Administration announcement 61 of 2018 (labour remuneration, prepaid rate tables 1 and 2);
announcement 16 of 2025 (platforms and those who work on them, in force since 2025-10-01).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, Self

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

BP = 10_000
MAX_FEN = 10**13


class Bracket(BaseModel):
    """One step of a rate table: up to `up_to_fen` of the taxable amount (None: all above), less a quick deduction."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    up_to_fen: int | None = Field(ge=1, le=MAX_FEN)
    rate_bp: int = Field(ge=0, le=BP)
    quick_fen: int = Field(default=0, ge=0, le=MAX_FEN)


Table = Annotated[tuple[Bracket, ...], Field(min_length=1, max_length=20)]
#: Prepaid rate table 2 of announcement 61 of 2018: labour remuneration.
LABOUR_TABLE = (
    Bracket(up_to_fen=2_000_000, rate_bp=2_000),
    Bracket(up_to_fen=5_000_000, rate_bp=3_000, quick_fen=200_000),
    Bracket(up_to_fen=None, rate_bp=4_000, quick_fen=700_000),
)
#: Prepaid rate table 1 of the same announcement: cumulative, within a calendar year.
CUMULATIVE_TABLE = (
    Bracket(up_to_fen=3_600_000, rate_bp=300),
    Bracket(up_to_fen=14_400_000, rate_bp=1_000, quick_fen=252_000),
    Bracket(up_to_fen=30_000_000, rate_bp=2_000, quick_fen=1_692_000),
    Bracket(up_to_fen=42_000_000, rate_bp=2_500, quick_fen=3_192_000),
    Bracket(up_to_fen=66_000_000, rate_bp=3_000, quick_fen=5_292_000),
    Bracket(up_to_fen=96_000_000, rate_bp=3_500, quick_fen=8_592_000),
    Bracket(up_to_fen=None, rate_bp=4_500, quick_fen=18_192_000),
)


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _WithTable(_Parameters):
    brackets: Table

    @model_validator(mode="after")
    def _climbs(self) -> Self:
        """Refuse a table with a gap or a step down: earning a fen more must never cost more than that fen."""
        limits = [bracket.up_to_fen for bracket in self.brackets]
        closed = [limit for limit in limits[:-1] if limit is not None]
        if limits[-1] is not None or len(closed) < len(limits) - 1 or closed != sorted(set(closed)):
            raise ValueError(str(_l("The steps have to climb, and the last one has no upper end.")))
        for lower, upper in zip(self.brackets, self.brackets[1:], strict=False):
            jump = (upper.rate_bp - lower.rate_bp) * (lower.up_to_fen or 0) - BP * (upper.quick_fen - lower.quick_fen)
            if jump != 0 or upper.rate_bp < lower.rate_bp:
                raise ValueError(str(_l("A quick deduction does not fit the step before it.")))
        if self.brackets[0].quick_fen:
            raise ValueError(str(_l("The first step has no quick deduction.")))
        return self


class NoTax(_Parameters):
    """Nothing is withheld; the payees declare for themselves."""

    method: Literal["none"] = "none"


class LabourMonthly(_WithTable):
    """Labour remuneration, a month as one payment: less a fixed sum, or less a share above `share_from_fen`."""

    method: Literal["labour_monthly"] = "labour_monthly"
    deduction_fen: int = Field(default=80_000, ge=0, le=MAX_FEN)
    share_from_fen: int = Field(default=400_000, ge=0, le=MAX_FEN)
    share_bp: int = Field(default=2_000, ge=0, le=BP)
    brackets: Table = LABOUR_TABLE


class Cumulative(_WithTable):
    """Cumulative withholding within a calendar year: income less costs less a deduction for each month."""

    method: Literal["cumulative"] = "cumulative"
    costs_bp: int = Field(default=2_000, ge=0, le=BP)
    monthly_deduction_fen: int = Field(default=500_000, ge=0, le=MAX_FEN)
    #: The announcement counts months of uninterrupted income: a month without any begins anew. `since_first` goes on.
    months: Literal["uninterrupted", "since_first"] = "uninterrupted"
    brackets: Table = CUMULATIVE_TABLE


TaxParameters = Annotated[NoTax | LabourMonthly | Cumulative, Field(discriminator="method")]
PARAMETERS: TypeAdapter[NoTax | LabourMonthly | Cumulative] = TypeAdapter(TaxParameters)
METHODS: dict[str, str | LazyString] = {
    "none": _l("No withholding"),
    "labour_monthly": _l("Labour remuneration, by month"),
    "cumulative": _l("Platforms: cumulative over the year"),
}


@dataclass(frozen=True, slots=True)
class PayeeYear:
    """What one payee has drawn in a calendar year, by month (1 to 12), before the withdrawal in question."""

    gross_fen: Mapping[int, int]
    withheld_fen: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Tax:
    """The tax of one withdrawal, with how it came about: everything a reader needs to do the sum again."""

    tax_fen: int
    #: Gross of the period (a month, or the months cumulated) with this withdrawal, its tax, and what was withheld
    #: in it before.
    period_gross_fen: int
    period_tax_fen: int
    withheld_before_fen: int


@dataclass(frozen=True, slots=True)
class Taxed:
    """One withdrawal of a payee that did not come back, as far as its tax goes."""

    parameters: NoTax | LabourMonthly | Cumulative
    #: 1 to 12.
    month: int
    amount_fen: int
    #: Its tax, less what was given back of it.
    withheld_fen: int
    #: Tax can be given back of what was paid; of the others nothing was taken yet.
    is_paid: bool


def tax_of(parameters: NoTax | LabourMonthly | Cumulative, year: PayeeYear, *, month: int, amount_fen: int) -> Tax:
    """Return the tax of a withdrawal of `amount_fen` in `month`, all that was drawn before it taken together."""
    match parameters:
        case NoTax():
            return Tax(0, amount_fen, 0, 0)
        case LabourMonthly():
            gross = year.gross_fen.get(month, 0) + amount_fen
            due, before = labour_tax(parameters, gross), year.withheld_fen.get(month, 0)
        case Cumulative():
            first = first_month(parameters, year, month=month)
            gross = _between(year.gross_fen, first, month) + amount_fen
            due = cumulative_tax(parameters, gross, months=month - first + 1)
            before = _between(year.withheld_fen, first, month)
    return Tax(max(0, due - before), gross, due, before)


def surpluses(year: Sequence[Taxed]) -> list[int]:
    """Return how much tax of each of a payee's withdrawals in a calendar year is too much, in the order of requests.

    What each owes is worked out as if those that came back, which are not among them, had never been asked for. Their
    surplus is that of the period together: what one has too little makes up for what another has too much. It is given
    back of those that were paid, the newest first, as far as each has too much.
    """
    gross: dict[int, int] = defaultdict(int)
    owed: dict[int, int] = defaultdict(int)
    excess: list[int] = []
    periods: dict[int, int] = defaultdict(int)
    for one in year:
        due = tax_of(one.parameters, PayeeYear(gross, owed), month=one.month, amount_fen=one.amount_fen).tax_fen
        gross[one.month] += one.amount_fen
        owed[one.month] += due
        excess.append(one.withheld_fen - due)
        periods[_period(one)] += one.withheld_fen - due
    parts = [0] * len(year)
    for at, one in reversed(list(enumerate(year))):
        if one.is_paid:
            parts[at] = max(0, min(excess[at], periods[_period(one)]))
            periods[_period(one)] -= parts[at]
    return parts


def labour_tax(parameters: LabourMonthly, gross_fen: int) -> int:
    """Return the tax on a month's labour remuneration: 4,000.00 -> 640.00."""
    if gross_fen <= parameters.share_from_fen:
        taxable = max(0, gross_fen - parameters.deduction_fen) * BP
    else:
        taxable = gross_fen * (BP - parameters.share_bp)
    return _by_table(parameters.brackets, taxable)


def cumulative_tax(parameters: Cumulative, gross_fen: int, *, months: int) -> int:
    """Return the tax on a year's income so far, of which `months` months count: 10,000.00 in one month -> 90.00."""
    taxable = gross_fen * (BP - parameters.costs_bp) - parameters.monthly_deduction_fen * months * BP
    return _by_table(parameters.brackets, max(0, taxable))


def first_month(parameters: Cumulative, year: PayeeYear, *, month: int) -> int:
    """Return the month from which income and deductions are cumulated up to `month`, which has income itself."""
    earned = {at for at, fen in year.gross_fen.items() if fen > 0 and at < month} | {month}
    if parameters.months == "since_first":
        return min(earned)
    first = month
    while first - 1 in earned:
        first -= 1
    return first


def first_of_month(day: date) -> date:
    """Return the first day of the month of `day`."""
    return day.replace(day=1)


def parse(values: Mapping[str, Any]) -> NoTax | LabourMonthly | Cumulative:
    """Return validated parameters; raises pydantic.ValidationError."""
    return PARAMETERS.validate_python(dict(values))


def _period(one: Taxed) -> int:
    """Return the month that is taxed by itself, or 0 for the year in which all months are cumulated."""
    return 0 if isinstance(one.parameters, Cumulative) else one.month


def _between(by_month: Mapping[int, int], first: int, last: int) -> int:
    return sum(fen for at, fen in by_month.items() if first <= at <= last)


def _by_table(brackets: Sequence[Bracket], taxable: int) -> int:
    """Apply a rate table to a taxable amount given in ten-thousandths of a fen, which keeps shares exact."""
    for bracket in brackets:
        if bracket.up_to_fen is None or taxable <= bracket.up_to_fen * BP:
            return max(0, taxable * bracket.rate_bp // (BP * BP) - bracket.quick_fen)
    raise AssertionError("the last step of a table has no upper end")
