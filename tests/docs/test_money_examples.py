"""The examples of docs/money.md come true: their numbers are read from its tables and given to the real functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from fanyong.ids import new_id
from fanyong.payments.models import Transfer
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session, unit_of_work
from fanyong.values import AwardProposal, LineFacts, OrderFacts, Person
from plugins.plan_levels import Settings
from plugins.plan_levels import plugin as plan_levels
from plugins.tiers_flat import TIER_KEY
from tenants.commissions import engine, processing
from tenants.commissions import service as commissions
from tenants.commissions.service import RefundedLine
from tenants.invariants.checks import CHECKS
from tenants.invariants.service import RECONCILED, check_books
from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, Posting, PostingKind
from tenants.ledger.service import Entry, Release
from tenants.members import service as members
from tenants.members.models import Member
from tenants.orders import covering
from tenants.orders.models import OrderLine
from tenants.payouts import service as payouts
from tenants.payouts.models import Withdrawal
from tenants.payouts.service import WithdrawalBlockedByDebt
from tests.docs import tables
from tests.docs.tables import Row, fen, text_of

DOCUMENT = "money.md"
RECOMPUTED = "10 computing an order again gives the same fen"
table = partial(tables.table, DOCUMENT)


def _order(paid_fen: int, *, levels: int, levels_allowed: int) -> OrderFacts:
    return OrderFacts(
        order_id=uuid4(),
        paid_at=datetime.now(UTC),
        lines=(LineFacts(uuid4(), "tea", "", 1, paid_fen),),
        buyer=Person(uuid4(), 0, TIER_KEY),
        upline=tuple(Person(uuid4(), level, TIER_KEY) for level in range(1, levels + 1)),
        levels_allowed=levels_allowed,
    )


def test_a_coupon_is_spread_as_the_table_says() -> None:
    rows = table("coupon")
    discounts = engine.allocate(1_000, [fen(row, "Goods fen") for row in rows])
    assert discounts == [fen(row, "Discount fen") for row in rows]
    for row in rows:
        assert fen(row, "Goods fen") - fen(row, "Discount fen") == fen(row, "Paid fen")
        goods_fen, total_fen = fen(row, "Goods fen"), sum(fen(each, "Goods fen") for each in rows)
        # The exact share, rounded to its second decimal without leaving whole numbers.
        hundredths = (2 * 100 * 1_000 * goods_fen + total_fen) // (2 * total_fen)
        assert row["Exact share"] == f"{hundredths // 100}.{hundredths % 100:02d}"


def test_percentages_are_floored_as_the_table_says() -> None:
    rows = table("awards")
    paid_fen = fen(table("coupon")[0], "Paid fen")
    facts = _order(paid_fen, levels=3, levels_allowed=2)
    rates = [{"level": fen(row, "Level"), "rate_bp": fen(row, "Rate bp")} for row in rows]
    proposals = plan_levels.propose_awards(settings=Settings.model_validate({"rates": rates}), facts=facts)
    result = engine.settle(facts, proposals)
    amounts = {award.level: award.amount_fen for award in result.awards}
    withheld = {item.level: item.reason for item in result.withheld}
    for row in rows:
        level, exact = fen(row, "Level"), paid_fen * fen(row, "Rate bp")
        assert row["Exact fen"] == f"{exact // 10_000:,}.{exact % 10_000:04d}"
        assert amounts.get(level, 0) == fen(row, "Amount fen")
        assert withheld.get(level, "") == row["Withheld"]


@pytest.mark.parametrize("row", table("zero"), ids=lambda row: row["Paid fen"])
def test_less_than_a_fen_is_withheld(row: Row) -> None:
    facts = _order(fen(row, "Paid fen"), levels=1, levels_allowed=1)
    settings = Settings.model_validate({"rates": [{"level": 1, "rate_bp": fen(row, "Rate bp")}]})
    result = engine.settle(facts, plan_levels.propose_awards(settings=settings, facts=facts))
    assert sum(award.amount_fen for award in result.awards) == fen(row, "Amount fen")
    assert "".join(item.reason for item in result.withheld) == row["Withheld"]


def test_the_cap_scales_down_as_the_table_says() -> None:
    rows = table("cap")
    facts = _order(100, levels=3, levels_allowed=3)
    proposals = [
        AwardProposal(facts.lines[0].line_id, person.member_id, "share", person.level, "r", 100, fen(row, "Rate bp"))
        for person, row in zip(facts.upline, rows, strict=True)
    ]
    assert [100 * p.rate_bp // 10_000 for p in proposals] == [fen(row, "Before the cap fen") for row in rows]
    awards = engine.settle(facts, proposals).awards
    assert [award.amount_fen for award in awards] == [fen(row, "Amount fen") for row in rows]
    assert {award.explanation["cap"] for award in awards} == {"line_paid"}


def test_pieces_are_given_back_as_the_table_says() -> None:
    rows = table("pieces")
    line = OrderLine(id=new_id(), quantity=3, paid_fen=10_000, refunded_quantity=0, refunded_fen=0, adjusted_fen=0)
    for row in rows:
        covered = covering.cover_line(line, quantity=fen(row, "Pieces"), adjusted_fen=0)
        assert covered.amount_fen == fen(row, "Given back fen")
        assert line.refunded_quantity == fen(row, "Pieces so far")
        assert line.refunded_fen == fen(row, "Floor of exact")
    assert line.refunded_fen == line.paid_fen


@pytest.mark.parametrize(("example", "award_fen", "paid_fen"), [("reversals", 1_167, 9_341), ("small", 5, 100)])
def test_awards_are_taken_back_as_the_table_says(example: str, award_fen: int, paid_fen: int) -> None:
    before = 0
    for row in table(example):
        so_far = fen(row, "Refunded so far fen")
        target = engine.reversed_to_date(award_fen, paid_fen=paid_fen, refunded_fen=so_far)
        assert target == fen(row, "f(R) fen")
        assert target - before == fen(row, "Taken back fen")
        if "Award left fen" in row:
            assert award_fen - target == fen(row, "Award left fen")
        before = target
    assert before == award_fen


def test_rounding_each_refund_by_itself_goes_wrong_as_the_text_says() -> None:
    nearest = [(2 * 5 * fen(row, "Refund fen") + 100) // 200 for row in table("small")]
    assert f"would take back {' + '.join(map(str, nearest))} = {sum(nearest)}." in text_of(DOCUMENT)
    assert sum(nearest) > 5


@pytest.fixture
def promoter(inside: Tenant) -> UUID:
    """A promoter with empty accounts."""
    with unit_of_work():
        member, _ = members.register("o-promoter", nickname="阿茶")
    return member.id


def test_a_debt_comes_and_goes_as_the_table_says(promoter: UUID) -> None:
    for row in table("debt"):
        with unit_of_work():
            _move(row["Step"], promoter, amount_fen=fen(row, "Fen"))
        figures = ledger.figures_of(promoter)
        for account in ("available", "in_transfer", "paid", "debt"):
            assert getattr(figures, f"{account}_fen") == fen(row, account), (row, account)


def _move(step: str, owner: UUID, *, amount_fen: int) -> None:
    source = new_id()
    if step == "take back":
        ledger.take_back(owner, amount_fen=amount_fen, source_id=source)
    elif step == "release":
        expense, frozen = AccountName.COMMISSION_EXPENSE, AccountName.FROZEN
        ledger.post([Entry(PostingKind.AWARD, source, owner, expense, frozen, amount_fen)])
        ledger.release_to_available(PostingKind.RELEASE, [Release(source, owner, amount_fen)], out_of=frozen)
    else:
        kind, debit, credit = {
            "hold": (PostingKind.HOLD, AccountName.AVAILABLE, AccountName.IN_TRANSFER),
            "paid": (PostingKind.PAID, AccountName.IN_TRANSFER, AccountName.PAID),
        }[step]
        ledger.post([Entry(kind, source, owner, debit, credit, amount_fen)])


@dataclass(frozen=True)
class Earned:
    """A line that was paid, whose only commission is of 1,000 fen."""

    order_id: UUID
    line_id: UUID


@pytest.fixture
def people(inside: Tenant) -> tuple[Member, Member]:
    """A promoter, and a buyer whom that promoter brought, in a brand that pays 10 %."""
    with unit_of_work():
        commissions.activate_plan("plan_levels", {}, actor="test")
        (above, _), (buyer, _) = (members.register(f"o-{name}", nickname=name) for name in ("above", "buyer"))
    return above, buyer


def _earn(people: tuple[Member, Member], *, received: bool = False, released: bool = False) -> Earned:
    above, buyer = people
    plan = commissions.current_plan()
    assert plan is not None
    line = LineFacts(new_id(), "tea", "", 1, 10_000)
    upline = (Person(above.id, 1, TIER_KEY),)
    facts = OrderFacts(new_id(), datetime.now(UTC), (line,), Person(buyer.id, 0, TIER_KEY), upline, 1)
    with unit_of_work():
        commissions.queue_paid(facts, plan_version_id=plan.activation_id)
        if received or released:
            due_at = datetime.now(UTC) + timedelta(days=-1 if released else 1)
            commissions.queue_received(facts.order_id, due_at=due_at)
    _work_off()
    return Earned(facts.order_id, line.line_id)


def _refund(earned: Earned) -> None:
    with unit_of_work():
        given = [RefundedLine(earned.line_id, 10_000, 10_000)]
        commissions.queue_refunded(earned.order_id, refund_id=new_id(), lines=given)
    _work_off()


def _work_off() -> None:
    while processing.process_portion() or processing.release_due():
        pass


def _withdraw(member: Member, *, amount_fen: int) -> Withdrawal:
    with unit_of_work():
        return payouts.request_withdrawal(member, amount_fen=amount_fen, idempotency_key=new_id().hex)


def test_every_posting_has_the_kind_and_the_accounts_of_the_table(people: tuple[Member, Member]) -> None:
    above, _buyer = people
    for received in (False, True):
        _refund(_earn(people, received=received))
    first, second, third = (_earn(people, released=True) for _ in range(3))
    returned, settled = _withdraw(above, amount_fen=1_500), _withdraw(above, amount_fen=1_200)
    _refund(first)  # 300 are left, so that 700 become debt.
    with pytest.raises(WithdrawalBlockedByDebt):
        _withdraw(above, amount_fen=100)
    with unit_of_work():
        payouts.reject(returned.id, reason="example", actor="test")
        payouts.approve(settled.id, actor="test")
        payouts.on_transfer_paid(session().get_one(Transfer, settled.transfer_id))
    for earned in (second, third):
        _refund(earned)
    _earn(people, released=True)
    documented = {(row["Kind"], row["Debit"], row["Credit"], fen(row, "Part")) for row in table("postings")}
    posted = {
        (PostingKind(kind).word, AccountName(debit).word, AccountName(credit).word, part)
        for kind, debit, credit, part in session().execute(
            sa.select(Posting.kind, Posting.debit, Posting.credit, Posting.part)
        )
    }
    assert posted == documented


def in_the_order_of_the_page() -> list[str]:
    """Return what the check runs: the statement's invariants, with the eighth among them, and the computing again."""
    names = list(CHECKS)
    eighth = next(at for at, name in enumerate(names) if name.startswith("9 "))
    return [*names[:eighth], RECONCILED, *names[eighth:], RECOMPUTED]


def test_the_invariants_are_those_that_the_check_runs(inside: Tenant) -> None:
    assert [row["Check"] for row in table("invariants")] == in_the_order_of_the_page()
    assert check_books().figures["invariants"] == len(table("invariants"))
