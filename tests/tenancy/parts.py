"""Brands that outlive a test: signing one up costs more than most tests do."""

from __future__ import annotations

import psycopg
from flask import Flask

from fanyong.cli import build_schema
from fanyong.ids import new_token
from fanyong.signup.service import sign_up
from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.migrate import driver_dsn
from fanyong.tenancy.runtime import in_tenant
from tenants.wiring import start_with_flat_tiers
from tests.brands import empty
from tests.conftest import PASSWORD, Brand

#: Roles belong to the whole server, where other tests may be making some; these are used in this database.
ROLES_USED_HERE = (
    "SELECT count(DISTINCT refobjid) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass "
    "AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def sign_up_two(app: Flask) -> tuple[Brand, Brand]:
    """Make two brands that outlive a single test."""
    return sign_up_one(app), sign_up_one(app)


def sign_up_one(app: Flask) -> Brand:
    """Make a brand that outlives a single test; everything in it is called after its subdomain."""
    slug = f"twin{new_token(10).lower()}"
    with app.app_context():
        tenant, account = sign_up(
            name=slug, slug=slug, email=f"owner@{slug}.example", password=PASSWORD, build=build_schema
        )
    return Brand(tenant, account.email, PASSWORD, f"{slug}.localhost")


def renew(app: Flask, brand: Brand) -> Brand:
    """Leave of a brand what it was born with."""
    schema = brand.tenant.schema
    with psycopg.connect(driver_dsn(app.extensions["settings"].database_url)) as connection:
        empty(connection, schema)
        connection.execute(f"DELETE FROM {schema}.admin_user WHERE email <> %s".encode(), [brand.email])
        connection.execute(f"UPDATE {schema}.admin_user SET active = true".encode())
        connection.execute("DELETE FROM control.level_waiver WHERE tenant_id = %s", [brand.tenant.id])
        connection.execute(
            "DELETE FROM control.audit_entry WHERE tenant_id = %s AND action LIKE 'waiver.%%'", [brand.tenant.id]
        )
    with app.app_context(), in_tenant(brand.tenant), unit_of_work():
        start_with_flat_tiers()
    return brand
