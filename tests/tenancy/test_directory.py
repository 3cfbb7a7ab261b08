"""Which brand a host or a path means, and what strangers learn from an address without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fanyong.cli import build_schema
from fanyong.ids import new_token
from fanyong.tenancy import directory as module
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.directory import Directory, directory, live_tenants
from tests.conftest import Brand

Clients = Callable[..., FlaskClient]
PLATFORM = "localhost"


@pytest.fixture
def ask(app: Flask) -> Callable[[str], Tenant | None]:
    """Ask a directory that remembers nothing for a host."""

    def run(host: str) -> Tenant | None:
        with app.app_context():
            return Directory().by_host(host, platform_host=PLATFORM)

    return run


@pytest.fixture
def domain(owner: psycopg.Connection, twin_brands: tuple[Brand, Brand]) -> Iterator[str]:
    """A host name of the first brand's own."""
    host = f"shop-{new_token(8).lower()}.example"
    owner.execute("INSERT INTO control.domain (host, tenant_id) VALUES (%s, %s)", [host, twin_brands[0].tenant.id])
    yield host
    owner.execute("DELETE FROM control.domain WHERE host = %s", [host])
    directory.forget()


@pytest.fixture
def state(owner: psycopg.Connection, twin_brands: tuple[Brand, Brand]) -> Iterator[Callable[[str], None]]:
    """Change the first brand's state behind the application's back, as another process would."""
    brand = twin_brands[0]

    def change(value: str) -> None:
        owner.execute("UPDATE control.tenant SET state = %s WHERE id = %s", [value, brand.tenant.id])

    yield change
    change("active")
    directory.forget()


@pytest.mark.parametrize(
    "form", ["{}.localhost", "{}.localhost:8000", "{}.LocalHost", "{}.localhost.", "{}.localhost.:80"]
)
def test_a_brands_subdomain_is_found_however_it_is_written(
    ask: Callable[[str], Tenant | None], twin_brands: tuple[Brand, Brand], form: str
) -> None:
    brand = twin_brands[1]
    for name in (brand.slug, brand.slug.upper()):
        found = ask(form.format(name))
        assert found is not None
        assert found.id == brand.tenant.id


@pytest.mark.parametrize("form", ["{}", "{}:443", "{}."])
def test_a_host_of_its_own_leads_to_the_brand(
    ask: Callable[[str], Tenant | None], twin_brands: tuple[Brand, Brand], domain: str, form: str
) -> None:
    for host in (domain, domain.upper()):
        found = ask(form.format(host))
        assert found is not None
        assert found.id == twin_brands[0].tenant.id


@pytest.mark.parametrize(
    "form",
    [
        "{slug}",
        "{slug}.evil.example",
        "x.{slug}.localhost",
        "{slug}.localhost.evil.example",
        "{slug}localhost",
        "www.{domain}",
        "{domain}.localhost",
        ".localhost",
        "",
        "%.localhost",
        "_.localhost",
        "{slug}'--.localhost",
        "{schema}.localhost",
        "{id}.localhost",
    ],
)
def test_other_hosts_lead_nowhere(
    ask: Callable[[str], Tenant | None], twin_brands: tuple[Brand, Brand], domain: str, form: str
) -> None:
    tenant = twin_brands[0].tenant
    assert ask(form.format(slug=tenant.slug, domain=domain, schema=tenant.schema, id=tenant.id)) is None


def told(answer: TestResponse) -> tuple[int, bytes, dict[str, str]]:
    """Return all that an answer tells."""
    return answer.status_code, answer.data, dict(answer.headers)


@pytest.mark.parametrize("path", ["/", "/console/", "/api/v1/products", "/nothing", "/superadmin/", "/signup"])
def test_an_address_without_a_brand_says_the_same_whatever_the_reason(
    app: Flask, client_for: Clients, owner: psycopg.Connection, path: str
) -> None:
    with app.app_context():
        waiting = build_schema()
    owner.execute("UPDATE control.tenant SET slug = 'inthepool', version = 'kept' WHERE id = %s", [waiting])
    directory.forget()
    try:
        hosts = ("never-existed.localhost", "inthepool.localhost", "never.example", f"t_{waiting.hex}.localhost")
        answers = [told(client_for(host).get(path)) for host in hosts]
    finally:
        owner.execute("UPDATE control.tenant SET slug = NULL WHERE id = %s", [waiting])
    assert answers[0][:2] == (404, b"Not Found\n")
    assert "Set-Cookie" not in answers[0][2]
    assert all(answer == answers[0] for answer in answers)


def test_a_callback_finds_its_brand_by_the_path_on_any_host(
    client_for: Clients, twin_brands: tuple[Brand, Brand]
) -> None:
    one, two = (brand.tenant.id.hex for brand in twin_brands)
    for host in ("localhost", "127.0.0.1", "wherever.example", twin_brands[1].host):
        for brand_id in (one, two, one.upper()):
            # It is the brand's own provider that refuses what was not signed for it.
            assert client_for(host).post(f"/callbacks/wechat/{brand_id}", data=b"{}").status_code == 401


@pytest.mark.parametrize("tail", ["{random}", "{pool}", "nonsense", "", "{slug}", "../{one}", "%00"])
def test_a_callback_for_nobody_is_not_found(
    app: Flask, client_for: Clients, twin_brands: tuple[Brand, Brand], owner: psycopg.Connection, tail: str
) -> None:
    row = owner.execute("SELECT id FROM control.tenant WHERE state = 'ready' LIMIT 1").fetchone()
    pool: UUID = row[0] if row else uuid4()
    brand = twin_brands[0]
    path = tail.format(random=uuid4().hex, pool=pool.hex, slug=brand.slug, one=uuid4().hex)
    answer = client_for().post(f"/callbacks/wechat/{path}", data=b"{}")
    assert (answer.status_code, answer.data) == (404, b"Not Found\n")


def test_a_suspended_brand_is_closed_for_shoppers_and_open_to_its_money(
    client_for: Clients, twin_brands: tuple[Brand, Brand], state: Callable[[str], None], login_as: Clients
) -> None:
    brand = twin_brands[0]
    owner_client = login_as(brand)
    shopper = client_for(brand.host)
    state("suspended")
    directory.forget()
    assert shopper.get("/").status_code == 503
    answer = shopper.get("/api/v1/products")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["error"]["code"] == "shop_closed"
    assert shopper.post("/api/v1/session", json={"code": "x"}).status_code == 503
    assert shopper.post(f"/callbacks/wechat/{brand.tenant.id.hex}", data=b"{}").status_code == 401
    assert shopper.get("/console/login").status_code == 200
    assert owner_client.get("/console/").status_code == 200
    assert client_for(twin_brands[1].host).get("/api/v1/products").status_code == 200


def test_a_brand_is_remembered_for_a_moment_and_no_longer(
    app: Flask, twin_brands: tuple[Brand, Brand], state: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    brand, now, remembering = twin_brands[0], [1_000.0], Directory()
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def seen() -> list[str]:
        with app.app_context():
            ways = (
                remembering.by_host(brand.host, platform_host=PLATFORM),
                remembering.by_id(brand.tenant.id),
            )
        return [tenant.state for tenant in ways if tenant is not None]

    assert seen() == ["active", "active"]
    state("suspended")
    now[0] += module.CACHE_SECONDS - 0.01
    assert seen() == ["active", "active"]
    now[0] += 0.02
    assert seen() == ["suspended", "suspended"]
    state("active")
    assert seen() == ["suspended", "suspended"]
    remembering.forget()
    assert seen() == ["active", "active"]


def test_an_absence_is_remembered_no_longer_than_a_brand(
    app: Flask, owner: psycopg.Connection, twin_brands: tuple[Brand, Brand], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, remembering, host = [1_000.0], Directory(), f"new-{new_token(8).lower()}.example"
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with app.app_context():
        assert remembering.by_host(host, platform_host=PLATFORM) is None
    owner.execute("INSERT INTO control.domain (host, tenant_id) VALUES (%s, %s)", [host, twin_brands[0].tenant.id])
    with app.app_context():
        assert remembering.by_host(host, platform_host=PLATFORM) is None
        now[0] += module.CACHE_SECONDS + 0.01
        assert remembering.by_host(host, platform_host=PLATFORM) is not None
    owner.execute("DELETE FROM control.domain WHERE host = %s", [host])


def test_made_up_hosts_do_not_fill_memory(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    remembering = Directory()
    monkeypatch.setattr(remembering, "_cache", {str(number): None for number in range(10_001)})
    with app.app_context():
        remembering.by_host("never.example", platform_host=PLATFORM)
    assert len(remembering._cache) == 1


def test_the_pool_is_not_among_the_brands_that_live(app: Flask, owner: psycopg.Connection) -> None:
    with app.app_context():
        build_schema()
        found = {tenant.schema for tenant in live_tenants()}
    waiting = {
        row[0] for row in owner.execute("SELECT schema_name FROM control.tenant WHERE state = 'ready'").fetchall()
    }
    assert waiting
    assert not found & waiting


def test_the_platforms_pages_are_not_on_a_brands_host(client_for: Clients, twin_brands: tuple[Brand, Brand]) -> None:
    client = client_for(twin_brands[0].host)
    for path in ("/signup", "/signup/subdomain", "/superadmin/", "/superadmin/login"):
        assert client.get(path).status_code == 404
    for path in ("/console/", "/api/v1/products"):
        assert client_for().get(path).status_code in (303, 404)
