"""Callbacks: queued in the transaction that causes them, delivered until somebody answers 200 or 204."""

import functools
import json
import logging
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from fanyong.wechat.simulator.crypto import Platform, encrypt_resource
from fanyong.wechat.simulator.rules import wire_time
from fanyong.wechat.simulator.store import Database, Merchant, Row, Store, find_merchant

# WeChat spreads its attempts over a day; here the day takes some minutes.
SCHEDULE = (0.05, 0.5, 1, 1, 2, 2, 5, 5) + (10,) * 32
REVERSE_WINDOW_SECONDS = 1.0
ANSWER_SECONDS = 5.0
POLL_SECONDS = 0.2
KINDS = {"TRANSACTION": "transaction", "REFUND": "refund", "MCHTRANSFER": "mch_payment"}
SUMMARIES = {"TRANSACTION": "支付成功", "REFUND": "退款通知", "MCHTRANSFER": "商家转账单据终态通知"}

DUE = """
SELECT n.* FROM notifications n JOIN merchants m ON m.mchid = n.mchid
WHERE n.state = 'pending' AND n.next_at <= :now AND m.callbacks_mode != 'never'
  AND (m.callbacks_mode != 'reverse' OR n.attempts > 0 OR NOT EXISTS (
    SELECT 1 FROM notifications newer WHERE newer.mchid = n.mchid AND newer.seq > n.seq
    AND newer.state = 'pending' AND newer.attempts = 0))
ORDER BY n.next_at, n.seq LIMIT 64
"""
NEXT = "SELECT min(next_at) FROM notifications WHERE state = 'pending' AND next_at > ?"


def enqueue(
    db: Database,
    merchant: Merchant,
    *,
    url: str,
    event_type: str,
    resource: dict[str, Any],
    times: int = 1,
) -> None:
    """Queue a callback in the transaction of what it tells, in the merchant's callback mode."""
    if not url:
        return
    event = make_event(merchant, event_type=event_type, resource=resource)
    mode, value = merchant.callbacks_mode, merchant.callbacks_value
    delay = {"delay": value, "reverse": REVERSE_WINDOW_SECONDS}.get(mode, SCHEDULE[0])
    db.execute(
        "INSERT INTO notifications (event_id, mchid, url, body, state, copies, next_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            event["id"],
            merchant.mchid,
            url,
            json.dumps(event, ensure_ascii=False),
            # In the mode `never` the callback is lost for good, as it sometimes is.
            "suppressed" if mode == "never" else "pending",
            max(times, int(value)) if mode == "repeat" else times,
            time.time() + delay,
        ),
    )


def make_event(merchant: Merchant, *, event_type: str, resource: dict[str, Any]) -> dict[str, Any]:
    """Return the event as it is before its resource is encrypted."""
    family = event_type.partition(".")[0]
    return {
        "id": str(uuid.uuid4()),
        "create_time": wire_time(merchant.now()),
        "resource_type": "encrypt-resource",
        "event_type": event_type,
        "summary": SUMMARIES[family],
        "original_type": KINDS[family],
        "resource": resource,
    }


def seal(event: dict[str, Any], *, apiv3_key: str) -> bytes:
    """Return the callback's body, its resource encrypted with the merchant's key."""
    kind = event["original_type"]
    sealed = encrypt_resource(event["resource"], apiv3_key=apiv3_key, associated_data=kind)
    body = {name: value for name, value in event.items() if name != "original_type"}
    body["resource"] = sealed | {"original_type": kind}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Send a callback and return the HTTP status it was answered with."""
    headers = headers | {"Content-Type": "application/json", "User-Agent": "Mozilla/4.0"}
    return _client().post(url, content=body, headers=headers).status_code


@functools.cache
def _client() -> httpx.Client:
    # A connection per callback, so that a receiver that restarts never meets an old one.
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(trust_env=False, timeout=ANSWER_SECONDS, follow_redirects=False, limits=limits)


class Notifier(threading.Thread):
    """Delivers what is due; a receiver that hangs keeps one thread busy and nobody else waiting."""

    def __init__(self, store: Store, platform: Platform) -> None:
        super().__init__(name="notifier", daemon=True)
        self._store = store
        self._platform = platform
        self._busy: set[int] = set()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="callback")
        self._wake = threading.Event()
        self._closing = False

    def wake(self) -> None:
        """Look for work soon, because something was queued."""
        self._wake.set()

    def close(self) -> None:
        """Stop delivering; what is pending stays pending in the store."""
        self._closing = True
        self._wake.set()
        self.join()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def run(self) -> None:
        """Hand what is due to the threads until closed."""
        while not self._closing:
            try:
                pause = self._hand_out()
            except Exception:
                logging.getLogger(__name__).exception("the notifier stumbled and goes on")
                pause = POLL_SECONDS
            self._wake.wait(pause)
            self._wake.clear()

    def _hand_out(self) -> float:
        """Hand out what is due and return how long to wait for more."""
        now = time.time()
        # Looked up under the lock that guards `_busy`: what has just been delivered is not seen as due.
        with self._lock:
            with self._store.transaction() as db:
                due = db.execute(DUE, {"now": now}).fetchall()
                (next_at,) = db.execute(NEXT, (now,)).fetchone()
            fresh = [row for row in due if row["seq"] not in self._busy]
            self._busy.update(row["seq"] for row in fresh)
        for row in fresh:
            self._threads.submit(self._deliver, row)
        return POLL_SECONDS if next_at is None else min(next_at - now, POLL_SECONDS)

    def _deliver(self, row: Row) -> None:
        try:
            with self._store.transaction() as db:
                merchant = find_merchant(db, row["mchid"])
            if merchant is not None:
                answer, accepted = self._attempt(row, merchant)
                with self._store.transaction() as db:
                    _record(db, row, answer=answer, accepted=accepted)
        except Exception:
            logging.getLogger(__name__).exception("a callback could not be delivered")
        finally:
            with self._lock:
                self._busy.discard(row["seq"])
            self._wake.set()

    def _attempt(self, row: Row, merchant: Merchant) -> tuple[str, bool]:
        # Encrypted and signed anew each time: the event stays the same, its envelope does not.
        body = seal(json.loads(row["body"]), apiv3_key=merchant.apiv3_key)
        try:
            status = post(row["url"], body, self._platform.signature_headers(body))
        except httpx.HTTPError as error:
            return type(error).__name__, False
        return str(status), status in {200, 204}


def _record(db: Database, row: Row, *, answer: str, accepted: bool) -> None:
    attempts, copies = row["attempts"] + 1, row["copies"] - (1 if accepted else 0)
    delay = SCHEDULE[min(attempts, len(SCHEDULE) - 1)]
    if copies == 0:
        state = "delivered"
    elif attempts >= len(SCHEDULE):
        state = "given_up"
    else:
        # A duplicate follows on the heels of the delivery it repeats.
        state, delay = "pending", SCHEDULE[0] if accepted else delay
    db.execute(
        "UPDATE notifications SET attempts = ?, copies = ?, state = ?, next_at = ?, answer = ? WHERE seq = ?",
        (attempts, copies, state, time.time() + delay, answer, row["seq"]),
    )
