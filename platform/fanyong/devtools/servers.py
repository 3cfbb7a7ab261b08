"""The database and the queue: the ones given in the environment, or embedded ones."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fanyong.devtools import postgres, processes
from fanyong.devtools.postgres import PostgresServer
from fanyong.devtools.supervisor import Service, Supervisor
from fanyong.devtools.valkey import ValkeyServer

_TEMPORARY_PREFIX = "fanyong-run-"
_OWNER_LOCK = "owner.lock"
_YOUNG_SECONDS = 60.0
_PROBE_SECONDS = 0.5


@dataclass(frozen=True)
class Servers:
    """Where the database and the queue listen."""

    database_url: str
    redis_url: str


def free_port(*, wanted: int = 0, taken: tuple[int, ...] = ()) -> int:
    """Return the wanted port of 127.0.0.1, or the next free one; without a wish, any free one."""
    for port in range(wanted, wanted + 200) if wanted else [0] * 200:
        if port and port in taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found: int = probe.getsockname()[1]
                if found not in taken:
                    return found
    raise OSError(f"no free port from {wanted} on")


def start(
    supervisor: Supervisor,
    *,
    folder: Path,
    environment: dict[str, str],
    database: str = "fanyong",
    fsync: bool = True,
) -> Servers:
    """Start the embedded servers that `environment` doesn't replace; return where both listen."""
    services: list[Service] = []
    database_url, redis_url = environment.get("DATABASE_URL", ""), environment.get("REDIS_URL", "")
    finish: Callable[[], None] = lambda: None  # noqa: E731 - nothing is left to do without a server of ours.
    port = free_port()
    if not database_url:
        server = PostgresServer(postgres.home_for(folder), port=port, fsync=fsync)
        server.initialise()
        services.append(server.service())
        database_url = server.url(database)
        finish = lambda: server.create_database(database)  # noqa: E731
    if not redis_url:
        queue = ValkeyServer(folder / "valkey", port=free_port(taken=(port,)))
        queue.initialise()
        services.append(queue.service())
        redis_url = queue.url()
    if services:
        supervisor.start(*services)
    finish()
    return Servers(database_url=database_url, redis_url=redis_url)


@contextlib.contextmanager
def exclusive(lock: Path) -> Iterator[bool]:
    """Hold a lock file with our process id in it for the block; give False when somebody else holds it.

    The system frees it when its holder dies, however it dies.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as handle:
        if not _locked(handle.fileno()):
            yield False
            return
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield True


def is_held(lock: Path) -> bool:
    """Tell whether a living process holds a lock file."""
    if not lock.exists():
        return False
    with lock.open() as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _locked(handle: int) -> bool:
    # Whoever only asks holds a shared lock for an instant, which must not pass for a holder.
    until = time.monotonic() + _PROBE_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        else:
            return True


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder that the embedded servers can use, and drop it at the end.

    Folders that a killed process left behind are dropped on the way.
    """
    base = Path(tempfile.gettempdir()).resolve()
    if postgres.runs_as() is not None and not postgres.reachable_by_others(base):
        base = Path("/var/tmp")
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY_PREFIX, dir=base))
    folder.chmod(0o711)
    try:
        with exclusive(folder / _OWNER_LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(base: Path) -> None:
    for folder in base.glob(f"{_TEMPORARY_PREFIX}*"):
        lock = folder / _OWNER_LOCK
        with contextlib.suppress(OSError):
            # A young folder may belong to a process that is about to lock it.
            if lock.stat().st_uid != os.geteuid() or time.time() - lock.stat().st_mtime < _YOUNG_SECONDS:
                continue
            if not is_held(lock):
                processes.end(processes.marked(folder))
                shutil.rmtree(folder, ignore_errors=True)
