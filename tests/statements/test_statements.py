"""Statements of a promoter and of the brand say what the books say, month after month, to the fen."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanyong.devtools.paths import ROOT
from fanyong.errors import NotFound
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.months import Span, month_span
from fanyong.wechat.times import BEIJING
from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, PostingKind
from tenants.ledger.service import Entry
from tenants.statements import brand, postings, promoter
from tenants.statements.chart import CHART, LIABILITIES
from tenants.statements.postings import Filter
from tenants.statements.promoter import Balances, NoSuchMonth, PromoterStatement
from tests.console.parts import Busy
from tests.money.parts import DAY, Till

A, K = AccountName, PostingKind
#: What can happen to a promoter's money, as the books post it.
MOVES: dict[PostingKind, tuple[AccountName, AccountName]] = {
    K.AWARD: (A.COMMISSION_EXPENSE, A.ESTIMATED),
    K.RECEIVE: (A.ESTIMATED, A.FROZEN),
    K.RELEASE: (A.FROZEN, A.AVAILABLE),
    K.REVERSE: (A.DEBT, A.COMMISSION_EXPENSE),
    K.HOLD: (A.AVAILABLE, A.IN_TRANSFER),
    K.PAID: (A.IN_TRANSFER, A.PAID),
    K.TAX: (A.IN_TRANSFER, A.TAX_WITHHELD),
    K.FEE: (A.IN_TRANSFER, A.FEE_INCOME),
    K.RETURN: (A.IN_TRANSFER, A.AVAILABLE),
    K.OFFSET: (A.AVAILABLE, A.DEBT),
    K.WRITE_OFF: (A.WRITE_OFF, A.DEBT),
}


def at_noon(day: date) -> datetime:
    return datetime.combine(day, time(12), BEIJING)


def post(till: Till, owner_id: UUID, kind: PostingKind, fen: int, day: date, *, source: UUID | None = None) -> UUID:
    """Post one movement on a day."""
    source_id = source or uuid4()
    with till.work():
        ledger.post([Entry(kind, source_id, owner_id, *MOVES[kind], fen)], at=at_noon(day))
    return source_id


@pytest.fixture
def story(till: Till) -> tuple[Till, UUID]:
    """The example of docs/statements.md, in the month before last and last month."""
    member = till.member("茉莉")
    till.advance(60 * DAY)
    first, second = _days(till)
    for kind, fen, day in [
        (K.AWARD, 10_000, first),
        (K.RECEIVE, 10_000, first),
        (K.RELEASE, 10_000, first),
        (K.HOLD, 10_000, first + timedelta(days=1)),
        (K.PAID, 8_900, second),
        (K.TAX, 1_000, second),
        (K.FEE, 100, second),
        (K.REVERSE, 300, second),
        (K.WRITE_OFF, 120, second),
    ]:
        post(till, member, kind, fen, day)
    return till, member


def _days(till: Till) -> tuple[date, date]:
    """Return a day in the middle of the month before last, and one of last month."""
    with till.work():
        today = brand.today()
    second = today.replace(day=1) - timedelta(days=10)
    return second.replace(day=1) - timedelta(days=10), second


def documented() -> dict[str, tuple[int, ...]]:
    """Return the trial balance of docs/statements.md: opening, debit, credit and closing by account."""
    text = (
        (ROOT / "docs" / "statements.md")
        .read_text(encoding="utf-8")
        .partition("### Worked example")[2]
        .partition("\n## ")[0]
    )
    rows = (line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `"))
    return {name.strip("`"): tuple(map(amount, cells)) for name, *cells in rows}


def amount(cell: str) -> int:
    """Return an amount of the document; what stands on the credit side is negative."""
    text, _, side = cell.replace(",", "").partition(" ")
    return -int(text) if side == "credit" else int(text)


def statement(till: Till, member_id: UUID, day: date) -> PromoterStatement:
    with till.work():
        return promoter.statement_of(member_id, f"{day:%Y-%m}")


def test_a_promoter_reads_every_movement_and_the_balances_after_it(story: tuple[Till, UUID]) -> None:
    till, member = story
    first, second = _days(till)
    earlier, later = statement(till, member, first), statement(till, member, second)
    assert earlier.opening == Balances()
    assert [(line.kind, line.amount_fen, line.change_fen) for line in earlier.lines] == [
        (K.AWARD, 10_000, 10_000),
        (K.RECEIVE, 10_000, 0),
        (K.RELEASE, 10_000, 0),
        (K.HOLD, 10_000, 0),
    ]
    assert earlier.closing == Balances(in_transfer_fen=10_000)
    assert earlier.totals == {K.AWARD: 10_000}
    assert later.opening == earlier.closing
    assert later.closing == Balances(debt_fen=180)
    assert later.closing.balance_fen == -180
    assert later.totals == {K.PAID: -8_900, K.TAX: -1_000, K.FEE: -100, K.REVERSE: -300, K.WRITE_OFF: 120}
    assert earlier.is_over
    assert later.is_over
    with till.work():
        assert not promoter.statement_of(member, promoter.month_now()).is_over
        assert promoter.months_of(member)[1:] == [later.month, earlier.month]
        figures = ledger.figures_of(member)
    assert (figures.available_fen, figures.debt_fen) == (0, 180), "it ends where the books are"


def test_the_brand_s_months_add_up_to_the_books(story: tuple[Till, UUID]) -> None:
    till, _member = story
    first, second = _days(till)
    with till.work():
        earlier, later = brand.brand_month(f"{first:%Y-%m}"), brand.brand_month(f"{second:%Y-%m}")
        assert brand.months()[1:] == [later.month, earlier.month]
    assert [row.closing_fen for row in earlier.balance.rows] == [row.opening_fen for row in later.balance.rows]
    told = {
        row.account.name.word: (row.opening_fen, row.debit_fen, row.credit_fen, row.closing_fen)
        for row in later.balance.rows
    }
    assert told == documented()
    assert sum(closing for *_moved, closing in told.values()) == 0
    assert earlier.balance.is_balanced
    assert later.balance.is_balanced
    assert (earlier.liabilities_fen, later.liabilities_fen) == (10_000, 0)
    assert {(m.kind, m.count, m.amount_fen) for m in later.movements} == {
        (K.PAID, 1, 8_900),
        (K.TAX, 1, 1_000),
        (K.FEE, 1, 100),
        (K.REVERSE, 1, 300),
        (K.WRITE_OFF, 1, 120),
    }


def test_commissions_are_told_apart_by_plan_version_and_kind(busy: Busy) -> None:
    till = busy.till
    till.plan(values={"rates": [{"level": 1, "rate_bp": 500}]})
    till.paid(busy.buyer, [("a", 1)])
    till.settle()
    with till.work():
        month = brand.brand_month(promoter.month_now())
        rows = [(row.plan, row.kind, row.count, row.awarded_fen, row.reversed_fen) for row in month.expenses]
        assert rows == [("1 · plan_levels", "share", 2, 5_000, 1_000), ("2 · plan_levels", "share", 1, 500, 0)]
        expense = month.balance.row(A.COMMISSION_EXPENSE)
        assert (expense.debit_fen, expense.credit_fen) == (5_500, 1_000), "the same as the account"
        first_plan = month.expenses[0].plan_version_id
        sums = postings.sums(Filter(account=A.COMMISSION_EXPENSE, plan_version_id=first_plan, award_kind="share"))
        assert (sums.debit_fen, sums.credit_fen) == (5_000, 1_000), "and as the lines behind it"
        assert postings.sums(Filter(account=A.COMMISSION_EXPENSE, award_kind="team")).count == 0


def test_every_movement_leads_to_its_order_or_withdrawal(busy: Busy) -> None:
    till = busy.till
    with till.work():
        mine = promoter.statement_of(busy.promoter, promoter.month_now())
    about = {line.kind: mine.references.get(line.source_id) for line in mine.lines}
    released = till.order_row(busy.released)
    award, taken, held = about[K.AWARD], about[K.REVERSE], about[K.HOLD]
    assert award is not None
    assert (award.kind, award.id) == ("order", busy.paid), "the last award"
    assert taken is not None
    assert (taken.kind, taken.id, taken.number) == ("refund", released.id, released.number)
    assert held is not None
    assert (held.kind, held.id) == ("withdrawal", busy.withdrawal)


def test_every_figure_opens_lines_that_come_to_it(busy: Busy) -> None:
    with busy.till.work():
        balance = brand.trial_balance(Span(brand.today().replace(day=1), brand.today()))
        for row in balance.rows:
            name, span = row.account.name, balance.span
            assert postings.sums(Filter(account=name, side="debit", span=span)).debit_fen == row.debit_fen
            assert postings.sums(Filter(account=name, side="credit", span=span)).credit_fen == row.credit_fen
            whole = postings.sums(Filter(account=name, span=Span(date(2000, 1, 1), span.last)))
            assert whole.debit_fen - whole.credit_fen == row.closing_fen
        figures = ledger.figures_of(busy.promoter)
        mine = postings.sums(Filter(account=A.AVAILABLE, owner_id=busy.promoter))
        assert mine.credit_fen - mine.debit_fen == figures.available_fen == 1_500
        assert postings.sums(Filter(owner_id=busy.buyer)).count == 0


def test_there_is_no_statement_of_the_future_of_nonsense_or_of_nobody(till: Till) -> None:
    member = till.member("茉莉")
    with till.work():
        for month in ("2099-01", "", "2026-13"):
            with pytest.raises(NoSuchMonth):
                promoter.statement_of(member, month)
            with pytest.raises(NoSuchMonth):
                brand.brand_month(month)
        with pytest.raises(NotFound):
            promoter.statement_of(uuid4(), promoter.month_now())
        assert promoter.months_of(member) == []
        assert promoter.statement_of(member, promoter.month_now()).lines == []


def test_the_last_second_of_a_month_belongs_to_it(till: Till) -> None:
    member = till.member("茉莉")
    till.advance(60 * DAY)
    first, second = _days(till)
    span = month_span(f"{first:%Y-%m}")
    assert span is not None
    with till.work():
        for fen, moment in ((5, span.ends_at - timedelta(microseconds=1)), (7, span.ends_at)):
            ledger.post([Entry(K.AWARD, uuid4(), member, A.COMMISSION_EXPENSE, A.ESTIMATED, fen)], at=moment)
    assert [line.amount_fen for line in statement(till, member, first).lines] == [5]
    assert [line.amount_fen for line in statement(till, member, second).lines] == [7]


def test_every_account_has_one_code_and_one_place() -> None:
    assert {account.name for account in CHART} == set(AccountName)
    codes = [account.code for account in CHART]
    assert codes == sorted(set(codes))
    assert set(LIABILITIES) < set(AccountName)


@given(
    steps=st.lists(
        st.tuples(st.sampled_from([K.AWARD, K.RECEIVE, K.RELEASE, K.REVERSE, K.WRITE_OFF]), st.integers(1, 10**9)),
        max_size=12,
    )
)
def test_running_balances_are_the_sum_of_what_moved(steps: list[tuple[PostingKind, int]]) -> None:
    balances, change = Balances(), 0
    for kind, fen in steps:
        debit, credit = MOVES[kind]
        balances = promoter.moved(balances, account=debit, amount_fen=-fen)
        balances = promoter.moved(balances, account=credit, amount_fen=fen)
        change += {K.AWARD: fen, K.REVERSE: -fen, K.WRITE_OFF: fen}.get(kind, 0)
    assert balances.balance_fen == change


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    amounts=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 10_000), st.integers(0, 89)), min_size=1, max_size=12)
)
def test_months_of_promoters_together_are_the_brand_s(till: Till, amounts: list[tuple[int, int, int]]) -> None:
    """The promoters' statements add up to the trial balance, and each begins where the one before ended."""
    till.advance(100 * DAY)
    people = [till.member(f"{n}-{uuid4()}") for n in range(4)]
    with till.work():
        today, start = brand.today(), brand_now()
    for index, fen, days in amounts:
        post(till, people[index], K.AWARD, fen, (start - timedelta(days=days)).astimezone(BEIJING).date())
    with till.work():
        months = list(reversed(brand.months()))
        closing = dict.fromkeys(people, 0)
        for person in people:
            mine = [promoter.statement_of(person, month) for month in months]
            assert all(before.closing == after.opening for before, after in pairwise(mine))
            closing[person] = mine[-1].closing.balance_fen
        everything = brand.trial_balance(Span(today, today))
        total = sum(ledger.figures(people)[person].pending_fen for person in people)
    assert sum(closing.values()) == total
    assert -everything.row(A.ESTIMATED).closing_fen >= total
    assert everything.is_balanced
