"""Where story files lie, and a door that misbehaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fanyong.devtools.paths import ROOT
from fanyong.devtools.story.doors import Place

STORIES = ROOT / "docs" / "stories"
Write = Callable[[Any], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Give a function that writes a story file: a text as it is, anything else as JSON."""

    def to_file(content: Any) -> Path:
        path = tmp_path / "story.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), "utf-8")
        return path

    return to_file


class FakeDoor(ThreadingHTTPServer):
    """A door that answers as it is told, one answer a request; `asked` keeps what came in.

    An answer is (status, headers, body); `None` breaks the connection without one.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, dict[str, str], str] | None] = []
        self.asked: list[tuple[str, str, dict[str, str], str]] = []

    @property
    def place(self) -> Place:
        """Where it listens."""
        return Place(port=self.server_port, host="tea.localhost")

    def json(self, status: int, value: Any) -> None:
        """Add a JSON answer."""
        self.answers.append((status, {"Content-Type": "application/json"}, json.dumps(value)))

    def page(self, status: int, text: str, **headers: str) -> None:
        """Add a page as an answer."""
        self.answers.append((status, {"Content-Type": "text/html", **headers}, text))

    def breaks(self, times: int = 1) -> None:
        """Add broken connections."""
        self.answers += [None] * times


class _Handler(BaseHTTPRequestHandler):
    server: FakeDoor

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        answer = self.server.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, headers, text = answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text.encode()))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def fake() -> Iterator[FakeDoor]:
    """Give a door that misbehaves as told."""
    with FakeDoor() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
