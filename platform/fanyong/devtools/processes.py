"""Start, find and end processes, so that nothing we started outlives us."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from fanyong.devtools.paths import ROOT, base_environment

MARKER = "FANYONG_STACK"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")
_adopting = False
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM reached us; everything we started is to be stopped."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"signal {signal_number}")
        self.signal_number = signal_number


@dataclass(frozen=True)
class Command:
    """What to run, and as whom."""

    argv: list[str]
    environment: dict[str, str] = field(default_factory=base_environment)
    cwd: Path = ROOT
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM


def handle_signals() -> None:
    """Turn Ctrl-C, SIGTERM and a closed terminal into the exception `Interrupted`."""

    def raise_interrupted(number: int, frame: object) -> None:
        raise Interrupted(number)

    signal.signal(signal.SIGINT, raise_interrupted)
    signal.signal(signal.SIGTERM, raise_interrupted)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, raise_interrupted)


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Let a stop that has begun run to its end, however often Ctrl-C is pressed."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def spawn(command: Command, *, output: IO[bytes] | int | None = None) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own that is told to stop when we die.

    The kernel ties the tie to the thread that starts the child: call this from the main thread.
    """
    user = command.user
    return subprocess.Popen(
        command.argv,
        env=command.environment,
        cwd=command.cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
        process_group=0,
        preexec_fn=_tie_to_parent(command.stop_signal),
    )


def spawn_foreground(command: Command, *, output: IO[bytes] | int | None = None) -> subprocess.Popen[bytes]:
    """Start a command that shares our terminal, so that Ctrl-C and a debugger reach it."""
    return subprocess.Popen(
        command.argv,
        env=command.environment,
        cwd=command.cwd,
        stdout=output,
        preexec_fn=_tie_to_parent(command.stop_signal),
    )


def _tie_to_parent(number: signal.Signals) -> Callable[[], None] | None:
    if _LIBC is None:
        return None
    libc, parent = _LIBC, os.getpid()

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return tie


@contextmanager
def orphans_adopted() -> Iterator[None]:
    """Make the orphans of our children our own for the block, and end them after it.

    Only for a process whose children are all its own doing, which `./dev` is.
    """
    global _adopting
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _adopting = True
    try:
        yield
    finally:
        with signals_ignored():
            while orphans := _own_children():
                end(orphans, seconds=1.0)
                reap_orphans(known=set())


def reap_orphans(*, known: set[int]) -> None:
    """Take note of the end of adopted processes, so that they don't stay as zombies."""
    if not _adopting:
        return
    for pid in _own_children():
        if pid not in known:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _own_children() -> list[int]:
    pids: list[int] = []
    for listing in _PROC.glob(f"{os.getpid()}/task/*/children"):
        with suppress(OSError):
            pids += [int(pid) for pid in listing.read_text().split()]
    return pids


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be reaped is dead."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    with suppress(OSError, IndexError):
        # The name in parentheses may hold anything, the state follows the last one.
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return True


def wait_dead(pids: list[int], *, seconds: float) -> list[int]:
    """Wait until none of the processes runs, at most so long; return those that still do."""
    until = time.monotonic() + seconds
    while alive := [pid for pid in pids if is_alive(pid)]:
        if time.monotonic() > until:
            break
        time.sleep(0.02)
    return alive


def end(pids: list[int], *, number: signal.Signals = signal.SIGTERM, seconds: float = 5.0) -> None:
    """Ask processes to stop, and kill the ones that do not within the time given."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    for pid in wait_dead(pids, seconds=seconds):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_dead(pids, seconds=5.0)


def marked(stack: Path) -> list[int]:
    """Return the processes that carry a stack's mark in their environment, but for ourselves."""
    wanted = f"{MARKER}={stack}".encode()
    return [pid for pid in _all_pids() if pid != os.getpid() and wanted in _environment_of(pid) and is_alive(pid)]


def _all_pids() -> Iterator[int]:
    if _PROC.is_dir():
        yield from (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())


def _environment_of(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
