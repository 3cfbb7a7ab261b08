"""The brands: finding them, looking inside, suspending them, granting waivers, the audit trail."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fanyong.compliance.service import entry_allowed_fen, levels_allowed, team_allowed
from fanyong.identity.models import AdminAction
from fanyong.pluginhost.registry import PluginFailed
from fanyong.pluginhost.service import record_failure
from fanyong.superadmin import probes
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.models import Domain, TenantRecord
from fanyong.tenancy.runtime import in_tenant
from fanyong.wechat.times import BEIJING
from tests.conftest import Brand, csrf_token

Clients = Callable[..., FlaskClient]


@pytest.fixture
def boss(login_as: Clients) -> FlaskClient:
    """A superadmin who reads English."""
    client = login_as(None, "superadmin")
    client.get("/superadmin/?lang=en")
    return client


def page_of(client: FlaskClient, brand: Brand) -> str:
    return client.get(f"/superadmin/brands/{brand.tenant.id}").get_data(as_text=True)


def post(client: FlaskClient, brand: Brand, action: str, **fields: str) -> TestResponse:
    token = csrf_token(client, "/superadmin/")
    return client.post(f"/superadmin/brands/{brand.tenant.id}/{action}", data={**fields, "csrf_token": token})


def rows(answer: TestResponse) -> list[list[str]]:
    assert answer.content_type == "text/csv; charset=utf-8"
    text = answer.get_data(as_text=True)
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


def allowed(app: Flask, brand: Brand) -> int:
    with app.app_context(), in_tenant(brand.tenant):
        return levels_allowed()


def soon(days: int) -> str:
    return (datetime.now(BEIJING) + timedelta(days=days)).date().isoformat()


# The list.


def test_the_list_finds_a_brand_by_name_subdomain_schema_and_domain(
    app: Flask, boss: FlaskClient, brand: Brand, other_brand: Brand
) -> None:
    host = f"www.{brand.slug}.example"
    with app.app_context(), unit_of_work() as work:
        work.add(Domain(host=host, tenant_id=brand.tenant.id))
        work.execute(
            sa.update(TenantRecord).where(TenantRecord.id == brand.tenant.id).values(name=f"Name of {brand.slug}")
        )
    for words in (f"name OF {brand.slug}", brand.slug[:-1], brand.tenant.schema, host.upper()):
        page = boss.get("/superadmin/", query_string={"q": words}).get_data(as_text=True)
        assert str(brand.tenant.id) in page, words
        assert str(other_brand.tenant.id) not in page, words


@pytest.mark.parametrize("words", ["%", "_", "\\", "'", "\x00", "<script>", "q" * 5000, "no such brand"])
def test_odd_words_find_nothing_and_break_nothing(boss: FlaskClient, brand: Brand, words: str) -> None:
    answer = boss.get("/superadmin/", query_string={"q": f"{brand.slug}{words}x"})
    assert answer.status_code == 200
    page = answer.get_data(as_text=True)
    assert "No brand fits." in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    "argument", ["_scheme=x", "_method=POST", "endpoint=x", "page=-1", "page=²", "page=99999", "lang=xx", "q=%FF"]
)
@pytest.mark.parametrize("path", ["/superadmin/", "/superadmin/audit"])
def test_odd_arguments_break_nothing(boss: FlaskClient, brand: Brand, path: str, argument: str) -> None:
    assert boss.get(f"{path}?{argument}").status_code == 200


def test_the_list_can_be_narrowed_to_a_state(boss: FlaskClient, brand: Brand, other_brand: Brand) -> None:
    post(boss, brand, "suspend", reason="late invoices")
    suspended = boss.get("/superadmin/?state=suspended").get_data(as_text=True)
    assert str(brand.tenant.id) in suspended
    assert str(other_brand.tenant.id) not in suspended
    assert boss.get("/superadmin/?state=nonsense").status_code == 200
    # Schemas that wait in the pool are no brands.
    assert len(rows(boss.get("/superadmin/?state=ready&format=csv"))) > 1


def test_the_list_is_paged(app: Flask, boss: FlaskClient, brand: Brand) -> None:
    with app.app_context(), unit_of_work() as work:
        work.add_all(
            TenantRecord(
                slug=f"p{number:02}{brand.slug}",
                name="Paged",
                schema_name=f"t_{uuid4().hex}",
                state="active",
                version="0",
            )
            for number in range(30)
        )
    try:
        first = boss.get("/superadmin/", query_string={"q": f"{brand.slug}"}).get_data(as_text=True)
        second = boss.get("/superadmin/", query_string={"q": f"{brand.slug}", "page": 2}).get_data(as_text=True)
        assert "1–25 of 31" in first
        assert "26–31 of 31" in second
        assert len(rows(boss.get("/superadmin/", query_string={"q": brand.slug, "format": "csv"}))) == 32
    finally:
        with app.app_context(), unit_of_work() as work:
            work.execute(sa.delete(TenantRecord).where(TenantRecord.name == "Paged"))


def test_the_file_of_brands_opens_in_a_spreadsheet(
    app: Flask, boss: FlaskClient, new_brand: Callable[..., Brand]
) -> None:
    brand = new_brand(name="=HYPERLINK(1)")
    header, row = rows(boss.get("/superadmin/", query_string={"q": brand.slug, "format": "csv"}))
    assert header[:3] == ["Brand", "Subdomain", "State"]
    assert row[:3] == ["'=HYPERLINK(1)", brand.slug, "active"]


# One brand.


def test_a_brands_page_says_who_it_is(boss: FlaskClient, brand: Brand) -> None:
    page = page_of(boss, brand)
    for expected in (
        brand.tenant.name,
        brand.tenant.schema,
        brand.email,
        f"http://{brand.slug}.localhost:8000",
        "sandbox",
    ):
        assert expected in page
    assert "<strong data-levels-allowed>1</strong>" in page


def test_figures_are_read_inside_that_brand_alone(
    app: Flask, boss: FlaskClient, brand: Brand, other_brand: Brand
) -> None:
    def where_am_i() -> list[probes.Figure]:
        schema = session().scalar(sa.text("SELECT current_schema()"))
        return [probes.Figure(f"at {schema}", 123_456, "fen")]

    probes.register_figures("test", where_am_i)
    try:
        page = page_of(boss, brand)
    finally:
        probes.register_figures("test", list)
    assert f"at {brand.tenant.schema}" in page
    assert other_brand.tenant.schema not in page
    assert "¥1,234.56" in page


def test_the_page_of_a_brand_that_cannot_be_read_still_works(app: Flask, boss: FlaskClient, brand: Brand) -> None:
    def broken() -> list[probes.Figure]:
        session().execute(sa.text("SELECT * FROM no_such_table"))
        return []

    probes.register_figures("test", broken)
    try:
        answer = boss.get(f"/superadmin/brands/{brand.tenant.id}")
    finally:
        probes.register_figures("test", list)
    assert answer.status_code == 200
    assert "schema cannot be read just now" in answer.get_data(as_text=True)


def test_the_ledger_check_tells_what_it_found(boss: FlaskClient, brand: Brand) -> None:
    path = f"/superadmin/brands/{brand.tenant.id}/ledger"
    assert "The books add up" in boss.get(path).get_data(as_text=True)
    probes.register_ledger_check("test", lambda: ["12 fen are <missing>"])
    try:
        page = boss.get(path).get_data(as_text=True)
    finally:
        probes.register_ledger_check("test", list)
    assert "12 fen are &lt;missing&gt;" in page
    assert "The books add up" not in page


# Suspend and resume.


def test_a_suspended_brands_shop_is_closed_politely_until_it_is_resumed(
    boss: FlaskClient, client_for: Clients, login_as: Clients, brand: Brand, other_brand: Brand
) -> None:
    shopper, neighbour, owner = client_for(brand.host), client_for(other_brand.host), login_as(brand)
    before = shopper.get("/").status_code
    assert before != 503

    answer = post(boss, brand, "suspend", reason="  complaints of customers  ")
    assert answer.status_code == 303
    page = boss.get(answer.location).get_data(as_text=True)
    assert "This brand is suspended" in page
    assert "complaints of customers" in page

    closed = shopper.get("/")
    assert closed.status_code == 503
    assert closed.headers["Retry-After"]
    assert "complaints" not in closed.get_data(as_text=True)
    api = shopper.get("/api/v1/products")
    assert api.status_code == 503
    assert api.get_json()["error"]["code"] == "shop_closed"
    assert owner.get("/console/").status_code == 200
    assert neighbour.get("/").status_code == before

    assert post(boss, brand, "resume").status_code == 303
    assert shopper.get("/").status_code == before
    assert "This brand is suspended" not in page_of(boss, brand)


@pytest.mark.parametrize("reason", ["", "   ", "\x00", "r" * 501])
def test_suspending_needs_a_reason_and_loses_nothing_typed(
    boss: FlaskClient, client_for: Clients, brand: Brand, reason: str
) -> None:
    answer = post(boss, brand, "suspend", reason=reason)
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert 'data-code="reason_missing"' in page
    if len(reason) > 500:
        assert reason in page
    assert client_for(brand.host).get("/").status_code != 503


def test_saying_it_twice_changes_nothing_more(boss: FlaskClient, brand: Brand) -> None:
    post(boss, brand, "suspend", reason="unpaid bills")
    assert post(boss, brand, "suspend", reason="another matter").status_code == 303
    assert "another matter" not in page_of(boss, brand)
    post(boss, brand, "resume")
    assert post(boss, brand, "resume").status_code == 303
    trail = rows(boss.get(f"/superadmin/audit?format=csv&brand={brand.tenant.id}"))
    assert [row[2] for row in trail[1:]] == ["tenant.active", "tenant.suspended", "tenant.signed_up"]


# Waivers.


def test_a_waiver_lets_a_brand_pay_three_levels_until_it_is_revoked(
    app: Flask, boss: FlaskClient, brand: Brand
) -> None:
    assert allowed(app, brand) == 1
    assert post(boss, brand, "waivers", levels="3", reason="approved pilot", ends_on=soon(30)).status_code == 303
    assert allowed(app, brand) == 3
    page = page_of(boss, brand)
    assert "approved pilot" in page
    assert "<strong data-levels-allowed>3</strong>" in page

    found = re.search(r"/waivers/([0-9a-f-]{36})/revoke", page)
    assert found
    assert post(boss, brand, f"waivers/{found[1]}/revoke").status_code == 303
    assert allowed(app, brand) == 1
    assert post(boss, brand, f"waivers/{found[1]}/revoke").status_code == 303


def test_waivers_of_other_kinds_are_granted_and_told_to_the_brand(app: Flask, boss: FlaskClient, brand: Brand) -> None:
    bad = post(boss, brand, "waivers", kind="everything", reason="why", ends_on=soon(5))
    assert bad.status_code == 422
    for kind in ("team", "entry"):
        assert post(boss, brand, "waivers", kind=kind, reason=f"for {kind}", ends_on=soon(5)).status_code == 303
    with app.app_context(), in_tenant(brand.tenant):
        assert team_allowed()
        assert entry_allowed_fen() is None
        told = session().scalars(sa.select(AdminAction).where(AdminAction.action == "waiver.granted")).all()
        assert [(each.details["kind"], each.details["reason"]) for each in told] == [
            ("team", "for team"),
            ("entry", "for entry"),
        ]
    page = boss.get("/superadmin/compliance").get_data(as_text=True)
    assert all(text in page for text in ("2026-1", "2026-2", "for team", "for entry", str(brand.tenant.id)))
    assert "Team rewards" in page_of(boss, brand)
    found = re.findall(r"/waivers/([0-9a-f-]{36})/revoke", page_of(boss, brand))
    for waiver_id in found:
        assert post(boss, brand, f"waivers/{waiver_id}/revoke").status_code == 303
    with app.app_context(), in_tenant(brand.tenant):
        assert not team_allowed()
        revoked = session().scalars(sa.select(AdminAction).where(AdminAction.action == "waiver.revoked")).all()
        assert len(revoked) == 2


def test_a_waiver_lasts_to_the_end_of_its_last_day_in_beijing(boss: FlaskClient, brand: Brand) -> None:
    today = datetime.now(BEIJING).date()
    post(boss, brand, "waivers", levels="2", reason="today only", ends_on=today.isoformat())
    end = f"{today + timedelta(days=1)} 00:00"
    assert f"until {end}" in page_of(boss, brand)


@pytest.mark.parametrize(
    ("levels", "reason", "ends_on", "code"),
    [
        ("4", "why", soon(1), "bad_waiver"),
        ("1", "why", soon(1), "bad_waiver"),
        ("", "why", soon(1), "bad_waiver"),
        ("three", "why", soon(1), "bad_waiver"),
        ("9" * 5000, "why", soon(1), "bad_waiver"),
        ("3", " ", soon(1), "reason_missing"),
        ("3", "r" * 501, soon(1), "reason_missing"),
        ("3", "why", "", "bad_end_date"),
        ("3", "why", soon(-1), "bad_end_date"),
        ("3", "why", "2026-02-30", "bad_end_date"),
        ("3", "why", "9999-12-31", "bad_end_date"),
        ("3", "why", "tomorrow", "bad_end_date"),
    ],
)
def test_a_bad_waiver_is_refused_at_its_field(
    app: Flask, boss: FlaskClient, brand: Brand, levels: str, reason: str, ends_on: str, code: str
) -> None:
    answer = post(boss, brand, "waivers", levels=levels, reason=reason, ends_on=ends_on)
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert f'data-code="{code}"' in page
    assert reason.strip() in page
    assert allowed(app, brand) == 1


def test_a_waiver_of_another_brand_cannot_be_revoked_here(
    app: Flask, boss: FlaskClient, brand: Brand, other_brand: Brand
) -> None:
    post(boss, other_brand, "waivers", levels="3", reason="theirs", ends_on=soon(5))
    found = re.search(r"/waivers/([0-9a-f-]{36})/revoke", page_of(boss, other_brand))
    assert found
    assert post(boss, brand, f"waivers/{found[1]}/revoke").status_code == 404
    assert allowed(app, other_brand) == 3
    assert allowed(app, brand) == 1


# The audit trail.


def test_the_audit_trail_tells_who_did_what_to_whom(boss: FlaskClient, brand: Brand, other_brand: Brand) -> None:
    post(boss, brand, "suspend", reason="unpaid bills")
    post(boss, brand, "resume")
    post(boss, brand, "waivers", levels="2", reason="pilot", ends_on=soon(3))
    header, *entries = rows(boss.get("/superadmin/audit", query_string={"q": brand.slug, "format": "csv"}))
    assert header == ["Time", "Who", "What", "Brand", "Details"]
    assert [entry[2] for entry in entries] == [
        "waiver.granted",
        "tenant.active",
        "tenant.suspended",
        "tenant.signed_up",
    ]
    assert {entry[1] for entry in entries[:3]} == {"staff:root@example.com"}
    assert {entry[3] for entry in entries} == {brand.slug}
    assert "unpaid bills" in entries[2][4]
    page = boss.get("/superadmin/audit", query_string={"q": "unpaid bills"}).get_data(as_text=True)
    assert "Brand suspended" in page
    assert brand.tenant.name in page


def test_the_audit_trail_is_paged_and_has_an_empty_state(boss: FlaskClient, brand: Brand) -> None:
    for number in range(13):
        post(boss, brand, "suspend", reason=f"{number} of {brand.slug}")
        post(boss, brand, "resume")
    page = boss.get(f"/superadmin/audit?brand={brand.tenant.id}&page=2").get_data(as_text=True)
    assert "26–27 of 27" in page
    assert "Brand signed up" in page
    nothing = boss.get("/superadmin/audit", query_string={"q": "no such thing"}).get_data(as_text=True)
    assert "Nothing fits." in nothing


def test_the_audit_trail_of_an_unknown_brand_is_not_found(boss: FlaskClient) -> None:
    assert boss.get(f"/superadmin/audit?brand={uuid4()}").status_code == 404
    assert boss.get("/superadmin/audit?brand=nonsense").status_code == 200


def test_the_log_in_stands_in_the_audit_trail(boss: FlaskClient) -> None:
    page = boss.get("/superadmin/audit?q=staff.logged_in").get_data(as_text=True)
    assert "staff:root@example.com" in page


# Plugins.


def test_the_plugin_page_lists_the_catalogue_and_every_open_failure(
    app: Flask, boss: FlaskClient, brand: Brand
) -> None:
    with app.app_context(), in_tenant(brand.tenant), unit_of_work():
        record_failure(PluginFailed(plugin="plan_levels", hook="propose_awards", error=ValueError("<oops>")))
    page = boss.get("/superadmin/plugins").get_data(as_text=True)
    for name in ("tiers_flat", "tiers_ladder", "plan_levels", "plan_ladder"):
        assert f"<code>{name} " in page
    assert "&lt;oops&gt;" in page
    assert str(brand.tenant.id) in page
    assert "&lt;oops&gt;" in page_of(boss, brand)
