"""The parts that the tests of WeChat share: a shop with its gateway, and somebody who receives callbacks."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fanyong.wechat.callbacks import Callback
from fanyong.wechat.credentials import Credentials
from fanyong.wechat.gateway import WeChatGateway
from fanyong.wechat.simulator.client import SimulatorClient

# Long enough never to decide a test on a busy machine; a test that waits that long has failed.
PATIENCE = 60


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """An HTTP server that writes down what it gets and answers what it is told to, 204 by default."""

    received: "queue.Queue[Received]" = field(default_factory=queue.Queue)
    answers: "queue.Queue[tuple[int, dict[str, str], bytes]]" = field(default_factory=queue.Queue)
    always: int = 204
    url: str = ""

    def will_answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer the next request that has no answer yet like this."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.put((status, named, body))

    def next(self) -> Received:
        """Return the next request, waiting for it."""
        return self.received.get(timeout=PATIENCE)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.received.put(Received(self.command, self.path, dict(self.headers.items()), body))
            try:
                status, headers, answer = receiver.answers.get_nowait()
            except queue.Empty:
                status, headers, answer = receiver.always, {}, b""
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self._any()

        def do_POST(self) -> None:
            self._any()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Shop:
    """A merchant on the simulator, its gateway, and where its callbacks arrive."""

    simulator: SimulatorClient
    credentials: Credentials
    gateway: WeChatGateway
    receiver: Receiver
    offset: timedelta = timedelta()

    @property
    def mchid(self) -> str:
        """The merchant's number."""
        return self.credentials.mchid

    @property
    def now(self) -> datetime:
        """The time on the merchant's clock."""
        return datetime.now(UTC) + self.offset

    def advance(self, step: timedelta) -> None:
        """Move the merchant's clock on."""
        self.offset += step
        self.simulator.set_clock(self.mchid, offset_seconds=int(self.offset.total_seconds()))

    def openid(self, user: str = "amy") -> str:
        """Return a user's openid."""
        return self.simulator.login(appid=self.credentials.appid, user=user)[1]

    def order(self, number: str, *, amount_fen: int = 1000, **changes: Any) -> str:
        """Place an order and return its prepay id."""
        values: dict[str, Any] = {
            "description": "奶茶, 大杯",
            "openid": self.openid(),
            "notify_url": f"{self.receiver.url}/payments",
            "expires_at": self.now + timedelta(hours=1),
        }
        return self.gateway.create_jsapi_order(out_trade_no=number, amount_fen=amount_fen, **(values | changes))

    def paid_order(self, number: str, *, amount_fen: int = 1000) -> Callback:
        """Place an order, pay it and return the callback that tells so."""
        self.simulator.pay(self.order(number, amount_fen=amount_fen))
        return self.callback()

    def refund(self, number: str, *, of: str, refund_fen: int, total_fen: int = 1000) -> Any:
        """Ask for a refund."""
        return self.gateway.refund(
            out_refund_no=number,
            out_trade_no=of,
            refund_fen=refund_fen,
            total_fen=total_fen,
            reason="不合适",
            notify_url=f"{self.receiver.url}/refunds",
        )

    def transfer(self, number: str, *, amount_fen: int = 500, **changes: Any) -> Any:
        """Start a transfer."""
        values: dict[str, Any] = {
            "openid": self.openid("ben"),
            "remark": "2026年10月推广佣金",
            "notify_url": f"{self.receiver.url}/transfers",
        }
        return self.gateway.create_transfer(out_bill_no=number, amount_fen=amount_fen, **(values | changes))

    def callback(self) -> Callback:
        """Return the next callback, verified."""
        got = self.receiver.next()
        return self.gateway.parse_callback(headers=got.headers, body=got.body)

    def impatient(self) -> WeChatGateway:
        """Return a gateway that gives up soon."""
        return WeChatGateway(self.credentials, timeouts=(5, 0.3))

    def elsewhere(self, url: str) -> WeChatGateway:
        """Return a gateway whose WeChat is at another address."""
        return WeChatGateway(replace(self.credentials, base_url=url, login_base_url=url))
