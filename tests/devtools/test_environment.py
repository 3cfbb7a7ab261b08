"""The virtual environment is refreshed when it has to be, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from fanyong.devtools import environment
from fanyong.devtools.paths import Problem


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the list of pip runs of a checkout whose environment was made already."""
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").touch()
    for name in ("requirements.lock", "setup.cfg"):
        (tmp_path / name).write_text("first")
    runs: list[str] = []
    monkeypatch.setattr(environment, "VENV", venv)
    monkeypatch.setattr(environment, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(environment, "_METADATA", [tmp_path / "setup.cfg"])
    monkeypatch.setattr(environment, "venv_python", lambda: venv / "bin" / "python")
    monkeypatch.setattr(environment, "make_data_folder", lambda: None)
    monkeypatch.setattr(environment, "_is_usable", lambda: True)
    monkeypatch.setattr(environment, "_pip", lambda title, arguments: runs.append(title))
    environment.ensure()
    runs.clear()
    return runs


def test_nothing_changed_installs_nothing(installed: list[str]) -> None:
    environment.ensure()
    assert installed == []


def test_new_metadata_installs_the_project_alone(installed: list[str]) -> None:
    environment._METADATA[0].write_text("second")
    environment.ensure()
    assert installed == ["Installing Fanyong into .venv"]


def test_a_new_lock_installs_the_packages_too(installed: list[str]) -> None:
    environment.LOCK.write_text("second")
    environment.ensure()
    assert installed == ["Installing the packages", "Installing Fanyong into .venv"]


def test_an_interrupted_installation_is_begun_again(installed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    environment.LOCK.write_text("second")

    def fail(title: str, arguments: list[str]) -> None:
        raise Problem("no network", remedy="plug it in")

    with monkeypatch.context() as broken:
        broken.setattr(environment, "_pip", fail)
        with pytest.raises(Problem):
            environment.ensure()
    assert not environment.is_current()
    environment.ensure()
    assert installed == ["Installing the packages", "Installing Fanyong into .venv"]
