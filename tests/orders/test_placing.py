"""What is taken into an order when it is placed: the product as it was, the region, and a promoter's own discount."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from fanyong.errors import IdempotencyMismatch
from fanyong.hooks import PluginKind, hookimpl
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import registry
from fanyong.tenancy.database import session
from fanyong.values import LineFacts, Person
from tenants.catalog import service as catalog
from tenants.commissions.rounding import allocate
from tenants.members.models import Member
from tenants.orders import service as orders
from tenants.orders.errors import NothingToPay, UnknownRegion
from tenants.orders.models import Order
from tenants.promoters import service as promoters
from tenants.promotions import service as promotions
from tests.money.parts import Till
from tests.orders.parts import change_product, give_back, line_of


class NoSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Discounts:
    """A plan that gives promoters a discount on what they buy, and nobody else anything."""

    name = "plan_discounts"
    version = "1.0"
    requires = "fanyong>=0.1,<1"
    kind: PluginKind = "commission_plan"
    title = summary = "Discounts"
    settings_model = NoSettings

    def __init__(self) -> None:
        self.answers: dict[str, object] = {}
        self.asked: list[tuple[Person, LineFacts]] = []

    @hookimpl
    def plan_levels(self, settings: NoSettings) -> int:
        return 0

    @hookimpl
    def propose_awards(self, settings: NoSettings, facts: object) -> list[Any]:
        return []

    @hookimpl
    def self_discount(self, settings: NoSettings, buyer: Person, line: LineFacts) -> Any:
        self.asked.append((buyer, line))
        answer = self.answers.get(line.sku, 0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def discounts(app: Flask, till: Till) -> Iterator[Discounts]:
    """The plan, in force."""
    plugin = Discounts()
    registry.register(plugin)
    till.plan("plan_discounts", {})
    yield plugin
    registry.unregister(plugin.name)


def order_row(till: Till, member_id: UUID, lines: list[tuple[str, int]], **how: Any) -> Order:
    """Place an order and return it."""
    return till.order_row(till.order(member_id, lines, **how))


def coupon(till: Till, amount_fen: int) -> str:
    """Make a coupon."""
    with till.work():
        return promotions.save_coupon(f"C{amount_fen}", amount_fen=amount_fen).code


def test_a_line_keeps_what_its_product_was(till: Till) -> None:
    till.product("a", price_fen=10_000)
    change_product(till, "a", product_code="tea", cost_fen=4_500, tax_bp=1_300, commission_base_fen=8_000)
    order = till.order(till.member("buyer"), [("a", 3)])
    change_product(till, "a", product_code="", cost_fen=None, tax_bp=0, commission_base_fen=None)
    line = line_of(till, order, "a")
    assert (line.product_code, line.cost_fen, line.tax_bp, line.commission_base_fen) == ("tea", 13_500, 1_300, 8_000)
    later = line_of(till, till.order(till.member("other")), "a")
    assert (later.product_code, later.cost_fen, later.tax_bp, later.commission_base_fen) == ("a", None, 0, None)


@pytest.mark.parametrize("values", [{"cost_fen": -1}, {"tax_bp": -1}, {"tax_bp": 10_001}, {"commission_base_fen": -1}])
def test_a_product_that_cannot_be_is_refused(till: Till, values: dict[str, int]) -> None:
    till.product("a")
    with pytest.raises(catalog.BadProduct):
        change_product(till, "a", **values)


def place_in(till: Till, region: str, *, key: str = "k") -> str:
    """Place an order that is delivered to a region, and return the region it has."""
    with till.work():
        buyer = session().scalars(sa.select(Member)).one()
        return orders.place(buyer, lines=[("a", 1)], idempotency_key=key, region=region).region


def test_a_region_is_a_code_of_six_digits(till: Till) -> None:
    till.product("a")
    till.member("buyer")
    assert place_in(till, "310115") == "310115"
    assert place_in(till, "310115") == "310115"
    with pytest.raises(IdempotencyMismatch):
        place_in(till, "310104")
    assert place_in(till, "", key="none") == ""
    for wrong in ("31011", "3101155", "031011", "上海市", "31011x", "３１０１１５", "310115\n"):
        with pytest.raises(UnknownRegion):
            place_in(till, wrong, key=wrong)


def test_a_promoter_buys_cheaper_line_by_line(till: Till, discounts: Discounts) -> None:
    till.product("a", price_fen=3_333)
    till.product("b", price_fen=1_000)
    discounts.answers = {"a": 1_250}
    order = order_row(till, till.member("buyer"), [("a", 1), ("b", 2)], coupon=coupon(till, 500))
    a, b = order.lines
    # 12.5 % of 3,333 is 416.625, rounded down; the coupon is spread over 2,917 and 2,000: 296.6… and 203.3….
    assert (a.discount_fen, a.self_discount_bp, a.paid_fen) == (416 + 297, 1_250, 2_620)
    assert (b.discount_fen, b.self_discount_bp, b.paid_fen) == (203, 0, 1_797)
    assert (order.goods_fen, order.self_discount_fen, order.coupon_fen) == (5_333, 416, 500)
    assert order.total_fen == a.paid_fen + b.paid_fen == 4_417
    buyer, line = discounts.asked[0]
    assert (buyer.tier, buyer.level, line.sku, line.quantity, line.paid_fen) == ("promoter", 0, "a", 1, 3_333)


def test_the_discount_is_frozen_with_the_order(till: Till, discounts: Discounts) -> None:
    till.product("a", price_fen=10_000)
    discounts.answers = {"a": 1_000}
    order = till.order(till.member("buyer"), [("a", 2)])
    discounts.answers = {"a": 0}
    assert till.apply(till.payment_fact(order)) == "applied"
    till.process()
    assert till.order_row(order).total_fen == 18_000
    give_back(till, order, pieces={"a": 2})
    assert till.order_row(order).refunded_fen == 18_000
    till.check()


def test_who_is_no_promoter_or_frozen_pays_the_price(till: Till, discounts: Discounts) -> None:
    till.product("a", price_fen=10_000)
    discounts.answers = {"a": 1_000}
    frozen = till.member("frozen")
    with till.work():
        promoters.freeze(frozen, reason="test")
    assert order_row(till, frozen, [("a", 1)]).total_fen == 10_000
    till.tiers("tiers_flat", {"join": "after_purchase"})
    assert order_row(till, till.member("newcomer"), [("a", 1)]).total_fen == 10_000
    assert discounts.asked == []


@pytest.mark.parametrize("answer", [-1, 10_001, 12.5, "1000", True, RuntimeError("broken")])
def test_a_plan_that_talks_nonsense_sells_at_the_full_price(till: Till, discounts: Discounts, answer: object) -> None:
    till.product("a", price_fen=10_000)
    discounts.answers = {"a": answer}
    assert order_row(till, till.member("buyer"), [("a", 1)]).total_fen == 10_000
    with till.work():
        assert [failure.hook for failure in plugins.open_failures()] == ["self_discount"]


def test_what_costs_nothing_any_more_cannot_be_ordered(till: Till, discounts: Discounts) -> None:
    till.product("a", price_fen=10_000)
    discounts.answers = {"a": 10_000}
    with pytest.raises(NothingToPay):
        till.order(till.member("buyer"))
    assert till.stock("a") == 1_000


@given(
    st.lists(st.tuples(st.integers(1, 50_000), st.integers(1, 9), st.integers(0, 10_000)), min_size=1, max_size=6),
    st.integers(0, 60_000),
)
def test_discounts_are_exact_whatever_they_are(lines: list[tuple[int, int, int]], coupon_fen: int) -> None:
    values = [price * quantity for price, quantity, _rate in lines]
    own = [value * rate // 10_000 for value, (_price, _quantity, rate) in zip(values, lines, strict=True)]
    left = [value - part for value, part in zip(values, own, strict=True)]
    coupon_fen = min(coupon_fen, sum(left))
    parts = allocate(coupon_fen, left) if coupon_fen else [0] * len(left)
    assert sum(parts) == coupon_fen
    assert all(0 <= part <= rest for part, rest in zip(parts, left, strict=True))


def test_the_full_plan_gives_its_discount_here(till: Till) -> None:
    till.product("a", price_fen=10_000)
    own = {"mode": "discount", "rates": [{"rate_bp": 500}]}
    till.plan("plan_rules", {"own_purchases": own})
    order = till.paid(till.member("buyer", under=till.member("promoter")), [("a", 1)])
    till.process()
    assert till.order_row(order).total_fen == 9_500
    till.check()
