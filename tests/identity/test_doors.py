"""Cookies and links at the doors: what they prove, for how long, and where they lead."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import TimestampSigner

from fanyong.identity import service as identity
from fanyong.identity.web import WELCOME_SECONDS, safe_next, welcome_token
from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.runtime import in_tenant
from tests.conftest import PASSWORD, Brand, csrf_token

Clients = Callable[..., FlaskClient]


def cookie_of(client: FlaskClient, host: str) -> str:
    cookie = client.get_cookie("session", domain=host)
    assert cookie is not None
    return cookie.value


def carry(client: FlaskClient, host: str, value: str) -> FlaskClient:
    client.set_cookie("session", value, domain=host)
    return client


def is_inside(client: FlaskClient, page: str = "/console/") -> bool:
    return client.get(page).status_code == 200


def test_the_cookie_is_for_this_host_and_out_of_reach_of_scripts(brand: Brand, client_for: Clients) -> None:
    answer = client_for(brand.host).get("/console/login")
    (cookie,) = answer.headers.getlist("Set-Cookie")
    attributes = {part.strip().partition("=")[0].lower() for part in cookie.split(";")[1:]}
    assert "httponly" in attributes
    assert "samesite=lax" in cookie.lower()
    assert "domain" not in attributes, "a cookie for the parent domain would be sent to every brand"


def test_a_cookie_proves_something_to_its_own_brand_alone(
    brand: Brand, other_brand: Brand, client_for: Clients, login_as: Clients
) -> None:
    value = cookie_of(login_as(brand), brand.host)
    assert is_inside(carry(client_for(brand.host), brand.host, value))
    assert not is_inside(carry(client_for(other_brand.host), other_brand.host, value))
    assert not is_inside(carry(client_for(), "localhost", value), "/superadmin/")


def test_a_staff_cookie_is_nobody_in_a_brands_console(brand: Brand, client_for: Clients, login_as: Clients) -> None:
    value = cookie_of(login_as(None, "superadmin"), "localhost")
    assert is_inside(carry(client_for(), "localhost", value), "/superadmin/")
    assert not is_inside(carry(client_for(brand.host), brand.host, value))


def test_a_cookie_that_was_touched_is_no_cookie(brand: Brand, client_for: Clients, login_as: Clients) -> None:
    value = cookie_of(login_as(brand), brand.host)
    payload, _, signature = value.rpartition(".")
    for forged in (f"{payload}.{signature[::-1]}", f"x{value}", payload, "", value.swapcase()):
        assert not is_inside(carry(client_for(brand.host), brand.host, forged))


def test_a_cookie_from_before_the_log_in_proves_nothing_after_it(brand: Brand, client_for: Clients) -> None:
    """Whoever plants a cookie in somebody's browser must not be logged in with them."""
    victim = client_for(brand.host)
    token = csrf_token(victim, "/console/login")
    planted = cookie_of(victim, brand.host)
    fields = {"email": brand.email, "password": brand.password, "csrf_token": token}
    assert victim.post("/console/login", data=fields).status_code == 303
    assert is_inside(victim)
    assert cookie_of(victim, brand.host) != planted
    assert not is_inside(carry(client_for(brand.host), brand.host, planted))


def test_an_account_that_is_switched_off_is_outside_at_once(app: Flask, brand: Brand, login_as: Clients) -> None:
    client = login_as(brand, "operator")
    assert is_inside(client)
    with app.app_context(), in_tenant(brand.tenant), unit_of_work():
        operator = next(admin for admin in identity.admins() if admin.role == "operator")
        identity.set_active(operator.id, active=False)
    assert not is_inside(client)


def test_logging_out_ends_the_browsers_session(brand: Brand, login_as: Clients) -> None:
    client = login_as(brand)
    token = csrf_token(client, "/console/")
    assert client.get("/console/logout").status_code == 405
    assert client.post("/console/logout").status_code == 400
    assert is_inside(client)
    assert client.post("/console/logout", data={"csrf_token": token}).status_code == 303
    assert not is_inside(client)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/\t/evil.example/",
        "/\n/evil.example/",
        "\t//evil.example/",
        " //evil.example/",
        "/\r\nSet-Cookie: x=y",
        "/\x00/evil.example",
        "javascript:alert(1)",
        "evil.example",
        "http:evil.example",
        "",
        None,
    ],
)
def test_the_log_in_leads_to_no_other_host(target: str | None) -> None:
    assert safe_next(target, default="/here") == "/here"


@pytest.mark.parametrize("target", ["/", "/console/orders?state=paid&page=2", "/console/orders?q=茶", "/a//b", "/a\\b"])
def test_the_log_in_leads_back_to_where_somebody_was(target: str) -> None:
    assert safe_next(target, default="/here") == target


@pytest.mark.parametrize("target", ["//evil.example", "/\t/evil.example", "https://evil.example", "/%09/evil.example"])
def test_the_door_itself_leads_to_no_other_host(brand: Brand, client_for: Clients, target: str) -> None:
    client = client_for(brand.host)
    token = csrf_token(client, "/console/login")
    fields = {"email": brand.email, "password": brand.password, "csrf_token": token, "next": target}
    answer = client.post("/console/login", data=fields)
    assert answer.status_code == 303
    assert answer.location.startswith("/")
    assert not answer.location.startswith(("//", "/\\"))
    # And once more for somebody who is logged in already.
    again = client.get("/console/login", query_string={"next": target})
    assert not again.location.startswith(("//", "/\\", "http"))


def test_a_strangers_post_is_not_repeated_after_the_log_in(brand: Brand, client_for: Clients) -> None:
    client = client_for(brand.host)
    token = csrf_token(client, "/console/login")
    answer = client.post("/console/products/new", data={"csrf_token": token})
    assert (answer.status_code, answer.location) == (303, "/console/login")


def test_a_welcome_opens_one_console_for_five_minutes(
    app: Flask, brand: Brand, other_brand: Brand, client_for: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context(), in_tenant(brand.tenant):
        (owner,) = identity.admins()
        token = welcome_token(brand.tenant.id, owner.id)
        now = TimestampSigner(app.secret_key or "").get_timestamp()

    def leads_inside(host: str, text: str) -> bool:
        client = client_for(host)
        client.get(f"/console/welcome?token={text}")
        return is_inside(client)

    assert leads_inside(brand.host, token)
    assert not leads_inside(other_brand.host, token)
    for wrong in ("", "x", token[:-1], f"{token}x", token.swapcase()):
        assert not leads_inside(brand.host, wrong)
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: now + WELCOME_SECONDS + 1)
    assert not leads_inside(brand.host, token)


def test_a_welcome_for_somebody_who_was_switched_off_is_nothing(app: Flask, brand: Brand, client_for: Clients) -> None:
    with app.app_context(), in_tenant(brand.tenant), unit_of_work():
        (owner,) = identity.admins()
        identity.create_admin("b@example.com", name="b", password=PASSWORD, role="owner")
        identity.set_active(owner.id, active=False)
        token = welcome_token(brand.tenant.id, owner.id)
    client = client_for(brand.host)
    client.get(f"/console/welcome?token={token}")
    assert not is_inside(client)
