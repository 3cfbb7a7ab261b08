"""`./dev doctor`: what is wrong with this machine, and how to mend it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from fanyong.devtools import assets, environment, postgres, processes, servers, stack
from fanyong.devtools.paths import DATA, ROOT, SECRETS, VENV, Problem
from fanyong.devtools.supervisor import Supervisor

_ENOUGH_BYTES = 2 * 1024**3


def doctor() -> int:
    """Look at everything that a run needs; print each finding, return 1 if one is a problem."""
    broken = 0
    for name, check in _CHECKS.items():
        try:
            print(f"  ok       {name}: {check()}", flush=True)
        except Problem as problem:
            broken += 1
            print(f"  PROBLEM  {name}: {problem.what}\n           What to do: {problem.remedy}", flush=True)
    print(f"\n{broken} problem{'s' if broken > 1 else ''}." if broken else "\nThis machine can run Fanyong.")
    return 1 if broken else 0


def _python() -> str:
    return f"{sys.version.split()[0]} at {sys.executable}"


def _venv_module() -> str:
    if importlib.util.find_spec("venv") is None:
        raise Problem("this Python has no module venv", remedy="apt-get install python3-venv, or another Python.")
    if importlib.util.find_spec("ensurepip") is not None:
        return "venv with pip"
    if importlib.util.find_spec("pip") is None and not (shutil.which("pip3") or shutil.which("pip")):
        raise Problem("neither ensurepip nor pip is there", remedy="apt-get install python3-venv (or python3-pip).")
    return "venv without ensurepip; pip comes from outside"


def _disk() -> str:
    short = []
    for folder in dict.fromkeys([ROOT, Path(tempfile.gettempdir())]):
        free = shutil.disk_usage(folder).free
        if free < _ENOUGH_BYTES:
            short.append(f"{folder} has {free / 1024**2:.0f} MiB free")
    if short:
        raise Problem("; ".join(short), remedy="Make room: 2 GiB are enough (TMPDIR moves the temporary files).")
    return f"{shutil.disk_usage(ROOT).free / 1024**3:.0f} GiB free"


def _folders() -> str:
    for folder in (ROOT, DATA, VENV):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise Problem(f"{folder} is not writable", remedy=f"chown -R $(id -un) {folder}")
        if folder.exists() and folder.stat().st_uid != os.geteuid():
            raise Problem(
                f"{folder} belongs to another user", remedy="Run ./dev as that user, or chown it to yourself."
            )
    if SECRETS.exists() and SECRETS.stat().st_mode & 0o077:
        raise Problem("others can read .data/secrets.json", remedy="chmod 600 .data/secrets.json")
    where = postgres.home_for(DATA)
    return "writable" + ("" if where.is_relative_to(ROOT) else f"; PostgreSQL keeps its data in {where}")


def _ports() -> str:
    state = stack.live_state()
    if state is not None:
        return f"in use by the running ./dev up ({state['urls']['platform']})"
    taken = [port for port in (stack.WEB_PORT, stack.SIMULATOR_PORT) if servers.free_port(wanted=port) != port]
    return (
        f"{', '.join(map(str, taken))} taken, the next free one is used instead" if taken else "8000 and 8100 are free"
    )


def _node() -> str:
    if command := assets.npm_command():
        return f"npm at {command[-1]}"
    return f"no Node.js {assets.OLDEST_NODE} or later; ./dev up installs one into .venv"


def _lock() -> str:
    locked = dict(re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", _normal(environment.LOCK.read_text())))
    wanted = re.findall(r"(?m)^([\w.-]+)(?:\[[^\]]*\])?(?:==([^\s;]+))?", _normal(environment.LOCK_SOURCE.read_text()))
    stale = [name for name, pin in wanted if name not in locked or (pin and locked[name] != pin)]
    if stale:
        raise Problem(
            f"requirements.lock does not fit requirements.in ({', '.join(stale)})",
            remedy="uv pip compile --universal --python-version 3.11 --generate-hashes --no-header "
            "--no-emit-index-url requirements.in -o requirements.lock",
        )
    asked = json.loads((ROOT / "package.json").read_text())["dependencies"]
    held = json.loads((ROOT / "package-lock.json").read_text())["packages"][""]["dependencies"]
    if asked != held:
        raise Problem("package-lock.json does not fit package.json", remedy="npm install --package-lock-only")
    return "requirements.lock and package-lock.json are fresh"


def _normal(text: str) -> str:
    return text.lower().replace("_", "-")


def _environment() -> str:
    if not (VENV / "bin" / "python").exists():
        return "not there yet; the next command makes it"
    return "up to date" if environment.is_current() else "behind the lock file; the next command refreshes it"


def _stale_processes() -> str:
    if not servers.is_held(stack.UP_LOCK) and (pids := processes.marked(DATA)):
        raise Problem(
            f"a killed ./dev left these running: {', '.join(map(str, pids))}",
            remedy="./dev up ends them before it starts; ./dev reset ends them and drops the data.",
        )
    return "none"


def _start_servers() -> str:
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        return "not needed: DATABASE_URL and REDIS_URL are set"
    if not environment.is_current():
        return "installed by the next command; ask again after it"
    with servers.temporary_folder() as folder, Supervisor(logs=folder / "logs") as supervisor:
        servers.start(supervisor, folder=folder, environment=dict(os.environ), fsync=False)
        supervisor.stop()
    return f"PostgreSQL and Valkey start (as {postgres.runs_as() or 'the present user'})"


_CHECKS: dict[str, Callable[[], str]] = {
    "Python": _python,
    "venv": _venv_module,
    "disk": _disk,
    "folders": _folders,
    "ports": _ports,
    "Node.js": _node,
    "lock files": _lock,
    ".venv": _environment,
    "stale processes": _stale_processes,
    "servers": _start_servers,
}
