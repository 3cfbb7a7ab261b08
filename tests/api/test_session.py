from __future__ import annotations

import pytest
from flask import Flask
from itsdangerous import URLSafeTimedSerializer

from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.runtime import in_tenant
from tenants.api import auth
from tenants.api.service import clean_nickname
from tenants.members.models import Member
from tests.api.conftest import Phone, Shop


def log_in(shop: Shop, **body: object) -> tuple[int, dict[str, object]]:
    answer = shop.client().post("/api/v1/session", json=body)
    assert isinstance(answer.json, dict)
    return answer.status_code, answer.json


def test_the_first_log_in_registers_and_later_ones_find_the_member(shop: Shop) -> None:
    first_status, first = log_in(shop, code=shop.code("moli"), nickname="茉莉")
    again_status, again = log_in(shop, code=shop.code("moli"))
    assert (first_status, again_status) == (200, 200)
    member = first["member"]
    assert isinstance(member, dict)
    assert member["is_new"] is True
    assert again["member"] == {**member, "is_new": False}
    assert (member["nickname"], member["tier"], first["share"]) == ("茉莉", "promoter", None)


def test_a_nickname_is_optional_and_can_be_changed(shop: Shop) -> None:
    _, first = log_in(shop, code=shop.code("moli"))
    _, renamed = log_in(shop, code=shop.code("moli"), nickname=" 小  茉莉 ")
    assert first["member"]["nickname"]  # type: ignore[index]
    assert renamed["member"]["nickname"] == "小 茉莉"  # type: ignore[index]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("茉莉👩‍🌾", "茉莉👩‍🌾"),
        ("a\u202eb\u2066c", "abc"),
        ("\r\n\t", ""),
        ("<script>", "<script>"),
        ("tab\there", "tabhere"),
    ],
)
def test_what_is_hidden_in_a_nickname_is_dropped(typed: str, kept: str) -> None:
    assert clean_nickname(typed) == kept


def test_a_code_that_was_used_is_refused(shop: Shop) -> None:
    code = shop.code("moli")
    assert log_in(shop, code=code)[0] == 200
    status, answer = log_in(shop, code=code)
    assert status == 401
    assert answer["error"]["code"] == "bad_login_code"  # type: ignore[index]


def test_a_code_of_another_brand_is_refused(still_shop: Shop, other_shop: Shop) -> None:
    status, answer = log_in(other_shop, code=still_shop.code("moli"))
    assert status == 401
    assert answer["error"]["code"] == "bad_login_code"  # type: ignore[index]


@pytest.mark.parametrize("kind", ["drop_answer", "error"])
def test_no_answer_of_wechat_means_try_again(shop: Shop, kind: str) -> None:
    code = shop.code("moli")
    shop.simulator.fault("/sns/jscode2session", kind=kind, times=1, **({"status": 500} if kind == "error" else {}))
    answer = shop.client().post("/api/v1/session", json={"code": code})
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["error"]["code"] == "temporarily_unavailable"
    assert answer.headers["Retry-After"]


def test_whoever_comes_through_a_share_is_bound_once(shop: Shop) -> None:
    first, second = shop.phone("qiao"), shop.phone("lin")
    first_link, second_link = (phone.ask("POST", "/shares").json["token"] for phone in (first, second))
    _, bound = log_in(shop, code=shop.code("moli"), share_token=first_link)
    _, kept = log_in(shop, code=shop.code("moli"), share_token=second_link)
    _, own = log_in(shop, code=shop.code("qiao"), share_token=first_link)
    assert (bound["share"], kept["share"], own["share"]) == ("bound", "kept", "kept")
    assert [one["nickname"] for one in first.get("/promoter/team")["items"]] == [bound["member"]["nickname"]]  # type: ignore[index]
    assert second.get("/promoter/team")["items"] == []


def test_an_unknown_share_does_not_keep_anybody_out(still_shop: Shop) -> None:
    status, answer = log_in(still_shop, code=still_shop.code("moli"), share_token="nobody's")
    assert (status, answer["share"]) == (200, "unknown")
    assert Phone(still_shop.client(), str(answer["token"]), "").ask("GET", "/promoter").status_code == 200


def test_a_share_of_another_brand_is_unknown(still_shop: Shop, other_shop: Shop) -> None:
    link = other_shop.phone().ask("POST", "/shares").json["token"]
    _, answer = log_in(still_shop, code=still_shop.code("moli"), share_token=link)
    assert answer["share"] == "unknown"


def test_a_token_holds_for_its_time_alone(still_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = still_shop.phone()
    assert phone.ask("GET", "/promoter").status_code == 200
    monkeypatch.setattr(auth, "TOKEN_SECONDS", -1)
    answer = phone.ask("GET", "/promoter")
    assert answer.status_code == 401
    assert answer.json is not None
    assert answer.json["error"]["code"] == "bad_token"


def test_a_token_of_a_member_who_is_gone_is_refused(shop: Shop, app: Flask) -> None:
    phone = shop.phone()
    with app.app_context(), in_tenant(shop.brand.tenant), unit_of_work():
        stranger = Member(openid="o-gone", nickname="gone", ancestors=[], joined_at=auth.members.brand_now())
        session().add(stranger)
        session().flush()
        token = auth.make_token(stranger.id)
        session().delete(stranger)
    answer = Phone(phone.client, token, "").ask("GET", "/promoter")
    assert answer.status_code == 401


def test_a_signed_token_that_names_no_member_is_refused(still_shop: Shop, app: Flask) -> None:
    signer = URLSafeTimedSerializer(str(app.secret_key), salt=f"member-token:{still_shop.brand.tenant.id.hex}")
    for payload in (17, None, ["x"], "no id", {"a": 1}):
        answer = Phone(still_shop.client(), signer.dumps(payload), "").ask("GET", "/promoter")
        assert answer.status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "bearer ü", "Bearer x.y.z"])
def test_an_authorization_that_proves_nothing_is_refused(still_shop: Shop, header: str) -> None:
    client = still_shop.client()
    answer = client.get("/api/v1/promoter", headers={"Authorization": header.encode("utf-8").decode("latin-1")})
    assert answer.status_code == 401


def test_the_brand_tells_what_a_mini_program_needs(still_shop: Shop) -> None:
    told = still_shop.client().get("/api/v1/brand").json
    assert told is not None
    now = told.pop("now")
    assert now.endswith("Z")
    assert told == {
        "slug": still_shop.brand.slug,
        "name": "乔木",
        "mode": "sandbox",
        "appid": still_shop.appid,
        "currency": "CNY",
        "window_days": 7,
        "settlement": "买家收货 7 天后佣金可提现。",
        "withdrawal": {"minimum_fen": 100, "real_name_from_fen": 200_000},
    }
