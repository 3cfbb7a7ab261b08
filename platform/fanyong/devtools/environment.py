"""The virtual environment: made once, refreshed when the lock file or the project's metadata change."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from fanyong.devtools import processes
from fanyong.devtools.paths import DATA, LOGS, ROOT, VENV, Problem, base_environment, venv_python
from fanyong.devtools.processes import Command
from fanyong.devtools.progress import Step
from fanyong.devtools.supervisor import tail

LOCK = ROOT / "requirements.lock"
LOCK_SOURCE = ROOT / "requirements.in"
_METADATA = [ROOT / "setup.cfg", ROOT / "pyproject.toml"]
_PIP_REMEDY = (
    "Check that this machine reaches its Python package index (proxy, certificates, `pip config list`), that "
    "the disk has a gigabyte free, and that Python is 3.11 or later for a usual platform; then run it again."
)
_NO_PIP_REMEDY = "Install it (Debian, Ubuntu: apt-get install python3-venv), then run it again."


def ensure() -> None:
    """Bring `.venv` up to date; without a change since the last time this does nothing."""
    make_data_folder()
    packages, project = digest([LOCK]), digest(_METADATA)
    if is_current(packages=packages, project=project):
        return
    if not _is_usable():
        _create()
    if _read_stamp("packages") != packages:
        _pip("Installing the packages", ["--require-hashes", "-r", str(LOCK)])
        _write_stamp("packages", packages)
    _pip("Installing Fanyong into .venv", ["--no-index", "--no-deps", "--no-build-isolation", "-e", str(ROOT)])
    _write_stamp("project", project)


def is_current(*, packages: str | None = None, project: str | None = None) -> bool:
    """Tell whether `.venv` holds what the lock file and the metadata say."""
    return (
        venv_python().exists()
        and _read_stamp("packages") == (packages or digest([LOCK]))
        and _read_stamp("project") == (project or digest(_METADATA))
    )


def make_data_folder() -> None:
    """Make `.data`, which others may pass through whatever the umask: PostgreSQL may run as `nobody`."""
    for folder in (DATA, LOGS):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)


def digest(files: list[Path]) -> str:
    """Return a fingerprint of files and of the place they lie in."""
    seen = hashlib.sha256(str(ROOT).encode())
    for file in files:
        seen.update(file.read_bytes())
    return seen.hexdigest()


def run_step(title: str, argv: list[str], *, log: str, remedy: str, environment: dict[str, str]) -> None:
    """Run a slow command under a title; on failure show the end of its log and what to do."""
    path = LOGS / log
    with Step(title) as step, path.open("wb") as output:
        process = processes.spawn(Command(argv, environment=environment), output=output)
        try:
            while True:
                try:
                    code = process.wait(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    step.tick()
        except processes.Interrupted:
            processes.end([process.pid])
            raise
        if code != 0:
            raise Problem(f"{title} failed:\n{tail(path)}\n    (all of it: {path})", remedy=remedy)


def install_into_venv(title: str, arguments: list[str]) -> None:
    """Install packages into `.venv` with pip."""
    _pip(title, arguments)


def _is_usable() -> bool:
    # A moved or copied folder brings along an environment that points at the old place.
    script = f"import sys; raise SystemExit(sys.prefix != {str(VENV)!r} or sys.version_info < (3, 11))"
    if not venv_python().exists() or _read_stamp("place") not in ("", str(VENV)):
        return False
    return subprocess.run([str(venv_python()), "-c", script], check=False, capture_output=True).returncode == 0


def _create() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    argv = [sys.executable, "-m", "venv", str(VENV)]
    if importlib.util.find_spec("ensurepip") is None:
        argv.insert(3, "--without-pip")
        _pip_command()
    run_step("Making .venv", argv, log="setup-venv.log", remedy=_NO_PIP_REMEDY, environment=_setup_environment())
    _write_stamp("place", str(VENV))


def _pip_command() -> list[str]:
    if venv_python().exists() and list(VENV.glob("lib/python*/site-packages/pip/__main__.py")):
        return [str(venv_python()), "-m", "pip"]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--python", str(venv_python())]
    if program := shutil.which("pip3") or shutil.which("pip"):
        return [program, "--python", str(venv_python())]
    raise Problem("This Python brings no pip (the module ensurepip is missing).", remedy=_NO_PIP_REMEDY)


def _pip(title: str, arguments: list[str]) -> None:
    argv = [*_pip_command(), "install", "--disable-pip-version-check", "--progress-bar", "off", *arguments]
    run_step(title, argv, log="setup-pip.log", remedy=_PIP_REMEDY, environment=_setup_environment())


def _setup_environment() -> dict[str, str]:
    environment = base_environment()
    for name in (
        "PYTHONPATH",
        "PIP_USER",
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_REQUIRE_VIRTUALENV",
        "VIRTUAL_ENV",
    ):
        environment.pop(name, None)
    return environment | {"PIP_ROOT_USER_ACTION": "ignore"}


def _stamp(name: str) -> Path:
    return VENV / f"fanyong-{name}.stamp"


def _read_stamp(name: str) -> str:
    try:
        return _stamp(name).read_text()
    except OSError:
        return ""


def _write_stamp(name: str, value: str) -> None:
    partial = _stamp(name).with_suffix(f".{os.getpid()}")
    partial.write_text(value)
    partial.replace(_stamp(name))
