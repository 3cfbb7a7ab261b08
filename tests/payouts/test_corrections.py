"""Tax that was withheld too much: what a withdrawal that came back leaves behind goes back to the payee."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from fanyong.tenancy.database import session
from tenants.ledger.models import PostingKind
from tenants.ledger.service import Figures
from tenants.payouts import corrections, policies, settling, tax_report
from tenants.payouts.models import TaxCorrection
from tenants.payouts.tax import (
    Cumulative,
    LabourMonthly,
    PayeeYear,
    Taxed,
    cumulative_tax,
    labour_tax,
    surpluses,
    tax_of,
)
from tenants.statements import promoter as statements
from tests.money.parts import DAY, at_once
from tests.money.test_races import only_business
from tests.payouts.conftest import Desk
from tests.payouts.test_withdrawals import end_of, parts, pay, tax_on

LABOUR, CUMULATIVE = LabourMonthly(), Cumulative()
#: Without the fixed deduction each fen is taxed at least as high as the one before it.
CLIMBING = LabourMonthly(deduction_fen=0, share_from_fen=0)
Parameters = LabourMonthly | Cumulative


@dataclass
class Payee:
    """Somebody's withdrawals of a year, taxed and corrected as the service does it."""

    parameters: Parameters
    drawn: list[Taxed] = field(default_factory=list)
    corrected_fen: int = 0

    def ask(self, month: int, amount_fen: int) -> None:
        """Add a withdrawal on top of those that did not come back."""
        gross: dict[int, int] = {}
        withheld: dict[int, int] = {}
        for one in self.drawn:
            gross[one.month] = gross.get(one.month, 0) + one.amount_fen
            withheld[one.month] = withheld.get(one.month, 0) + one.withheld_fen
        due = tax_of(self.parameters, PayeeYear(gross, withheld), month=month, amount_fen=amount_fen)
        self.drawn.append(Taxed(self.parameters, month, amount_fen, due.tax_fen, is_paid=False))

    def pay(self, at: int) -> None:
        """Let a withdrawal reach its payee."""
        self.drawn[at] = replace(self.drawn[at], is_paid=True)
        self.settle()

    def come_back(self, at: int) -> None:
        """Take a withdrawal away, before or after it was paid."""
        del self.drawn[at]
        self.settle()

    def settle(self) -> None:
        """Give back what is too much."""
        for at, surplus in enumerate(surpluses(self.drawn)):
            one = self.drawn[at]
            assert 0 <= surplus <= one.withheld_fen
            assert one.is_paid or not surplus
            self.drawn[at] = replace(one, withheld_fen=one.withheld_fen - surplus)
            self.corrected_fen += surplus

    @property
    def gross_fen(self) -> int:
        """What did not come back."""
        return sum(one.amount_fen for one in self.drawn)

    @property
    def withheld_fen(self) -> int:
        """What is withheld of it."""
        return sum(one.withheld_fen for one in self.drawn)


amounts = st.integers(1, 400).map(lambda hundreds: hundreds * 10_000)
odd_amounts = st.integers(10, 4_000_000)
DEEDS = st.lists(st.tuples(st.sampled_from(["ask", "ask", "pay", "back"]), st.integers(0, 9)), max_size=14)


def live_through(payee: Payee, deeds: list[tuple[str, int]], sizes: list[int], *, months: list[int]) -> bool:
    """Do the deeds, then pay whatever still waits; return whether anything came back."""
    came_back = False
    for number, (deed, at) in enumerate(deeds):
        if deed == "ask":
            payee.ask(months[min(number, len(months) - 1)], sizes[number % len(sizes)])
        elif payee.drawn and deed == "pay":
            payee.pay(at % len(payee.drawn))
        elif payee.drawn:
            payee.come_back(at % len(payee.drawn))
            came_back = True
    for at in range(len(payee.drawn)):
        payee.pay(at)
    return came_back


@given(deeds=DEEDS, sizes=st.lists(amounts, min_size=1, max_size=5))
def test_whatever_came_back_the_month_owes_what_its_gross_owes(deeds: list[tuple[str, int]], sizes: list[int]) -> None:
    payee = Payee(CLIMBING)
    live_through(payee, deeds, sizes, months=[5])
    assert payee.withheld_fen == labour_tax(CLIMBING, payee.gross_fen)


@given(deeds=DEEDS, sizes=st.lists(odd_amounts, min_size=1, max_size=5))
def test_by_the_table_of_the_law_a_payee_never_bears_more_than_the_month_owes(
    deeds: list[tuple[str, int]], sizes: list[int]
) -> None:
    """Its first step is steeper than the next, so a month can be left with too little; the next one makes it good."""
    payee = Payee(LABOUR)
    if not live_through(payee, deeds, sizes, months=[5]):
        assert payee.corrected_fen == 0
        assert payee.withheld_fen == labour_tax(LABOUR, payee.gross_fen)
    assert payee.withheld_fen <= labour_tax(LABOUR, payee.gross_fen)
    payee.ask(5, 5_000_000)
    assert payee.withheld_fen == labour_tax(LABOUR, payee.gross_fen)


@given(
    deeds=DEEDS,
    sizes=st.lists(odd_amounts, min_size=1, max_size=5),
    months=st.lists(st.integers(1, 12), min_size=1, max_size=14).map(sorted),
    run=st.sampled_from(["uninterrupted", "since_first"]),
)
def test_in_a_year_only_what_came_back_is_undone(
    deeds: list[tuple[str, int]], sizes: list[int], months: list[int], run: Any
) -> None:
    payee = Payee(Cumulative(months=run))
    came_back = live_through(payee, deeds, sizes, months=months)
    assert came_back or payee.corrected_fen == 0
    assert not any(surpluses(payee.drawn))


def test_a_month_that_pays_less_of_the_year_gives_nothing_back() -> None:
    """The 5,000.00 of a second month are more than it earned: that is for the annual settlement, not for us."""
    payee = Payee(CUMULATIVE)
    payee.ask(1, 5_000_000)
    payee.ask(2, 1)
    payee.pay(0)
    payee.pay(1)
    assert payee.withheld_fen == cumulative_tax(CUMULATIVE, 5_000_000, months=1) == 105_000


def given_back(desk: Desk) -> list[tuple[UUID, UUID, str, int]]:
    with desk.work():
        rows = session().scalars(sa.select(TaxCorrection).order_by(TaxCorrection.id))
        return [(row.withdrawal_id, row.cause_id, row.cause_state, row.amount_fen) for row in rows]


@pytest.mark.parametrize("ends", ["rejected", "failed", "canceled"])
def test_what_was_withheld_on_top_of_it_goes_back(desk: Desk, ends: str) -> None:
    tax_on(desk)
    promoter = desk.earner("茉莉")
    first, second = desk.ask(promoter, 400_000), desk.ask(promoter, 100_000)
    assert parts(desk, second)[2] == 16_000
    pay(desk, second)
    if ends == "rejected":
        desk.reject(first)
    else:
        end_of(desk, first, ends)
    # Alone, 1,000.00 owe 20 % of 200.00.
    assert desk.figures(promoter) == Figures(available_fen=912_000, paid_fen=84_000, tax_withheld_fen=4_000)
    assert given_back(desk) == [(second, first, "rejected" if ends == "rejected" else "failed", 12_000)]
    asked = desk.row(desk.ask(promoter, 320_000))
    assert (asked.tax_details or {})["withheld_before_fen"] == 4_000
    assert asked.tax_fen == labour_tax(LABOUR, 420_000) - 4_000
    desk.check()


def test_of_what_is_on_its_way_the_surplus_goes_back_when_it_is_paid(desk: Desk) -> None:
    tax_on(desk)
    promoter = desk.earner("茉莉")
    first, second = desk.ask(promoter, 400_000), desk.ask(promoter, 100_000)
    desk.reject(first)
    assert given_back(desk) == []
    assert parts(desk, second) == (100_000, 84_000, 16_000, 0)
    pay(desk, second)
    assert given_back(desk) == [(second, second, "paid", 12_000)]
    assert desk.figures(promoter) == Figures(available_fen=912_000, paid_fen=84_000, tax_withheld_fen=4_000)
    desk.check()


def test_what_goes_back_anyway_does_not_make_up_for_what_the_next_one_owes(desk: Desk) -> None:
    """Otherwise withdrawals that are let expire one after the other would steer the tax down."""
    tax_on(desk)
    promoter = desk.earner("茉莉")
    large, first = desk.ask(promoter, 500_000), desk.ask(promoter, 100_000)
    assert desk.row(first).tax_fen == 16_000
    desk.reject(large)
    second = desk.row(desk.ask(promoter, 200_000))
    # Alone the first owes 4,000, and 12,000 of its tax will go back.
    assert (second.tax_details or {})["withheld_before_fen"] == 4_000
    assert second.tax_fen == labour_tax(LABOUR, 300_000) - 4_000
    for asked in (first, second.id):
        pay(desk, asked)
    assert desk.figures(promoter).tax_withheld_fen == labour_tax(LABOUR, 300_000)
    desk.check()


def test_what_goes_back_repays_a_debt_first(desk: Desk) -> None:
    tax_on(desk)
    desk.product("a", price_fen=5_000_000)
    promoter = desk.member("茉莉")
    order = desk.received(desk.member("买家", under=promoter), [("a", 1)])
    desk.settle()
    desk.make_due()
    desk.settle()
    first, second = desk.ask(promoter, 400_000), desk.ask(promoter, 100_000)
    pay(desk, second)
    desk.approve(first)
    desk.refunded(order, {"a": 1})
    desk.settle()
    assert desk.figures(promoter).debt_fen == 500_000
    end_of(desk, first, "failed")
    assert desk.figures(promoter) == Figures(paid_fen=84_000, tax_withheld_fen=4_000, debt_fen=88_000)
    desk.check()


def test_a_month_without_income_begins_anew_also_afterwards(desk: Desk) -> None:
    tax_on(desk, {"method": "cumulative"})
    with desk.work():
        none = dict.fromkeys(("single_fen", "day_fen", "month_fen", "new_account_hours"))
        policies.save_screening_rules(none, note="", actor="test")
        today = policies.today()
    # Both months have to lie in one year.
    desk.advance((date(today.year + 1, 2, 10) - today).days * DAY)
    promoter = desk.earner("茉莉", 10_000_000)
    first = desk.ask(promoter, 5_000_000)
    desk.advance(28 * DAY)
    second = desk.ask(promoter, 5_000_000)
    assert (parts(desk, first)[2], parts(desk, second)[2]) == (105_000, 343_000)
    pay(desk, second)
    end_of(desk, first, "failed")
    assert given_back(desk) == [(second, first, "failed", 238_000)]
    assert desk.figures(promoter).tax_withheld_fen == 105_000
    desk.check()


def test_the_month_is_reported_with_what_went_back(desk: Desk) -> None:
    tax_on(desk)
    promoter = desk.earner("茉莉")
    first, second = desk.ask(promoter, 400_000), desk.ask(promoter, 100_000)
    pay(desk, second)
    desk.reject(first)
    with desk.work():
        month = policies.today().replace(day=1)
        ((_member, *figures),) = session().execute(tax_report.by_payee(month, month)).all()
        assert figures == [1, 100_000, 16_000, 12_000, 0, 84_000, 0]
        statement = statements.statement_of(promoter, statements.month_now())
        (line,) = [line for line in statement.lines if line.kind is PostingKind.TAX_BACK]
        assert (line.amount_fen, line.change_fen) == (12_000, 12_000)
        assert statement.references[line.source_id].id == second
        assert statement.closing.balance_fen == 912_000
        assert corrections.corrections_of(second)[0].withheld_before_fen == 16_000


def test_what_went_back_does_not_go_back_again_with_the_payout(desk: Desk) -> None:
    tax_on(desk)
    desk.rules(fee_fixed_fen=100)
    desk.channel("payout_offline")
    promoter = desk.earner("茉莉")
    desk.payee(promoter, "payout_offline")
    first, second = desk.ask(promoter, 400_000), desk.ask(promoter, 100_000, channel="payout_offline")
    desk.approve(second)
    with desk.work():
        settling.mark_paid(second, proof="B-1", actor="ann")
    desk.reject(first)
    assert desk.figures(promoter).tax_withheld_fen == 4_000
    with desk.work():
        settling.mark_returned(second, reason="户名不符", actor="ann")
    assert desk.figures(promoter) == Figures(available_fen=1_000_000)
    desk.check()


def test_a_payout_that_came_back_gives_the_tax_of_later_ones_back(desk: Desk) -> None:
    tax_on(desk)
    desk.channel("payout_offline")
    promoter = desk.earner("茉莉")
    desk.payee(promoter, "payout_offline")
    first, second = desk.ask(promoter, 400_000, channel="payout_offline"), desk.ask(promoter, 100_000)
    desk.approve(first)
    with desk.work():
        settling.mark_paid(first, proof="B-1", actor="ann")
    pay(desk, second)
    with desk.work():
        settling.mark_returned(first, reason="户名不符", actor="ann")
    assert given_back(desk) == [(second, first, "returned", 12_000)]
    assert desk.figures(promoter) == Figures(available_fen=912_000, paid_fen=84_000, tax_withheld_fen=4_000)
    desk.check()


def test_payouts_and_failures_at_the_same_moment_end_with_the_tax_of_what_is_left(desk: Desk) -> None:
    tax_on(desk, CLIMBING.model_dump(mode="json"))
    promoter = desk.earner("茉莉")
    asked = [desk.ask(promoter, 100_000) for _ in range(6)]
    for one in asked:
        desk.approve(one)
    facts = [
        desk.transfer_fact(one, state="failed" if at % 2 else "paid", reason="test") for at, one in enumerate(asked)
    ]
    assert only_business(at_once(*[partial(desk.apply, fact) for fact in facts])) == ["applied"] * 6
    assert desk.figures(promoter).tax_withheld_fen == labour_tax(CLIMBING, 300_000)
    desk.check()
