"""The whole of Fanyong on one machine: servers, set-up, simulator, web, worker and scheduler."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fanyong.devtools import processes, servers
from fanyong.devtools.paths import DATA, SECRETS, STATE, Problem, base_environment, venv_python
from fanyong.devtools.processes import MARKER, Command
from fanyong.devtools.progress import Step
from fanyong.devtools.supervisor import Service, Supervisor, tail

UP_LOCK = DATA / "up.lock"
SUPERADMIN_EMAIL = "superadmin@fanyong.example"
WEB_PORT = 8000
SIMULATOR_PORT = 8100


class Stack:
    """A running Fanyong under a supervisor; its data lies in `folder`."""

    def __init__(self, supervisor: Supervisor, *, folder: Path, environment: dict[str, str]) -> None:
        self.supervisor = supervisor
        self.folder = folder
        self.environment = environment

    @property
    def public_url(self) -> str:
        """Return the address of the platform's pages."""
        return self.environment["PUBLIC_URL"]

    def run(self, argv: list[str], *, environment: dict[str, str] | None = None) -> int:
        """Run a program of the project against this stack in our terminal."""
        full = {**self.environment, **(environment or {})}
        return self.supervisor.run(Command([str(venv_python()), *argv], environment=full))

    def start(self) -> None:
        """Set the database up and start every process; return when all are healthy."""
        self._set_up()
        simulator_port, web_port = _port_of(self.environment["SIMULATOR_URL"]), int(self.environment["PORT"])
        data = self.folder / "simulator.sqlite3"
        self.supervisor.start(
            self._service(
                "simulator",
                ["-m", "fanyong.wechat.simulator", "--port", str(simulator_port), "--data", str(data)],
                health=(simulator_port, "/_sim/health"),
            ),
            self._service("web", web_arguments(web_port), health=(web_port, "/healthz")),
            self._service("worker", ["-m", "flask", "--app", "wsgi", "worker"]),
            self._service("scheduler", ["-m", "flask", "--app", "wsgi", "scheduler"]),
        )

    def _set_up(self) -> None:
        log = self.folder / "logs" / "setup.log"
        command = self._command(["-m", "flask", "--app", "wsgi", "setup"])
        with Step("Setting up the database") as step, log.open("ab") as output:
            if self.supervisor.run(command, output=output, step=step) != 0:
                raise Problem(
                    f"flask setup failed:\n{tail(log)}",
                    remedy=f"Read {log}; ./dev reset drops the data and begins anew.",
                )

    def _command(self, argv: list[str]) -> Command:
        return Command([str(venv_python()), *argv], environment=self.environment)

    def _service(self, name: str, argv: list[str], *, health: tuple[int, str] | None = None) -> Service:
        host = self.public_url.partition("://")[2]

        def is_healthy(pid: int) -> bool:
            return health is None or answers(health[0], health[1], host=host)

        return Service(name=name, command=self._command(argv), healthy=is_healthy)


def web_arguments(port: int) -> list[str]:
    """Return what the interpreter runs as the web server."""
    bind = ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--workers", "2", "--threads", "8"]
    return ["-m", "gunicorn", *bind, "--no-control-socket", "--access-logfile", "-", "wsgi:app"]


def _port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def answers(port: int, path: str, *, host: str) -> bool:
    """Tell whether a GET on 127.0.0.1 is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def make_environment(
    *, folder: Path, keys: dict[str, str], found: servers.Servers, web_port: int, simulator_port: int
) -> dict[str, str]:
    """Return the environment that every process of a stack gets."""
    return base_environment() | {
        MARKER: str(folder),
        "DATABASE_URL": found.database_url,
        "REDIS_URL": found.redis_url,
        "SECRET_KEY": keys["SECRET_KEY"],
        "ENCRYPTION_KEY": keys["ENCRYPTION_KEY"],
        "SUPERADMIN_EMAIL": keys["SUPERADMIN_EMAIL"],
        "SUPERADMIN_PASSWORD": keys["SUPERADMIN_PASSWORD"],
        "PORT": str(web_port),
        "PUBLIC_URL": f"http://localhost:{web_port}",
        "CALLBACK_URL": f"http://127.0.0.1:{web_port}",
        "SIMULATOR_URL": f"http://127.0.0.1:{simulator_port}",
        "FANYONG_URL": f"http://localhost:{web_port}",
        "FANYONG_DEV": "1",
    }


def make_keys() -> dict[str, str]:
    """Return fresh secrets for a development machine."""
    return {
        "SECRET_KEY": secrets.token_hex(32),
        "ENCRYPTION_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "SUPERADMIN_EMAIL": SUPERADMIN_EMAIL,
        "SUPERADMIN_PASSWORD": secrets.token_urlsafe(9),
    }


def kept_keys() -> dict[str, str]:
    """Return this checkout's secrets; the first call makes them."""
    if not SECRETS.exists():
        write_private(SECRETS, make_keys())
    keys: dict[str, str] = json.loads(SECRETS.read_text())
    return keys


def write_private(path: Path, value: object) -> None:
    """Write JSON that only we may read, so that a reader sees the old file or the new one."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        json.dump(value, handle, indent=2, ensure_ascii=False)
    partial.replace(path)


def live_state() -> dict[str, Any] | None:
    """Return the state of the stack that `./dev up` runs here, or None while none is ready."""
    if not servers.is_held(UP_LOCK) or not STATE.exists():
        return None
    state: dict[str, Any] = json.loads(STATE.read_text())
    return state if state.get("ready") else None


@contextlib.contextmanager
def kept_servers(supervisor: Supervisor) -> Iterator[dict[str, str]]:
    """Give the environment of this checkout's kept data, with its servers running for the block."""
    found = servers.start(supervisor, folder=DATA, environment=dict(os.environ))
    web_port = servers.free_port(wanted=int(os.environ.get("PORT", WEB_PORT)))
    simulator_port = servers.free_port(wanted=SIMULATOR_PORT, taken=(web_port,))
    yield make_environment(folder=DATA, keys=kept_keys(), found=found, web_port=web_port, simulator_port=simulator_port)


@contextlib.contextmanager
def temporary(*, fsync: bool) -> Iterator[Stack]:
    """Give a whole stack with data of its own that vanishes at the end of the block."""
    with servers.temporary_folder() as folder, Supervisor(logs=folder / "logs") as supervisor:
        found = servers.start(supervisor, folder=folder, environment=dict(os.environ), fsync=fsync)
        web_port = servers.free_port()
        environment = make_environment(
            folder=folder,
            keys=make_keys(),
            found=found,
            web_port=web_port,
            simulator_port=servers.free_port(taken=(web_port,)),
        )
        stack = Stack(supervisor, folder=folder, environment=environment)
        stack.start()
        yield stack


def end_leftovers(folder: Path) -> None:
    """End what a killed supervisor left running; only call it while holding the folder's lock."""
    if pids := processes.marked(folder):
        with Step("Ending what a killed ./dev left running"):
            processes.end(pids)
