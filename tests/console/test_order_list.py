"""The list of orders by day, and the dashboard's sales, which open it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient

from fanyong.tenancy.clock import brand_now
from fanyong.web.filters import beijing_day
from tests.conftest import Brand
from tests.console.parts import Browser, Busy

TODAYS_SALES = re.compile(r'<a href="/console(/orders\?[^"]+)" class="text-reset">([^<]+)</a>')


@pytest.fixture
def today(busy: Busy) -> str:
    """The brand's day, on which its orders were placed and paid."""
    with busy.till.work():
        return beijing_day(brand_now()).isoformat()


def numbers(owner: Browser, query: str) -> list[str]:
    """Return the numbers of the orders that a list's file has."""
    return [row[0] for row in owner.table(f"/orders?{query}&format=csv")[1:]]


def test_orders_are_listed_by_the_day_they_were_placed_or_paid(owner: Browser, busy: Busy, today: str) -> None:
    all_three = numbers(owner, "")
    assert len(all_three) == 3
    assert numbers(owner, f"from={today}&to={today}") == all_three
    paid = numbers(owner, f"from={today}&to={today}&by=paid")
    assert len(paid) == 2, "an order that nobody paid has no day of its payment"
    assert numbers(owner, f"from={today}&by=paid&state=received") == [busy.till.order_row(busy.released).number]
    yesterday = (busy.till.order_row(busy.paid).created_at - timedelta(days=2)).date().isoformat()
    assert numbers(owner, f"to={yesterday}") == []
    assert numbers(owner, "from=9999-12-31&to=9999-12-31&by=paid") == []
    assert numbers(owner, "from=tomorrow&to=&by=shipped") == all_three, "what cannot be read filters nothing"
    assert "No order matches." in owner.get(f"/orders?to={yesterday}")


def test_the_dashboard_s_sales_open_the_orders_that_make_them_up(owner: Browser, busy: Busy, today: str) -> None:
    found = TODAYS_SALES.findall(owner.get("/"))
    assert [figure for _url, figure in found] == ["¥400.00", "¥400.00"]
    for url, figure in found:
        assert f"2 orders of ¥500.00; ¥100.00 of it was refunded, {figure} remain." in owner.get(unescape(url))
    assert f'href="/console/orders?by=paid&from={today}&to={today}"' in owner.get("/"), "and so does the chart's bar"


def test_every_role_reads_the_list_and_another_brand_sees_none_of_it(
    brand: Brand, other_brand: Brand, busy: Busy, today: str, login_as: Callable[..., FlaskClient]
) -> None:
    operator = Browser(login_as(brand, "operator"))
    assert len(numbers(operator, f"from={today}&by=paid")) == 2
    stranger = Browser(login_as(other_brand, "owner"))
    assert numbers(stranger, f"from={today}&by=paid") == []


def test_a_refund_offers_no_pieces_that_something_else_counts_on(owner: Browser, busy: Busy) -> None:
    busy.till.product("b", price_fen=60_000)
    line = busy.till.order_row(busy.released).lines[0]
    offered = f"{line.name} <span"
    assert "2 left, ¥200.00 paid" in _refund_form(owner, busy)
    exchange = {"line": line.id.hex, "quantity": "1", "sku": "b", "replacement_quantity": "1", "reason": "尺码"}
    owner.post(f"/orders/{busy.released}/exchange", {**exchange, "idempotency_key": "x"})
    form = _refund_form(owner, busy)
    assert offered in form
    assert "1 left, ¥100.00 paid" in form
    assert "1 in an exchange that is not paid yet" in form
    owner.refused(f"/orders/{busy.released}/refund", {f"quantity-{line.id.hex}": "2", "reason": "r"})
    owner.post(f"/orders/{busy.released}/refund", {f"quantity-{line.id.hex}": "1", "reason": "r"})
    assert "0 left, ¥0.00 paid" in _refund_form(owner, busy), "what a refund under way covers is not offered either"


def _refund_form(owner: Browser, busy: Busy) -> str:
    page = owner.get(f"/orders/{busy.released}")
    return page.partition('id="refund"')[2].partition("</form>")[0]


def test_a_program_gets_an_order_s_commissions_with_everything_behind_them(owner: Browser, busy: Busy) -> None:
    answer = owner.client.get(f"/console/orders/{busy.released}", headers={"Accept": "application/json"})
    told = answer.json
    assert told is not None
    (award,) = told["awards"]
    assert (award["nickname"], award["amount_fen"], award["reversed_fen"]) == ("茉莉", 3_000, 1_000)
    because = award["explanation"]
    assert {
        "rule",
        "plan_version",
        "base",
        "base_fen",
        "rate_bp",
        "tier",
        "level",
        "rounding",
        "text",
    } <= because.keys()
    assert (because["rule"], because["base_fen"], because["rate_bp"]) == ("levels:1", 30_000, 1_000)
    assert (told["awarded_fen"], told["kept_fen"], told["computed"]) == (3_000, 2_000, True)


def test_who_got_nothing_is_told_with_the_reason(owner: Browser, busy: Busy) -> None:
    stranger = busy.till.member("无人引荐")
    order = busy.till.paid(stranger, [("a", 1)])
    busy.till.settle()
    told = owner.client.get(f"/console/orders/{order}", headers={"Accept": "application/json"}).json
    assert told is not None
    assert told["awards"] == []
    text = "Nobody stands at level 1 above the buyer. Rule levels:1."
    (nothing,) = told["not_given"]
    assert (nothing["beneficiary_id"], nothing["reason"], nothing["text"]) == (None, "no_upline", text)
    assert text in owner.get(f"/orders/{order}")
