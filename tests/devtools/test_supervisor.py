"""A supervisor brings its services back and takes all of them along when it goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fanyong.devtools import processes
from fanyong.devtools.paths import Problem, base_environment
from fanyong.devtools.processes import MARKER, Command
from fanyong.devtools.supervisor import Service, Supervisor

Until = Callable[..., None]

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
# Starts a service, says so, and then hangs in the middle of its work.
SUPERVISED = """
import sys, time
from pathlib import Path
from fanyong.devtools.processes import Command, base_environment
from fanyong.devtools.supervisor import Service, Supervisor
folder = Path(sys.argv[1])
command = Command([sys.executable, "-c", "import time; time.sleep(600)"])
with Supervisor(logs=folder) as supervisor:
    supervisor.start(Service(name="sleeper", command=command, healthy=lambda pid: True))
    print(supervisor.pids()["sleeper"], flush=True)
    time.sleep(600)
"""


def sleeper(name: str = "sleeper", *, healthy: bool = True) -> Service:
    """Return a service that does nothing for long."""
    return Service(name=name, command=Command(SLEEPER), healthy=lambda pid: healthy)


def test_a_killed_service_comes_back_and_is_told_about(supervisor: Supervisor, until: Until) -> None:
    supervisor.start(sleeper("worker"), sleeper("web"))
    before = supervisor.pids()
    os.kill(before["worker"], signal.SIGKILL)
    until(lambda: supervisor.pids().get("worker", before["worker"]) != before["worker"], tick=supervisor.tick)
    assert supervisor.pids()["web"] == before["web"]


def test_changes_of_process_ids_are_reported(folder: Path, until: Until) -> None:
    reports: list[dict[str, int]] = []
    with Supervisor(logs=folder, on_change=reports.append) as supervisor:
        supervisor.start(sleeper())
        os.kill(supervisor.pids()["sleeper"], signal.SIGKILL)
        until(lambda: len(reports) == 2, tick=supervisor.tick)
        assert reports[1] == supervisor.pids() != reports[0]


def test_what_a_dead_service_left_in_its_group_goes_with_it(supervisor: Supervisor, folder: Path, until: Until) -> None:
    note = folder / "grandchild"
    script = (
        "import subprocess, sys, time; from pathlib import Path;"
        f"child = subprocess.Popen({SLEEPER!r}); Path({str(note)!r}).write_text(str(child.pid));"
        "time.sleep(600)"
    )
    command = Command([sys.executable, "-c", script])
    supervisor.start(
        Service(name="parent", command=command, healthy=lambda pid: bool(note.exists() and note.read_text()))
    )
    grandchild = int(note.read_text())
    os.kill(supervisor.pids()["parent"], signal.SIGKILL)
    until(lambda: not processes.is_alive(grandchild), tick=supervisor.tick)


def test_a_service_that_never_runs_ends_the_start_with_the_end_of_its_log(supervisor: Supervisor) -> None:
    command = Command([sys.executable, "-c", "raise SystemExit('no such table')"])
    with pytest.raises(Problem, match="keeps stopping") as caught:
        supervisor.start(Service(name="web", command=command, healthy=lambda pid: False))
    assert "no such table" in caught.value.what
    assert "web.log" in caught.value.remedy


def test_a_service_that_never_becomes_healthy_ends_the_start(supervisor: Supervisor) -> None:
    with pytest.raises(Problem, match="did not become healthy"):
        supervisor.start(sleeper(healthy=False), seconds=0.1)


def test_stopping_kills_a_service_that_does_not_listen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanyong.devtools.supervisor._STOP_SECONDS", 0.2)
    note = folder / "deaf"
    script = (
        "import signal, time; from pathlib import Path; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"Path({str(note)!r}).touch(); time.sleep(600)"
    )
    command = Command([sys.executable, "-c", script])
    with Supervisor(logs=folder) as supervisor:
        supervisor.start(Service(name="deaf", command=command, healthy=lambda pid: note.exists()))
        pid = supervisor.pids()["deaf"]
    assert not processes.is_alive(pid)


def test_a_command_beside_the_services_gives_its_exit_code(supervisor: Supervisor, folder: Path) -> None:
    supervisor.start(sleeper())
    with (folder / "out").open("wb") as output:
        code = supervisor.run(Command([sys.executable, "-c", "print('seen'); raise SystemExit(7)"]), output=output)
    assert code == 7
    assert (folder / "out").read_text() == "seen\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent's life")
def test_services_of_a_killed_supervisor_end_too(tmp_path: Path, until: Until) -> None:
    argv = [sys.executable, "-c", SUPERVISED, str(tmp_path)]
    with subprocess.Popen(argv, env=base_environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        service = int(process.stdout.readline())
        assert processes.is_alive(service)
        process.kill()
    until(lambda: not processes.is_alive(service))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the environment of a process")
def test_leftovers_are_found_by_their_mark(tmp_path: Path, until: Until) -> None:
    settings = base_environment() | {MARKER: str(tmp_path)}
    with subprocess.Popen(SLEEPER, env=settings, start_new_session=True) as process:
        until(lambda: processes.marked(tmp_path) == [process.pid])
        assert processes.marked(tmp_path / "other") == []
        processes.end(processes.marked(tmp_path))
    assert process.returncode == -signal.SIGTERM
