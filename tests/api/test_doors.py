"""Who gets through which door: every operation, asked by strangers, by another brand's member, of a closed shop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.directory import directory, get_record, set_state
from tenants.api.blueprint import bp
from tenants.api.operations import OPERATIONS
from tests.api.conftest import Phone, Shop

UNKNOWN_ID = "019a9f5e-7c1b-7d52-9d1e-2f6c1a0b7e11"
FREE = {"log_in", "get_brand", "list_products", "get_product", "list_shipping_methods", "get_share", "openapi", "docs"}
WITH_KEY = {"place_order", "request_withdrawal"}


def doors(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Give name, method and an address of every operation."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith(f"{bp.name}."):
            path = str(rule)
            for name in rule.arguments:
                path = path.replace(f"<path:{name}>", "TEA").replace(f"<{name}>", UNKNOWN_ID)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield rule.endpoint.removeprefix(f"{bp.name}."), method, path


def test_every_view_is_an_operation(app: Flask) -> None:
    assert {name for name, _, _ in doors(app)} == set(OPERATIONS)


@pytest.mark.parametrize(
    ("whose", "code"),
    [("nobody", "not_logged_in"), ("another brand", "bad_token"), ("a forger", "bad_token")],
)
def test_only_the_brand_s_own_members_get_in(
    app: Flask, still_shop: Shop, other_shop: Shop, whose: str, code: str
) -> None:
    mine, theirs = still_shop.phone().token, other_shop.phone().token
    token = {"nobody": "", "another brand": theirs, "a forger": f"{mine[:-3]}xxx"}[whose]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    for name, method, path in doors(app):
        if name not in FREE:
            body = {} if method == "POST" else None
            answer = still_shop.client().open(path, method=method, json=body, headers=headers)
            assert answer.json is not None, name
            assert (answer.status_code, answer.json["error"]["code"]) == (401, code), name
            assert set(answer.json["error"]) == {"code", "message", "details"}
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_member_gets_past_every_door(app: Flask, still_shop: Shop) -> None:
    phone = still_shop.phone()
    for name, method, path in doors(app):
        key = "k" if name in WITH_KEY else None
        answer = phone.ask(method, path.removeprefix("/api/v1"), key=key)
        assert answer.status_code in (200, 404, 422), name


def test_a_suspended_brand_is_closed_and_opens_again(app: Flask, shop: Shop) -> None:
    phone = shop.phone()

    def turn(state: str) -> None:
        with app.app_context(), unit_of_work():
            record = get_record(shop.brand.tenant.id, lock=True)
            assert record is not None
            set_state(record, state=state, reason="test", actor="test")
        directory.forget()

    turn("suspended")
    for name, method, path in doors(app):
        answer = phone.ask(method, path.removeprefix("/api/v1"))
        assert answer.status_code == 503, name
        assert answer.json is not None
        assert answer.json["error"]["code"] == "shop_closed"
    assert shop.client().get("/").status_code == 503
    turn("active")
    assert phone.ask("GET", "/promoter").status_code == 200
    assert shop.client().get("/").status_code == 200


def test_a_lost_database_means_try_again(still_shop: Shop, database_url: str) -> None:
    phone = still_shop.phone()
    assert phone.ask("GET", "/promoter").status_code == 200
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    lost = phone.ask("GET", "/promoter")
    assert lost.status_code == 503
    assert lost.headers["Retry-After"]
    assert lost.json is not None
    assert lost.json["error"]["code"] == "temporarily_unavailable"
    assert phone.ask("GET", "/promoter").status_code == 200


def test_an_accident_has_the_one_form_of_errors(still_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> object:
        raise ZeroDivisionError("a secret")

    phone = still_shop.phone()
    monkeypatch.setattr("tenants.api.views.promoter.ledger.figures_of", broken)
    answer = phone.ask("GET", "/promoter")
    assert answer.status_code == 500
    assert answer.json is not None
    assert answer.json["error"]["code"] == "internal_error"
    assert "secret" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/", "/api/v2/brand", "/api/v1/orders/a/b/c"])
def test_an_unknown_address_has_the_one_form_of_errors(still_shop: Shop, path: str) -> None:
    answer = still_shop.client().get(path)
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["error"]["code"] == "not_found"


def test_a_wrong_method_has_the_one_form_of_errors(still_shop: Shop) -> None:
    answer = still_shop.client().delete("/api/v1/orders")
    assert answer.status_code == 405
    assert answer.json is not None
    assert answer.json["error"]["code"] == "method_not_allowed"
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_the_platform_s_host_has_no_api(app: Flask, client_for: Callable[..., FlaskClient]) -> None:
    for _name, method, path in doors(app):
        assert client_for().open(path, method=method).status_code == 404


def test_an_unknown_host_tells_nothing(client_for: Callable[..., FlaskClient]) -> None:
    answer = client_for("nobody-here.localhost").get("/api/v1/brand")
    assert (answer.status_code, answer.get_data()) == (404, b"Not Found\n")


def test_balances_stay_out_of_caches(still_shop: Shop) -> None:
    assert still_shop.phone().ask("GET", "/promoter").headers["Cache-Control"] == "no-store"


def test_the_api_sets_no_cookie_and_needs_no_form_token(still_shop: Shop) -> None:
    client = still_shop.client()
    answer = client.post("/api/v1/session", json={"code": still_shop.code("moli")})
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_a_member_of_two_brands_is_two_members(still_shop: Shop, other_shop: Shop) -> None:
    here, there = still_shop.phone("both"), other_shop.phone("both")
    assert here.member_id != there.member_id
    assert Phone(other_shop.client(), here.token, "").ask("GET", "/promoter").status_code == 401
