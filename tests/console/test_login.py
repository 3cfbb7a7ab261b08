"""In and out of the console."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient

from fanyong.identity.models import AdminUser
from fanyong.identity.web import welcome_token
from fanyong.tenancy.database import session
from fanyong.tenancy.runtime import in_tenant
from tests.conftest import PASSWORD, Brand, csrf_token

Door = Callable[[str], FlaskClient]


def log_in(client: FlaskClient, email: str, password: str, **more: str) -> tuple[int, str, str]:
    """Fill in the log-in form; returns the status, where it leads, and the page."""
    token = csrf_token(client, "/console/login")
    data = {"email": email, "password": password, "csrf_token": token, **more}
    answer = client.post("/console/login", data=data)
    return answer.status_code, answer.headers.get("Location", ""), answer.get_data(as_text=True)


def test_the_right_password_opens_the_console(brand: Brand, client_for: Door) -> None:
    client = client_for(brand.host)
    assert log_in(client, brand.email.upper(), PASSWORD)[:2] == (303, "/console/")
    assert client.get("/console/").status_code == 200
    assert client.get("/console/login").status_code == 303


def test_a_wrong_password_keeps_the_address_and_not_the_password(brand: Brand, client_for: Door) -> None:
    client = client_for(brand.host)
    status, _location, page = log_in(client, brand.email, "not the password", next="/console/orders")
    assert status == 422
    assert brand.email in page
    assert "not the password" not in page
    assert 'value="/console/orders"' in page


def test_an_account_of_another_brand_is_unknown_here(brand: Brand, other_brand: Brand, client_for: Door) -> None:
    assert log_in(client_for(brand.host), other_brand.email, PASSWORD)[0] == 422


TARGETS = [
    ("/console/orders?state=paid", "/console/orders?state=paid"),
    ("//evil.example/", "/console/"),
    ("https://evil.example/", "/console/"),
    ("/\\evil.example", "/console/"),
]


def test_after_the_log_in_only_paths_of_this_host_follow(brand: Brand, client_for: Door) -> None:
    for target, leads_to in TARGETS:
        assert log_in(client_for(brand.host), brand.email, PASSWORD, next=target)[:2] == (303, leads_to)


def test_logging_out_ends_the_session(brand: Brand, login_as: Callable[..., FlaskClient]) -> None:
    client = login_as(brand)
    client.post("/console/logout", data={"csrf_token": csrf_token(client, "/console/")})
    assert client.get("/console/").status_code == 303


def test_a_welcome_link_lets_the_owner_in_once_it_is_of_this_brand(
    app: Flask, brand: Brand, other_brand: Brand, client_for: Door
) -> None:
    with app.app_context(), in_tenant(brand.tenant):
        owner = session().query(AdminUser).one()
        token = welcome_token(brand.tenant.id, owner.id)
    there = client_for(brand.host)
    assert there.get(f"/console/welcome?token={token}").location == "/console/"
    assert there.get("/console/").status_code == 200
    elsewhere = client_for(other_brand.host)
    assert elsewhere.get(f"/console/welcome?token={token}").location == "/console/login"
    assert client_for(brand.host).get("/console/welcome?token=nonsense").location == "/console/login"


def test_the_language_is_remembered(brand: Brand, client_for: Door) -> None:
    client = client_for(brand.host)
    assert 'lang="zh-CN"' in client.get("/console/login").get_data(as_text=True)
    assert 'lang="en"' in client.get("/console/login?lang=en").get_data(as_text=True)
    assert 'lang="en"' in client.get("/console/login").get_data(as_text=True)
    assert 'lang="en"' in client.get("/console/login?lang=xx").get_data(as_text=True)
