"""docs/settlement.md: its tables are read, and the real functions run on their numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime

import pytest
from flask import Flask

from fanyong.cli import build_schema
from fanyong.devtools.paths import ROOT
from fanyong.ids import new_id, new_token
from fanyong.signup.service import sign_up
from fanyong.tenancy.context import Tenant
from fanyong.wechat.times import BEIJING
from tenants.orders import covering
from tenants.orders.models import OrderLine
from tenants.settlement.triggers import Settlement, due_at
from tests.money.parts import Till, open_till, wipe
from tests.orders.parts import record, swap

DOCUMENT = (ROOT / "docs" / "settlement.md").read_text(encoding="utf-8")


def table(name: str) -> list[dict[str, str]]:
    """Return the rows of an example, by the heading of their columns."""
    found = re.search(rf"<!-- example: {name} -->\n((?:\|.*\n)+)", DOCUMENT)
    assert found, f"no example {name}"
    head, _rule, *rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in found[1].splitlines()]
    return [dict(zip(head, row, strict=True)) for row in rows]


def fen(row: dict[str, str], column: str) -> int:
    """Return an amount of a row."""
    return int(row[column].replace(",", ""))


@pytest.fixture(scope="module")
def document_tenant(app: Flask) -> Tenant:
    """A brand for the examples that need the books."""
    slug = f"doc{new_token(8).lower()}"
    with app.app_context():
        return sign_up(
            name="乔木", slug=slug, email=f"owner@{slug}.example", password="correct horse battery", build=build_schema
        )[0]


@pytest.fixture
def begin(app: Flask, document_tenant: Tenant) -> Callable[[], Till]:
    """Let the brand begin anew, with a plan of ten percent and no window."""

    def anew() -> Till:
        wipe(app, document_tenant)
        till = open_till(app, document_tenant)
        till.plan()
        till.window(0)
        return till

    return anew


@pytest.mark.parametrize("row", table("due"), ids=lambda row: f"{row['Received']} {row['Rule']}")
def test_due_times_are_those_of_the_table(row: dict[str, str]) -> None:
    rule = Settlement.model_validate(json.loads(row["Rule"].strip("`")))
    received = datetime.fromisoformat(row["Received"]).replace(tzinfo=BEIJING)
    assert f"{due_at(rule, received, tz=BEIJING).astimezone(BEIJING):%Y-%m-%d %H:%M}" == row["Due"]


def test_the_cuts_of_a_line_are_those_of_the_table() -> None:
    line = OrderLine(id=new_id(), quantity=3, paid_fen=10_000, refunded_quantity=0, refunded_fen=0, adjusted_fen=0)
    for row in table("cuts"):
        covered = covering.cover_line(line, quantity=fen(row, "Pieces"), adjusted_fen=fen(row, "Amount fen"))
        assert covered.amount_fen == fen(row, "Given back fen")
        assert line.refunded_fen == fen(row, "Given back in all fen")
    assert line.refunded_fen == line.paid_fen


def test_late_refunds_are_those_of_the_table(begin: Callable[[], Till]) -> None:
    for number, row in enumerate(table("late")):
        till = begin()
        till.product("a", price_fen=10_000)
        promoter = till.member("promoter")
        order = till.received(till.member("buyer", under=promoter))
        till.settle()
        if number:
            withdrawal = till.withdraw(promoter, 900)
            till.approve(withdrawal)
            if number == 2:
                till.apply(till.transfer_fact(withdrawal))
        record(till, order, {"a": 5_000})
        till.process()
        figures = till.figures(promoter)
        assert figures.available_fen == fen(row, "Available fen")
        assert figures.in_transfer_fen == fen(row, "In transfer fen")
        assert figures.paid_fen == fen(row, "Paid fen")
        assert figures.debt_fen == fen(row, "Debt fen")


def test_exchanges_are_those_of_the_table(begin: Callable[[], Till]) -> None:
    for row in table("exchanges"):
        till = begin()
        till.product("shirt", price_fen=10_000)
        till.product("other", price_fen=fen(row, "Replacement fen"))
        promoter = till.member("promoter")
        order = till.received(till.member("buyer", under=promoter), [("shirt", 2)])
        made = swap(till, order, "shirt", "other")
        if made.refund_id is not None:
            till.apply(till.refund_fact(made.refund_id))
        if made.new_order_id is not None:
            till.apply(till.payment_fact(made.new_order_id))
        till.process()
        assert till.order_row(order).refunded_fen == fen(row, "Refunded fen")
        new_fen = till.order_row(made.new_order_id).total_fen if made.new_order_id else 0
        assert new_fen == fen(row, "New order fen")
        figures = till.figures(promoter)
        assert figures.estimated_fen + figures.frozen_fen == fen(row, "Commission after fen")
        till.check()
