"""The player asks again until it is answered for certain, and takes an answer for an answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from fanyong.devtools.story import console, doors
from fanyong.devtools.story.console import Console, SubdomainTaken, sign_up
from fanyong.devtools.story.doors import Place, Refused, Unreachable
from fanyong.devtools.story.parts import WaiverTerms
from fanyong.devtools.story.sandbox import Sandbox
from fanyong.devtools.story.shop import Shop
from tests.story.conftest import FakeDoor

FORM = '<form><input type="hidden" name="csrf_token" value="a&amp;b"></form>'


@pytest.fixture
def shop(fake: FakeDoor) -> Iterator[Shop]:
    """Give a shop behind the fake door, with a member who is logged in."""
    sandbox = Sandbox(f"http://127.0.0.1:{fake.server_port}")
    with closing(sandbox), closing(Shop(fake.place, sandbox=sandbox)) as found:
        fake.json(200, {"code": "c", "openid": "o-1"})
        fake.json(200, {"token": "t", "member": {"id": "m-1"}})
        found.log_in("茉莉", appid="wx", nickname="茉莉", share_token=None)
        fake.asked.clear()
        yield found


def test_a_request_is_repeated_with_the_same_key_until_it_is_answered(fake: FakeDoor, shop: Shop) -> None:
    fake.breaks(2)
    fake.page(502, "<h1>Bad Gateway</h1>")
    fake.json(503, {"error": {"code": "temporarily_unavailable", "message": "busy", "details": None}})
    fake.json(500, {"error": {"code": "internal_error", "message": "oops", "details": None}})
    fake.answers.append((200, {"Content-Type": "application/json"}, '{"id": '))
    fake.json(201, {"id": "order-1"})
    order = shop.ask("POST", "/orders", member="茉莉", key="story-1-2", json={"lines": []})
    assert order == {"id": "order-1"}
    assert len(fake.asked) == 7
    assert {(headers["Idempotency-Key"], headers["Authorization"]) for _, _, headers, _ in fake.asked} == {
        ("story-1-2", "Bearer t")
    }
    assert {headers["Host"] for _, _, headers, _ in fake.asked} == {f"tea.localhost:{fake.server_port}"}


@pytest.mark.parametrize(("status", "code"), [(422, "out_of_stock"), (503, "shop_closed"), (502, "payment_refused")])
def test_a_refusal_is_an_answer_and_not_repeated(fake: FakeDoor, shop: Shop, status: int, code: str) -> None:
    fake.json(status, {"error": {"code": code, "message": "no", "details": None}})
    with pytest.raises(Refused) as refusal:
        shop.ask("POST", "/orders", member="茉莉", key="k", json={})
    assert refusal.value.code == code
    assert len(fake.asked) == 1


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(doors.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(doors.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    tries = []

    def never(attempt: int) -> None:
        tries.append(attempt)
        raise doors.Transient("nobody there")

    with pytest.raises(Unreachable, match=r"the shop: no answer in 90 s \(nobody there\)"):
        doors.patiently(never, what="the shop")
    assert tries == list(range(len(tries)))
    assert 80 < now[0] <= 90


def test_a_form_is_fetched_filled_in_and_posted_again_after_a_fault(fake: FakeDoor) -> None:
    fake.page(200, FORM)
    fake.breaks()
    fake.page(200, FORM.replace("a&amp;b", "second"))
    fake.page(303, "", Location="/console/orders/1")
    with closing(Console(fake.place)) as owner:
        owner.submit("/console/orders/1/ship", {"tracking": "SF 1"}, page="/console/orders/1")
    assert [(method, path) for method, path, _, _ in fake.asked] == [
        ("GET", "/console/orders/1"),
        ("POST", "/console/orders/1/ship"),
        ("GET", "/console/orders/1"),
        ("POST", "/console/orders/1/ship"),
    ]
    assert fake.asked[1][3] == "tracking=SF+1&csrf_token=a%26b"
    assert fake.asked[3][3] == "tracking=SF+1&csrf_token=second"


def test_a_form_that_comes_back_is_a_refusal_with_its_message(fake: FakeDoor) -> None:
    fake.page(200, FORM)
    fake.page(422, '<div class="invalid-feedback">Not   <b>so</b> &amp; not here</div>')
    with closing(Console(fake.place)) as owner, pytest.raises(Refused, match="http_422: Not so & not here"):
        owner.submit("/console/plan", {})


def test_what_an_earlier_try_did_is_no_refusal_on_the_next(fake: FakeDoor) -> None:
    taken = {"error": {"code": "sku_taken", "message": "taken", "details": None}}
    with closing(Console(fake.place)) as owner:
        fake.page(200, FORM)
        fake.json(409, taken)
        with pytest.raises(Refused):
            owner.submit("/console/products/new", {"sku": "A"}, done_before=("sku_taken",))
        fake.page(200, FORM)
        fake.breaks()
        fake.page(200, FORM)
        fake.json(409, taken)
        owner.submit("/console/products/new", {"sku": "A"}, done_before=("sku_taken",))
    assert fake.answers == []


def sign_up_moli(place: Place) -> None:
    """Sign the brand `moli` up."""
    sign_up(place, name="茉莉茶铺", subdomain="moli", email="owner@moli.example", password="p" * 10)


def test_a_sign_up_whose_answer_was_lost_is_recognised_by_its_own_password(fake: FakeDoor) -> None:
    fake.page(200, FORM)
    fake.breaks()
    fake.page(200, FORM)
    fake.page(409, "taken")
    fake.page(200, FORM)
    fake.page(303, "", Location="/console/")
    sign_up_moli(fake.place)
    method, path, headers, body = fake.asked[-1]
    assert (method, path, headers["Host"]) == ("POST", "/console/login", f"moli.tea.localhost:{fake.server_port}")
    assert "password=pppppppppp" in body


@pytest.mark.parametrize("lost", [False, True])
def test_a_subdomain_of_somebody_else_is_taken(fake: FakeDoor, *, lost: bool) -> None:
    if lost:
        fake.page(200, FORM)
        fake.breaks()
    fake.page(200, FORM)
    fake.page(409, "taken")
    if lost:
        fake.page(200, FORM)
        fake.page(422, "wrong password")
    with pytest.raises(SubdomainTaken):
        sign_up_moli(fake.place)
    assert fake.answers == []


def test_the_simulator_is_asked_again_too(fake: FakeDoor) -> None:
    with closing(Sandbox(f"http://127.0.0.1:{fake.server_port}")) as sandbox:
        fake.breaks()
        fake.page(500, "broken")
        fake.json(200, [{"state": "delivered"}, {"state": "pending"}])
        assert sandbox.has_undelivered("1900000001")
        fake.json(409, {"error": "the transfer is already FAIL"})
        with pytest.raises(Refused, match="refused_by_wechat: the transfer is already FAIL"):
            sandbox.end_transfer("1900000001", "n", action="confirm")


def test_a_login_gets_a_fresh_code_on_every_try(fake: FakeDoor, shop: Shop) -> None:
    for code in ("one", "two"):
        fake.json(200, {"code": code, "openid": "o-2"})
        if code == "one":
            fake.breaks()
    fake.json(200, {"token": "t2", "member": {"id": "m-2"}})
    shop.log_in("乔木", appid="wx", nickname="乔木", share_token="s")
    assert '"code":"one"' in fake.asked[1][3]
    assert '"code":"two"' in fake.asked[3][3]


def test_the_superadmin_finds_the_brand_and_not_its_namesake(fake: FakeDoor) -> None:
    ids = ["019a9f5e-7c1b-7d52-9d1e-2f6c1a0b7e11", "019a9f5e-7c1b-7d52-9d1e-2f6c1a0b7e12"]
    fake.page(200, "".join(f'<a href="/superadmin/brands/{found}">x</a>' for found in ids))
    fake.page(200, f"http://moli-2.tea.localhost:{fake.server_port}")
    fake.page(200, f"http://moli.tea.localhost:{fake.server_port}")
    fake.page(200, FORM)
    fake.page(303, "", Location="/")
    with closing(console.Superadmin(fake.place)) as staff:
        staff.grant_waiver("moli", WaiverTerms(reason="pilot", days=10), offset_seconds=0)
    method, path, _, body = fake.asked[-1]
    assert (method, path) == ("POST", f"/superadmin/brands/{ids[1]}/waivers")
    assert "levels=3&reason=pilot&ends_on=20" in body
