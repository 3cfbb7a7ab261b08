"""Payouts that came back after they were paid: the gross amount is back once, whoever says so and however often."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import pytest
import sqlalchemy as sa

from fanyong.errors import NotFound
from fanyong.events.models import Event
from fanyong.ids import new_id
from fanyong.tenancy.database import session
from fanyong.values import PayoutResult
from tenants.ledger.service import Figures
from tenants.payouts import batches, errors, settling
from tenants.payouts.channels import Channel
from tenants.payouts.models import Withdrawal
from tests.money.parts import at_once
from tests.money.test_races import only_business
from tests.payouts.conftest import Desk
from tests.payouts.test_batches import BANK, approved, make, read, result, rows_of
from tests.payouts.test_withdrawals import pay, tax_on

BY_HAND = "payout_offline"


@pytest.fixture
def promoter(desk: Desk) -> UUID:
    """A promoter with ¥10,000.00 who is paid by hand or by the bank."""
    desk.channel(BANK)
    desk.channel(BY_HAND)
    found = desk.earner("茉莉")
    desk.payee(found)
    desk.payee(found, BY_HAND)
    return found


def paid(desk: Desk, member_id: UUID, amount_fen: int) -> UUID:
    asked = desk.ask(member_id, amount_fen, channel=BY_HAND)
    desk.approve(asked)
    with desk.work():
        settling.mark_paid(asked, proof="B-1", actor="ann")
    return asked


def come_back(desk: Desk, withdrawal_id: UUID, *, reason: str = "户名不符", proof: str = "R-1") -> str:
    with desk.work():
        return settling.mark_returned(withdrawal_id, reason=reason, proof=proof, actor="bob").state


def test_gross_is_back_with_tax_and_fee(desk: Desk, promoter: UUID) -> None:
    tax_on(desk)
    desk.rules(fee_fixed_fen=100)
    asked = paid(desk, promoter, 400_000)
    assert desk.figures(promoter) == Figures(
        available_fen=600_000, paid_fen=335_900, tax_withheld_fen=64_000, fee_fen=100
    )
    assert come_back(desk, asked) == "returned"
    assert desk.figures(promoter) == Figures(available_fen=1_000_000)
    row = desk.row(asked)
    assert (row.reason, row.return_proof, row.returned_by, row.proof) == ("户名不符", "R-1", "bob", "B-1")
    assert row.finished_at is not None
    assert row.returned_at is not None
    assert row.finished_at <= row.returned_at
    # The month has no income again, and its limits have not been used.
    assert desk.row(desk.ask(promoter, 80_000)).tax_fen == 0
    with desk.work():
        kinds = session().scalars(sa.select(Event.type).where(Event.type.like("withdrawal.%")).order_by(Event.id))
        assert list(kinds)[-2:] == ["withdrawal.returned", "withdrawal.requested"]
    desk.check()


def test_what_came_back_repays_a_debt_first(desk: Desk) -> None:
    desk.channel(BY_HAND)
    desk.product("a", price_fen=100_000)
    promoter = desk.member("茉莉")
    desk.payee(promoter, BY_HAND)
    order = desk.received(desk.member("买家", under=promoter), [("a", 1)])
    desk.settle()
    desk.make_due()
    desk.settle()
    asked = paid(desk, promoter, 10_000)
    desk.refunded(order, {"a": 1})
    desk.settle()
    assert desk.figures(promoter) == Figures(paid_fen=10_000, debt_fen=10_000)
    come_back(desk, asked)
    assert desk.figures(promoter) == Figures()
    desk.check()


def test_only_what_is_paid_can_come_back_and_says_why(desk: Desk, promoter: UUID) -> None:
    with pytest.raises(NotFound):
        come_back(desk, new_id())
    asked = desk.ask(promoter, 1_000, channel=BY_HAND)
    with pytest.raises(errors.WrongWithdrawalState):
        come_back(desk, asked)
    desk.approve(asked)
    with pytest.raises(errors.WrongWithdrawalState):
        come_back(desk, asked)
    with desk.work():
        settling.mark_paid(asked, proof="B-1", actor="ann")
    with pytest.raises(errors.RejectNeedsReason):
        come_back(desk, asked, reason=" ")
    by_wechat = desk.ask(promoter, 1_000)
    pay(desk, by_wechat)
    with pytest.raises(errors.PaidByProvider):
        come_back(desk, by_wechat)
    with pytest.raises(sa.exc.IntegrityError), desk.work():
        session().execute(
            sa.update(Withdrawal)
            .where(Withdrawal.id == by_wechat)
            .values(state="returned", returned_at=sa.func.now())
            .execution_options(synchronize_session=False)
        )
    assert desk.figures(promoter) == Figures(available_fen=998_000, paid_fen=2_000)
    desk.check()


def test_said_twice_it_came_back_once(desk: Desk, promoter: UUID) -> None:
    asked = paid(desk, promoter, 1_000)
    before = desk.counts()
    come_back(desk, asked)
    once = desk.counts()
    assert once != before
    assert come_back(desk, asked) == "returned"
    assert desk.counts() == once
    with pytest.raises(errors.WrongWithdrawalState):
        come_back(desk, asked, proof="R-2")
    with desk.work(), pytest.raises(errors.WrongWithdrawalState):
        settling.mark_paid(asked, proof="B-1", actor="ann")


def test_six_who_say_it_at_once_give_back_once(desk: Desk, promoter: UUID) -> None:
    asked = paid(desk, promoter, 1_000)
    said = [partial(come_back, desk, asked, proof=f"R-{at % 2}") for at in range(6)]
    done = only_business(at_once(*said), errors.WrongWithdrawalState)
    assert set(done) == {"returned"}
    assert desk.figures(promoter) == Figures(available_fen=1_000_000)
    desk.check()


def test_paid_and_come_back_at_once_end_in_an_order_that_can_be(desk: Desk, promoter: UUID) -> None:
    for _ in range(4):
        asked = desk.ask(promoter, 1_000, channel=BY_HAND)
        desk.approve(asked)

        def book(withdrawal_id: UUID = asked) -> str:
            with desk.work():
                return settling.mark_paid(withdrawal_id, proof="B-1", actor="ann").state

        said = partial(come_back, desk, asked)
        done = only_business(at_once(book, said, book, said), errors.WrongWithdrawalState)
        assert "paid" in done
        assert ("returned" in done) == (desk.row(asked).state == "returned")
    desk.check()


def test_the_banks_file_says_that_a_payout_came_back(desk: Desk, promoter: UUID) -> None:
    first, second = approved(desk, promoter, 1_000, 2_000)
    batch_id = make(desk)
    early = result((first.hex, "10.00", "成功", ""), (second.hex, "20.00", "成功", ""))
    read(desk, batch_id, early)
    late = result((first.hex, "10.00", "退票", "账户已销户"), (second.hex, "20.00", "成功", ""))
    assert read(desk, batch_id, late).counts == {"returned": 1, "already": 1, "not_in_file": 0}
    row = desk.row(first)
    assert (row.state, row.reason, row.returned_by) == ("returned", "账户已销户", "ann")
    assert desk.figures(promoter) == Figures(available_fen=998_000, paid_fen=2_000)
    # Both files again, in any order, change nothing and contradict nothing.
    for content in (late, early, late):
        assert read(desk, batch_id, content).counts == {"already": 2, "not_in_file": 0}
    assert desk.figures(promoter) == Figures(available_fen=998_000, paid_fen=2_000)
    desk.check()


def test_a_payout_that_came_back_before_it_was_booked_has_failed(desk: Desk, promoter: UUID) -> None:
    (asked,) = approved(desk, promoter, 1_000)
    batch_id = make(desk)
    content = result((asked.hex, "10.00", "退票", ""))
    assert read(desk, batch_id, content).counts == {"failed": 1, "not_in_file": 0}
    assert (desk.row(asked).state, desk.row(asked).reason) == ("failed", "returned")
    assert read(desk, batch_id, content).counts == {"already": 1, "not_in_file": 0}
    report = read(desk, batch_id, result((asked.hex, "10.00", "成功", "")))
    assert report.contradicts == [asked.hex]
    assert desk.figures(promoter) == Figures(available_fen=1_000_000)
    desk.check()


def test_the_same_file_read_by_six_at_once_gives_back_once(desk: Desk, promoter: UUID) -> None:
    made = approved(desk, promoter, *[1_000] * 6)
    batch_id = make(desk)
    read(desk, batch_id, result(*((one.hex, "10.00", "成功", "") for one in made)))
    late = result(*((one.hex, "10.00", "退票", "") for one in made))
    reports = only_business(at_once(*[partial(read, desk, batch_id, late) for _ in range(6)]))
    assert sum(report.counts["returned"] for report in reports if isinstance(report, batches.ImportReport)) == 6
    assert desk.figures(promoter) == Figures(available_fen=1_000_000)
    desk.check()


def test_the_file_leaves_out_what_is_back_in_the_balance(desk: Desk, promoter: UUID) -> None:
    open_, failed, returned = approved(desk, promoter, 1_000, 2_000, 3_000)
    batch_id = make(desk)
    read(desk, batch_id, result((failed.hex, "20.00", "失败", ""), (returned.hex, "30.00", "成功", "")))
    assert [row[1] for row in rows_of(desk, batch_id)] == [open_.hex, returned.hex]
    read(desk, batch_id, result((returned.hex, "30.00", "退票", "")))
    assert [row[1] for row in rows_of(desk, batch_id)] == [open_.hex]


def test_an_outcome_that_nobody_knows_books_nothing(
    desk: Desk, promoter: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, done = approved(desk, promoter, 1_000, 2_000)
    batch_id = make(desk)
    read(desk, batch_id, result((done.hex, "20.00", "成功", "")))
    odd = [PayoutResult(one.hex, "maybe") for one in (waiting, done)]  # type: ignore[arg-type]
    monkeypatch.setattr(Channel, "read_results", lambda _self, _content: odd)
    report = read(desk, batch_id, b"-")
    assert sorted(report.contradicts) == sorted([waiting.hex, done.hex])
    assert [desk.row(one).state for one in (waiting, done)] == ["approved", "paid"]
    desk.check()
