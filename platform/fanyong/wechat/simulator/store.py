"""The simulator's memory: one SQLite file that survives a kill -9."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

Database = sqlite3.Connection
Row = sqlite3.Row

SCHEMA = """
CREATE TABLE IF NOT EXISTS platform (private_pem TEXT, public_pem TEXT, public_key_id TEXT);
CREATE TABLE IF NOT EXISTS merchants (
    mchid TEXT PRIMARY KEY, appid TEXT NOT NULL, app_secret TEXT NOT NULL, apiv3_key TEXT NOT NULL,
    cert_serial_no TEXT NOT NULL, public_key_pem TEXT NOT NULL,
    offset_seconds INTEGER NOT NULL DEFAULT 0,
    callbacks_mode TEXT NOT NULL DEFAULT 'normal', callbacks_value REAL NOT NULL DEFAULT 0,
    refunds_mode TEXT NOT NULL DEFAULT 'at_once', refunds_value REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS accounts (
    mchid TEXT NOT NULL, name TEXT NOT NULL, balance_fen INTEGER NOT NULL DEFAULT 0,
    held_fen INTEGER NOT NULL DEFAULT 0 CHECK (held_fen >= 0), PRIMARY KEY (mchid, name));
CREATE TABLE IF NOT EXISTS movements (
    id INTEGER PRIMARY KEY, mchid TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL,
    source TEXT NOT NULL, target TEXT NOT NULL, amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    wechat_no TEXT NOT NULL, our_no TEXT NOT NULL,
    source_balance_fen INTEGER NOT NULL, target_balance_fen INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS movements_by_day ON movements (mchid, at);
CREATE TABLE IF NOT EXISTS nonces (
    mchid TEXT NOT NULL, nonce TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (mchid, nonce));
CREATE INDEX IF NOT EXISTS nonces_by_age ON nonces (at);
CREATE TABLE IF NOT EXISTS openids (appid TEXT NOT NULL, openid TEXT NOT NULL, PRIMARY KEY (appid, openid));
CREATE TABLE IF NOT EXISTS codes (
    code TEXT PRIMARY KEY, appid TEXT NOT NULL, openid TEXT NOT NULL,
    expires_at REAL NOT NULL, used INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS orders (
    mchid TEXT NOT NULL, out_trade_no TEXT NOT NULL, params TEXT NOT NULL, appid TEXT NOT NULL,
    description TEXT NOT NULL, attach TEXT NOT NULL, amount_fen INTEGER NOT NULL, openid TEXT NOT NULL,
    notify_url TEXT NOT NULL, expires_at INTEGER NOT NULL, state TEXT NOT NULL, transaction_id TEXT,
    paid_at INTEGER, PRIMARY KEY (mchid, out_trade_no));
CREATE UNIQUE INDEX IF NOT EXISTS orders_by_transaction ON orders (transaction_id);
CREATE TABLE IF NOT EXISTS prepays (
    prepay_id TEXT PRIMARY KEY, mchid TEXT NOT NULL, out_trade_no TEXT NOT NULL, created_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS refunds (
    mchid TEXT NOT NULL, out_refund_no TEXT NOT NULL, refund_id TEXT NOT NULL, params TEXT NOT NULL,
    out_trade_no TEXT NOT NULL, transaction_id TEXT NOT NULL, refund_fen INTEGER NOT NULL,
    total_fen INTEGER NOT NULL, notify_url TEXT NOT NULL, status TEXT NOT NULL, created_at INTEGER NOT NULL,
    success_at INTEGER, due_at REAL, PRIMARY KEY (mchid, out_refund_no));
CREATE INDEX IF NOT EXISTS refunds_by_order ON refunds (mchid, out_trade_no);
CREATE INDEX IF NOT EXISTS refunds_due ON refunds (due_at) WHERE status = 'PROCESSING';
CREATE TABLE IF NOT EXISTS transfers (
    mchid TEXT NOT NULL, out_bill_no TEXT NOT NULL, transfer_bill_no TEXT NOT NULL UNIQUE,
    params TEXT NOT NULL, appid TEXT NOT NULL, openid TEXT NOT NULL, amount_fen INTEGER NOT NULL,
    remark TEXT NOT NULL, notify_url TEXT NOT NULL, state TEXT NOT NULL, package_info TEXT NOT NULL,
    fail_reason TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    PRIMARY KEY (mchid, out_bill_no));
CREATE INDEX IF NOT EXISTS transfers_waiting ON transfers (created_at) WHERE state = 'WAIT_USER_CONFIRM';
CREATE TABLE IF NOT EXISTS notifications (
    seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL, mchid TEXT NOT NULL, url TEXT NOT NULL,
    body TEXT NOT NULL, state TEXT NOT NULL, copies INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    next_at REAL NOT NULL, answer TEXT);
CREATE INDEX IF NOT EXISTS notifications_due ON notifications (next_at) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY, match TEXT NOT NULL, mchid TEXT, kind TEXT NOT NULL, status INTEGER NOT NULL,
    code TEXT NOT NULL, seconds REAL NOT NULL, times INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS bill_files (
    token TEXT PRIMARY KEY, mchid TEXT NOT NULL, content BLOB NOT NULL, expires_at REAL NOT NULL);
"""


@dataclass(frozen=True, kw_only=True)
class Merchant:
    """A registered merchant, its keys and its settings."""

    mchid: str
    appid: str
    app_secret: str
    apiv3_key: str
    cert_serial_no: str
    public_key_pem: str
    offset_seconds: int
    callbacks_mode: str
    callbacks_value: float
    refunds_mode: str
    refunds_value: float

    def now(self) -> int:
        """Return the time on this merchant's clock, in seconds since 1970."""
        return int(time.time()) + self.offset_seconds


class Store:
    """One connection that threads take in turns; each transaction sees and leaves a whole state."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        # A killed process loses nothing; only a power cut could lose the last commits.
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[Database]:
        """Give the connection for one transaction: committed on leaving, undone on an error."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()


def find_merchant(db: Database, mchid: str) -> Merchant | None:
    """Return the merchant with this number, if it is registered."""
    names = ", ".join(field.name for field in fields(Merchant))
    row = db.execute(f"SELECT {names} FROM merchants WHERE mchid = ?", (mchid,)).fetchone()
    return Merchant(**dict(row)) if row else None
