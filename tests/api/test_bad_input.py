"""Whatever a program sends, it gets an answer in the one form of errors, and never an accident."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.conftest import Phone, Shop

BODIES = {
    "/session": {"code": "c", "nickname": "n", "share_token": "s"},
    "/shares": {"sku": "TEA"},
    "/orders": {
        "lines": [{"sku": "TEA", "quantity": 1}],
        "coupon_code": "C",
        "shipping_method": "S",
        "share_token": "t",
    },
    "/withdrawals": {"amount_fen": 1_000, "real_name": "n"},
}
LISTS = ("/products", "/orders", "/promoter/awards", "/promoter/statement", "/promoter/team", "/withdrawals")
ARGUMENTS = ("page", "q", "state", "account", "level", "x")

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\0") | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
quick = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def phone(still_shop: Shop) -> Phone:
    """A member of a brand where nothing has happened yet."""
    return still_shop.phone()


def send(phone: Phone, path: str, body: bytes, content_type: str = "application/json") -> tuple[int, Any]:
    answer = phone.client.post(
        f"/api/v1{path}",
        data=body,
        content_type=content_type,
        headers={"Authorization": f"Bearer {phone.token}", "Idempotency-Key": "k"},
    )
    assert answer.status_code < 500, (path, body, answer.get_data(as_text=True))
    if answer.status_code >= 400:
        assert isinstance(answer.json, dict)
        assert set(answer.json) == {"error"}
        assert set(answer.json["error"]) == {"code", "message", "details"}
    return answer.status_code, answer.json


@quick
@given(data=st.data(), path=st.sampled_from(sorted(BODIES)))
def test_one_wrong_value_never_breaks_anything(phone: Phone, data: st.DataObject, path: str) -> None:
    body = dict(BODIES[path])
    body[data.draw(st.sampled_from(sorted(body)))] = data.draw(anything)
    send(phone, path, json.dumps(body).encode())


@quick
@given(path=st.sampled_from(sorted(BODIES)), body=anything)
def test_a_wrong_body_never_breaks_anything(phone: Phone, path: str, body: Any) -> None:
    send(phone, path, json.dumps(body).encode())


@quick
@given(path=st.sampled_from(sorted(BODIES)), body=st.binary(max_size=60))
def test_bytes_never_break_anything(phone: Phone, path: str, body: bytes) -> None:
    assert send(phone, path, body)[0] >= 400


@quick
@given(path=st.sampled_from(LISTS), name=st.sampled_from(ARGUMENTS), value=st.text(max_size=20) | st.just("\0"))
def test_an_argument_never_breaks_anything(phone: Phone, path: str, name: str, value: str) -> None:
    answer = phone.client.get(
        f"/api/v1{path}",
        query_string={name: value.encode("utf-8", "surrogatepass")},
        headers={"Authorization": f"Bearer {phone.token}"},
    )
    assert answer.status_code in (200, 422), answer.get_data(as_text=True)


@quick
@given(key=st.text(max_size=300))
def test_a_key_never_breaks_anything(phone: Phone, key: str) -> None:
    raw = key.encode("utf-8", "surrogatepass").decode("latin-1")
    if "\n" in raw or "\r" in raw:
        return  # No server lets such a header through.
    answer = phone.client.post(
        "/api/v1/orders",
        json={"lines": []},
        headers={"Authorization": f"Bearer {phone.token}", "Idempotency-Key": raw},
    )
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"0", b"false", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 20_000, b"9" * 10_000],
)
def test_what_is_no_object_is_refused_by_name(phone: Phone, body: bytes) -> None:
    for path in BODIES:
        status, answer = send(phone, path, body)
        assert (status, answer["error"]["code"]) == (400, "malformed_json")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_another_kind_of_content_is_refused_by_name(phone: Phone, content_type: str) -> None:
    status, answer = send(phone, "/shares", b"sku=TEA", content_type)
    assert (status, answer["error"]["code"]) == (400, "malformed_json")


def test_too_much_is_refused(phone: Phone) -> None:
    status, answer = send(phone, "/shares", b'{"sku": "' + b"x" * 3_000_000 + b'"}')
    assert (status, answer["error"]["code"]) == (413, "too_large")


def test_an_endless_text_is_refused(phone: Phone) -> None:
    for body in ({"code": "c", "nickname": "x" * 65}, {"code": "x" * 129}, {"code": ""}):
        status, answer = send(phone, "/session", json.dumps(body).encode())
        assert (status, answer["error"]["code"]) == (422, "invalid_request")


def test_a_refusal_names_the_field(phone: Phone) -> None:
    body = {"lines": [{"sku": "TEA", "quantity": 1}, {"sku": 5, "quantity": "x"}]}
    _, answer = send(phone, "/orders", json.dumps(body).encode())
    assert [problem["path"] for problem in answer["error"]["details"]] == ["lines.1.sku", "lines.1.quantity"]
    assert all(problem["message"] for problem in answer["error"]["details"])
