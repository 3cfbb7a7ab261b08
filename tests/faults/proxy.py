"""A line to PostgreSQL that passes everything on, until it loses the answer to a COMMIT, or the COMMIT."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

_CHUNK = 1 << 16


class Proxy:
    """Listens on a port of 127.0.0.1 for the block; each connection has a thread."""

    def __init__(self, host: str, port: int, on_loss: Callable[[], None]) -> None:
        self._server = (host, port)
        self._on_loss = on_loss
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self._forward = True
        #: How many COMMITs are still to pass before one is lost; 0 loses none.
        self.left = 0
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def lose(self, count: int, *, forward: bool = True) -> None:
        """Lose the `count`-th COMMIT from now on: its answer, or where it is not forwarded, itself."""
        with self._lock:
            self.left, self._forward = count, forward

    def _start(self, target: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=target, args=arguments, name="proxy", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError):
                while not self._closing.is_set():
                    ready, _, _ = select.select([client, server], [], [], 0.2)
                    if not all(self._pass_on(end, client, server) for end in ready):
                        return

    def _pass_on(self, end: socket.socket, client: socket.socket, server: socket.socket) -> bool:
        """Move what one end sent to the other; False when the line is to be cut."""
        data = end.recv(_CHUNK)
        if not data:
            return False
        if end is server:
            client.sendall(data)
            return True
        if self._is_lost(data):
            if self._forward:
                server.sendall(data)
                # The answer shows that it has happened; nobody else gets to see it.
                server.recv(_CHUNK)
            self._on_loss()
            return False
        server.sendall(data)
        return True

    def _is_lost(self, data: bytes) -> bool:
        # A client waits for each answer, so that a message is the beginning of what it sends: `Q`, length, text.
        if not (data[:1] == b"Q" and data[5:11].upper() == b"COMMIT") and b"COMMIT\0" not in data:
            return False
        with self._lock:
            if self.left == 0:
                return False
            self.left -= 1
            return self.left == 0
