"""From the sandbox to real money: own keys, and nothing of what was only tried.

Play money must never be paid out as real money, so everything that was earned in the sandbox is deleted in the
transaction that switches the account. There is no way back to the sandbox.
"""

from __future__ import annotations

from collections.abc import Collection

import psycopg
import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from flask_babel import lazy_gettext as _l
from psycopg import sql

from fanyong.errors import FanyongError
from fanyong.payments.models import MerchantAccount
from fanyong.tenancy.clock import TestClock
from fanyong.tenancy.context import current_tenant
from fanyong.tenancy.database import session

#: The fields of a live account, as the settings page asks for them.
KEY_FIELDS = (
    "appid",
    "app_secret",
    "mchid",
    "private_key_pem",
    "cert_serial_no",
    "apiv3_key",
    "public_key_pem",
    "public_key_id",
)
APIV3_KEY_LENGTH = 32


class BadMerchantKeys(FanyongError):
    code = "bad_merchant_keys"
    status = 422
    message = _l("“%(field)s” cannot be right. Copy it again from WeChat Pay's merchant platform.")


class NoLiveKeys(FanyongError):
    code = "no_live_keys"
    status = 409
    message = _l("Enter your own WeChat Pay keys first.")


class AlreadyLive(FanyongError):
    code = "already_live"
    status = 409
    message = _l("This brand is live already.")


def save_live_keys(values: dict[str, str]) -> MerchantAccount:
    """Store a brand's own WeChat Pay keys, encrypted; raises BadMerchantKeys naming the first bad field."""
    values = {field: values.get(field, "").strip() for field in KEY_FIELDS}
    _check(values)
    account = session().get(MerchantAccount, "live") or MerchantAccount(mode="live", active=False)
    for field, value in values.items():
        setattr(account, field, value)
    session().add(account)
    return account


def go_live(owner_dsn: str, *, keep_tables: Collection[str]) -> None:
    """Switch the bound brand to its own account and delete what the sandbox left, but for `keep_tables`.

    Runs as the owner, because the brand's own role may not delete what is append only. The caller has committed
    and holds no lock. Raises NoLiveKeys or AlreadyLive.
    """
    schema = sql.Identifier(current_tenant().schema)
    with psycopg.connect(owner_dsn) as connection:
        connection.execute("SET LOCAL lock_timeout = '5s'")
        connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(schema))
        rows = connection.execute("SELECT mode, active FROM merchant_account FOR UPDATE").fetchall()
        accounts = {str(row[0]): bool(row[1]) for row in rows}
        if accounts.get("live"):
            raise AlreadyLive
        if "live" not in accounts:
            raise NoLiveKeys
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", [current_tenant().schema]
        ).fetchall()
        emptied = [sql.Identifier(str(row[0])) for row in names if row[0] not in keep_tables]
        connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(emptied)))
        connection.execute("DELETE FROM brand_setting WHERE key = %s", [TestClock.key])
        connection.execute("DELETE FROM merchant_account WHERE mode = 'sandbox'")
        connection.execute("UPDATE merchant_account SET active = true WHERE mode = 'live'")


def has_live_keys() -> bool:
    """Return whether the bound brand has entered keys of its own."""
    return session().scalar(sa.select(MerchantAccount.mode).where(MerchantAccount.mode == "live")) is not None


def _check(values: dict[str, str]) -> None:
    for field, value in values.items():
        if not value:
            raise BadMerchantKeys(field=field)
    if not values["mchid"].isdigit() or not 8 <= len(values["mchid"]) <= 10:
        raise BadMerchantKeys(field="mchid")
    if len(values["apiv3_key"]) != APIV3_KEY_LENGTH or not values["apiv3_key"].isascii():
        raise BadMerchantKeys(field="apiv3_key")
    try:
        load_pem_private_key(values["private_key_pem"].encode(), password=None)
    except (ValueError, TypeError):
        raise BadMerchantKeys(field="private_key_pem") from None
    try:
        load_pem_public_key(values["public_key_pem"].encode())
    except ValueError:
        raise BadMerchantKeys(field="public_key_pem") from None
