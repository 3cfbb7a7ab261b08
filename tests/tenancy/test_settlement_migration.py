"""Orders and products that are older than settlement rules: after the migration they mean what they meant."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from flask import Flask
from psycopg.types.json import Json

from fanyong.ids import new_id
from fanyong.tenancy import migrate
from tenants.settlement.triggers import Settlement


@pytest.fixture
def old_brand(spare_app: Flask, spare_owner: psycopg.Connection) -> Iterator[str]:
    """A schema as it was at the first revision."""
    schema = f"t_{new_id().hex}"
    spare_owner.execute(f"CREATE SCHEMA {schema}; CREATE ROLE {schema}".encode())
    with spare_app.app_context():
        script = migrate.script_for(schema, start=migrate.BASE, end="t0001")
    spare_owner.execute(f"SET search_path TO {schema}; {script}".encode())
    yield schema
    spare_owner.execute(
        f"RESET search_path; DROP SCHEMA {schema} CASCADE; DROP OWNED BY {schema}; DROP ROLE {schema}".encode()
    )


def write_old_order(connection: psycopg.Connection, *, window_days: int | None) -> None:
    """Write an order as it was written then, with a line that was refunded in part; None is an unpaid one."""
    member, product, order, line, refund = (new_id() for _ in range(5))
    number = order.hex
    attribution = None if window_days is None else Json({"window_days": window_days, "facts": {}, "policy": "p"})
    connection.execute(
        "INSERT INTO member (id, openid, nickname, ancestors, joined_at) VALUES (%s, %s, 'n', '{}', now())",
        [member, number],
    )
    connection.execute(
        "INSERT INTO product VALUES (%s, %s, 'A', 'tea', '', 1000, 5, true, now())", [product, f"sku-{number}"]
    )
    connection.execute(
        'INSERT INTO "order" (id, number, member_id, state, goods_fen, coupon_fen, freight_fen, total_fen, '
        "refunded_fen, idempotency_key, request_hash, attribution, created_at, expires_at, tracking, paid_at) "
        "VALUES (%s, %s, %s, 'paid', 2000, 0, 0, 2000, 1000, 'k', 'h', %s, now(), now(), '', now())",
        [order, number, member, attribution],
    )
    connection.execute(
        "INSERT INTO order_line VALUES (%s, %s, 0, %s, %s, 'A', 'tea', 1000, 2, 0, 2000, 1, 1000)",
        [line, order, product, f"sku-{number}"],
    )
    connection.execute(
        "INSERT INTO order_refund VALUES (%s, %s, 'k', 'h', 0, 1000, 'r', 'a', 'done', now())", [refund, order]
    )
    connection.execute("INSERT INTO order_refund_line VALUES (%s, %s, 1, 1000)", [refund, line])


def test_old_orders_and_products_mean_what_they_meant(
    spare_app: Flask, spare_owner: psycopg.Connection, old_brand: str
) -> None:
    for window_days in (3, 0, None):
        write_old_order(spare_owner, window_days=window_days)
    with spare_app.app_context():
        spare_owner.execute(migrate.script_for(old_brand, start="t0001", end="t0007").encode())
    rules = [row[0] for row in spare_owner.execute('SELECT settlement FROM "order" ORDER BY id')]
    read = [Settlement.model_validate(rule) if rule else None for rule in rules]
    assert read == [Settlement(window_days=3), Settlement(window_days=0), None]
    products = spare_owner.execute(
        "SELECT product_code = sku, cost_fen, tax_bp, commission_base_fen FROM product"
    ).fetchall()
    assert products == [(True, None, 0, None)] * 3
    lines = spare_owner.execute("SELECT product_code = sku, cost_fen, tax_bp, adjusted_fen FROM order_line").fetchall()
    assert lines == [(True, None, 0, 0)] * 3
    assert spare_owner.execute("SELECT DISTINCT origin FROM order_refund").fetchall() == [("asked",)]
