"""Who may do what, as a table, and that the pages keep to it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from fanyong.identity.models import AdminUser, StaffUser
from fanyong.identity.permissions import BRAND_ROLES, STAFF_ROLES, Permission
from tests.conftest import Brand, csrf_token
from tests.tenancy.parts import sign_up_two

BRAND = ("owner", "operator", "finance")
STAFF = ("superadmin", "support")
#: Each permission with the roles that have it. A change here is a decision, not a detail.
TABLE: dict[str, set[str]] = {
    "brand:commissions:hold": {"owner", "finance"},
    "brand:dashboard:read": {"owner", "operator", "finance"},
    "brand:debts:write_off": {"owner", "finance"},
    "brand:ledger:read": {"owner", "finance"},
    "brand:orders:read": {"owner", "operator", "finance"},
    "brand:orders:refund": {"owner", "finance"},
    "brand:orders:ship": {"owner", "operator"},
    "brand:plans:read": {"owner"},
    "brand:plans:write": {"owner"},
    "brand:products:read": {"owner", "operator"},
    "brand:products:write": {"owner", "operator"},
    "brand:promoters:appoint": {"owner"},
    "brand:promoters:freeze": {"owner", "finance"},
    "brand:promoters:read": {"owner", "operator", "finance"},
    "brand:promoters:review": {"owner", "operator"},
    "brand:reconciliation:write": {"owner", "finance"},
    "brand:rewards:post": {"owner", "finance"},
    "brand:settings:read": {"owner"},
    "brand:settings:write": {"owner"},
    "brand:staff:write": {"owner"},
    "brand:withdrawals:decide": {"owner", "finance"},
    "brand:withdrawals:pay": {"owner", "finance"},
    "brand:withdrawals:read": {"owner", "finance"},
    "brand:withdrawals:review": {"owner", "finance"},
    "platform:audit:read": {"superadmin", "support"},
    "platform:brands:read": {"superadmin", "support"},
    "platform:brands:suspend": {"superadmin"},
    "platform:waivers:write": {"superadmin"},
}


def test_the_table_names_every_permission_and_every_role() -> None:
    assert set(TABLE) == {str(permission) for permission in Permission}
    assert tuple(BRAND_ROLES) == BRAND
    assert tuple(STAFF_ROLES) == STAFF


@pytest.mark.parametrize("role", BRAND + STAFF)
@pytest.mark.parametrize("permission", Permission)
def test_each_role_has_what_the_table_says(role: str, permission: Permission) -> None:
    account = AdminUser(role=role) if role in BRAND else StaffUser(role=role)
    assert (permission in account.permissions) is (role in TABLE[permission])


def test_a_role_that_nobody_knows_may_nothing() -> None:
    for account in (AdminUser(role="ceo"), AdminUser(role="superadmin"), StaffUser(role="owner"), StaffUser(role="")):
        assert account.permissions == frozenset()


#: A page for each permission that has one, and where it is.
PAGES = {
    "brand:dashboard:read": "/console/",
    "brand:ledger:read": "/console/books",
    "brand:orders:read": "/console/orders",
    "brand:plans:read": "/console/plan",
    "brand:products:read": "/console/products",
    "brand:promoters:read": "/console/promoters",
    "brand:settings:read": "/console/settings",
    "brand:staff:write": "/console/staff",
    "brand:withdrawals:read": "/console/withdrawals",
}


#: The views that are open to everybody; logging out needs nothing but a form that was sent from here.
DOORS = {
    "console.login",
    "console.logout",
    "console.welcome",
    "superadmin.login",
    "superadmin.log_staff_in",
    "superadmin.logout",
}


@pytest.fixture(scope="module")
def owners_brand(app: Flask) -> Brand:
    """A brand for all the pages of this module."""
    return sign_up_two(app)[0]


@pytest.mark.parametrize("role", BRAND)
def test_the_pages_keep_to_the_table(
    app: Flask, owners_brand: Brand, login_as: Callable[..., FlaskClient], role: str
) -> None:
    client = login_as(owners_brand, role)
    for permission, page in PAGES.items():
        expected = 200 if role in TABLE[permission] else 403
        assert client.get(page).status_code == expected, page
    token = csrf_token(client, "/console/")
    for page, permission in (
        ("/console/staff", "brand:staff:write"),
        ("/console/plan", "brand:plans:write"),
        ("/console/products/new", "brand:products:write"),
        ("/console/settings/go-live", "brand:settings:write"),
    ):
        answer = client.post(page, data={"csrf_token": token})
        assert (answer.status_code == 403) is (role not in TABLE[permission]), page


def test_every_view_of_both_consoles_asks_for_a_permission(app: Flask) -> None:
    """A view that forgets `@requires` is open to everybody: only the doors may be."""
    open_views = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(("console.", "superadmin."))
        and not rule.endpoint.endswith(".static")
        and not hasattr(app.view_functions[rule.endpoint], "__wrapped__")
    }
    assert open_views <= DOORS


def test_every_view_of_both_consoles_sends_strangers_to_the_door(
    app: Flask, owners_brand: Brand, client_for: Callable[..., FlaskClient]
) -> None:
    addresses = app.url_map.bind("")
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith(("console.", "superadmin.")) or rule.endpoint.endswith(".static"):
            continue
        if rule.endpoint in DOORS:
            continue
        client = client_for(owners_brand.host if rule.endpoint.startswith("console.") else "localhost")
        door = "/console/login" if rule.endpoint.startswith("console.") else "/superadmin/login"
        method = "GET" if "GET" in (rule.methods or ()) else "POST"
        arguments = {name: "plan" if name == "word" else UUID(int=0) for name in rule.arguments}
        path = addresses.build(rule.endpoint, arguments, method=method)
        fields = {"csrf_token": csrf_token(client, door)} if method == "POST" else None
        answer = client.open(path, method=method, data=fields)
        assert (answer.status_code, (answer.location or "").partition("?")[0]) == (303, door), f"{method} {path}"
