"""Withdrawals of before there was tax: they become ones without tax and fee, with the number of their transfer."""

from __future__ import annotations

import psycopg
import pytest
from flask import Flask

from fanyong.ids import new_id
from fanyong.tenancy import migrate

BEFORE = "t0004"


@pytest.fixture
def schema(app: Flask) -> str:
    """A schema of a brand that has not been migrated to payouts yet; it is gone afterwards."""
    return f"t_{new_id().hex}"


def test_old_withdrawals_keep_what_they_were(app: Flask, schema: str) -> None:
    dsn = migrate.driver_dsn(app.extensions["settings"].database_url)
    with psycopg.connect(dsn) as connection, app.app_context():
        connection.execute(f"CREATE SCHEMA {schema}; CREATE ROLE {schema}".encode())
        connection.execute(f"SET LOCAL search_path TO {schema}".encode())
        connection.execute(migrate.script_for(schema, start=migrate.BASE, end=BEFORE).encode())
        member, transfer, withdrawal = new_id(), new_id(), new_id()
        connection.execute(
            "INSERT INTO member (id, openid, nickname, ancestors, joined_at) VALUES (%s, 'o', 'n', '{}', now())",
            [member],
        )
        connection.execute(
            "INSERT INTO transfer (id, reference_id, out_bill_no, openid, amount_fen, remark, state, created_at, "
            "try_count) VALUES (%s, %s, 'b1', 'o', 500, 'r', 'paid', now(), 0)",
            [transfer, withdrawal],
        )
        connection.execute(
            "INSERT INTO withdrawal (id, member_id, amount_fen, state, transfer_id, idempotency_key, requested_at) "
            # Still October in UTC, November in Beijing.
            "VALUES (%s, %s, 500, 'paid', %s, 'k', '2026-10-31 17:00+00')",
            [withdrawal, member, transfer],
        )
        connection.execute(migrate.script_for(schema, start=BEFORE, end="t0005").encode())
        row = connection.execute(
            "SELECT amount_fen, net_fen, tax_fen, fee_fen, channel, payout_number, tax_month::text FROM withdrawal"
        ).fetchone()
        connection.rollback()
    assert row == (500, 500, 0, 0, "payout_wechat", "b1", "2026-11-01")
