"""Where the simulator's callbacks arrive: kept as they came over the wire, to be handed on when the story says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Letter:
    """One callback: its path, its headers and its body, byte for byte."""

    path: str
    headers: dict[str, str]
    body: bytes


class Inbox:
    """Takes every callback with a 204, so that its sender is content, and keeps it."""

    def __init__(self) -> None:
        self._letters: list[Letter] = []
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="inbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def clear(self) -> None:
        """Forget what came."""
        with self._changed:
            self._letters.clear()

    def take(self, count: int, *, prefix: str, seconds: float = 60) -> list[Letter]:
        """Wait for that many callbacks to paths that begin with `prefix`, and take them out."""

        def here() -> list[Letter]:
            return [letter for letter in self._letters if letter.path.startswith(prefix)]

        with self._changed:
            if not self._changed.wait_for(lambda: len(here()) >= count, timeout=seconds):
                raise AssertionError(f"{count} callbacks were expected, {len(here())} came")
            taken = here()[:count]
            for letter in taken:
                self._letters.remove(letter)
            return taken

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with inbox._changed:
                    inbox._letters.append(Letter(self.path, dict(self.headers.items()), body))
                    inbox._changed.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


@contextmanager
def open_inbox() -> Iterator[Inbox]:
    """Run an inbox for the block."""
    inbox = Inbox()
    try:
        yield inbox
    finally:
        inbox.close()
