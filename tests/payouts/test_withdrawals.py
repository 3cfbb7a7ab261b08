"""Withdrawals with tax and fee: gross = net + tax + fee, held once, and paid or given back exactly once."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from flask_babel import force_locale
from psycopg.errors import CheckViolation

from fanyong.errors import FanyongError, IdempotencyMismatch
from fanyong.tenancy.database import session
from tenants.ledger.service import Figures
from tenants.members.models import Member
from tenants.payouts import errors, policies, settling, tax_report
from tenants.payouts import service as payouts
from tests.money.parts import DAY, at_once
from tests.money.test_races import only_business
from tests.payouts.conftest import Desk

LABOUR = {"method": "labour_monthly"}


def tax_on(desk: Desk, values: dict[str, Any] = LABOUR) -> None:
    with desk.work():
        first = policies.today().replace(day=1)
        policies.save_tax_policy(values, effective_from=first, note="", actor="test")


def parts(desk: Desk, withdrawal_id: UUID) -> tuple[int, int, int, int]:
    row = desk.row(withdrawal_id)
    return row.amount_fen, row.net_fen, row.tax_fen, row.fee_fen


def pay(desk: Desk, withdrawal_id: UUID) -> None:
    desk.approve(withdrawal_id)
    assert desk.apply(desk.transfer_fact(withdrawal_id)) == "applied"


def end_of(desk: Desk, withdrawal_id: UUID, state: str) -> None:
    desk.approve(withdrawal_id)
    assert desk.apply(desk.transfer_fact(withdrawal_id, state=state, reason="test")) == "applied"


def test_gross_is_net_tax_and_fee_and_the_books_say_so(desk: Desk) -> None:
    desk.rules(fee_fixed_fen=100, fee_bp=60)
    tax_on(desk)
    promoter = desk.earner("茉莉")
    asked = desk.ask(promoter, 400_000)
    assert parts(desk, asked) == (400_000, 400_000 - 64_000 - 2_500, 64_000, 2_500)
    assert desk.transfer_row(asked).amount_fen == 333_500
    assert desk.figures(promoter) == Figures(available_fen=600_000, in_transfer_fen=400_000)
    pay(desk, asked)
    assert desk.figures(promoter) == Figures(
        available_fen=600_000, paid_fen=333_500, tax_withheld_fen=64_000, fee_fen=2_500
    )
    desk.check()


def test_a_month_is_taxed_as_one_payment(desk: Desk) -> None:
    tax_on(desk)
    promoter = desk.earner("茉莉")
    asked = [desk.ask(promoter, fen) for fen in (80_000, 320_000, 100_000)]
    assert [parts(desk, one)[2] for one in asked] == [0, 64_000, 16_000]
    row = desk.row(asked[2])
    assert row.tax_details == {
        "tax_fen": 16_000,
        "period_gross_fen": 500_000,
        "period_tax_fen": 80_000,
        "withheld_before_fen": 64_000,
    }
    # Somebody else's month is their own.
    assert parts(desk, desk.ask(desk.earner("青松"), 80_000))[2] == 0


@pytest.mark.parametrize("ends", ["rejected", "failed", "canceled"])
def test_what_comes_back_takes_its_tax_along(desk: Desk, ends: str) -> None:
    tax_on(desk)
    promoter = desk.earner("茉莉")
    first = desk.ask(promoter, 400_000)
    if ends == "rejected":
        desk.reject(first)
    else:
        end_of(desk, first, ends)
    assert desk.figures(promoter) == Figures(available_fen=1_000_000)
    assert parts(desk, desk.ask(promoter, 80_000))[2] == 0
    desk.check()


def test_a_new_month_begins_anew(desk: Desk) -> None:
    tax_on(desk)
    promoter = desk.earner("茉莉")
    desk.ask(promoter, 400_000)
    desk.advance(32 * DAY)
    asked = desk.row(desk.ask(promoter, 80_000))
    with desk.work():
        assert asked.tax_month == policies.today().replace(day=1)
    assert asked.tax_fen == 0


def test_a_policy_begins_with_a_month_and_the_later_one_counts(desk: Desk) -> None:
    tax_on(desk)
    tax_on(desk, {"method": "none"})
    promoter = desk.earner("茉莉")
    assert parts(desk, desk.ask(promoter, 400_000))[2] == 0
    with desk.work():
        today = policies.today()
        refused = [date(today.year - 1, today.month, 1), today.replace(day=2)]
        for day in refused:
            with pytest.raises(errors.NotTheFirstOfAMonth):
                policies.save_tax_policy(LABOUR, effective_from=day, note="", actor="test")
        with pytest.raises(errors.BadPolicy):
            policies.save_tax_policy({"method": "flat"}, effective_from=today.replace(day=1), note="", actor="t")
        coming = date(today.year + (today.month == 12), today.month % 12 + 1, 1)
        policies.save_tax_policy(LABOUR, effective_from=coming, note="", actor="test")
        assert [version.number for version in policies.history("tax")] == [3, 2, 1]
    assert parts(desk, desk.ask(promoter, 100_000))[2] == 0
    desk.advance(32 * DAY)
    assert parts(desk, desk.ask(promoter, 400_000))[2] == 64_000


def test_a_payout_of_nothing_is_refused_with_the_figures(desk: Desk) -> None:
    desk.rules(fee_fixed_fen=95)
    promoter = desk.earner("茉莉")
    with pytest.raises(errors.NothingLeft) as refused:
        desk.ask(promoter, 100)
    assert "¥0.95" in refused.value.text
    assert "¥0.05 would be left" in refused.value.text
    assert desk.figures(promoter) == Figures(available_fen=1_000_000)


def test_the_preview_is_what_the_request_comes_to(desk: Desk) -> None:
    desk.rules(fee_bp=100)
    tax_on(desk)
    promoter = desk.earner("茉莉")
    with desk.work(), force_locale("en"):
        member = session().get_one(Member, promoter)
        channel, asked, problem = payouts.preview(member, amount_fen=500_000, real_name="张三")
        nameless = payouts.preview(member, amount_fen=500_000)[2]
        too_much = payouts.preview(member, amount_fen=2_000_000)[2]
    assert nameless == "From ¥2,000.00 on, the real name of the payee is needed."
    assert too_much == "You have ¥10,000.00 to withdraw."
    assert (channel.name, problem) == ("payout_wechat", None)
    assert parts(desk, desk.ask(promoter, 500_000)) == (
        500_000,
        asked.net_fen,
        asked.tax.tax_fen,
        asked.fee_fen,
    )


def test_the_days_limits_count_what_was_not_given_back(desk: Desk) -> None:
    desk.rules(payee_day_fen=10_000, payee_day_count=3, brand_day_fen=15_000)
    promoter, other = desk.earner("茉莉"), desk.earner("青松")
    desk.reject(desk.ask(promoter, 10_000))
    desk.ask(promoter, 6_000)
    with pytest.raises(errors.PayeeDayAmount):
        desk.ask(promoter, 4_001)
    desk.ask(other, 9_000)
    with pytest.raises(errors.BrandDayAmount):
        desk.ask(promoter, 100)
    desk.advance(DAY)
    for _ in range(3):
        desk.ask(promoter, 1_000)
    with pytest.raises(errors.PayeeDayCount):
        desk.ask(promoter, 1_000)


def test_the_database_itself_refuses_parts_that_do_not_add_up(desk: Desk) -> None:
    asked = desk.ask(desk.earner("茉莉"), 10_000)
    for change in ("tax_fen = 1", "net_fen = 0, fee_fen = 10000", "tax_fen = -1, net_fen = 10001"):
        with pytest.raises(CheckViolation), desk.owner() as connection:
            connection.execute(f"UPDATE withdrawal SET {change} WHERE id = %s".encode(), [asked])


def test_two_different_people_approve_from_the_threshold_on(desk: Desk) -> None:
    desk.rules(two_people_from_fen=10_000, auto_approve_below_fen=50_000)
    promoter = desk.earner("茉莉")
    assert desk.row(desk.ask(promoter, 9_999)).decided_by == "automatic"
    asked = desk.ask(promoter, 10_000)
    with desk.work():
        assert payouts.approve(asked, actor="ann").state == "requested"
    with desk.work(), pytest.raises(errors.SamePersonTwice):
        payouts.approve(asked, actor="ann")
    with desk.work():
        done = payouts.approve(asked, actor="bob")
    assert (done.state, done.first_approved_by, done.decided_by) == ("approved", "ann", "bob")


def test_the_threshold_may_fall_between_the_two(desk: Desk) -> None:
    desk.rules(two_people_from_fen=10_000)
    asked = desk.ask(desk.earner("茉莉"), 10_000)
    with desk.work():
        payouts.approve(asked, actor="ann")
    desk.rules(two_people_from_fen=20_000)
    with desk.work(), pytest.raises(errors.SamePersonTwice):
        payouts.approve(asked, actor="ann")
    with desk.work():
        assert payouts.approve(asked, actor="bob").state == "approved"


def test_two_approvers_at_the_same_moment_are_two_and_one_is_one(desk: Desk) -> None:
    desk.rules(two_people_from_fen=10_000)
    promoter = desk.earner("茉莉")

    def approve(withdrawal_id: UUID, actor: str) -> str:
        with desk.work():
            return payouts.approve(withdrawal_id, actor=actor).state

    for names in (("ann", "bob"), ("ann",) * 4):
        asked = desk.ask(promoter, 10_000)
        found = only_business(at_once(*[partial(approve, asked, name) for name in names]), errors.SamePersonTwice)
        row = desk.row(asked)
        if len(set(names)) == 2:
            assert sorted(map(str, found)) == ["approved", "requested"]
            assert {row.first_approved_by, row.decided_by} == {"ann", "bob"}
        else:
            assert found == ["requested"]
            assert (row.state, row.decided_by) == ("requested", None)


def test_the_same_wish_from_ten_clients_is_one_withdrawal(desk: Desk) -> None:
    tax_on(desk)
    promoter = desk.earner("茉莉")
    asked = only_business(at_once(*[partial(desk.ask, promoter, 600_000, key="once") for _ in range(10)]))
    assert len(set(asked)) == 1
    assert desk.figures(promoter) == Figures(available_fen=400_000, in_transfer_fen=600_000)
    with pytest.raises(IdempotencyMismatch):
        desk.ask(promoter, 600_001, key="once")
    desk.channel("payout_offline")
    with pytest.raises(IdempotencyMismatch):
        desk.ask(promoter, 600_000, key="once", channel="payout_offline")
    assert desk.ask(promoter, 600_000, key="once", channel="payout_wechat") == asked[0]


def test_ten_wishes_at_once_share_one_months_tax(desk: Desk) -> None:
    tax_on(desk)
    promoter = desk.earner("茉莉")
    asked = only_business(at_once(*[partial(desk.ask, promoter, 50_000) for _ in range(10)]))
    rows = [desk.row(UUID(str(one))) for one in asked]
    assert sum(row.amount_fen for row in rows) == 500_000
    assert sum(row.tax_fen for row in rows) == 80_000
    desk.check()


def test_ten_wishes_at_once_keep_to_the_days_limit(desk: Desk) -> None:
    desk.rules(payee_day_fen=20_000)
    promoter = desk.earner("茉莉")
    results = at_once(*[partial(desk.ask, promoter, 5_000) for _ in range(10)])
    assert len(only_business(results, errors.PayeeDayAmount)) == 4
    assert desk.figures(promoter).in_transfer_fen == 20_000


def test_paid_and_given_back_at_once_end_in_one_of_them(desk: Desk) -> None:
    desk.channel("payout_offline")
    promoter = desk.earner("茉莉")
    desk.payee(promoter, "payout_offline")
    for _ in range(4):
        asked = desk.ask(promoter, 1_000, channel="payout_offline")
        desk.approve(asked)

        def paid(withdrawal_id: UUID = asked) -> str:
            with desk.work():
                return settling.mark_paid(withdrawal_id, proof="B-1", actor="ann").state

        def failed(withdrawal_id: UUID = asked) -> str:
            with desk.work():
                return settling.mark_failed(withdrawal_id, reason="wrong account", actor="bob").state

        before = desk.figures(promoter)
        ended = set(only_business(at_once(paid, failed, paid, failed), errors.WrongWithdrawalState))
        assert len(ended) == 1
        after = desk.figures(promoter)
        assert after.in_transfer_fen == before.in_transfer_fen - 1_000
        assert after.paid_fen + after.available_fen == before.paid_fen + before.available_fen + 1_000
    desk.check()


def test_somebody_pays_by_hand_and_says_so_with_a_proof(desk: Desk) -> None:
    desk.channel("payout_offline")
    promoter = desk.earner("茉莉")
    with pytest.raises(errors.PayeeMissing):
        desk.ask(promoter, 1_000, channel="payout_offline")
    desk.payee(promoter, "payout_offline")
    asked = desk.ask(promoter, 300_000, channel="payout_offline", real_name=None)
    assert desk.row(asked).real_name == "张三"

    def mark(proof: str) -> None:
        with desk.work():
            settling.mark_paid(asked, proof=proof, actor="ann")

    with pytest.raises(errors.WrongWithdrawalState):
        mark("B-1")
    desk.approve(asked)
    with pytest.raises(errors.ProofMissing):
        mark(" ")
    mark("B-1")
    mark("B-1")
    with pytest.raises(errors.WrongWithdrawalState):
        mark("B-2")
    assert desk.figures(promoter) == Figures(available_fen=700_000, paid_fen=300_000)
    by_wechat = desk.ask(promoter, 1_000)
    desk.approve(by_wechat)
    with desk.work(), pytest.raises(errors.PaidByProvider):
        settling.mark_paid(by_wechat, proof="B-3", actor="ann")
    desk.check()


def test_the_report_of_a_quarter(desk: Desk) -> None:
    tax_on(desk)
    promoter = desk.earner("茉莉")
    pay(desk, desk.ask(promoter, 400_000))
    desk.ask(promoter, 100_000)
    end_of(desk, desk.ask(promoter, 50_000), "failed")
    with desk.work():
        today = policies.today()
        months = tax_report.quarter_months(today.year, (today.month - 1) // 3 + 1)
        ((member, *figures),) = session().execute(tax_report.by_payee(*months)).all()
        assert (member.id, figures) == (promoter, [1, 400_000, 64_000, 0, 0, 336_000, 100_000])
        assert tax_report.real_names(*months, [promoter]) == {promoter: "张三"}
        earlier = tax_report.quarter_months(today.year - 1, 4)
        assert session().execute(tax_report.by_payee(*earlier)).all() == []


def test_a_quarter_has_three_months() -> None:
    assert tax_report.quarter_months(2026, 1) == (date(2026, 1, 1), date(2026, 3, 1))
    assert tax_report.quarter_months(2026, 4) == (date(2026, 10, 1), date(2026, 12, 1))


def test_a_frozen_promoter_and_one_in_debt_get_nothing(desk: Desk) -> None:
    desk.product("cheap", price_fen=1_000)
    promoter = desk.earner("茉莉")
    with desk.owner() as connection:
        connection.execute("UPDATE promoter SET frozen_at = now() WHERE member_id = %s", [promoter])
    with pytest.raises(FanyongError) as refused:
        desk.ask(promoter, 1_000)
    assert refused.value.code == "promoter_frozen"
