import time

from fanyong.payments import flows
from fanyong.tenancy.database import session, unit_of_work
from tenants.catalog import service as catalog
from tenants.commissions import service as commissions
from tenants.invariants.service import check_books
from tenants.ledger import service as ledger
from tenants.members import service as members
from tenants.orders import service as orders
from tenants.promoters import service as promoters


def test_smoke(app, brand, inside, simulator, tend):
    from fanyong.payments.provider import active_account

    with unit_of_work():
        account = active_account()
        commissions.activate_plan("plan_levels", {}, actor="t")
        catalog.save_product(None, sku="a", name="A", price_fen=10000, stock=5)
        up, _ = members.register("o-up", nickname="up")
        promoters.enroll(up.id)
    code, openid = simulator.login(appid=account.appid, user="buyer")
    with unit_of_work():
        b, _ = members.register(openid, nickname="b")
        promoters.enroll(b.id)
        assert members.bind(b.id, parent_id=up.id, source="t")
    with unit_of_work():
        order = orders.place(b, lines=[("a", 2)], idempotency_key="k")
    params = flows.start_payment(order.id)
    simulator.pay(params["package"].removeprefix("prepay_id="))
    for _ in range(50):
        with unit_of_work():
            session().refresh(order)
        if order.state == "paid":
            break
        time.sleep(0.1)
    assert order.state == "paid"
    tend(brand)
    with unit_of_work():
        assert ledger.figures_of(up.id).estimated_fen == 2000
        report = check_books()
        assert report.ok, report.problems
        print(report)
