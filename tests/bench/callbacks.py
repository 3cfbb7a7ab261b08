"""Paid callbacks over HTTP, signed as the simulator signs: how many a second, and how soon the commission shows."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fanyong.jobs.tending import tend_bound_tenant
from fanyong.payments import service as payments
from fanyong.payments.models import MerchantAccount
from fanyong.payments.provider import active_account
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session, unit_of_work
from fanyong.wechat.simulator import notifications
from fanyong.wechat.simulator.crypto import Platform, load_platform
from fanyong.wechat.simulator.rules import new_number, wire_time
from fanyong.wechat.simulator.store import Merchant, Store, find_merchant
from tenants.catalog import service as catalog
from tenants.commissions.models import Award
from tenants.members import service as members
from tenants.members.models import Member
from tenants.orders import service as orders
from tenants.promoters import service as promoters
from tests.bench.figures import Figure, medians, seconds, side_by_side
from tests.bench.lab import Lab
from tests.bench.rows import LEVELS

SENDERS = 4


@dataclass(frozen=True, slots=True)
class Callback:
    """A callback ready to be sent: the order it pays, and what goes over the wire."""

    order_id: UUID
    path: str
    body: bytes
    headers: dict[str, str]


def measure(lab: Lab, *, block: int = 20, rounds: int = 4, watched: int = 15) -> list[Figure]:
    """Send paid callbacks beside bare requests to the same server; then watch single ones arrive in the books."""
    with lab.brand(sandbox=True) as tenant:
        with lab.inside(tenant):
            buyer = buyer_with_upline(LEVELS)
            placed = [place(buyer, number) for number in range(block * rounds + watched)]
            assert tend_bound_tenant() == []
        ready = signed(lab, tenant, placed)
        blocks = iter([ready[start : start + block] for start in range(0, block * rounds, block)])
        with ThreadPoolExecutor(SENDERS) as senders:
            ways: dict[str, Callable[[], object]] = {
                "callbacks": lambda: list(senders.map(lambda c: deliver(lab, c), next(blocks))),
                "bare": lambda: list(senders.map(lambda _: _ask(lab), range(block))),
            }
            speed = {name: block / value for name, value in medians(side_by_side(ways, rounds=rounds)).items()}
        with lab.inside(tenant):
            assert tend_bound_tenant() == []
        steps = [_watch(lab, tenant, callback) for callback in ready[block * rounds :]]
    return _figures(speed, answered=[step[0] for step in steps], visible=[step[1] for step in steps])


def _figures(speed: dict[str, float], *, answered: list[float], visible: list[float]) -> list[Figure]:
    taken = {name: value * 1_000 for name, value in medians({"answer": answered, "books": visible}).items()}
    return [
        Figure("callback", f"paid callbacks answered, {SENDERS} senders", speed["callbacks"], "1/s", speed["bare"]),
        Figure("callback", "one callback until it is answered (median)", taken["answer"], "ms"),
        Figure("callback", "until its commissions stand in the books", taken["books"], "ms", taken["answer"]),
    ]


def buyer_with_upline(levels: int) -> Member:
    """Make a buyer with so many promoters above, and something to buy."""
    with unit_of_work():
        chain = [members.register(f"o-bench-{number}", nickname="n")[0] for number in range(levels + 1)]
        for member in chain:
            promoters.enroll(member.id)
        for parent, child in pairwise(chain):
            assert members.bind(child.id, parent_id=parent.id, source="bench")
        catalog.save_product(None, sku="tea", name="茶", price_fen=19_900, stock=1_000_000)
    return chain[-1]


def place(buyer: Member, number: int) -> UUID:
    """Place an order that waits for its payment."""
    with unit_of_work():
        return orders.place(buyer, lines=[("tea", 1)], idempotency_key=f"bench-{number}").id


def signed(lab: Lab, tenant: Tenant, placed: Sequence[UUID]) -> list[Callback]:
    """Return the callbacks that say that orders were paid, signed as the simulator signs."""
    store = Store(lab.simulator.data_path)
    try:
        platform = load_platform(store)
        with lab.inside(tenant), store.transaction() as known:
            account = active_account()
            assert account is not None
            merchant = find_merchant(known, account.mchid)
            assert merchant is not None
            return [_sign(platform, merchant, tenant, account, order_id) for order_id in placed]
    finally:
        store.close()


def _sign(platform: Platform, merchant: Merchant, tenant: Tenant, account: MerchantAccount, order_id: UUID) -> Callback:
    """Return the callback that says that an order's intent was paid."""
    intent = payments.intent_for(order_id)
    assert intent is not None
    now = merchant.now()
    paid = {"total": intent.amount_fen, "payer_total": intent.amount_fen, "currency": "CNY", "payer_currency": "CNY"}
    resource: dict[str, Any] = {
        "appid": account.appid,
        "mchid": account.mchid,
        "out_trade_no": intent.out_trade_no,
        "transaction_id": new_number("4200", at=now),
        "trade_type": "JSAPI",
        "trade_state": "SUCCESS",
        "trade_state_desc": "支付成功",
        "bank_type": "OTHERS",
        "success_time": wire_time(now),
        "payer": {"openid": intent.openid},
        "amount": paid,
    }
    event = notifications.make_event(merchant, event_type="TRANSACTION.SUCCESS", resource=resource)
    body = notifications.seal(event, apiv3_key=account.apiv3_key)
    headers = platform.signature_headers(body) | {"Content-Type": "application/json"}
    return Callback(order_id, f"/callbacks/wechat/{tenant.id.hex}", body, headers)


def deliver(lab: Lab, callback: Callback) -> None:
    """Send a callback and see that it is accepted."""
    _request(lab, "POST", callback.path, body=callback.body, headers=callback.headers, expected=204)


def _ask(lab: Lab) -> None:
    _request(lab, "GET", "/healthz", body=None, headers={}, expected=200)


def _request(lab: Lab, method: str, path: str, *, body: bytes | None, headers: dict[str, str], expected: int) -> None:
    # A connection for each request, as WeChat's callbacks come.
    connection = http.client.HTTPConnection("127.0.0.1", lab.web_port, timeout=30)
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        response.read()
        assert response.status == expected, response.status
    finally:
        connection.close()


def _watch(lab: Lab, tenant: Tenant, callback: Callback) -> tuple[float, float]:
    """Return how long one callback took to be answered, and to have its commissions in the books."""
    started = time.perf_counter()
    answered = seconds(lambda: deliver(lab, callback))
    with lab.inside(tenant):
        assert tend_bound_tenant() == []
        count = session().scalar(sa.select(sa.func.count()).where(Award.order_id == callback.order_id))
    taken = time.perf_counter() - started
    assert count == LEVELS, count
    return answered, taken
