"""Frozen at payment: nothing that happens afterwards changes what an order owes, to whom, and when."""

from __future__ import annotations

from fanyong.tenancy.database import session
from tenants.commissions import service as commissions
from tenants.commissions.models import ReleaseBucket
from tenants.ledger.service import Figures
from tenants.members import service as members
from tenants.promoters import service as promoters
from tests.money.parts import DAY, Till

GOLD_EARNS_MORE = {
    "rates": [
        {"level": 1, "rate_bp": 1_000},
        {"level": 1, "tier": "gold", "rate_bp": 2_000},
        {"level": 2, "rate_bp": 500},
    ]
}
LADDER = {
    "count_when": "paid",
    "tiers": [
        {"key": "bronze", "name": "B", "promote_at_sales_fen": 0},
        {"key": "gold", "name": "G", "promote_at_sales_fen": 10_000},
    ],
}


def test_what_comes_after_the_payment_changes_nothing(till: Till) -> None:
    till.allow_two_levels()
    till.product("a", price_fen=10_000)
    till.tiers("tiers_ladder", LADDER)
    till.plan("plan_levels", GOLD_EARNS_MORE)
    till.window(7)
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    first = till.paid(buyer)
    # The order itself makes the parent gold; then everything else changes, and only then are the awards made.
    with till.work():
        promoter = promoters.get_promoter(parent)
        assert promoter is not None
        assert promoter.tier == "gold"
        promoters.freeze(parent, reason="test")
    grandparent = till.member("grandparent")
    with till.work():
        assert members.bind(parent, parent_id=grandparent, source="test")
    till.plan("plan_ladder", {"bands": [{"from_fen": 0, "rate_bp": 7_777}]})
    till.tiers("tiers_flat", {})
    till.window(0)
    till.ship(first)
    till.receive(first)
    till.settle()
    assert till.figures(parent) == Figures(frozen_fen=1_000), "bronze, 10 %, frozen for seven days"
    assert till.figures(grandparent) == Figures()
    till.advance(7 * DAY - 3_600)
    assert till.release() == 0
    till.advance(3_600)
    assert till.release() == 1
    till.check()
    # The next order is the new world's.
    with till.work():
        promoters.unfreeze(parent)
    till.received(buyer)
    till.settle()
    assert till.figures(parent) == Figures(available_fen=1_000 + 7_777)
    till.check()


def test_whoever_got_nothing_is_on_record(till: Till) -> None:
    till.allow_two_levels()
    till.product("a", price_fen=10_000)
    till.tiers("tiers_flat", {"join": "after_purchase"})
    till.plan("plan_levels", {"rates": [{"level": 1, "rate_bp": 1_000}, {"level": 2, "rate_bp": 500}]})
    grandparent = till.member("grandparent")
    parent = till.member("parent", under=grandparent)
    buyer = till.member("buyer", under=parent)
    till.paid(parent)
    with till.work():
        promoters.freeze(parent, reason="test")
    order_id = till.paid(buyer)
    till.process()
    with till.work():
        record = commissions.commission_of_order(order_id)
        assert record is not None
        assert record.withheld is not None
        assert [(item["level"], item["reason"]) for item in record.withheld] == [(1, "frozen"), (2, "not_promoter")]
    assert till.figures(parent) == till.figures(grandparent) == Figures()
    till.check()


def test_what_is_released_is_released_once(till: Till) -> None:
    till.product("a", price_fen=10_000)
    till.plan()
    till.window(0)
    parent = till.member("parent")
    till.received(till.member("buyer", under=parent))
    till.settle()
    # Somebody puts the work list back as it was before: the posting's key says that it was done.
    with till.work():
        for bucket in session().query(ReleaseBucket):
            bucket.released_at = None
    till.release()
    assert till.figures(parent) == Figures(available_fen=1_000)
    till.check()
