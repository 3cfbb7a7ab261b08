"""The door of the developer tools: what it lists, what it refuses, and how it ends."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest

from fanyong.devtools import cli, up
from fanyong.devtools.paths import ROOT, Problem


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `./dev` as a developer does."""
    return subprocess.run([sys.executable, str(ROOT / "dev"), *arguments], capture_output=True, text=True, check=False)


def test_without_a_command_it_lists_them_one_a_line() -> None:
    done = run()
    assert done.returncode == 0
    for name in ("up", "test", "story", "lint", "bench", "faults", "mutants", "doctor", "reset", "flask"):
        assert sum(line.strip().startswith(name) for line in done.stdout.splitlines()) == 1


def test_an_unknown_command_is_refused_with_the_list() -> None:
    done = run("launch")
    assert done.returncode == 2
    assert "'launch'" in done.stderr
    assert "./dev COMMAND" in done.stderr
    assert done.stdout == ""


def test_an_argument_that_would_be_ignored_is_refused() -> None:
    done = run("reset", "--everything")
    assert done.returncode == 2
    assert "--everything" in done.stderr


def test_a_problem_says_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise Problem("The cellar is flooded.", remedy="Pump it out.")

    monkeypatch.setattr(up, "reset", fail)
    monkeypatch.setattr("fanyong.devtools.processes.handle_signals", lambda: None)
    monkeypatch.setattr("fanyong.devtools.processes.orphans_adopted", contextlib.nullcontext)
    assert cli.main(["reset"]) == 1
    assert "The cellar is flooded.\nWhat to do: Pump it out." in capsys.readouterr().err
