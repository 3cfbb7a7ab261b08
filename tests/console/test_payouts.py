"""Payouts in the console: decisions, reviews, batches, channels, tax, watch list, debts."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from fanyong.tenancy import settings
from fanyong.tenancy.database import session
from tenants.members.models import Member
from tenants.payouts import channels, payees, policies
from tenants.payouts import service as payouts
from tenants.payouts.rules import WithdrawalRules
from tenants.promoters import service as promoters
from tests.conftest import Brand, csrf_token
from tests.console.parts import Browser, Busy, audited

CARD = "6222020200112230"


@pytest.fixture
def colleague(brand: Brand, login_as: Callable[..., FlaskClient]) -> Browser:
    """Somebody of the finance department, reading English."""
    browser = Browser(login_as(brand, "finance"))
    browser.client.get("/console/?lang=en")
    return browser


def ask(busy: Busy, amount_fen: int, *, channel: str = "", approved: bool = True, **how: Any) -> UUID:
    with busy.till.work():
        member = session().get_one(Member, busy.promoter)
        asked = payouts.request_withdrawal(
            member, amount_fen=amount_fen, idempotency_key=busy.till.key(), channel=channel, real_name="张三", **how
        )
        if approved:
            payouts.approve(asked.id, actor="test")
        return asked.id


def open_channel(busy: Busy, name: str, fields: dict[str, str]) -> None:
    with busy.till.work():
        channels.save_channel(name, {}, active=True, actor="test")
        payees.save_payee(session().get_one(Member, busy.promoter), channels.get_channel(name), fields)


def bank(busy: Busy) -> None:
    open_channel(busy, "payout_bank", {"name": "张三", "card_number": CARD, "bank": "工商银行"})


def upload(browser: Browser, path: str, content: bytes) -> tuple[int, str]:
    data = {"csrf_token": csrf_token(browser.client, "/console/"), "results": (io.BytesIO(content), "r.csv")}
    answer = browser.client.post(f"/console{path}", data=data)
    return answer.status_code, answer.get_data(as_text=True)


def test_two_people_approve(owner: Browser, colleague: Browser, busy: Busy) -> None:
    with busy.till.work():
        settings.save(WithdrawalRules(two_people_from_fen=500), actor="test")
    path = f"/withdrawals/{busy.withdrawal}/approve"
    assert "Two people have to approve." in owner.get("/withdrawals")
    assert "A second person has to approve as well." in owner.post(path)
    assert "has approved; a second person is needed" in owner.get(f"/withdrawals/{busy.withdrawal}")
    assert "You have approved this withdrawal already" in owner.refused(path, status=403)
    assert "goes to WeChat Pay now" in colleague.post(path)
    assert audited(busy.till)[-2:] == ["withdrawal.approved_once", "withdrawal.approved"]


def test_a_held_withdrawal_is_reviewed(owner: Browser, busy: Busy) -> None:
    with busy.till.work():
        policies.save_screening_rules({"single_fen": 700}, note="", actor="test")
    held = ask(busy, 700, approved=False)
    path = f"/withdrawals/{held}"
    assert "One withdrawal of ¥7.00" in owner.get("/withdrawals?state=held")
    assert "One withdrawal of ¥7.00" in owner.get(path)
    assert "held for a review" in owner.refused(f"{path}/approve", status=409)
    assert "Please give a reason." in owner.refused(f"{path}/release")
    assert "It can be approved now." in owner.post(f"{path}/release", {"note": "老客户"})
    assert "老客户" in owner.get(path)
    assert busy.till.withdrawal_state(held) == "requested"
    assert audited(busy.till)[-1] == "withdrawal.released"


def test_the_list_is_narrowed_down_and_exported(owner: Browser, busy: Busy) -> None:
    other = ask(busy, 700)
    rows = owner.table("/withdrawals?format=csv&state=approved")
    assert [row[0] for row in rows[1:]] == [other.hex]
    assert rows[1][9:13] == ["0.00", "0.00", "7.00", "WeChat wallet"]
    assert len(owner.table("/withdrawals?format=csv&channel=payout_wechat&from=2020-01-01&to=2999-12-31")) == 3
    for nothing in ("to=2020-01-01", "from=2999-01-01", "q=nobody", "to=2020-01-01&state=x&from=x"):
        assert "No withdrawal matches." in owner.get(f"/withdrawals?{nothing}")
    number = busy.till.transfer_row(other).out_bill_no
    assert [row[0] for row in owner.table(f"/withdrawals?format=csv&q={number}")[1:]] == [other.hex]


def test_tax_and_fee_are_shown_with_how_they_came_about(owner: Browser, busy: Busy) -> None:
    first = None
    with busy.till.work():
        first = policies.today().replace(day=1)
        settings.save(WithdrawalRules(fee_fixed_fen=10), actor="test")
    brackets = '{"deduction_fen": 0, "share_from_fen": 0}'
    values = {"method": "labour_monthly", "effective_from": first.isoformat(), "parameters": brackets, "note": "顾问"}
    assert "Tax policy 1 is saved." in owner.post("/payouts/tax", values)
    asked = ask(busy, 1_000)
    assert busy.till.apply(busy.till.transfer_fact(asked)) == "applied"
    page = owner.get(f"/withdrawals/{asked}")
    # 20 % of 80 % of what was drawn this month, which is ¥15.00 with the withdrawal before.
    assert "¥2.40 on ¥15.00 drawn in the period, less ¥0.00 withheld before" in page
    assert "¥7.50" in page
    month = first.isoformat()[:7]
    assert "¥2.40" in owner.get(f"/payouts/tax?month={month}")
    quarter = f"{first.year}-Q{(first.month - 1) // 3 + 1}"
    rows = owner.table(f"/payouts/tax?format=csv&quarter={quarter}")
    assert rows[1][2:] == ["茉莉", "张三", "1", "10.00", "2.40", "0.00", "0.10", "7.50", "5.00"]
    assert "Nobody was paid in this period." in owner.get("/payouts/tax?month=2020-01")
    assert "Withheld in" in owner.get("/payouts/tax?month=nonsense&q=nobody")
    assert audited(busy.till)[-2:] == ["tax_policy.saved", "tax_report.exported"]


BAD_POLICIES = [
    ({"method": "none", "effective_from": "2026-11-02"}, "begins on the first day of a month"),
    ({"method": "none", "effective_from": "2020-01-01"}, "begins on the first day of a month"),
    ({"method": "flat", "effective_from": "2999-01-01"}, "Please choose one of the options."),
    ({"method": "none", "effective_from": ""}, "Please fill this in."),
    ({"method": "cumulative", "effective_from": "2999-01-01", "parameters": "{"}, "This is not JSON"),
    ({"method": "cumulative", "effective_from": "2999-01-01", "parameters": "[]"}, "JSON object"),
    ({"method": "cumulative", "effective_from": "2999-01-01", "parameters": '{"costs_bp": -1}'}, "costs_bp"),
]


def test_a_policy_that_cannot_be_is_refused_where_it_is_typed(owner: Browser, busy: Busy) -> None:
    for values, says in BAD_POLICIES:
        assert says in owner.refused("/payouts/tax", values), values
    assert "Nothing is withheld until a version is saved." in owner.get("/payouts/tax")


def test_a_batch_goes_to_the_bank_and_comes_back(owner: Browser, busy: Busy) -> None:
    bank(busy)
    assert "There are no batches yet." in owner.get("/payouts/batches")
    assert "No approved withdrawal waits" in owner.refused("/payouts/batches", {"channel": "payout_bank"})
    paid, failed = ask(busy, 300, channel="payout_bank"), ask(busy, 400, channel="payout_bank")
    assert "2 approved withdrawals wait, ¥7.00 together." in owner.get("/payouts/batches")
    page = owner.post("/payouts/batches", {"channel": "payout_bank"})
    assert "2 payouts, ¥7.00 together." in page
    assert "**** 2230 张*" in page
    assert CARD not in page
    path = "/payouts/batches/" + page.partition('action="/console/payouts/batches/')[2].partition("/")[0]
    file = owner.send(f"{path}/file")
    rows = list(csv.reader(io.StringIO(file.data.decode("utf-8-sig"))))
    assert file.headers["Content-Disposition"] == 'attachment; filename="payouts-1.csv"'
    assert [(row[1], row[3], row[5]) for row in rows[1:]] == [(paid.hex, CARD, "3.00"), (failed.hex, CARD, "4.00")]
    result = (
        f"业务参考号,金额,处理结果,失败原因\n{paid.hex},3.00,成功,\n{failed.hex},4.00,失败,户名不符\nzz,1.00,成功,\n"
    )
    status, answer = upload(owner, f"{path}/results", result.encode())
    assert status == 200
    assert "These numbers are not in this batch:" in answer
    assert "<code>zz</code>" in answer
    assert [busy.till.withdrawal_state(one) for one in (paid, failed)] == ["paid", "failed"]
    status, answer = upload(owner, f"{path}/results", result.encode())
    assert "Booked before: 2" in answer
    assert [row[4] for row in owner.table(f"{path}?format=csv")[1:]] == ["Paid out", "Not delivered, returned"]
    assert owner.table("/payouts/batches?format=csv")[1][2:4] == ["2", "7.00"]
    assert "finished" in owner.get("/payouts/batches")
    assert upload(owner, f"{path}/results", b"a,b\n1,2\n")[0] == 422
    assert upload(owner, f"{path}/results", b"")[0] == 422
    assert audited(busy.till)[-4:] == [
        "payout_batch.made",
        "payout_batch.exported",
        "payout_batch.results_read",
        "payout_batch.results_read",
    ]


def test_a_payout_by_hand_is_booked_with_its_proof(owner: Browser, busy: Busy) -> None:
    open_channel(busy, "payout_offline", {"name": "张三", "account": "z3@example.com"})
    path = f"/withdrawals/{ask(busy, 300, channel='payout_offline')}"
    page = owner.get(path)
    assert "z3@example.com" not in page
    answer = owner.send(f"{path}/payee")
    assert "z3@example.com" in answer.get_data(as_text=True)
    assert audited(busy.till)[-1] == "payee.shown"
    assert "Please enter the number" in owner.refused(f"{path}/paid")
    assert "The payout is booked." in owner.post(f"{path}/paid", {"proof": "ZFB-77"})
    assert "ZFB-77" in owner.get(path)
    assert "decided on already" in owner.refused(f"{path}/failed", {"reason": "late"}, status=409)
    again = f"/withdrawals/{ask(busy, 300, channel='payout_offline')}"
    assert "back in the balance" in owner.post(f"{again}/failed", {"reason": "账号不存在"})
    assert "WeChat Pay pays this withdrawal" in owner.refused(
        f"/withdrawals/{ask(busy, 200)}/paid", {"proof": "x"}, status=409
    )
    assert audited(busy.till)[-2:] == ["withdrawal.paid", "withdrawal.failed"]


def test_a_payout_that_came_back_is_booked_with_its_reason(owner: Browser, busy: Busy) -> None:
    open_channel(busy, "payout_offline", {"name": "张三", "account": "z3@example.com"})
    path = f"/withdrawals/{ask(busy, 300, channel='payout_offline')}"
    assert "It came back" not in owner.get(path)
    owner.post(f"{path}/paid", {"proof": "ZFB-77"})
    assert "It came back" in owner.get(path)
    assert "Please give a reason." in owner.refused(f"{path}/returned", {"reason": " "})
    page = owner.post(f"{path}/returned", {"reason": "账户已销户", "proof": "TP-5"})
    assert "booked as returned; the money is back in the balance." in page
    assert "账户已销户 · TP-5" in page
    assert "Returned after the payout" in page
    assert "decided on already" in owner.refused(f"{path}/returned", {"reason": "again"}, status=409)
    (row,) = owner.table("/withdrawals?format=csv&state=returned")[1:]
    assert (row[3], row[8]) == ("Returned after the payout", "账户已销户")
    by_wechat = f"/withdrawals/{ask(busy, 200)}"
    assert "It came back" not in owner.get(by_wechat)
    assert "WeChat Pay pays this withdrawal" in owner.refused(f"{by_wechat}/returned", {"reason": "x"}, status=409)
    assert audited(busy.till)[-1] == "withdrawal.returned"
    busy.till.check()


def test_nothing_is_approved_for_a_promoter_who_is_frozen(owner: Browser, busy: Busy) -> None:
    with busy.till.work():
        promoters.freeze(busy.promoter, reason="looks odd")
    path = f"/withdrawals/{busy.withdrawal}"
    assert "This promoter is frozen." in owner.get(path)
    assert "This promoter is frozen." in owner.refused(f"{path}/approve", status=409)
    assert busy.till.withdrawal_state(busy.withdrawal) == "requested"
    with busy.till.work():
        promoters.unfreeze(busy.promoter)
    assert "This promoter is frozen." not in owner.get(path)


def test_tax_that_went_back_is_shown_where_it_was_withheld(owner: Browser, busy: Busy) -> None:
    with busy.till.work():
        month = policies.today().replace(day=1)
        values = {"method": "labour_monthly", "deduction_fen": 500, "share_from_fen": 0}
        policies.save_tax_policy(values, effective_from=month, note="", actor="test")
        first = busy.till.withdrawal_state(busy.withdrawal)
    assert first == "requested"
    asked = ask(busy, 1_000)
    busy.till.apply(busy.till.transfer_fact(asked))
    withheld = tax_of(busy, asked)
    busy.till.reject(busy.withdrawal)
    page = owner.get(f"/withdrawals/{asked}")
    assert "Tax given back" in page
    assert f"/console/withdrawals/{busy.withdrawal}" in page
    row = owner.table(f"/payouts/tax?format=csv&month={month.isoformat()[:7]}")[1]
    assert row[6] == f"{withheld / 100:.2f}"
    assert row[7] != "0.00"
    assert row[7] in page
    busy.till.check()


def tax_of(busy: Busy, withdrawal_id: UUID) -> int:
    with busy.till.work():
        return payouts.get_withdrawal(withdrawal_id)[0].tax_fen


def test_a_form_to_write_a_debt_off_counts_once(owner: Browser, busy: Busy) -> None:
    till = busy.till
    spent = ask(busy, 1_500)
    till.apply(till.transfer_fact(spent))
    till.refunded(busy.released, {"a": 2})
    till.settle()
    key = owner.get("/debts").partition('name="idempotency_key" value="')[2].partition('"')[0]
    assert key
    form = {"amount": "5", "reason": "已离世", "idempotency_key": key}
    for _ in range(2):
        assert "The debt is written off." in owner.post(f"/debts/{busy.promoter}/write-off", form)
    assert till.figures(busy.promoter).debt_fen == 1_500


def test_channels_are_opened_and_switched_off(owner: Browser, busy: Busy) -> None:
    page = owner.get("/payouts/channels")
    assert page.index("WeChat wallet") < page.index("Bank card")
    assert "At least one way to pay out stays open." in owner.refused(
        "/payouts/channels", {"plugin": "payout_wechat", "active": "", "remark": "佣金"}, status=409
    )
    values = {"plugin": "payout_offline", "active": "yes", "minimum_fen": "2.50"}
    assert "The channel is saved." in owner.post("/payouts/channels", values)
    with busy.till.work():
        assert channels.get_channel("payout_offline").traits.minimum_fen == 250
    assert "at least ¥0.01" in owner.refused("/payouts/channels", {**values, "minimum_fen": "0"})
    assert "There is no plugin" in owner.refused("/payouts/channels", {"plugin": "plan_levels"})
    assert audited(busy.till)[-1] == "payout_channel.saved"


def test_rules_and_watch_list(owner: Browser, busy: Busy) -> None:
    page = owner.get("/payouts/screening")
    assert "Nobody is watched." in page
    assert "The rules are saved." in owner.post("/payouts/screening", {"single_fen": "12.50", "watch_list": "yes"})
    with busy.till.work():
        assert policies.screening_rules().single_fen == 1_250
    assert "at least 2" in owner.refused("/payouts/screening", {"window_count": "1"})
    who = {"kind": "member", "value": busy.promoter.hex, "note": "警方来函"}
    assert "警方来函" in owner.post("/payouts/watch", who)
    assert "There is no such member." in owner.refused("/payouts/watch", {**who, "value": "nobody"})
    assert "Please fill this in." in owner.refused("/payouts/watch", {**who, "note": ""})
    page = owner.post("/payouts/watch", {"kind": "account", "value": CARD, "note": "x"})
    assert "**** 2230" in page
    assert CARD not in page
    held = ask(busy, 200, approved=False)
    assert "On the watch list: member." in owner.get(f"/withdrawals/{held}")
    entry = page.partition('action="/console/payouts/watch/')[2].partition("/")[0]
    assert "**** 2230" not in owner.post(f"/payouts/watch/{entry}/remove")
    assert audited(busy.till)[-4:] == ["screening.saved", "watch.added", "watch.added", "watch.removed"]


def test_a_debt_is_written_off(owner: Browser, busy: Busy) -> None:
    till = busy.till
    assert "Nobody owes anything." in owner.get("/debts")
    spent = ask(busy, 1_500)
    till.apply(till.transfer_fact(spent))
    till.refunded(busy.released, {"a": 2})
    till.settle()
    assert till.figures(busy.promoter).debt_fen == 2_000
    assert "¥20.00" in owner.get("/debts?q=茉")
    assert "Nobody matches." in owner.get("/debts?q=nobody")
    assert owner.table("/debts?format=csv")[1][1:] == ["茉莉", "20.00"]
    path = f"/debts/{busy.promoter}/write-off"
    assert "an amount like" in owner.refused(path, {"amount": "much", "reason": "x"})
    assert "Please give a reason." in owner.refused(path, {"amount": "5", "reason": ""})
    assert "owes ¥20.00, which is less" in owner.refused(path, {"amount": "20.01", "reason": "x"}, status=409)
    assert "The debt is written off." in owner.post(path, {"amount": "20", "reason": "已离世"})
    assert "已离世" in owner.get("/debts?view=given_up")
    assert owner.table("/debts?view=given_up&format=csv")[1][1:4] == ["茉莉", "20.00", "已离世"]
    assert audited(till)[-1] == "debt.written_off"


def test_finance_decides_and_pays_but_changes_no_rules(colleague: Browser, busy: Busy) -> None:
    page = colleague.get("/payouts/screening") + colleague.get("/payouts/tax")
    assert "Watch somebody" in page
    assert "New version" not in page
    for path in ("/payouts/tax", "/payouts/screening", "/payouts/channels"):
        assert colleague.send(path).status_code == 403
    assert colleague.client.get("/console/payouts/channels").status_code == 403
