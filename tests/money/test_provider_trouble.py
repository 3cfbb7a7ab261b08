"""A provider that answers late, wrong, twice or not at all: one number, one movement, the right end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

import fanyong.wechat.provider
from fanyong.errors import TemporarilyUnavailable
from fanyong.payments import flows, provider
from fanyong.wechat.gateway import GatewayCache
from fanyong.wechat.simulator.client import SimulatorClient
from tenants.ledger.service import Figures
from tenants.payouts.service import WithdrawalBlockedByDebt
from tenants.shipping import service as shipping
from tests.money.parts import Till, eventually

ORDERS = "/v3/pay/transactions/jsapi"
ORDER_QUERIES = "/v3/pay/transactions/out-trade-no"
REFUNDS = "/v3/refund/domestic/refunds"
TRANSFERS = "/v3/fund-app/mch-transfer/transfer-bills"
TRANSFER_QUERIES = f"{TRANSFERS}/out-bill-no"

#: What the network and the provider can do to one call; the seconds are beyond the time-out of these tests.
FAULTS: dict[str, dict[str, Any]] = {
    "the call never arrives": {"kind": "hang_before", "seconds": 6.0},
    "the answer never arrives": {"kind": "hang_after", "seconds": 6.0},
    "the connection breaks": {"kind": "drop_answer"},
    "the answer is signed by somebody else": {"kind": "bad_signature"},
    "an error of its own": {"kind": "error", "status": 500, "code": "SYSTEM_ERROR"},
    "too many calls": {"kind": "error", "status": 429, "code": "FREQUENCY_LIMITED"},
    "the keys are refused": {"kind": "error", "status": 401, "code": "SIGN_ERROR"},
    "three in a row": {"kind": "drop_answer", "times": 3},
}


@pytest.fixture
def shop(till: Till, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    """A shop that loses patience with its provider soon."""
    simulator_url = app.extensions["settings"].simulator_url
    with monkeypatch.context() as patch:
        patch.setattr(fanyong.wechat.provider, "GatewayCache", partial(GatewayCache, timeouts=(5, 3)))
        provider.use_provider_factory(fanyong.wechat.provider.wechat_provider_factory(simulator_url=simulator_url))
    till.product("a", price_fen=10_000)
    till.plan()
    till.window(0)
    yield till
    provider.use_provider_factory(fanyong.wechat.provider.wechat_provider_factory(simulator_url=simulator_url))


def persist(shop: Till, until: Callable[[], bool]) -> None:
    """Let the background try again and again, without waiting for its pauses, until something holds."""

    def another_round() -> bool:
        shop.make_due()
        shop.tend()
        return until()

    eventually(another_round, what="another try")


def moved(simulator: SimulatorClient, shop: Till, what: str, number: str) -> list[int]:
    """Return what really moved under a number, in fen."""
    name = {"payments": "out_trade_no", "refunds": "out_refund_no", "transfers": "out_bill_no"}[what]
    return [row["amount_fen"] for row in simulator.ledger(shop.mchid)[what] if row[name] == number]


def withdrawal(shop: Till, simulator: SimulatorClient) -> tuple[UUID, UUID]:
    """Return a promoter and their approved withdrawal of 1,000 fen that the provider has not heard of."""
    promoter = shop.shopper(simulator, "promoter")
    shop.received(shop.member("buyer-of-promoter", under=promoter))
    shop.settle()
    asked = shop.withdraw(promoter, 1_000)
    shop.approve(asked)
    return promoter, asked


@pytest.mark.parametrize("fault", ["the call never arrives", "the connection breaks", "an error of its own"])
def test_opening_the_payment_sheet(shop: Till, simulator: SimulatorClient, fault: str) -> None:
    order_id = shop.order(shop.shopper(simulator, "buyer"))
    number = shop.intent(order_id).out_trade_no
    simulator.fault(ORDERS, **FAULTS[fault])
    with pytest.raises(TemporarilyUnavailable):
        shop.open_sheet(order_id)
    assert shop.intent(order_id).state == "requires_payment_method"
    shop.bought(simulator, order_id)
    assert shop.intent(order_id).out_trade_no == number
    assert moved(simulator, shop, "payments", number) == [10_000]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_refund_moves_once(shop: Till, simulator: SimulatorClient, fault: str) -> None:
    order_id = shop.bought(simulator, shop.order(shop.shopper(simulator, "buyer")))
    refund_id = shop.refund(order_id, {"a": 1})
    number = shop.refund_row(refund_id).out_refund_no
    simulator.fault(REFUNDS, **FAULTS[fault])
    persist(shop, until=lambda: shop.refund_row(refund_id).state == "succeeded")
    refund = shop.refund_row(refund_id)
    assert (refund.state, refund.out_refund_no) == ("succeeded", number)
    assert moved(simulator, shop, "refunds", number) == [10_000]
    shop.check()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_transfer_moves_once(shop: Till, simulator: SimulatorClient, fault: str) -> None:
    promoter, asked = withdrawal(shop, simulator)
    number = shop.transfer_row(asked).out_bill_no
    simulator.fault(TRANSFERS, **FAULTS[fault])
    persist(shop, until=lambda: shop.transfer_row(asked).state == "requires_action")
    assert shop.transfer_row(asked).out_bill_no == number
    assert shop.figures(promoter) == Figures(in_transfer_fen=1_000)
    simulator.transfer(shop.mchid, number, action="confirm")
    eventually(lambda: shop.withdrawal_state(asked) == "paid", what="the callback")
    assert shop.figures(promoter) == Figures(paid_fen=1_000)
    assert moved(simulator, shop, "transfers", number) == [1_000]
    shop.check()


def test_a_refused_question_about_a_transfer_gives_no_money_back(shop: Till, simulator: SimulatorClient) -> None:
    """The transfer is alive and will be confirmed; only the question about it was refused."""
    promoter, asked = withdrawal(shop, simulator)
    shop.tend()
    number = shop.transfer_row(asked).out_bill_no
    simulator.fault(TRANSFER_QUERIES, kind="error", status=400, code="PARAM_ERROR", times=2)
    persist(shop, until=lambda: shop.transfer_row(asked).problem == "PARAM_ERROR")
    assert shop.figures(promoter) == Figures(in_transfer_fen=1_000)
    assert shop.withdrawal_state(asked) == "approved"
    simulator.set_callbacks(shop.mchid, mode="never")
    simulator.transfer(shop.mchid, number, action="confirm")
    persist(shop, until=lambda: shop.withdrawal_state(asked) == "paid")
    assert shop.figures(promoter) == Figures(paid_fen=1_000)
    assert shop.transfer_row(asked).problem is None
    shop.check()


def test_a_refused_question_about_a_refund_is_no_refused_refund(shop: Till, simulator: SimulatorClient) -> None:
    simulator.set_refunds(shop.mchid, mode="manual")
    order_id = shop.bought(simulator, shop.order(shop.shopper(simulator, "buyer")))
    refund_id = shop.refund(order_id, {"a": 1})
    shop.tend()
    simulator.fault(f"{REFUNDS}/", kind="error", status=400, code="PARAM_ERROR")
    persist(shop, until=lambda: shop.refund_row(refund_id).problem == "PARAM_ERROR")
    assert shop.refund_row(refund_id).state == "processing"
    simulator.refund(shop.mchid, shop.refund_row(refund_id).out_refund_no, action="succeed")
    eventually(lambda: shop.refund_row(refund_id).state == "succeeded", what="the callback")
    shop.check()


def test_a_refund_whose_answer_was_lost_is_asked_about_before_it_is_repeated(
    shop: Till, simulator: SimulatorClient
) -> None:
    """Whatever is refused after that is no refused refund: the money has moved."""
    simulator.set_callbacks(shop.mchid, mode="never")
    order_id = shop.order(shop.shopper(simulator, "buyer"))
    shop.pay_at_wechat(simulator, order_id)
    persist(shop, until=lambda: shop.order_row(order_id).state == "paid")
    refund_id = shop.refund(order_id, {"a": 1})
    simulator.fault(REFUNDS, kind="drop_answer")
    shop.tend()
    number = shop.refund_row(refund_id).out_refund_no
    assert moved(simulator, shop, "refunds", number) == [10_000]
    simulator.fault(REFUNDS, kind="error", status=400, code="INVALID_REQUEST")
    persist(shop, until=lambda: shop.refund_row(refund_id).state not in ("created", "processing"))
    assert shop.refund_row(refund_id).state == "succeeded"
    shop.check()


def test_a_transfer_waits_for_money_on_the_account(shop: Till, simulator: SimulatorClient) -> None:
    promoter, asked = withdrawal(shop, simulator)
    simulator.set_funds(shop.mchid, account="operation", balance_fen=999)
    persist(shop, until=lambda: shop.transfer_row(asked).problem == "NOT_ENOUGH")
    transfer = shop.transfer_row(asked)
    assert transfer.state == "created"
    assert shop.figures(promoter) == Figures(in_transfer_fen=1_000), "held, neither lost nor given back"
    simulator.set_funds(shop.mchid, account="operation", balance_fen=1_000_000_000)
    persist(shop, until=lambda: shop.transfer_row(asked).state == "requires_action")
    assert shop.transfer_row(asked).out_bill_no == transfer.out_bill_no
    shop.check()


def test_a_refund_waits_for_money_on_the_account(shop: Till, simulator: SimulatorClient) -> None:
    order_id = shop.bought(simulator, shop.order(shop.shopper(simulator, "buyer")))
    simulator.set_funds(shop.mchid, account="basic", balance_fen=0)
    refund_id = shop.refund(order_id, {"a": 1})
    persist(shop, until=lambda: shop.refund_row(refund_id).problem == "NOT_ENOUGH")
    assert shop.refund_row(refund_id).state == "created"
    simulator.set_funds(shop.mchid, account="basic", balance_fen=10_000)
    persist(shop, until=lambda: shop.refund_row(refund_id).state == "succeeded")
    shop.check()


def test_a_refused_refund_gives_the_pieces_back(shop: Till, simulator: SimulatorClient) -> None:
    parent = shop.shopper(simulator, "parent")
    order_id = shop.bought(simulator, shop.order(shop.shopper(simulator, "buyer", under=parent), [("a", 3)]))
    shop.ship(order_id)
    shop.receive(order_id)
    refund_id = shop.refund(order_id, {"a": 2})
    simulator.fault(REFUNDS, kind="error", status=400, code="INVALID_REQUEST")
    shop.tend()
    assert shop.refund_row(refund_id).state == "failed"
    (line,) = shop.order_row(order_id).lines
    assert (line.refunded_quantity, line.refunded_fen, shop.order_row(order_id).refunded_fen) == (0, 0, 0)
    assert shop.figures(parent) == Figures(available_fen=3_000), "what the refund held is released"
    shop.refund(order_id, {"a": 3})
    persist(shop, until=lambda: shop.figures(parent) == Figures())
    shop.check()


def test_a_refund_that_failed_under_others_never_asks_for_less_than_nothing(till: Till) -> None:
    """Three pieces for one fen, with freight: the refund of the piece that cost the fen stays, the others fail."""
    till.product("a", price_fen=1, stock=3)
    with till.work():
        shipping.save_method("post", name="post", fee_fen=100)
    order_id = till.paid(till.member("buyer"), [("a", 3)], shipping="post")
    with till.owner() as connection:
        connection.execute("UPDATE order_line SET discount_fen = 2, paid_fen = 1")
        connection.execute('UPDATE "order" SET coupon_fen = 2, total_fen = 101')
        connection.execute("UPDATE payment_intent SET amount_fen = 101")
    first, second, _third = (till.refund(order_id, {"a": 1}, freight_fen=1) for _ in range(3))
    for refund_id in (first, second):
        till.apply(till.refund_fact(refund_id, state="closed"))
    again = till.refund(order_id, {"a": 1}, freight_fen=1)
    assert till.refund_row(again).amount_fen == 1, "the freight; the fen went with the third piece"
    till.refund(order_id, {"a": 1}, freight_fen=97)
    assert till.order_row(order_id).refunded_fen == 1 + 1 + 1 + 97
    till.check()


@pytest.mark.parametrize("action", ["expire", "fail", "cancel"])
def test_a_transfer_that_ends_unpaid_gives_the_money_back(shop: Till, simulator: SimulatorClient, action: str) -> None:
    promoter, asked = withdrawal(shop, simulator)
    shop.tend()
    number = shop.transfer_row(asked).out_bill_no
    simulator.transfer(shop.mchid, number, action=action)
    eventually(lambda: shop.withdrawal_state(asked) == "failed", what="the callback")
    assert shop.figures(promoter) == Figures(available_fen=1_000)
    assert moved(simulator, shop, "transfers", number) == []
    again = shop.withdraw(promoter, 1_000)
    assert shop.transfer_row(again).out_bill_no != number, "a new number only after the end of the old one"
    shop.check()


def test_money_that_comes_back_repays_the_debt_first(shop: Till, simulator: SimulatorClient) -> None:
    """The order is refunded while its commission is on its way to the wallet, and then the wallet refuses."""
    promoter = shop.shopper(simulator, "promoter")
    order_id = shop.received(shop.member("buyer", under=promoter))
    shop.settle()
    asked = shop.withdraw(promoter, 1_000)
    shop.approve(asked)
    shop.tend()
    shop.refunded(order_id, {"a": 1})
    shop.process()
    assert shop.figures(promoter) == Figures(in_transfer_fen=1_000, debt_fen=1_000)
    with pytest.raises(WithdrawalBlockedByDebt):
        shop.withdraw(promoter, 100)
    simulator.transfer(shop.mchid, shop.transfer_row(asked).out_bill_no, action="fail")
    eventually(lambda: shop.withdrawal_state(asked) == "failed", what="the callback")
    assert shop.figures(promoter) == Figures()
    shop.check()


def test_a_payment_after_the_close_is_given_back(shop: Till, simulator: SimulatorClient) -> None:
    parent = shop.shopper(simulator, "parent")
    order_id = shop.order(shop.shopper(simulator, "buyer", under=parent))
    prepay_id = shop.open_sheet(order_id)
    assert shop.close(order_id)
    assert shop.stock("a") == 1_000
    simulator.pay(prepay_id)
    eventually(lambda: shop.intent(order_id).state == "succeeded", what="the callback")
    number = shop.intent(order_id).out_trade_no

    def given_back() -> list[int]:
        return [r["amount_fen"] for r in simulator.ledger(shop.mchid)["refunds"] if r["out_trade_no"] == number]

    persist(shop, until=lambda: given_back() == [10_000])
    assert shop.order_row(order_id).state == "closed"
    assert shop.stock("a") == 1_000
    assert shop.figures(parent) == Figures()
    shop.check()


def test_an_order_is_closed_at_the_provider_first(shop: Till, simulator: SimulatorClient) -> None:
    buyer = shop.shopper(simulator, "buyer")
    paid_late, never_paid = shop.order(buyer), shop.order(buyer)
    simulator.set_callbacks(shop.mchid, mode="never")
    shop.pay_at_wechat(simulator, paid_late)
    prepay_id = shop.open_sheet(never_paid)
    shop.advance(3_600)
    simulator.fault(ORDER_QUERIES, kind="drop_answer", times=1)
    persist(shop, until=lambda: shop.order_row(never_paid).state == "closed")
    persist(shop, until=lambda: shop.order_row(paid_late).state == "paid")
    with pytest.raises(Exception, match="closed"):
        simulator.pay(prepay_id)
    shop.check()


def test_a_sheet_is_not_opened_for_an_order_that_was_closed_meanwhile(
    shop: Till, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = shop.order(shop.shopper(simulator, "buyer"))
    honest = fanyong.wechat.provider.WeChatProvider.create_payment

    def close_while_asking(self: Any, **arguments: Any) -> str:
        prepay_id = honest(self, **arguments)
        assert shop.close(order_id)
        return prepay_id

    monkeypatch.setattr(fanyong.wechat.provider.WeChatProvider, "create_payment", close_while_asking)
    with pytest.raises(flows.PaymentClosed):
        shop.open_sheet(order_id)


def test_nobody_goes_on_asking_about_a_closed_payment(till: Till) -> None:
    till.product("a")
    order_id = till.order(till.member("buyer"))
    assert till.close(order_id)
    for state in ("pending", "closed", "missing"):
        till.apply(till.payment_fact(order_id, state=state))
        assert till.intent(order_id).next_query_at is None


def test_a_transfer_whose_answer_was_lost_is_asked_about_before_it_is_repeated(
    shop: Till, simulator: SimulatorClient
) -> None:
    """Whatever is refused after that is no refused transfer: the promoter can confirm it."""
    promoter, asked = withdrawal(shop, simulator)
    simulator.fault(TRANSFERS, kind="drop_answer")
    shop.tend()
    simulator.fault(TRANSFERS, kind="error", status=400, code="INVALID_REQUEST")
    persist(shop, until=lambda: shop.transfer_row(asked).state not in ("created", "processing"))
    assert shop.transfer_row(asked).state == "requires_action"
    assert shop.figures(promoter) == Figures(in_transfer_fen=1_000)
    simulator.transfer(shop.mchid, shop.transfer_row(asked).out_bill_no, action="confirm")
    eventually(lambda: shop.withdrawal_state(asked) == "paid", what="the callback")
    shop.check()
