"""Keep a set of services running: start them, bring back the ones that die, stop them all."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from fanyong.devtools import processes
from fanyong.devtools.paths import Problem
from fanyong.devtools.processes import Command
from fanyong.devtools.progress import Step, say

_TICK_SECONDS = 0.1
_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 5.0
_SETTLED_SECONDS = 20.0
_STOP_SECONDS = 10.0
_LAST_WORDS_SECONDS = 2.0
_GIVE_UP_AFTER = 5


@dataclass(frozen=True)
class Service:
    """A process that should always run.

    `prepare` runs before every start (after a crash it clears what the crash left), and
    `healthy` is asked with the process id until it first says yes. Servers are stopped last.
    """

    name: str
    command: Command
    healthy: Callable[[int], bool]
    prepare: Callable[[], None] = lambda: None
    is_server: bool = False


class _Child:
    """One service and its present process."""

    def __init__(self, service: Service, *, log: Path) -> None:
        self.service = service
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.settled = False
        self.deaths = 0
        self.started_at = 0.0
        self.start_again_at = 0.0

    def start(self) -> None:
        self.service.prepare()
        with self.log.open("ab") as output:
            self.process = processes.spawn(self.service.command, output=output)
        self.started_at = time.monotonic()

    def has_died(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def bury(self) -> str:
        """Clear away a dead process with what is left of its group, and plan the next start."""
        assert self.process is not None
        code = self.process.wait()
        with suppress(ProcessLookupError, PermissionError):
            # A child of the dead one may still hold the port that the next one needs.
            os.killpg(self.process.pid, signal.SIGKILL)
        now = time.monotonic()
        self.deaths = 1 if now - self.started_at > _SETTLED_SECONDS else self.deaths + 1
        delay = min(_FIRST_DELAY_SECONDS * 2 ** (self.deaths - 1), _LONGEST_DELAY_SECONDS)
        self.start_again_at = now + delay
        self.process = None
        return f"killed by signal {-code}" if code < 0 else f"exited with {code}"


class Supervisor:
    """Run services for as long as the `with` block lasts; nothing it started outlives the block."""

    def __init__(self, *, logs: Path, on_change: Callable[[dict[str, int]], None] = lambda pids: None) -> None:
        self._logs = logs
        self._on_change = on_change
        self._children: list[_Child] = []
        self._foreground: subprocess.Popen[bytes] | None = None
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def pids(self) -> dict[str, int]:
        """Return the process id of every service that runs now."""
        return {child.service.name: child.process.pid for child in self._children if child.process is not None}

    def start(self, *services: Service, seconds: float = 90.0) -> None:
        """Start services side by side and return when all of them are healthy."""
        fresh = [_Child(service, log=self._logs / f"{service.name}.log") for service in services]
        with Step(f"Starting {', '.join(service.name for service in services)}") as step:
            for child in fresh:
                self._children.append(child)
                child.start()
            until = time.monotonic() + seconds
            while not all(child.settled for child in fresh):
                self.tick()
                step.tick()
                time.sleep(_TICK_SECONDS / 2)
                self._give_up(fresh, late=time.monotonic() > until)
        self._on_change(self.pids())

    def tick(self) -> None:
        """Look at every service once; start the dead ones again."""
        changed = False
        for child in self._children:
            if child.has_died():
                reason = child.bury()
                if child.settled:
                    say(f"  {child.service.name} {reason}; starting it again (log: {child.log})")
            if child.process is None and time.monotonic() >= child.start_again_at:
                child.start()
                changed = True
            if not child.settled and child.process is not None:
                child.settled = child.service.healthy(child.process.pid)
        known = set(self.pids().values())
        processes.reap_orphans(known=known if self._foreground is None else known | {self._foreground.pid})
        if changed:
            self._on_change(self.pids())

    def run(self, command: Command, *, output: IO[bytes] | None = None, step: Step | None = None) -> int:
        """Run one command to its end in our terminal, looking after the services meanwhile.

        With `step` the command is a background step: it logs to `output` alone.
        """
        if step is None:
            self._foreground = processes.spawn_foreground(command, output=output)
        else:
            self._foreground = processes.spawn(command, output=output)
        while (code := self._wait_foreground()) is None:
            self.tick()
            if step is not None:
                step.tick()
        self._foreground = None
        return code

    def watch(self) -> None:
        """Look after the services until a signal ends it."""
        while True:
            self.tick()
            time.sleep(_TICK_SECONDS)

    def stop(self) -> None:
        """Stop everything: the programs first, which may still have something to write down."""
        with processes.signals_ignored():
            if self._foreground is not None and not self._ends_by_itself(self._foreground):
                _finish([(self._foreground, signal.SIGINT)])
            for servers in (False, True):
                _finish(
                    [
                        (child.process, child.service.command.stop_signal)
                        for child in self._children
                        if child.process is not None and child.service.is_server == servers
                    ]
                )
            self._children.clear()

    def _ends_by_itself(self, process: subprocess.Popen[bytes]) -> bool:
        # Ctrl-C reached it as well; a second one would cut its last words short.
        try:
            process.wait(timeout=_LAST_WORDS_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _wait_foreground(self) -> int | None:
        assert self._foreground is not None
        try:
            return self._foreground.wait(timeout=_TICK_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def _give_up(self, children: list[_Child], *, late: bool) -> None:
        for child in children:
            if not child.settled and (late or child.deaths >= _GIVE_UP_AFTER):
                why = "did not become healthy in time" if late else "keeps stopping"
                raise Problem(f"{child.service.name} {why}.\n{tail(child.log)}", remedy=f"Read {child.log}.")


def _finish(running: list[tuple[subprocess.Popen[bytes], signal.Signals]]) -> None:
    for process, number in running:
        process.send_signal(number)
    for process, _ in running:
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()


def tail(log: Path, *, lines: int = 20) -> str:
    """Return the last lines of a log, indented."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (the log is empty)"
