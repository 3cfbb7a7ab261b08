"""Callbacks as they come over the wire: forged, repeated, wrong, foreign, lost, and of things nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from fanyong.payments import flows
from fanyong.payments.models import ProviderEvent
from fanyong.tenancy.clock import server_now
from fanyong.tenancy.database import session
from fanyong.wechat.simulator.client import SimulatorClient
from tenants.ledger.service import Figures
from tests.money.parts import Till, eventually

FORGERIES = ("bad_signature", "stale", "wrong_key", "foreign_merchant", "unknown_serial", "signature_probe")


@pytest.fixture
def shop(till: Till) -> Till:
    """A shop with one product and a plan."""
    till.product("a", price_fen=10_000)
    till.plan()
    till.window(0)
    return till


def callback_url(till: Till) -> str:
    """Return where WeChat tells this brand."""
    with till.inside():
        return flows.notify_url()


def outcomes(till: Till) -> list[str]:
    """Return what became of the callbacks that were kept."""
    with till.work():
        return sorted(session().scalars(sa.select(ProviderEvent.outcome)))


def delivered(till: Till, simulator: SimulatorClient, *, kind: str, number: str) -> bool:
    """Tell whether every callback about a number has been answered."""
    about = [n for n in simulator.notifications(till.mchid) if n["resource"].get(kind) == number]
    return bool(about) and all(n["state"] == "delivered" for n in about)


def test_forged_payments_change_nothing(shop: Till, simulator: SimulatorClient) -> None:
    order_id = shop.order(shop.shopper(simulator, "buyer"))
    shop.open_sheet(order_id)
    number, before = shop.intent(order_id).out_trade_no, shop.counts()
    statuses = {kind: simulator.forge(shop.mchid, kind=kind, number=number) for kind in FORGERIES}
    assert statuses == dict.fromkeys(FORGERIES, 401)
    assert shop.counts() == before, "not even kept"
    assert shop.order_row(order_id).state == "created"
    assert shop.intent(order_id).state == "requires_action"


def test_forged_refunds_change_nothing(shop: Till, simulator: SimulatorClient) -> None:
    simulator.set_refunds(shop.mchid, mode="manual")
    order_id = shop.bought(simulator, shop.order(shop.shopper(simulator, "buyer")))
    refund_id = shop.refund(order_id, {"a": 1})
    shop.tend()
    number, before = shop.refund_row(refund_id).out_refund_no, shop.counts()
    for kind in FORGERIES:
        assert simulator.forge(shop.mchid, kind=kind, number=number, event="REFUND.SUCCESS") == 401
    assert shop.counts() == before
    assert shop.refund_row(refund_id).state == "processing"
    # Signed well, but of another amount: kept for a person to look at, and nothing is booked.
    assert simulator.forge(shop.mchid, kind="amount_changed", number=number, event="REFUND.SUCCESS") == 204
    refund = shop.refund_row(refund_id)
    assert (refund.state, refund.problem) == ("requires_action", "amount_differs")
    simulator.refund(shop.mchid, number, action="succeed")
    eventually(lambda: shop.refund_row(refund_id).state == "succeeded", what="the refund's own callback")
    shop.tend()
    shop.check()


def test_forged_transfers_change_nothing(shop: Till, simulator: SimulatorClient) -> None:
    promoter, asked = transfer_under_way(shop, simulator)
    number, before = shop.transfer_row(asked).out_bill_no, shop.counts()
    event = "MCHTRANSFER.BILL.FINISHED"
    for kind in FORGERIES:
        assert simulator.forge(shop.mchid, kind=kind, number=number, event=event) == 401
    assert shop.counts() == before
    assert simulator.forge(shop.mchid, kind="amount_changed", number=number, event=event) == 204
    assert shop.withdrawal_state(asked) == "approved"
    assert shop.figures(promoter) == Figures(in_transfer_fen=1_000)
    simulator.transfer(shop.mchid, number, action="confirm")
    eventually(lambda: shop.withdrawal_state(asked) == "paid", what="the transfer's own callback")
    assert shop.figures(promoter) == Figures(paid_fen=1_000)
    shop.check()


def transfer_under_way(till: Till, simulator: SimulatorClient) -> tuple[UUID, UUID]:
    """Return a promoter and their withdrawal of 1,000 fen, which waits for the tap in the app."""
    promoter = till.shopper(simulator, "promoter")
    till.received(till.member("buyer-of-promoter", under=promoter))
    till.settle()
    asked = till.withdraw(promoter, 1_000)
    till.approve(asked)
    till.tend()
    assert till.transfer_row(asked).state == "requires_action"
    return promoter, asked


def test_what_is_repeated_is_applied_once(shop: Till, simulator: SimulatorClient) -> None:
    simulator.set_callbacks(shop.mchid, mode="repeat", times=3)
    parent = shop.shopper(simulator, "parent")
    order_id = shop.bought(simulator, shop.order(shop.shopper(simulator, "buyer", under=parent)))
    number = shop.intent(order_id).out_trade_no
    eventually(lambda: delivered(shop, simulator, kind="out_trade_no", number=number), what="three deliveries")
    assert outcomes(shop) == ["applied"]
    shop.tend()
    assert shop.figures(parent) == Figures(estimated_fen=1_000)
    shop.check()


@pytest.mark.parametrize(
    ("how", "problem"),
    [({"amount_fen": 9_999}, "amount_differs"), ({"payer_openid": "someone-else"}, "payer_differs")],
)
def test_a_payment_that_does_not_match_pays_nothing(
    shop: Till, simulator: SimulatorClient, how: dict[str, object], problem: str
) -> None:
    parent = shop.shopper(simulator, "parent")
    order_id = shop.order(shop.shopper(simulator, "buyer", under=parent))
    if "payer_openid" in how:
        how = {"payer_openid": simulator.login(appid=shop.appid, user="somebody else")[1]}
    shop.pay_at_wechat(simulator, order_id, **how)
    eventually(lambda: shop.intent(order_id).state == "requires_merchant_action", what="the callback")
    assert shop.intent(order_id).problem == problem
    shop.tend()
    assert shop.order_row(order_id).state == "created"
    assert shop.figures(parent) == Figures()
    shop.check()


def test_a_payment_with_a_changed_amount_waits_for_the_true_one(shop: Till, simulator: SimulatorClient) -> None:
    order_id = shop.order(shop.shopper(simulator, "buyer"))
    shop.open_sheet(order_id)
    number = shop.intent(order_id).out_trade_no
    assert simulator.forge(shop.mchid, kind="amount_changed", number=number) == 204
    assert shop.intent(order_id).state == "requires_merchant_action"
    assert shop.order_row(order_id).state == "created"
    shop.bought(simulator, order_id)
    shop.check()


def test_payments_that_do_not_match_keep_no_other_order_from_closing(shop: Till, simulator: SimulatorClient) -> None:
    buyer = shop.shopper(simulator, "buyer")
    for _ in range(21):
        wrong = shop.order(buyer)
        assert shop.apply(shop.payment_fact(wrong, amount_fen=1)) == "amount_differs"
    fine = shop.order(buyer)
    shop.advance(3_600)
    shop.tend()
    assert shop.order_row(fine).state == "closed"
    assert shop.order_row(wrong).state == "created"


def test_another_brands_callback_is_refused_at_our_door(
    shop: Till, new_till: Callable[[], Till], simulator: SimulatorClient
) -> None:
    other = new_till()
    other.product("a")
    theirs = other.order(other.shopper(simulator, "buyer"))
    other.open_sheet(theirs)
    before, number = shop.counts(), other.intent(theirs).out_trade_no
    # Well signed by WeChat, and about a real order of theirs: but not for us.
    for url in (callback_url(shop), callback_url(shop).replace(shop.tenant.id.hex, uuid4().hex)):
        assert simulator.forge(other.mchid, kind="amount_changed", number=number, url=url) in (401, 404)
    assert shop.counts() == before
    assert other.order_row(theirs).state == "created"
    assert other.intent(theirs).state == "requires_action"
    other.bought(simulator, theirs)
    assert shop.counts() == before


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe", b"[]", b'{"resource": 5}', b"x" * 70_000])
def test_rubbish_is_refused(shop: Till, body: bytes) -> None:
    before = shop.counts()
    with httpx.Client(trust_env=False) as client:
        answer = client.post(callback_url(shop), content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == (413 if len(body) > 65_536 else 401)
    assert shop.counts() == before


def test_callbacks_that_never_come_are_asked_for(shop: Till, simulator: SimulatorClient) -> None:
    simulator.set_callbacks(shop.mchid, mode="never")
    promoter = shop.shopper(simulator, "promoter")
    buyer = shop.shopper(simulator, "buyer", under=promoter)
    order_id = shop.order(buyer, [("a", 2)])
    shop.pay_at_wechat(simulator, order_id)
    shop.tend()
    assert shop.order_row(order_id).state == "created", "it is not asked about at once"
    shop.make_due()
    shop.tend()
    assert shop.order_row(order_id).state == "paid"

    refund_id = shop.refund(order_id, {"a": 1})
    shop.tend()
    shop.make_due()
    shop.tend()
    assert shop.refund_row(refund_id).state == "succeeded"

    shop.ship(order_id)
    shop.receive(order_id)
    shop.tend()
    asked = shop.withdraw(promoter, 1_000)
    shop.approve(asked)
    shop.tend()
    simulator.transfer(shop.mchid, shop.transfer_row(asked).out_bill_no, action="confirm")
    shop.make_due()
    shop.tend()
    assert shop.figures(promoter) == Figures(paid_fen=1_000)
    shop.check()


def test_a_number_nobody_knows_is_kept_and_harmless(shop: Till, simulator: SimulatorClient) -> None:
    """Somebody with the brand's keys took an order outside of Fanyong."""
    _code, openid = simulator.login(appid=shop.appid, user="stranger")
    with shop.work():
        now = server_now()
    number = uuid4().hex
    prepay_id = shop.provider().create_payment(
        number=number,
        description="not ours",
        amount_fen=77,
        openid=openid,
        notify_url=callback_url(shop),
        expires_at=now + timedelta(hours=1),
    )
    simulator.pay(prepay_id)
    eventually(lambda: delivered(shop, simulator, kind="out_trade_no", number=number), what="the callback")
    assert outcomes(shop) == ["unknown_number"]
    shop.tend()
    shop.check()


def test_callbacks_in_reverse_end_the_same(shop: Till, simulator: SimulatorClient) -> None:
    """Two payments and their refunds are heard of in the reverse order."""
    parent = shop.shopper(simulator, "parent")
    buyer = shop.shopper(simulator, "buyer", under=parent)
    orders = [shop.bought(simulator, shop.order(buyer, [("a", 2)])) for _ in range(2)]
    simulator.set_callbacks(shop.mchid, mode="reverse")
    refunds = [shop.refund(order_id, {"a": 1}) for order_id in orders]
    shop.tend()
    eventually(lambda: {shop.refund_row(r).state for r in refunds} == {"succeeded"}, what="both refunds")
    shop.tend()
    assert shop.figures(parent) == Figures(estimated_fen=2_000)
    shop.check()
