"""Reconciliation in the console: differences as tasks, days with their sums, and who may do what."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from fanyong.payments.models import PaymentIntent
from fanyong.payments.provider import BillRow, ProviderBillInvalid
from fanyong.tenancy.database import session
from fanyong.web.filters import beijing_day
from fanyong.wechat.provider import WeChatProvider
from tests.conftest import Brand
from tests.console.parts import Browser, Busy, audited

TASK = re.compile(r'action="/console/reconciliation/([0-9a-f-]{36})/close"')
RECORD = re.compile(r'action="/console/reconciliation/([0-9a-f-]{36})/record"')


@pytest.fixture
def day(owner: Browser, busy: Busy) -> str:
    """A day with two payments and a refund of which WeChat's bills know nothing, since the till made them up."""
    owner.post("/sandbox/clock", {"offset_seconds": str(9 * 86_400)})
    with busy.till.work():
        moved = session().query(PaymentIntent.provider_at).filter(PaymentIntent.provider_at.is_not(None)).first()
        assert moved is not None
        assert moved[0] is not None
        text = beijing_day(moved[0]).isoformat()
    owner.post("/reconciliation/run", {"day": text})
    return text


def tasks(page: str) -> list[str]:
    """Return the differences that can be closed on a page."""
    return TASK.findall(page)


def test_a_difference_is_assigned_filtered_and_closed(owner: Browser, busy: Busy, brand: Brand, day: str) -> None:
    found = tasks(owner.get("/reconciliation"))
    assert len(found) == 3
    first = found[0]
    assert f"{brand.email} looks after it." in owner.post(f"/reconciliation/{first}/assign", {"assignee": brand.email})
    assert tasks(owner.get("/reconciliation?state=assigned")) == [first]
    assert tasks(owner.get(f"/reconciliation?assignee={brand.email}")) == [first]
    assert len(tasks(owner.get("/reconciliation?state=open"))) == 2
    assert len(tasks(owner.get("/reconciliation?kind=refund"))) == 1
    assert len(tasks(owner.get(f"/reconciliation?day={day}"))) == 3
    assert "No difference matches." in owner.get("/reconciliation?day=2020-01-01")
    owner.refused(f"/reconciliation/{first}/assign", {"assignee": "stranger@example.com"})
    assert "Nobody in particular" in owner.post(f"/reconciliation/{first}/assign", {"assignee": ""})
    assert tasks(owner.get("/reconciliation?state=assigned")) == []
    owner.post(f"/reconciliation/{first}/close", {"note": "入账测试"})
    owner.refused(f"/reconciliation/{first}/close", {"note": "again"}, status=409)
    assert "入账测试" in owner.get("/reconciliation?state=closed")
    closed = [row for row in owner.table("/reconciliation?state=all&format=csv")[1:] if row[6] == "Closed"]
    assert [(row[-1], row[-2]) for row in closed] == [("入账测试", f"admin:{brand.email}")]
    assert len(owner.table("/reconciliation?format=csv")) == 3
    assert audited(busy.till)[-3:] == ["difference.assigned", "difference.assigned", "difference.closed"]


def test_a_difference_leads_to_its_order(owner: Browser, busy: Busy, day: str) -> None:
    page = owner.get("/reconciliation")
    assert f"/console/orders/{busy.paid}" in page
    assert f"/console/orders/{busy.released}" in page


def test_the_days_are_listed_with_both_sums(owner: Browser, busy: Busy, day: str) -> None:
    page = owner.get("/reconciliation/days")
    assert "3 differences" in page
    assert "¥500.00" in page
    (row,) = owner.table("/reconciliation/days?format=csv")[1:]
    assert row[:9] == [day, "open differences", "2", "500.00", "0.00", "1", "100.00", "0.00", "0"]
    for task in tasks(owner.get("/reconciliation")):
        owner.post(f"/reconciliation/{task}/close", {"note": "sandbox"})
    assert "differences, all closed" in owner.get("/reconciliation")
    assert "3 differences." in owner.post("/reconciliation/run", {"day": day}), "the run finds them again"
    assert tasks(owner.get("/reconciliation")) == [], "and leaves closed what is closed"


def test_a_bill_that_does_not_add_up_is_shown_with_its_next_try(
    owner: Browser, busy: Busy, day: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bill(_provider: WeChatProvider, _day: object) -> None:
        raise ProviderBillInvalid("invalid_bill", "the bill's refunds add up to 1, its summary says 2")

    monkeypatch.setattr(WeChatProvider, "bill", bill)
    page = owner.refused("/reconciliation/run", {"day": day}, status=503)
    assert "did not hand the bills out (invalid_bill)" in page
    shown = owner.get("/reconciliation")
    assert "its summary says 2" in shown
    assert "next try" in shown
    assert "not compared" in shown


def test_finance_may_and_an_operator_may_not(
    brand: Brand, busy: Busy, day: str, owner: Browser, login_as: Callable[..., FlaskClient]
) -> None:
    finance, operator = Browser(login_as(brand, "finance")), Browser(login_as(brand, "operator"))
    (task, *_rest) = tasks(finance.get("/reconciliation"))
    operator.get("/reconciliation", status=403)
    for path in (f"/reconciliation/{task}/assign", f"/reconciliation/{task}/close", "/reconciliation/run"):
        assert operator.send(path, {"note": "x", "day": day}).status_code == 403
    finance.post(f"/reconciliation/{task}/close", {"note": "found"})


@pytest.fixture
def theirs(busy: Busy, owner: Browser, day: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A refund of an order that somebody made at WeChat's own pages: it stands in the bill alone. Gives the task."""
    with busy.till.work():
        payment = session().query(PaymentIntent).filter(PaymentIntent.reference_id == busy.released).one().out_trade_no
    rows = [BillRow("refund", "OWN-PAGES-1", 4_000, payment), BillRow("refund", "NOBODYS-2", 100, "unknown")]
    monkeypatch.setattr(WeChatProvider, "bill", lambda _provider, _day: rows)
    owner.post("/reconciliation/run", {"day": day})
    page = owner.get("/reconciliation?q=OWN-PAGES")
    (task,) = RECORD.findall(page)
    return str(task)


def test_a_refund_of_the_bill_is_recorded_and_the_difference_goes(
    owner: Browser, busy: Busy, day: str, theirs: str
) -> None:
    form = owner.post(f"/reconciliation/{theirs}/record").partition('id="record" open')[2].partition("</form>")[0]
    values = dict(re.findall(r'name="([^"]+)"[^>]*? value="([^"]*)"', form))
    line = busy.till.order_row(busy.released).lines[0]
    assert (values["number"], values["happened_on"]) == ("OWN-PAGES-1", day)
    assert values[f"amount-{line.id.hex}"] == "40.00"
    owner.post(f"/orders/{busy.released}/record-refund", {**values, "reason": "在微信侧退款"})
    assert busy.till.order_row(busy.released).refunded_fen == 10_000 + 4_000
    owner.post("/reconciliation/run", {"day": day})
    assert RECORD.findall(owner.get("/reconciliation?q=OWN-PAGES")) == []
    owner.get(f"/orders/{busy.released}?difference={theirs}", status=404)


def test_a_refund_of_nobodys_order_says_so(owner: Browser, day: str, theirs: str) -> None:
    (task,) = RECORD.findall(owner.get("/reconciliation?q=NOBODYS"))
    assert "names no order of yours" in owner.refused(f"/reconciliation/{task}/record", status=404)


def test_finance_may_record_and_others_may_not(
    brand: Brand, theirs: str, login_as: Callable[..., FlaskClient], other_brand: Brand
) -> None:
    finance, operator = Browser(login_as(brand, "finance")), Browser(login_as(brand, "operator"))
    assert finance.send(f"/reconciliation/{theirs}/record").status_code == 303
    assert operator.send(f"/reconciliation/{theirs}/record").status_code == 403
    stranger = Browser(login_as(other_brand, "owner"))
    assert stranger.send(f"/reconciliation/{theirs}/record").status_code == 404
