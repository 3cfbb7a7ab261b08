"""Sales by promoter and day, and those of teams, against sums over the orders."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from fanyong.tenancy.database import session
from fanyong.wechat.times import BEIJING
from tenants.members import service as members
from tenants.members.models import Member
from tenants.orders.models import Order, OrderRefund, OrderRefundLine
from tenants.promoters import sales, team
from tenants.promoters.models import Promoter
from tenants.promoters.sales_models import SalesDay, TeamDay, TeamTotal
from tenants.shipping import service as shipping
from tests.money.parts import DAY, Till, at_once

COLUMNS = ("paid_fen", "received_fen", "orders")


def day_of(moment: Any) -> date:
    return moment.astimezone(BEIJING).date()


def roll_up(till: Till) -> None:
    """Do what the background does for teams."""
    with till.inside():
        while sales.roll_up_teams() + team.count_teams():
            pass


def orders_of(till: Till) -> list[tuple[UUID, date, date | None, int]]:
    """Return every paid order as (buyer, day paid, day received, goods that stayed sold)."""
    with till.work():
        back = sa.select(OrderRefund.order_id, sa.func.sum(OrderRefundLine.amount_fen)).join(
            OrderRefundLine, OrderRefundLine.refund_id == OrderRefund.refund_id
        )
        given_back = dict(session().execute(back.group_by(OrderRefund.order_id)).all())
        return [
            (
                order.member_id,
                day_of(order.paid_at),
                day_of(order.received_at) if order.received_at else None,
                sum(line.paid_fen for line in order.lines) - int(given_back.get(order.id, 0)),
            )
            for order in session().scalars(sa.select(Order).where(Order.paid_at.is_not(None)))
        ]


def expected(till: Till, upline: dict[UUID, list[UUID]]) -> dict[str, Counter[Any]]:
    """Work all figures out from the orders, with the upline that each buyer had."""
    sums: dict[str, Counter[Any]] = {"own": Counter(), "shared": Counter(), "team": Counter()}
    for buyer, paid_on, received_on, kept in orders_of(till):
        who = {"own": [buyer], "shared": upline[buyer][:1], "team": upline[buyer]}
        for side, people in who.items():
            for person in people:
                sums[side][person, paid_on, "paid_fen"] += kept
                sums[side][person, paid_on, "orders"] += int(kept > 0)
                if received_on:
                    sums[side][person, received_on, "received_fen"] += kept
    return sums


def stored(till: Till) -> dict[str, Counter[Any]]:
    """Return the figures by day as they are stored."""
    sums: dict[str, Counter[Any]] = {"own": Counter(), "shared": Counter(), "team": Counter()}
    with till.work():
        for row in session().scalars(sa.select(SalesDay)):
            for side in ("own", "shared"):
                for name in COLUMNS:
                    sums[side][row.member_id, row.day, name] += getattr(row, f"{side}_{name}")
        for below in session().scalars(sa.select(TeamDay)):
            for name in COLUMNS:
                sums["team"][below.member_id, below.day, name] += getattr(below, name)
    return sums


def totals(sums: Counter[Any]) -> Counter[Any]:
    """Add the days up."""
    found: Counter[Any] = Counter()
    for (person, _day, name), value in sums.items():
        found[person, name] += value
    return found


def test_figures_are_the_sums_over_the_orders_whatever_happens(till: Till) -> None:
    rng = random.Random(20261122)
    till.product("a", price_fen=1_001)
    people: list[UUID] = []
    upline: dict[UUID, list[UUID]] = {}
    for number in range(7):
        parent = rng.choice(people) if people and rng.random() < 0.85 else None
        person = till.member(f"m{number}", under=parent)
        upline[person] = [parent, *upline[parent]] if parent else []
        people.append(person)
    paid: list[UUID] = []
    shipped: set[UUID] = set()
    for _step in range(60):
        match rng.choice(["buy", "buy", "receive", "refund", "time", "roll"]):
            case "buy":
                paid.append(till.paid(rng.choice(people), [("a", rng.randint(1, 3))]))
            case "receive" if set(paid) - shipped:
                order_id = rng.choice(sorted(set(paid) - shipped))
                line = till.order_row(order_id).lines[0]
                if line.refunded_quantity < line.quantity:
                    till.ship(order_id)
                    till.receive(order_id)
                    shipped.add(order_id)
            case "refund" if paid:
                order_id = rng.choice(paid)
                line = till.order_row(order_id).lines[0]
                if line.refunded_quantity < line.quantity:
                    till.refunded(order_id, {"a": rng.randint(1, line.quantity - line.refunded_quantity)})
            case "time":
                till.advance(rng.choice([3_600, DAY]))
            case "roll":
                roll_up(till)
    roll_up(till)
    wanted, found = expected(till, upline), stored(till)
    for side in wanted:
        assert {k: v for k, v in found[side].items() if v} == {k: v for k, v in wanted[side].items() if v}, side
    with till.work():
        ever: dict[str, Counter[Any]] = {"own": Counter(), "shared": Counter(), "team": Counter()}
        for row in session().scalars(sa.select(Promoter)):
            for side in ("own", "shared"):
                for name in COLUMNS:
                    ever[side][row.member_id, name] += getattr(row, f"{side}_{name}")
        for total in session().scalars(sa.select(TeamTotal)):
            for name in COLUMNS:
                ever["team"][total.member_id, name] += getattr(total, name)
        levels: Counter[Any] = Counter(
            (above, level) for person in people for level, above in enumerate(upline[person], start=1)
        )
        for total in session().scalars(sa.select(TeamTotal)):
            sizes = [levels[total.member_id, level] for level in (1, 2, 3)]
            assert [total.level_1, total.level_2, total.level_3] == sizes
            assert total.members == sum(n for (above, _level), n in levels.items() if above == total.member_id)
    for side in wanted:
        assert {k: v for k, v in ever[side].items() if v} == {k: v for k, v in totals(wanted[side]).items() if v}


def test_a_sale_counts_for_the_upline_of_its_payment(till: Till) -> None:
    till.product("a", price_fen=1_000)
    buyer = till.member("buyer")
    first = till.paid(buyer)
    parent, grandparent = till.member("parent"), till.member("grandparent")
    with till.work():
        assert members.bind(buyer, parent_id=parent, source="test")
    second = till.paid(buyer)
    with till.work():
        assert members.bind(parent, parent_id=grandparent, source="test")
    roll_up(till)
    till.refunded(first, {"a": 1})
    roll_up(till)
    with till.work():
        assert team.team_totals(parent).ever == team.Sales(1_000, 0, 1)
        # What was sold before the grandparent came is not the grandparent's; the people are.
        assert team.team_totals(grandparent).ever == team.Sales()
        assert team.team_totals(grandparent).members == 2
    till.refunded(second, {"a": 1})
    roll_up(till)
    with till.work():
        assert team.team_totals(parent).ever == team.Sales()


def test_a_refund_lowers_the_day_of_its_sale_and_not_its_own(till: Till) -> None:
    till.product("a", price_fen=1_000)
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    order_id = till.paid(buyer, [("a", 2)])
    till.advance(40 * DAY)
    till.refunded(order_id, {"a": 1})
    with till.work():
        rows = session().scalars(sa.select(SalesDay).where(SalesDay.member_id == parent)).all()
        assert [(row.shared_paid_fen, row.shared_orders) for row in rows] == [(1_000, 1)]


def test_a_freight_refund_changes_no_sale(till: Till) -> None:
    till.product("a", price_fen=1_000)
    with till.work():
        shipping.save_method("EXPRESS", name="X", fee_fen=500)
    buyer = till.member("buyer")
    order_id = till.paid(buyer, shipping="EXPRESS")
    till.refunded(order_id, {}, freight_fen=500)
    with till.work():
        row = session().get_one(Promoter, buyer)
        assert (row.own_paid_fen, row.own_orders) == (1_000, 1)


def test_rolling_up_twice_changes_nothing(till: Till) -> None:
    till.product("a", price_fen=1_000)
    parent = till.member("parent")
    till.paid(till.member("buyer", under=parent))
    roll_up(till)
    with till.inside():
        assert sales.roll_up_teams() == 0
        assert team.count_teams() == 0
    with till.work():
        assert team.team_totals(parent).ever == team.Sales(1_000, 0, 1)


def test_a_team_moves_with_whoever_is_brought_later(till: Till) -> None:
    """A member with a downline is bound: everybody below counts in the new upline, each once."""
    root, middle = till.member("root"), till.member("middle")
    below = [till.member(f"b{n}", under=middle) for n in range(3)]
    deeper = till.member("deeper", under=below[0])
    roll_up(till)
    with till.work():
        assert members.bind(middle, parent_id=root, source="test")
    roll_up(till)
    with till.work():
        found = team.team_totals(root)
        assert (found.level_1, found.level_2, found.level_3, found.members) == (1, 3, 1, 5)
        assert team.team_totals(middle).members == 4
        assert session().get_one(Member, deeper).counted_depth == 3


def test_two_jobs_at_once_roll_every_sale_up_once(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    till.product("a", price_fen=1_000)
    root = till.member("root")
    buyers = [till.member(f"b{n}", under=root) for n in range(4)]
    for _ in range(3):
        for buyer in buyers:
            till.paid(buyer)
    monkeypatch.setattr(sales, "CHUNK", 2)
    monkeypatch.setattr(team, "COUNT_CHUNK", 1)

    def job() -> None:
        roll_up(till)

    assert at_once(*[job] * 3) == [None] * 3
    roll_up(till)
    with till.work():
        found = team.team_totals(root)
        assert (found.ever, found.members) == (team.Sales(12_000, 0, 12), 4)
