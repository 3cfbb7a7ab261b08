"""Who may see and do what on the platform's side."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.conftest import PASSWORD, STAFF_EMAIL, Brand, csrf_token

PAGES = (
    "/superadmin/",
    "/superadmin/brands/{id}",
    "/superadmin/brands/{id}/ledger",
    "/superadmin/audit",
    "/superadmin/plugins",
)
NOBODY = "018f0000-0000-7000-8000-000000000001"
POSTS = ("suspend", "resume", "waivers", f"waivers/{NOBODY}/revoke")
Clients = Callable[..., FlaskClient]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("role", ["superadmin", "support"])
def test_staff_reads_every_page(login_as: Clients, brand: Brand, page: str, role: str) -> None:
    assert login_as(None, role).get(page.format(id=brand.tenant.id)).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_is_sent_to_the_door_and_back(client_for: Clients, brand: Brand, page: str) -> None:
    path = page.format(id=brand.tenant.id)
    client = client_for()
    answer = client.get(path)
    assert answer.status_code == 303
    assert answer.location.startswith("/superadmin/login?next=")
    fields = {"email": STAFF_EMAIL, "password": PASSWORD, "next": path}
    token = csrf_token(client, answer.location)
    assert client.post("/superadmin/login", data={**fields, "csrf_token": token}).location == path


@pytest.mark.parametrize("page", PAGES)
def test_a_brands_owner_is_a_stranger_here(client_for: Clients, login_as: Clients, brand: Brand, page: str) -> None:
    owner = login_as(brand)
    cookie = owner.get_cookie("session", domain=brand.host)
    assert cookie is not None
    here = client_for()
    here.set_cookie("session", cookie.value, domain="localhost")
    answer = here.get(page.format(id=brand.tenant.id))
    assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/superadmin/login")


@pytest.mark.parametrize("action", POSTS)
def test_support_changes_nothing(login_as: Clients, brand: Brand, action: str) -> None:
    support = login_as(None, "support")
    token = csrf_token(support, "/superadmin/")
    fields = {"reason": "because", "levels": "3", "ends_on": "2099-01-01", "csrf_token": token}
    assert support.post(f"/superadmin/brands/{brand.tenant.id}/{action}", data=fields).status_code == 403
    page = login_as(None, "superadmin").get(f"/superadmin/brands/{brand.tenant.id}").get_data(as_text=True)
    assert "because" not in page


def test_support_is_shown_no_forms_that_it_may_not_send(login_as: Clients, brand: Brand) -> None:
    page = login_as(None, "support").get(f"/superadmin/brands/{brand.tenant.id}").get_data(as_text=True)
    assert "/suspend" not in page
    assert "/waivers" not in page


@pytest.mark.parametrize("action", POSTS)
def test_a_stranger_changes_nothing(client_for: Clients, brand: Brand, action: str) -> None:
    client = client_for()
    token = csrf_token(client, "/superadmin/login")
    answer = client.post(f"/superadmin/brands/{brand.tenant.id}/{action}", data={"csrf_token": token, "reason": "x"})
    assert (answer.status_code, answer.location) == (303, "/superadmin/login")
    assert client.get("/", headers={"Host": brand.host}).status_code != 503


@pytest.mark.parametrize("action", POSTS)
def test_a_form_that_was_not_sent_from_here_is_refused(login_as: Clients, brand: Brand, action: str) -> None:
    answer = login_as(None, "superadmin").post(f"/superadmin/brands/{brand.tenant.id}/{action}", data={"reason": "x"})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (STAFF_EMAIL, "wrong password"),
        (STAFF_EMAIL, ""),
        ("nobody@example.com", PASSWORD),
        ("", ""),
        ("no address", PASSWORD),
        ("\x00", "\x00"),
        (STAFF_EMAIL, "p" * 5000),
    ],
)
def test_a_wrong_log_in_says_only_that_it_is_wrong(client_for: Clients, email: str, password: str) -> None:
    client = client_for()
    client.get("/superadmin/login?lang=en")
    token = csrf_token(client, "/superadmin/login")
    answer = client.post("/superadmin/login", data={"email": email, "password": password, "csrf_token": token})
    assert answer.status_code == 422
    assert "This e-mail address and password do not belong together." in answer.get_data(as_text=True)
    assert client.get("/superadmin/").status_code == 303


def test_a_brands_owner_cannot_log_in_at_this_door(client_for: Clients, brand: Brand) -> None:
    client = client_for()
    token = csrf_token(client, "/superadmin/login")
    fields = {"email": brand.email, "password": brand.password, "csrf_token": token}
    assert client.post("/superadmin/login", data=fields).status_code == 422


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:x"]
)
def test_the_log_in_leads_nowhere_else(client_for: Clients, target: str) -> None:
    client = client_for()
    token = csrf_token(client, "/superadmin/login")
    fields = {"email": STAFF_EMAIL, "password": PASSWORD, "csrf_token": token, "next": target}
    assert client.post("/superadmin/login", data=fields).location == "/superadmin/"


def test_the_log_out_ends_the_session(login_as: Clients) -> None:
    client = login_as(None, "superadmin")
    answer = client.post("/superadmin/logout", data={"csrf_token": csrf_token(client, "/superadmin/")})
    assert answer.location == "/superadmin/login"
    assert client.get("/superadmin/").status_code == 303


def test_who_is_logged_in_already_needs_no_form(login_as: Clients) -> None:
    assert login_as(None, "support").get("/superadmin/login").location == "/superadmin/"


@pytest.mark.parametrize("brand_id", [NOBODY, "nonsense", "0"])
@pytest.mark.parametrize("page", ["", "/ledger"])
def test_an_unknown_brand_is_not_found(login_as: Clients, brand_id: str, page: str) -> None:
    assert login_as(None, "superadmin").get(f"/superadmin/brands/{brand_id}{page}").status_code == 404
