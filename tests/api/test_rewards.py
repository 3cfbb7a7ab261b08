"""A promoter sees the reward of a month among the commissions, with its explanation, and of no order."""

from __future__ import annotations

from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.runtime import in_tenant
from tenants.commissions import service as commissions
from tenants.periods import service as periods
from tests.api.conftest import Shop

POOL = {"pool": {"rate_bp": 500, "tiers": [{"weight": 1}], "minimum_fen": 1}}


def test_a_reward_of_a_month_explains_itself(shop: Shop) -> None:
    with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        commissions.activate_plan("plan_rules", POOL, actor="test")
    promoter = shop.phone("qiao", nickname="乔木")
    buyer = shop.phone("moli", via=promoter.ask("POST", "/shares").json["token"], nickname="茉莉")
    order = buyer.order(("TEA", 1))
    shop.pay(buyer, order)
    shop.days_pass(31)
    with shop.app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        (run,) = session().scalars(periods.runs())
        month, total_fen = run.month, run.total_fen
        assert total_fen == order["goods_fen"] * 500 // 10_000
        periods.post(month, actor="test")
    shop.tend()
    headers = {"Authorization": f"Bearer {promoter.token}", "Accept-Language": "en"}
    award, _of_the_order = promoter.client.get("/api/v1/promoter/awards", headers=headers).json["items"]
    assert (award["kind"], award["period"], award["state"], award["amount_fen"]) == (
        "period",
        month,
        "released",
        total_fen,
    )
    assert {award[name] for name in ("order_id", "order_number", "line_id", "position", "sku")} == {None}
    assert f"dividend pool of {month}" in award["explanation"]["text"]
    assert award["explanation"]["line_paid_fen"] is None
