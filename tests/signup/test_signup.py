"""Signing a brand up through the form."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fanyong.identity.service import admins, authenticate_admin, create_admin
from fanyong.ids import new_token
from fanyong.payments.provider import active_account
from fanyong.signup import service
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.models import AuditEntry, TenantRecord
from fanyong.tenancy.runtime import in_tenant

GOOD_PASSWORD = "six honest words here"


@pytest.fixture
def browser(client_for: Callable[..., FlaskClient]) -> FlaskClient:
    """A browser on the platform's host that reads English."""
    client = client_for()
    client.get("/?lang=en")
    return client


def fresh_slug() -> str:
    return f"s{new_token(10).lower()}"


def submit(client: FlaskClient, **fields: str) -> TestResponse:
    """Fill the form in and send it; what is not given is right."""
    page = client.get("/signup").get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    given = {"name": "乔木 🌳", "subdomain": fresh_slug(), "email": "Owner@Example.com", "password": GOOD_PASSWORD}
    return client.post("/signup", data={**given, **fields, "csrf_token": token[1]})


def problem(answer: TestResponse, field: str) -> tuple[str, str]:
    """Return the code and the text of the message that stands at a field."""
    page = answer.get_data(as_text=True)
    found = re.search(rf'id="e-{field}" data-code="([a-z_]+)">([^<]*)<', page)
    assert found, f"no message at {field}"
    return found[1], unescape(found[2])


def record_of(app: Flask, slug: str) -> TenantRecord | None:
    with app.app_context():
        return session().scalar(sa.select(TenantRecord).where(TenantRecord.slug == slug))


def test_a_brand_signs_up_and_its_owner_steps_into_the_console(app: Flask, browser: FlaskClient) -> None:
    slug = fresh_slug()
    answer = submit(browser, subdomain=f"  {slug.upper()} ", email=f"Owner@{slug}.Example")

    assert answer.status_code == 303
    assert answer.location.startswith(f"http://{slug}.localhost:8000/console/welcome?token=")
    record = record_of(app, slug)
    assert record is not None
    assert (record.name, record.state) == ("乔木 🌳", "active")
    with app.app_context(), in_tenant(record.as_tenant()):
        owner = authenticate_admin(f"owner@{slug}.example", password=GOOD_PASSWORD)
        assert owner is not None
        assert owner.role == "owner"
        account = active_account()
        assert account is not None
        assert account.mode == "sandbox"
    with app.app_context():
        entry = session().scalar(sa.select(AuditEntry).where(AuditEntry.tenant_id == record.id))
        assert entry is not None
        assert (entry.action, entry.actor) == ("tenant.signed_up", f"owner:owner@{slug}.example")


def test_the_answers_policy_lets_the_form_lead_to_the_new_brand(browser: FlaskClient) -> None:
    policy = browser.get("/signup").headers["Content-Security-Policy"]
    assert "form-action 'self' http://*.localhost:8000" in policy
    assert "default-src 'self'" in policy


def test_an_empty_pool_only_takes_a_little_longer(app: Flask, browser: FlaskClient) -> None:
    with app.app_context():
        work = session()
        waiting = list(work.scalars(sa.select(TenantRecord.id).where(TenantRecord.state == "ready")))
        # Schemas of another version are not handed out, so that this empties the pool without dropping any.
        work.execute(sa.update(TenantRecord).where(TenantRecord.id.in_(waiting)).values(version="other"))
        work.commit()
    try:
        slug = fresh_slug()
        assert submit(browser, subdomain=slug).status_code == 303
        record = record_of(app, slug)
        assert record is not None
        assert record.id not in waiting
    finally:
        with app.app_context():
            head = session().scalar(sa.select(TenantRecord.version).where(TenantRecord.slug == slug))
            session().execute(sa.update(TenantRecord).where(TenantRecord.id.in_(waiting)).values(version=head))
            session().commit()


def test_a_sign_up_that_fails_halfway_leaves_no_brand_and_can_be_repeated(
    app: Flask, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("the machine stumbled")

    slug = fresh_slug()
    with monkeypatch.context() as patched:
        patched.setattr(service, "_starters", [broken])
        assert submit(browser, subdomain=slug, email="first@example.com").status_code == 500
    assert record_of(app, slug) is None
    assert submit(browser, subdomain=slug, email="second@example.com").status_code == 303


def test_whoever_was_cut_off_has_no_key_to_the_next_brands_schema(app: Flask, browser: FlaskClient) -> None:
    with app.app_context():
        ready = list(session().scalars(sa.select(TenantRecord).where(TenantRecord.state == "ready")))
        for record in ready:
            with in_tenant(record.as_tenant()), unit_of_work():
                create_admin("cut@example.com", name="Cut", password=GOOD_PASSWORD, role="owner")
    slug = fresh_slug()
    assert submit(browser, subdomain=slug, email="second@example.com").status_code == 303
    record = record_of(app, slug)
    assert record is not None
    with app.app_context(), in_tenant(record.as_tenant()):
        assert [admin.email for admin in admins()] == ["second@example.com"]
        assert ready == [] or record.id in {waiting.id for waiting in ready}


@pytest.mark.parametrize(
    ("subdomain", "code"),
    [
        ("", "bad_subdomain"),
        ("ab", "bad_subdomain"),
        ("1shop", "bad_subdomain"),
        ("-shop", "bad_subdomain"),
        ("shop-", "bad_subdomain"),
        ("my--shop", "bad_subdomain"),
        ("my_shop", "bad_subdomain"),
        ("my.shop", "bad_subdomain"),
        ("乔木", "bad_subdomain"),
        ("shop\u202e", "bad_subdomain"),
        ("shop\nx", "bad_subdomain"),
        ("shop\x00", "bad_subdomain"),
        ("s" * 300, "bad_subdomain"),
        ("shop';drop schema control--", "bad_subdomain"),
        ("<script>alert(1)</script>", "bad_subdomain"),
        ("../../etc", "bad_subdomain"),
        ("www", "reserved_subdomain"),
        ("Admin", "reserved_subdomain"),
        ("superadmin", "reserved_subdomain"),
        ("house", "reserved_subdomain"),
    ],
)
def test_a_bad_subdomain_is_refused_at_its_field(browser: FlaskClient, subdomain: str, code: str) -> None:
    answer = submit(browser, subdomain=subdomain)
    assert answer.status_code == 422
    assert problem(answer, "subdomain")[0] == code


def test_a_taken_subdomain_is_a_conflict_and_nothing_typed_is_lost(app: Flask, browser: FlaskClient) -> None:
    slug = fresh_slug()
    assert submit(browser, subdomain=slug).status_code == 303
    answer = submit(browser, name="白露 & Söhne", subdomain=slug, email="second@example.com")

    assert answer.status_code == 409
    assert problem(answer, "subdomain") == ("subdomain_taken", "This subdomain is taken. Please choose another.")
    page = answer.get_data(as_text=True)
    assert 'value="白露 &amp; Söhne"' in page
    assert f'value="{slug}"' in page
    assert 'value="second@example.com"' in page
    assert GOOD_PASSWORD not in page
    record = record_of(app, slug)
    assert record is not None
    assert record.name == "乔木 🌳"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "\u200d\u200d",
        "n" * 61,
        "n" * 300,
        "乔木\x00",
        "乔木\x07",
        "乔木\u202eevil",
        "乔木\u2066x",
        "first\nsecond",
        "first\u2028second",
        "<script>alert(1)</script>",
        "<b>",
        "\ud83c".encode("utf-16", "surrogatepass").decode("utf-16", "replace") + "\u200f",
    ],
)
def test_a_hostile_name_is_refused_at_its_field(app: Flask, browser: FlaskClient, name: str) -> None:
    slug = fresh_slug()
    answer = submit(browser, name=name, subdomain=slug)
    assert answer.status_code == 422
    assert problem(answer, "name")[0] == "bad_name"
    assert record_of(app, slug) is None
    assert "<script>alert" not in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    "name", ["n" * 60, "👩‍👩‍👧‍👦 家", 'O\'Reilly "&" {{ 7*7 }} %(x)s', "乔", "٣ شاي", "'; DROP TABLE tenant; --"]
)
def test_an_unusual_name_is_fine_and_kept_as_it_is(app: Flask, browser: FlaskClient, name: str) -> None:
    slug = fresh_slug()
    assert submit(browser, name=f" {name} ", subdomain=slug).status_code == 303
    record = record_of(app, slug)
    assert record is not None
    assert record.name == name


@pytest.mark.parametrize(
    "email", ["", "owner", "owner@", "@example.com", "a b@example.com", "x" * 300 + "@example.com", "a@b.c\x00"]
)
def test_a_bad_address_is_refused_at_its_field(browser: FlaskClient, email: str) -> None:
    answer = submit(browser, email=email)
    assert answer.status_code == 422
    assert problem(answer, "email")[0] == "bad_email"


@pytest.mark.parametrize("password", ["", "short", "123456789", "p" * 201])
def test_a_bad_password_is_refused_at_its_field(browser: FlaskClient, password: str) -> None:
    answer = submit(browser, password=password)
    assert answer.status_code == 422
    code, text = problem(answer, "password")
    assert (code, text) == ("bad_password", "A password needs 10 to 200 characters.")


def test_every_wrong_field_says_so_at_once(browser: FlaskClient) -> None:
    answer = submit(browser, name="", subdomain="www", email="nobody", password="short")
    assert answer.status_code == 422
    codes = {field: problem(answer, field)[0] for field in ("name", "subdomain", "email", "password")}
    assert codes == {
        "name": "bad_name",
        "subdomain": "reserved_subdomain",
        "email": "bad_email",
        "password": "bad_password",
    }


def test_a_post_without_fields_is_a_form_with_messages(browser: FlaskClient) -> None:
    page = browser.get("/signup").get_data(as_text=True)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    answer = browser.post("/signup", data={"csrf_token": token[1]})
    assert answer.status_code == 422
    assert problem(answer, "name")[0] == "bad_name"


def test_a_form_that_was_not_sent_from_here_is_refused(app: Flask, browser: FlaskClient) -> None:
    slug = fresh_slug()
    fields = {"name": "x", "subdomain": slug, "email": "a@example.com", "password": GOOD_PASSWORD}
    assert browser.post("/signup", data=fields).status_code == 400
    assert record_of(app, slug) is None


@pytest.mark.parametrize(
    ("subdomain", "code"),
    [("Free-Enough", "free"), ("www", "reserved_subdomain"), ("x", "bad_subdomain"), ("<b>", "bad_subdomain")],
)
def test_the_hint_while_typing_agrees_with_the_form(browser: FlaskClient, subdomain: str, code: str) -> None:
    answer = browser.get("/signup/subdomain", query_string={"subdomain": subdomain})
    assert answer.status_code == 200
    assert f'data-code="{code}"' in answer.get_data(as_text=True)
    assert "<b>" not in answer.get_data(as_text=True)


def test_the_hint_knows_what_is_taken(browser: FlaskClient) -> None:
    slug = fresh_slug()
    assert submit(browser, subdomain=slug).status_code == 303
    hint = browser.get("/signup/subdomain", query_string={"subdomain": slug}).get_data(as_text=True)
    assert 'data-code="subdomain_taken"' in hint


def test_the_landing_page_leads_to_the_form_and_speaks_chinese_first(client_for: Callable[..., FlaskClient]) -> None:
    page = client_for().get("/").get_data(as_text=True)
    assert '<html lang="zh-CN"' in page
    assert "开通品牌" in page
    assert 'href="/signup"' in page
    assert 'href="/superadmin/"' in page


@pytest.mark.parametrize("path", ["/signup", "/signup/subdomain?subdomain=abc", "/superadmin/", "/superadmin/login"])
def test_the_platforms_pages_are_not_on_a_brands_host(
    client_for: Callable[..., FlaskClient], brand: object, path: str
) -> None:
    host = brand.host  # type: ignore[attr-defined]
    assert client_for(host).get(path).status_code == 404
