"""`./dev up`, `./dev reset` and the commands that use what `./dev up` runs."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from fanyong.devtools import assets, environment, postgres, servers, stack
from fanyong.devtools.paths import DATA, LOGS, ROOT, STATE, Problem, venv_python
from fanyong.devtools.processes import MARKER, Command
from fanyong.devtools.progress import say
from fanyong.devtools.stack import UP_LOCK, Stack
from fanyong.devtools.supervisor import Supervisor

SAMPLE = ROOT / "docs" / "stories" / "sample.json"
_PLAYED = DATA / "sample.json"
_STORY = ["-m", "fanyong.devtools.story"]


def up() -> int:
    """Run everything until Ctrl-C; the first time, play the sample stories."""
    environment.make_data_folder()
    with servers.exclusive(UP_LOCK) as ours:
        if not ours:
            raise Problem("Fanyong is already up in this folder.", remedy=_where_it_runs())
        STATE.unlink(missing_ok=True)
        stack.end_leftovers(DATA)
        prepare()
        state: dict[str, Any] = {}
        with Supervisor(logs=LOGS, on_change=lambda pids: _keep_pids(state, pids)) as supervisor:
            try:
                with stack.kept_servers(supervisor) as settings:
                    running = Stack(supervisor, folder=DATA, environment=settings)
                    running.start()
                    state.update(_describe(running))
                    _play_sample(running)
                    state["brands"] = _sample_brands()
                    stack.write_private(STATE, state)
                    print(_where_to_look(state), flush=True)
                    supervisor.watch()
            finally:
                STATE.unlink(missing_ok=True)
                say("Stopping ...")
    return 0


def prepare() -> None:
    """Bring the virtual environment, the pages' assets and the translations up to date."""
    environment.ensure()
    assets.ensure()
    assets.compile_translations()


def story(arguments: list[str]) -> int:
    """Play story files against what runs here, or against a stack that lasts as long as they do."""
    environment.ensure()
    assets.compile_translations()
    # The player runs in the checkout's folder, the files are named from ours.
    argv = [*_STORY, *(given if given.startswith("-") else str(Path(given).absolute()) for given in arguments)]
    state = stack.live_state()
    if state is not None:
        return run_alone(argv, settings=state["environment"])
    with stack.temporary(fsync=False) as running:
        return running.run(argv)


def flask(arguments: list[str]) -> int:
    """Run a command of the flask CLI on this checkout's data."""
    environment.ensure()
    argv = ["-m", "flask", "--app", "wsgi", *arguments]
    state = stack.live_state()
    if state is not None:
        return run_alone(argv, settings=state["environment"])
    with servers.exclusive(UP_LOCK) as ours:
        if not ours:
            raise Problem("Fanyong is on its way up in this folder.", remedy="Wait until it is, then run it again.")
        stack.end_leftovers(DATA)
        with Supervisor(logs=LOGS) as supervisor, stack.kept_servers(supervisor) as settings:
            return supervisor.run(Command([str(venv_python()), *argv], environment=settings))


def run_alone(argv: list[str], *, settings: dict[str, str]) -> int:
    """Run a program of the project in our terminal and return how it ended."""
    # Without the mark: it is not a part of the stack, and outlives its restart.
    settings = {name: value for name, value in settings.items() if name != MARKER}
    with Supervisor(logs=LOGS) as supervisor:
        return supervisor.run(Command([str(venv_python()), *argv], environment=settings))


def reset() -> int:
    """Stop what runs in this folder and drop its data."""
    if not DATA.exists():
        say("There is no data to drop.")
        return 0
    _stop_running()
    with servers.exclusive(UP_LOCK) as ours:
        if not ours:
            raise Problem("Fanyong still runs in this folder.", remedy="End its ./dev up, then run it again.")
        stack.end_leftovers(DATA)
        home = postgres.home_for(DATA)
        if (home / "data").exists():
            postgres.PostgresServer(home, port=0).clear()
        shutil.rmtree(home, ignore_errors=True)
        if (programs := postgres.installed_programs()) is not None:
            shutil.rmtree(postgres.copied_tree(programs), ignore_errors=True)
        shutil.rmtree(DATA)
    say("The data of this folder is gone; ./dev up begins anew.")
    if os.environ.get("DATABASE_URL"):
        say("The database of DATABASE_URL was left alone: drop it yourself if you mean to.")
    return 0


def _stop_running() -> None:
    if not servers.is_held(UP_LOCK):
        return
    pid = _supervisor_pid()
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + 40
    while servers.is_held(UP_LOCK) and time.monotonic() < until:
        time.sleep(0.2)


def _supervisor_pid() -> int | None:
    # The lock is held, so its holder lives and wrote its number there.
    text = UP_LOCK.read_text().strip()
    return int(text) if text.isdigit() else None


def _where_it_runs() -> str:
    state = stack.live_state()
    if state is None:
        return "Wait until it is ready; ./dev reset stops it and drops its data."
    url = state["urls"]["platform"]
    return f"Look at {url}, or end it with Ctrl-C in its terminal (or: kill {_supervisor_pid()})."


def _describe(running: Stack) -> dict[str, Any]:
    settings = running.environment
    url = settings["PUBLIC_URL"]
    return {
        "ready": True,
        "supervisor": os.getpid(),
        "started_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "urls": {"platform": url, "superadmin": f"{url}/superadmin/", "simulator": settings["SIMULATOR_URL"]},
        "superadmin": {"email": settings["SUPERADMIN_EMAIL"], "password": settings["SUPERADMIN_PASSWORD"]},
        "environment": settings,
        "pids": running.supervisor.pids(),
    }


def _keep_pids(state: dict[str, Any], pids: dict[str, int]) -> None:
    if state:
        state["pids"] = pids
        stack.write_private(STATE, state)


def _play_sample(running: Stack) -> None:
    database = hashlib.sha256(os.environ.get("DATABASE_URL", "").encode()).hexdigest()
    if _PLAYED.exists() and json.loads(_PLAYED.read_text()).get("database") == database:
        return
    say("  Playing the sample stories, so that there is something to see:")
    result = DATA / "sample-result.json"
    with result.open("wb") as output:
        argv = [str(venv_python()), *_STORY, "--json", str(SAMPLE)]
        code = running.supervisor.run(Command(argv, environment=running.environment), output=output)
    if code != 0:
        say(f"  The sample stories ended with {code}; everything runs, but there may be little to see in it.")
        return
    stack.write_private(_PLAYED, {"database": database, "result": json.loads(result.read_text())})
    result.unlink()


def _sample_brands() -> list[dict[str, Any]]:
    if not _PLAYED.exists():
        return []
    brands = json.loads(_PLAYED.read_text())["result"]["brands"]
    return list(brands.values())


def _where_to_look(state: dict[str, Any]) -> str:
    lines = ["", "Fanyong is up.", ""]
    superadmin = state["superadmin"]
    lines.append(f"  Platform     {state['urls']['platform']}/")
    lines.append(f"  Superadmin   {state['urls']['superadmin']}   {superadmin['email']} / {superadmin['password']}")
    for brand in state["brands"]:
        login = brand["login"]
        lines.append(f"  {brand['name']}")
        lines.append(f"    Console    {brand['console_url']}   {login['email']} / {login['password']}")
        lines.append(f"    Shop       {brand['shop_url']}")
    lines += ["", f"  Logs in {_short(LOGS)}. Ctrl-C stops all of it; ./dev reset drops the data.", ""]
    return "\n".join(lines)


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
