"""Bank batches: locked once, the same file each time, and a result file that books nothing twice."""

from __future__ import annotations

import csv
import io
from functools import partial
from uuid import UUID

import pytest
import sqlalchemy as sa

from fanyong.tenancy.database import session
from tenants.ledger.service import Figures
from tenants.payouts import batches, channels, errors, payees, settling
from tenants.payouts.batches import ImportReport
from tenants.payouts.models import PayeeAccount, Withdrawal
from tests.money.parts import at_once
from tests.money.test_races import only_business
from tests.payouts.conftest import PAYEE, Desk

BANK = "payout_bank"
HEADER = "业务参考号,金额,处理结果,失败原因"


@pytest.fixture
def promoter(desk: Desk) -> UUID:
    """A promoter with a bank card and ¥10,000.00."""
    desk.channel(BANK)
    found = desk.earner("茉莉")
    desk.payee(found)
    return found


def approved(desk: Desk, member_id: UUID, *amounts_fen: int) -> list[UUID]:
    made = [desk.ask(member_id, fen, channel=BANK, real_name=None) for fen in amounts_fen]
    for one in made:
        desk.approve(one)
    return made


def make(desk: Desk) -> UUID:
    with desk.work():
        return batches.make_batch(BANK, actor="ann").id


def rows_of(desk: Desk, batch_id: UUID) -> list[list[str]]:
    with desk.work():
        file = batches.export(batch_id)
    return list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))[1:]


def result(*rows: tuple[str, str, str, str]) -> bytes:
    return "\n".join([HEADER, *(",".join(row) for row in rows)]).encode()


def read(desk: Desk, batch_id: UUID, content: bytes) -> ImportReport:
    with desk.work():
        return batches.import_results(batch_id, content, actor="ann")


def test_a_batch_is_locked_and_its_file_stays_the_same(desk: Desk, promoter: UUID) -> None:
    first, second = approved(desk, promoter, 1_000, 2_500)
    waiting = desk.ask(promoter, 700, channel=BANK)
    batch_id = make(desk)
    with desk.work():
        batch = batches.get_batch(batch_id)
        assert (batch.number, batch.payouts, batch.sum_fen, batch.made_by) == (1, 2, 3_500, "ann")
    rows = rows_of(desk, batch_id)
    assert [(row[1], row[2], row[3], row[5]) for row in rows] == [
        (first.hex, "张三", PAYEE["card_number"], "10.00"),
        (second.hex, "张三", PAYEE["card_number"], "25.00"),
    ]
    # Neither a new card, nor other settings of the channel, nor a later approval change what was locked.
    desk.payee(promoter, card_number="4111111111111111")
    desk.channel(BANK, number_column="流水号")
    desk.approve(waiting)
    assert rows_of(desk, batch_id) == rows
    assert [row[1] for row in rows_of(desk, make(desk))] == [waiting.hex]
    with pytest.raises(errors.NothingToPay):
        make(desk)


def test_each_row_has_its_own_outcome(desk: Desk, promoter: UUID) -> None:
    good, bad, slow, absent = approved(desk, promoter, 1_000, 2_000, 3_000, 4_000)
    batch_id = make(desk)
    content = result(
        (good.hex, "10.00", "成功", ""),
        (bad.hex, "20.00", "失败", "户名不符"),
        (slow.hex, "30.00", "处理中", ""),
        ("ffff", "1.00", "成功", ""),
    )
    report = read(desk, batch_id, content)
    assert report.counts == {"paid": 1, "failed": 1, "pending": 1, "unknown": 1, "not_in_file": 1}
    assert report.unknown == ["ffff"]
    assert [desk.row(one).state for one in (good, bad, slow, absent)] == ["paid", "failed", "approved", "approved"]
    assert desk.row(bad).reason == "户名不符"
    assert desk.figures(promoter) == Figures(available_fen=992_000, in_transfer_fen=7_000, paid_fen=1_000)
    with desk.work():
        assert batches.open_payouts([batch_id]) == {batch_id: 2}
    desk.check()


def test_the_same_file_again_books_nothing_and_a_longer_one_the_rest(desk: Desk, promoter: UUID) -> None:
    first, second = approved(desk, promoter, 1_000, 2_000)
    batch_id = make(desk)
    short = result((first.hex, "10.00", "成功", ""), (second.hex, "20.00", "处理中", ""))
    read(desk, batch_id, short)
    before = desk.counts()
    assert read(desk, batch_id, short).counts == {"already": 1, "pending": 1, "not_in_file": 0}
    assert desk.counts() == before
    long = result((first.hex, "10.00", "成功", ""), (second.hex, "20.00", "成功", ""))
    assert read(desk, batch_id, long).counts == {"already": 1, "paid": 1, "not_in_file": 0}
    assert desk.figures(promoter) == Figures(available_fen=997_000, paid_fen=3_000)
    with desk.work():
        assert len(batches.imports_of(batch_id)) == 2


def test_another_amount_and_a_contradiction_change_nothing(desk: Desk, promoter: UUID) -> None:
    first, second = approved(desk, promoter, 1_000, 2_000)
    batch_id = make(desk)
    report = read(desk, batch_id, result((first.hex, "10.01", "成功", ""), (second.hex, "20.00", "成功", "")))
    assert (report.amount_differs, report.counts["paid"]) == ([first.hex], 1)
    report = read(desk, batch_id, result((second.hex, "20.00", "失败", "退票")))
    assert report.contradicts == [second.hex]
    assert [desk.row(one).state for one in (first, second)] == ["approved", "paid"]
    desk.check()


def test_a_file_that_cannot_be_read_books_none_of_its_rows(desk: Desk, promoter: UUID) -> None:
    (first,) = approved(desk, promoter, 1_000)
    batch_id = make(desk)
    with pytest.raises(errors.UnreadableResults):
        read(desk, batch_id, result((first.hex, "10.00", "成功", ""), ("x", "1.00", "也许", "")))
    assert desk.row(first).state == "approved"


def test_another_batch_of_the_brand_is_none_of_this_files_business(desk: Desk, promoter: UUID) -> None:
    (first,) = approved(desk, promoter, 1_000)
    make(desk)
    approved(desk, promoter, 2_000)
    report = read(desk, make(desk), result((first.hex, "10.00", "成功", "")))
    assert report.unknown == [first.hex]
    assert desk.row(first).state == "approved"


def test_the_same_result_read_by_six_at_once_pays_once(desk: Desk, promoter: UUID) -> None:
    made = approved(desk, promoter, *[1_000] * 8)
    batch_id = make(desk)
    content = result(*((one.hex, "10.00", "成功", "") for one in made))
    reports = only_business(at_once(*[partial(read, desk, batch_id, content) for _ in range(6)]))
    assert sum(report.counts["paid"] for report in reports if isinstance(report, ImportReport)) == 8
    assert desk.figures(promoter) == Figures(available_fen=992_000, paid_fen=8_000)
    desk.check()


def test_batches_made_at_once_share_no_payout(desk: Desk, promoter: UUID) -> None:
    approved(desk, promoter, *[1_000] * 5)
    made = only_business(at_once(*[partial(make, desk) for _ in range(4)]), errors.NothingToPay)
    assert len(made) == 1
    with desk.work():
        assert session().scalar(sa.select(sa.func.count()).where(Withdrawal.batch_id.is_(None))) == 0


def test_a_row_may_be_settled_by_hand_once_it_went_to_the_bank(desk: Desk, promoter: UUID) -> None:
    (asked,) = approved(desk, promoter, 1_000)
    with desk.work(), pytest.raises(errors.WrongWithdrawalState):
        settling.mark_paid(asked, proof="B-1", actor="ann")
    make(desk)
    with desk.work():
        settling.mark_failed(asked, reason="退票", actor="ann")
    assert desk.figures(promoter) == Figures(available_fen=1_000_000)


def test_only_channels_by_file_have_batches(desk: Desk) -> None:
    for name in ("payout_wechat", "payout_offline", "nothing"):
        with desk.work(), pytest.raises(errors.UnknownChannel):
            batches.make_batch(name, actor="ann")


def test_a_card_is_nowhere_in_clear(desk: Desk, promoter: UUID) -> None:
    approved(desk, promoter, 1_000)
    make(desk)
    with desk.owner() as connection:
        tables = [
            row[0]
            for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [desk.tenant.schema])
        ]
        for table in tables:
            for row in connection.execute(f'SELECT x::text FROM "{table}" x'.encode()).fetchall():
                assert PAYEE["card_number"] not in row[0], table
                assert "张三" not in row[0], table
    with desk.work():
        payee = session().scalars(sa.select(PayeeAccount)).one()
        assert payees.fields_of(payee)["card_number"] == PAYEE["card_number"]
        assert payee.shown == "**** 2230 张*"


def test_a_payee_changes_by_a_new_row(desk: Desk, promoter: UUID) -> None:
    with desk.work():
        present = session().scalars(sa.select(PayeeAccount)).one().id
    assert desk.payee(promoter, card_number="6222 0202 0011 2230") == present
    changed = desk.payee(promoter, bank="建设银行")
    assert changed != present
    with desk.work():
        found = payees.current_payee(promoter, BANK)
        assert found is not None
        assert found.id == changed
        assert session().get_one(PayeeAccount, present).retired_at is not None


def test_a_payee_that_cannot_be_says_which_field(desk: Desk, promoter: UUID) -> None:
    with pytest.raises(errors.BadPayee) as refused:
        desk.payee(promoter, card_number="6222020200112231", phone="1")
    assert {problem["path"] for problem in refused.value.details} == {"card_number", "phone"}
    assert "6222020200112231" not in str(refused.value.details)


def test_ten_changes_of_a_payee_at_once_leave_one(desk: Desk, promoter: UUID) -> None:
    only_business(at_once(*[partial(desk.payee, promoter, bank=f"银行{n}") for n in range(10)]))
    with desk.work():
        current = sa.select(sa.func.count()).where(PayeeAccount.retired_at.is_(None))
        assert session().scalar(current) == 1


def test_one_way_to_pay_out_always_stays_open(desk: Desk) -> None:
    with desk.work(), pytest.raises(errors.LastChannel):
        channels.save_channel("payout_wechat", {}, active=False, actor="test")
    desk.channel("payout_offline")
    with desk.work():
        channels.save_channel("payout_wechat", {}, active=False, actor="test")
        assert [channel.name for channel in channels.channels()] == ["payout_offline"]
    with desk.work(), pytest.raises(errors.UnknownChannel):
        channels.get_channel("payout_wechat")
