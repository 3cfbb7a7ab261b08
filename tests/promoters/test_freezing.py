"""What a payment freezes of the people around an order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.commissions.attribution import decode_facts, encode_facts
from tenants.orders import freezing
from tenants.orders import service as orders
from tenants.orders.models import Order
from tenants.promoters import regions
from tenants.promoters.regions import AgentAlready, BadPeriod, NoSuchRegion, NotAPromoter, containing, size_of
from tests.money.parts import DAY, Till

LADDER = {
    "count_when": "paid",
    "tiers": [
        {"key": "low", "name": "L", "promote_at_sales_fen": 0},
        {"key": "high", "name": "H", "promote_at_sales_fen": 1_500},
    ],
}


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> dict[UUID, Any]:
    """The facts of each order that is paid, by its id."""
    seen: dict[UUID, Any] = {}

    def remember(order: Order, **how: Any) -> Any:
        seen[order.id] = freezing.freeze(order, **how)
        return seen[order.id]

    monkeypatch.setattr(orders, "freeze", remember)
    return seen


def test_rank_month_and_number_are_those_before_the_order(till: Till, frozen: dict[UUID, Any]) -> None:
    till.product("a", price_fen=1_000)
    till.tiers("tiers_ladder", LADDER)
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    found = [frozen[till.paid(buyer)] for _ in range(3)]
    assert [facts.order_number for facts in found] == [1, 2, 3]
    assert [facts.upline[0].month_fen for facts in found] == [0, 1_000, 2_000]
    assert [(facts.upline[0].tier, facts.upline[0].rank) for facts in found] == [("low", 0), ("low", 0), ("high", 1)]
    assert [facts.buyer.month_fen for facts in found] == [0, 0, 0]


def test_a_month_begins_anew_and_refunds_lower_it(till: Till, frozen: dict[UUID, Any]) -> None:
    till.product("a", price_fen=1_000)
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    first = till.paid(buyer, [("a", 2)])
    till.refunded(first, {"a": 1})
    assert frozen[till.paid(buyer)].upline[0].month_fen == 1_000
    till.advance(32 * DAY)
    assert frozen[till.paid(buyer)].upline[0].month_fen == 0


def test_of_two_orders_at_once_one_is_the_later(till: Till, frozen: dict[UUID, Any]) -> None:
    till.product("a", price_fen=1_000)
    parent = till.member("parent")
    buyers = [till.member(f"b{n}", under=parent) for n in range(6)]
    facts = [till.payment_fact(till.order(buyer)) for buyer in buyers]
    with ThreadPoolExecutor(len(facts)) as pool:
        assert list(pool.map(till.apply, facts)) == ["applied"] * len(facts)
    assert sorted(one.upline[0].month_fen for one in frozen.values()) == [n * 1_000 for n in range(6)]


def test_the_upline_is_as_long_as_the_plan_looks(till: Till, frozen: dict[UUID, Any]) -> None:
    till.product("a", price_fen=1_000)
    person = till.member("p0")
    for number in range(1, 7):
        person = till.member(f"p{number}", under=person)
    assert [p.level for p in frozen[till.paid(person)].upline] == [1, 2, 3]


def test_the_agents_of_an_order_s_region_are_frozen_the_smallest_first(till: Till, frozen: dict[UUID, Any]) -> None:
    till.product("a", price_fen=1_000)
    province, city, district, elsewhere = (till.member(name) for name in ("province", "city", "district", "else"))
    with till.work():
        regions.appoint(province, region="320000", actor="test")
        regions.appoint(city, region="320500", actor="test")
        regions.appoint(district, region="320505", actor="test")
        regions.appoint(elsewhere, region="330000", actor="test")
    buyer = till.member("buyer")

    def agents(region: str) -> list[UUID]:
        order_id = till.order(buyer)
        with till.work():
            session().execute(sa.update(Order).where(Order.id == order_id).values(region=region))
        assert till.apply(till.payment_fact(order_id)) == "applied"
        facts = frozen[order_id]
        assert facts.region == region
        assert {person.level for person in facts.region_agents} <= {0}
        assert {person.region for person in facts.region_agents} <= set(containing(region))
        return [person.member_id for person in facts.region_agents]

    assert agents("320505") == [district, city, province]
    assert agents("320506") == [city, province]
    assert agents("320600") == [province]
    assert agents("330102") == [elsewhere]
    assert agents("") == []


def test_an_appointment_has_a_beginning_and_an_end(till: Till) -> None:
    agent, other = till.member("agent"), till.member("other")
    with till.work():
        now = brand_now()
        regions.appoint(agent, region="320500", actor="test", ends_at=now + timedelta(days=2))
        second = regions.appoint(other, region="320500", actor="test").id
    with till.work():
        assert list(regions.agents_for("320505", at=now + timedelta(days=1))) == [agent, other]
        assert regions.agents_for("320505", at=now + timedelta(days=2, seconds=1)) == {other: "320500"}
        assert regions.agents_for("320505", at=now - timedelta(days=1)) == {}
        regions.end(second, actor="owner")
        regions.end(second, actor="again")
    till.advance(60)
    with till.work():
        assert regions.agents_for("320500", at=brand_now()) == {agent: "320500"}
        ended = regions.end(second, actor="again")
        assert ended.ended_by == "owner"


@pytest.mark.parametrize("region", ["", "32", "3205050", "32050x", "990000", "000000", "３２０５０５"])
def test_a_region_that_does_not_exist_is_refused(till: Till, region: str) -> None:
    agent = till.member("agent")
    with till.work(), pytest.raises(NoSuchRegion):
        regions.appoint(agent, region=region, actor="test")


def test_who_may_be_an_agent_and_how_often(till: Till) -> None:
    agent = till.member("agent")
    with till.work():
        regions.appoint(agent, region="320500", actor="test")
    with till.work(), pytest.raises(AgentAlready):
        regions.appoint(agent, region="320500", actor="test")
    with till.work(), pytest.raises(BadPeriod):
        regions.appoint(agent, region="320501", actor="test", ends_at=brand_now() - timedelta(days=1))
    till.tiers("tiers_flat", {"join": "after_purchase"})
    stranger = till.member("stranger")
    with till.work(), pytest.raises(NotAPromoter):
        regions.appoint(stranger, region="320501", actor="test")


def test_regions_contain_each_other_by_their_codes() -> None:
    assert containing("320505") == ["320505", "320500", "320000"]
    assert containing("320500") == ["320500", "320000"]
    assert containing("320000") == ["320000"]
    assert containing("") == []
    assert [size_of(code) for code in containing("320505")] == ["district", "city", "province"]


def test_facts_survive_being_written_down(till: Till, frozen: dict[UUID, Any]) -> None:
    till.product("a", price_fen=1_000)
    facts = frozen[till.paid(till.member("buyer"))]
    assert decode_facts(encode_facts(facts)) == facts
