"""Two brands with the same openids, SKUs and order keys, seen through the API and the console."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from fanyong.identity.web import welcome_token
from fanyong.ids import new_id
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.runtime import in_tenant
from tenants.api.auth import make_token
from tenants.catalog import service as catalog
from tenants.commissions import service as commissions
from tenants.members import service as members
from tenants.members.models import Member
from tenants.orders.models import Order
from tenants.promoters import service as promoters
from tenants.promotions import service as promotions
from tenants.referrals import service as referrals
from tenants.shipping import service as shipping
from tests.conftest import Brand, HostClient, csrf_token
from tests.tenancy.parts import sign_up_two

Clients = Callable[..., FlaskClient]
KEY = "the-same-key"
#: The same in both brands, as it is in a brand that was copied: what tells the two apart is not luck with ids.
BUYER_ID = new_id()


@dataclass
class Side:
    """One of the two brands: everything in it is called after its subdomain."""

    brand: Brand
    buyer: UUID
    promoter: UUID
    product: UUID
    token: str
    share: str
    order: dict[str, Any] = field(default_factory=dict)

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def _fill(app: Flask, brand: Brand, *, price_fen: int) -> Side:
    with app.test_request_context(base_url=f"http://{brand.host}"), in_tenant(brand.tenant), unit_of_work():
        product = catalog.save_product(
            None, sku="TEA", name=f"tea of {brand.slug}", price_fen=price_fen, stock=9, category=f"c {brand.slug}"
        )
        promotions.save_coupon("WELCOME", amount_fen=100)
        shipping.save_method("EXPRESS", name=f"post of {brand.slug}", fee_fen=500)
        commissions.activate_plan("plan_levels", {"rates": [{"level": 1, "rate_bp": 1000}]}, actor=f"by {brand.slug}")
        promoter, _ = members.register("o-promoter", nickname=f"promoter of {brand.slug}")
        buyer = Member(id=BUYER_ID, openid="o-buyer", nickname=f"buyer of {brand.slug}", joined_at=sa.func.now())
        session().add(buyer)
        session().flush()
        for member in (promoter, buyer):
            promoters.enroll(member.id)
        members.bind(buyer.id, parent_id=promoter.id, source="test")
        share = referrals.share(promoter.id, product_id=product.id).token
        return Side(brand, buyer.id, promoter.id, product.id, make_token(buyer.id), share)


@pytest.fixture(scope="module")
def sides(app: Flask) -> tuple[Side, Side]:
    """The two brands, with the same goods at different prices and an order under the same key."""
    both = []
    for brand, price_fen in zip(sign_up_two(app), (9_000, 7_000), strict=True):
        side = _fill(app, brand, price_fen=price_fen)
        body = {"lines": [{"sku": "TEA", "quantity": 1}], "coupon_code": "WELCOME", "shipping_method": "EXPRESS"}
        answer = app.test_client().post(
            "/api/v1/orders", json=body, headers={**side.auth, "Idempotency-Key": KEY}, base_url=f"http://{brand.host}"
        )
        assert answer.status_code == 201, answer.get_data(as_text=True)
        side.order = answer.get_json()
        both.append(side)
    return both[0], both[1]


@pytest.fixture(scope="module")
def console(app: Flask, sides: tuple[Side, Side]) -> FlaskClient:
    """The owner of the first brand, logged in to the console."""
    brand = sides[0].brand
    client = HostClient(app, app.response_class, use_cookies=True)
    client.base_url = f"http://{brand.host}:8000"
    token = csrf_token(client, "/console/login")
    fields = {"email": brand.email, "password": brand.password, "csrf_token": token}
    assert client.post("/console/login", data=fields).status_code == 303
    return client


def test_the_same_key_makes_an_order_in_each_brand_at_its_own_price(sides: tuple[Side, Side]) -> None:
    one, two = sides
    assert one.order["id"] != two.order["id"]
    assert (one.order["total_fen"], two.order["total_fen"]) == (9_400, 7_400)


API_LISTS = (
    "/products",
    "/products/TEA",
    "/shipping-methods",
    "/orders",
    "/brand",
    "/promoter",
    "/promoter/awards",
    "/promoter/statement",
    "/promoter/team",
    "/withdrawals",
)


@pytest.mark.parametrize("path", API_LISTS)
def test_the_api_answers_with_the_brands_own(sides: tuple[Side, Side], client_for: Clients, path: str) -> None:
    for own, other in (sides, sides[::-1]):
        answer = client_for(own.brand.host).get(f"/api/v1{path}", headers=own.auth)
        text = answer.get_data(as_text=True)
        assert answer.status_code == 200, text
        assert other.brand.slug not in text
        assert other.order["id"] not in text
        assert str(other.promoter) not in text
    if path in ("/products", "/products/TEA", "/shipping-methods", "/brand"):
        assert own.brand.slug in text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/orders/{order}"),
        ("POST", "/orders/{order}/pay"),
        ("POST", "/orders/{order}/confirm-receipt"),
        ("GET", "/shares/{share}"),
        ("GET", "/withdrawals/{order}"),
    ],
)
def test_what_belongs_to_the_other_brand_is_not_there(
    sides: tuple[Side, Side], client_for: Clients, method: str, path: str
) -> None:
    own, other = sides
    address = "/api/v1" + path.format(order=other.order["id"], share=other.share)
    answer = client_for(own.brand.host).open(address, method=method, headers=own.auth, json={})
    assert answer.status_code == 404, answer.get_data(as_text=True)


def test_a_token_of_one_brand_proves_nothing_to_the_other(sides: tuple[Side, Side], client_for: Clients) -> None:
    for own, other in (sides, sides[::-1]):
        client = client_for(own.brand.host)
        assert client.get("/api/v1/orders", headers=own.auth).status_code == 200
        assert client.get("/api/v1/orders", headers=other.auth).status_code == 401


def test_a_share_of_the_other_brand_binds_nobody(sides: tuple[Side, Side], app: Flask, client_for: Clients) -> None:
    own, other = sides
    body = {"lines": [{"sku": "TEA", "quantity": 1}], "share_token": other.share}
    answer = client_for(own.brand.host).post(
        "/api/v1/orders", json=body, headers={**own.auth, "Idempotency-Key": "through-a-foreign-share"}
    )
    assert answer.status_code == 201
    with app.app_context(), in_tenant(own.brand.tenant):
        buyer = members.get_member(own.buyer)
        assert buyer is not None
        assert buyer.parent_id == own.promoter


PAGES = (
    "/console/",
    "/console/products",
    "/console/offers",
    "/console/orders",
    "/console/promoters",
    "/console/tiers",
    "/console/plan",
    "/console/plan/new",
    "/console/plan/backtests",
    "/console/compliance",
    "/console/withdrawals",
    "/console/settings",
    "/console/staff",
    "/console/books",
    "/console/reconciliation",
    "/console/audit",
    "/console/sandbox/state",
)
EXPORTS = tuple(f"/console/{name}?format=csv" for name in ("products", "orders", "promoters", "withdrawals", "audit"))
SEARCHES = tuple(f"/console/{name}?q={{slug}}" for name in ("products", "orders", "promoters", "audit"))


@pytest.mark.parametrize("path", PAGES + EXPORTS)
def test_the_console_shows_the_brands_own(sides: tuple[Side, Side], console: FlaskClient, path: str) -> None:
    _own, other = sides
    answer = console.get(path)
    text = answer.get_data(as_text=True)
    assert answer.status_code == 200, text
    assert other.brand.slug not in text
    assert other.order["number"] not in text


@pytest.mark.parametrize("path", SEARCHES)
def test_a_search_for_the_other_brand_finds_nothing(sides: tuple[Side, Side], console: FlaskClient, path: str) -> None:
    _own, other = sides
    found = console.get(path.format(slug=other.brand.slug) + "&format=csv").get_data(as_text=True)
    assert len(found.splitlines()) == 1, found


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/console/orders/{order}"),
        ("POST", "/console/orders/{order}/ship"),
        ("POST", "/console/orders/{order}/refund"),
        ("GET", "/console/products/{product}"),
        ("POST", "/console/products/{product}"),
        ("GET", "/console/promoters/{member}"),
        ("POST", "/console/promoters/{member}/freeze"),
        ("POST", "/console/promoters/{member}/unfreeze"),
        ("POST", "/console/withdrawals/{order}/approve"),
    ],
)
def test_the_other_brands_things_have_no_page_and_take_no_orders(
    sides: tuple[Side, Side], app: Flask, console: FlaskClient, method: str, path: str
) -> None:
    _own, other = sides
    address = path.format(order=UUID(other.order["id"]), product=other.product, member=other.promoter)
    fields = {
        "csrf_token": csrf_token(console, "/console/"),
        "reason": "x",
        "tracking": "SF123",
        "idempotency_key": "k",
        "sku": "TEA",
        "name": "stolen",
        "category": "x",
        "description": "",
        "price": "1.00",
        "stock": "1",
    }
    answer = console.open(address, method=method, data=fields if method == "POST" else None)
    assert answer.status_code == 404, answer.get_data(as_text=True)
    with app.app_context(), in_tenant(other.brand.tenant):
        order = session().get_one(Order, UUID(other.order["id"]))
        assert order.state == "created"
        promoter = promoters.get_promoter(other.promoter)
        assert promoter is not None
        assert promoter.frozen_at is None
        assert catalog.by_sku(["TEA"])["TEA"].name == f"tea of {other.brand.slug}"


def test_the_account_of_one_brand_opens_no_other(sides: tuple[Side, Side], client_for: Clients) -> None:
    own, other = sides
    client = client_for(own.brand.host)
    fields = {"email": other.brand.email, "password": other.brand.password}
    token = csrf_token(client, "/console/login")
    assert client.post("/console/login", data={**fields, "csrf_token": token}).status_code in (401, 422)
    assert client.get("/console/").status_code == 303


def test_a_cookie_or_a_welcome_of_one_brand_is_nobody_at_the_other(
    sides: tuple[Side, Side], app: Flask, client_for: Clients, login_as: Callable[..., FlaskClient]
) -> None:
    own, other = sides
    cookie = login_as(own.brand).get_cookie("session", domain=own.brand.host)
    assert cookie is not None
    for host in (other.brand.host, "localhost"):
        stranger = client_for(host)
        stranger.set_cookie("session", cookie.value, domain=host)
        page = "/console/" if host == other.brand.host else "/superadmin/"
        assert stranger.get(page).status_code == 303

    with app.app_context(), in_tenant(own.brand.tenant):
        owner = members.get_member(own.buyer)
        assert owner is not None
        token = welcome_token(own.brand.tenant.id, owner.id)
    visitor = client_for(other.brand.host)
    visitor.get(f"/console/welcome?token={token}")
    assert visitor.get("/console/").status_code == 303
