"""`plan_rules` in a brand: what it proposes reaches the awards of a paid order, with rule, amount and explanation."""

from __future__ import annotations

import pytest

from fanyong.errors import FanyongError
from tenants.commissions import service as commissions
from tests.money.parts import Till

PLAN = {
    "rates": [
        {"level": 1, "rate_bp": 1_000},
        {"level": 2, "rate_bp": 500},
        {"scope": "sku", "target": "cup", "level": 1, "fixed_fen": 120},
    ],
    "bonuses": {"new_member_bp": 100},
    "limits": {"line_bp": 1_500},
}


def test_an_order_is_paid_by_the_full_plan(till: Till) -> None:
    till.product("tea", price_fen=9_999)
    till.product("cup", price_fen=1_000)
    till.allow_two_levels()
    till.plan("plan_rules", PLAN)
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    order_id = till.paid(buyer, [("tea", 1), ("cup", 2)])
    till.process()
    with till.work():
        lines = {line.sku: line.id for line in till.order_row(order_id).lines}
        awards = commissions.awards_of_orders([order_id])
        found = {(award.line_id, award.rule): (award.kind, award.amount_fen) for award in awards}
        assert found == {
            (lines["tea"], "rules:1"): ("share", 999),
            (lines["tea"], "rules:new-member"): ("bonus", 99),
            (lines["cup"], "rules:1:sku:cup"): ("share", 240),
            (lines["cup"], "rules:new-member"): ("bonus", 20),
        }
        (cup,) = (award for award in awards if award.rule == "rules:1:sku:cup")
        assert cup.explanation["details"] == {
            "by": "sku",
            "target": "cup",
            "instead_of": "rules:1",
            "piece_fen": 120,
            "pieces": 2,
        }


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"rates": [{"level": 2, "rate_bp": 100}]}, "too_many_levels"),
        ({"rates": [{"level": 1, "rate_bp": 1, "fixed_fen": 1}]}, "invalid_plugin_settings"),
    ],
    ids=["two levels without the notice", "a row that says two things"],
)
def test_what_may_not_be_is_not_saved(till: Till, values: dict[str, object], code: str) -> None:
    with pytest.raises(FanyongError) as refused:
        till.plan("plan_rules", values)
    assert refused.value.code == code
