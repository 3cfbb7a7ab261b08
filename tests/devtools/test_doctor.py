"""The doctor sees what is wrong, and the temporary folders of the dead are cleared away."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fanyong.devtools import doctor, environment, postgres, servers
from fanyong.devtools.paths import Problem
from fanyong.devtools.supervisor import Supervisor


def test_the_lock_files_of_this_checkout_are_fresh() -> None:
    assert "fresh" in doctor._lock()


@pytest.mark.parametrize("line", ["Flask==99.0", "a-package-nobody-locked"])
def test_a_lock_file_behind_its_source_is_a_problem(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "requirements.in"
    source.write_text(f"# A remark.\n{line}\n")
    monkeypatch.setattr(environment, "LOCK_SOURCE", source)
    with pytest.raises(Problem, match=line.partition("=")[0].lower()):
        doctor._lock()


def test_a_problem_makes_the_doctor_fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> str:
        raise Problem("the disk is full", remedy="make room")

    monkeypatch.setattr(doctor, "_CHECKS", {"Python": lambda: "here", "disk": broken})
    assert doctor.doctor() == 1
    shown = capsys.readouterr().out
    assert "ok       Python: here" in shown
    assert "PROBLEM  disk: the disk is full" in shown
    assert "What to do: make room" in shown


def test_a_folder_whose_owner_was_killed_is_dropped_and_a_living_one_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "_YOUNG_SECONDS", -1.0)
    abandoned = tmp_path / "fanyong-run-abandoned"
    abandoned.mkdir()
    (abandoned / "owner.lock").touch()
    living = tmp_path / "fanyong-run-living"
    with servers.exclusive(living / "owner.lock"):
        servers._sweep(tmp_path)
        assert [entry.name for entry in tmp_path.iterdir()] == ["fanyong-run-living"]


def test_a_lock_goes_with_its_killed_holder(tmp_path: Path) -> None:
    lock = tmp_path / "up.lock"
    script = (
        "import sys, time; from pathlib import Path; from fanyong.devtools import servers\n"
        "with servers.exclusive(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"
    )
    argv = [sys.executable, "-c", script, str(lock)]
    with subprocess.Popen(argv, env=environment.base_environment(), stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert servers.is_held(lock)
        holder.kill()
    assert not servers.is_held(lock)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give PostgreSQL another user")
def test_as_root_in_a_closed_folder_postgres_runs_from_a_copy(
    folder: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(postgres, "_VAR_TMP", folder)
    monkeypatch.setattr(postgres, "reachable_by_others", lambda path: False)
    assert not postgres.home_for(closed).is_relative_to(closed)

    server = postgres.PostgresServer(postgres.home_for(closed), port=servers.free_port())
    server.initialise()
    supervisor.start(server.service())
    program = Path(f"/proc/{supervisor.pids()['postgres']}/exe").resolve()
    assert program.is_relative_to(folder.resolve())


def test_a_folder_that_somebody_else_laid_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(Problem, match="belongs to somebody else"):
        postgres.require_own(tmp_path / "link")


def test_a_young_folder_is_left_to_its_owner(tmp_path: Path) -> None:
    fresh = tmp_path / "fanyong-run-fresh"
    fresh.mkdir()
    (fresh / "owner.lock").touch()
    servers._sweep(tmp_path)
    assert fresh.exists()
    os.utime(fresh / "owner.lock", (time.time() - 3600, time.time() - 3600))
    servers._sweep(tmp_path)
    assert not fresh.exists()
