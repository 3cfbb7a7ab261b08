"""A mini-program to test with: members who log in, order and pay through the API's own doors."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fanyong.ids import new_token
from fanyong.jobs.tending import tend_bound_tenant
from fanyong.payments.provider import active_account
from fanyong.tenancy.clock import set_test_clock
from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.runtime import in_tenant
from fanyong.tenancy.settings import save
from fanyong.wechat.simulator.client import SimulatorClient
from fanyong.wechat.simulator.process import SimulatorHandle
from tenants.catalog import service as catalog
from tenants.commissions import service as commissions
from tenants.orders import service as orders
from tenants.payouts import service as payouts
from tenants.promotions import service as promotions
from tenants.settlement.triggers import Settlement
from tenants.shipping import service as shipping
from tests.conftest import Brand, HostClient

PATIENCE_SECONDS = 20
_keys = itertools.count()


@dataclass
class Phone:
    """One member's mini-program."""

    client: FlaskClient
    token: str
    member_id: str

    def ask(self, method: str, path: str, *, key: str | None = None, **json: Any) -> TestResponse:
        """Send a request as the member."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if key is not None:
            headers["Idempotency-Key"] = key
        body = json if method == "POST" else None
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, json=body)

    def get(self, path: str) -> Any:
        """Return the JSON of a page that is there."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.json

    def order(self, *lines: tuple[str, int], **more: Any) -> Any:
        """Place an order."""
        wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        answer = self.ask("POST", "/orders", key=f"order-{next(_keys)}", lines=wanted, **more)
        assert answer.status_code == 201, answer.get_data(as_text=True)
        return answer.json


@dataclass
class Shop:
    """A brand with goods and a plan, its shoppers, and what time and the brand's own people do."""

    app: Flask
    brand: Brand
    simulator: SimulatorClient
    appid: str
    mchid: str

    def client(self) -> FlaskClient:
        """Return a program that asks the brand's host."""
        client = HostClient(self.app, self.app.response_class, use_cookies=True)
        client.base_url = f"http://{self.brand.host}:8000"
        return client

    def tend(self) -> None:
        """Do what the background would do, here and now."""
        with self.app.app_context(), in_tenant(self.brand.tenant):
            assert tend_bound_tenant() == []

    def code(self, user: str) -> str:
        """Return a log-in code of a WeChat user."""
        return self.simulator.login(appid=self.appid, user=user)[0]

    def phone(self, user: str = "", *, via: str | None = None, nickname: str | None = None) -> Phone:
        """Log a user in, through a share or not."""
        client = self.client()
        body = {"code": self.code(user or new_token()), "share_token": via, "nickname": nickname}
        answer = client.post("/api/v1/session", json=body)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert answer.json is not None
        return Phone(client, answer.json["token"], answer.json["member"]["id"])

    def pay(self, phone: Phone, order: Any) -> None:
        """Pay an order in WeChat, and wait until the brand knows and its books do."""
        params = phone.ask("POST", f"/orders/{order['id']}/pay").json
        assert params is not None
        self.simulator.pay(params["package"].removeprefix("prepay_id="))
        wait_until(lambda: phone.get(f"/orders/{order['id']}")["state"] == "paid")
        self.tend()

    def deliver(self, phone: Phone, order: Any) -> None:
        """Ship an order and confirm its receipt."""
        with self.app.app_context(), in_tenant(self.brand.tenant), unit_of_work():
            orders.ship(UUID(order["id"]))
        assert phone.ask("POST", f"/orders/{order['id']}/confirm-receipt").status_code == 200
        self.tend()

    def days_pass(self, days: int) -> None:
        """Move the brand's clock to so many days from now."""
        with self.app.app_context(), in_tenant(self.brand.tenant), unit_of_work():
            set_test_clock(offset_seconds=days * 86_400, actor="test")
        self.tend()


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait for something that another thread does, and fail when it never happens."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def open_shop(app: Flask, simulator_process: SimulatorHandle) -> Callable[[Brand], Shop]:
    """Fill a brand with goods and a plan of 10 % for the one who brought the buyer."""

    def make(brand: Brand) -> Shop:
        with app.app_context(), in_tenant(brand.tenant), unit_of_work():
            account = active_account()
            assert account is not None
            commissions.activate_plan("plan_levels", {"rates": [{"level": 1, "rate_bp": 1000}]}, actor="test")
            catalog.save_product(None, sku="TEA", name="茉莉花茶", price_fen=9_000, stock=50, category="茶")
            catalog.save_product(None, sku="CUP/1", name="盖碗", price_fen=3_333, stock=3)
            catalog.save_product(None, sku="OLD", name="旧款", price_fen=1_000, stock=5, on_sale=False)
            promotions.save_coupon("WELCOME", amount_fen=1_000)
            shipping.save_method("EXPRESS", name="快递", fee_fen=800)
            save(Settlement(window_days=7), actor="test")
            save(payouts.WithdrawalRules(minimum_fen=100, auto_approve_below_fen=0), actor="test")
            appid, mchid = account.appid, account.mchid
        return Shop(app, brand, simulator_process.control, appid, mchid)

    return make


@pytest.fixture
def shop(open_shop: Callable[[Brand], Shop], brand: Brand, simulator: SimulatorClient) -> Shop:
    """The brand of the test, open for business."""
    return open_shop(brand)


@pytest.fixture(scope="session")
def still_shop(open_shop: Callable[[Brand], Shop], new_brand: Callable[..., Brand]) -> Shop:
    """One open brand for all tests that change nothing in it."""
    return open_shop(new_brand())


@pytest.fixture(scope="session")
def other_shop(open_shop: Callable[[Brand], Shop], new_brand: Callable[..., Brand]) -> Shop:
    """Another brand, whose members are strangers everywhere else."""
    return open_shop(new_brand(name="白露"))
