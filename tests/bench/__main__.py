"""Run the measurements: `python -m tests.bench [NAME...]`; `./dev bench` starts the servers for it."""

from __future__ import annotations

import argparse
import inspect
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from cryptography.fernet import Fernet
from flask import Flask

from fanyong.app import create_app
from fanyong.cli import owner_dsn
from fanyong.devtools.servers import free_port
from fanyong.devtools.stack import answers, web_arguments
from fanyong.wechat.simulator.process import running_simulator
from tests.bench import (
    auditing,
    backtesting,
    board,
    callbacks,
    computing,
    online,
    posting,
    provisioning,
    releasing,
    switching,
    team,
    visible,
)
from tests.bench.figures import Figure
from tests.bench.lab import Lab

DATABASE = "fanyong_bench"
START_SECONDS = 60
BENCHES: dict[str, Callable[..., list[Figure]]] = {
    "switch": switching.measure,
    "provision": provisioning.measure,
    "callback": callbacks.measure,
    "compute": computing.measure,
    "posting": posting.measure,
    "audit": auditing.measure,
    "board": board.measure,
    "backtest": backtesting.measure,
    "release": releasing.measure,
    "online": online.measure_online,
    "brands": online.measure_brands,
    "visible": visible.measure,
    "team": team.measure,
}
#: What `money` stands for; the posted orders of one are what the next ones look at.
MONEY = ("compute", "posting", "audit", "board", "backtest", "release", "online", "brands", "visible", "team")
#: The sizes that `--scale` changes.
SCALED = {
    "posting": ("orders",),
    "audit": ("orders",),
    "board": ("orders",),
    "backtest": ("orders",),
    "release": ("orders",),
    "online": ("orders", "sold"),
    "brands": ("brands",),
}
USUAL_SCALE = 0.2


def main(arguments: list[str]) -> int:
    """Measure what is asked for, or everything; return the code to exit with."""
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measure the main paths, each beside another way.")
    parser.add_argument("--json", action="store_true", help="one figure a line, for machines")
    parser.add_argument(
        "--scale", type=float, default=USUAL_SCALE, help=f"how large: 1 is a million orders (default {USUAL_SCALE})"
    )
    parser.add_argument("--profile", action="store_true", help="show where the time of posting goes, and nothing else")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"money, or any of: {', '.join(BENCHES)}")
    given = parser.parse_args(arguments)
    names = [one for name in given.names or BENCHES for one in (MONEY if name == "money" else (name,))]
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        parser.error(f"there is no measurement {unknown[0]!r}; there are: money, {', '.join(BENCHES)}")
    if not 0 < given.scale <= 1:
        parser.error("a scale is larger than 0, and 1 at most")
    if not os.environ.get("TEST_DATABASE_URL") or not os.environ.get("TEST_REDIS_URL"):
        parser.error("run it with ./dev bench, which starts the servers it needs")
    with running_lab() as lab:
        _say(_heading(lab))
        if given.profile:
            print(posting.profile(lab))
            return 0
        started = time.monotonic()
        for name in names:
            _run(name, lab, scale=given.scale, as_json=given.json)
        taken = time.monotonic() - started
    _say(f"\nOne run, {taken:.0f} s. Read the ratios: absolute values belong to this machine and this minute.")
    return 0


@contextmanager
def running_lab() -> Iterator[Lab]:
    """Run the application, a simulator and a web server on a database of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        with running_simulator(folder / "simulator.sqlite3") as simulator:
            os.environ |= _environment(port=port, simulator_url=simulator.url)
            app = create_app()
            result = app.test_cli_runner().invoke(args=["setup"], catch_exceptions=False)
            assert result.exit_code == 0, result.output
            with _web_server(port, log=folder / "web.log"):
                lab = Lab(app, simulator)
                yield lab
                lab.close()
            _close(app)


def _environment(*, port: int, simulator_url: str) -> dict[str, str]:
    maintenance = os.environ["TEST_DATABASE_URL"]
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {DATABASE}".encode())
    return {
        "DATABASE_URL": f"{maintenance.rsplit('/', 1)[0]}/{DATABASE}",
        "REDIS_URL": os.environ["TEST_REDIS_URL"],
        "SECRET_KEY": secrets.token_hex(32),
        "ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "PUBLIC_URL": f"http://localhost:{port}",
        "CALLBACK_URL": f"http://127.0.0.1:{port}",
        "SIMULATOR_URL": simulator_url,
    }


@contextmanager
def _web_server(port: int, *, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, *web_arguments(port)], stdout=output, stderr=output)
    try:
        until = time.monotonic() + START_SECONDS
        while not answers(port, "/healthz", host=f"localhost:{port}"):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the web server did not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def _close(app: Flask) -> None:
    app.extensions["redis"].close()
    with app.app_context():
        for engine in app.extensions["sqlalchemy"].engines.values():
            engine.dispose()


def _heading(lab: Lab) -> str:
    with lab.app.app_context(), psycopg.connect(owner_dsn()) as connection:
        shown = {
            name: connection.execute(f"SHOW {name}".encode()).fetchall()[0][0]
            for name in ("server_version", "fsync", "synchronous_commit")
        }
    load = os.getloadavg()[0]
    return (
        f"PostgreSQL {shown['server_version']}, fsync {shown['fsync']}, synchronous_commit "
        f"{shown['synchronous_commit']}; {os.cpu_count()} cores, load {load:.1f} at the start."
    )


def _run(name: str, lab: Lab, *, scale: float, as_json: bool) -> None:
    sizes = sizes_of(name)
    sizes |= {size: max(1, round(scale * sizes[size])) for size in SCALED.get(name, ())}
    told = ", ".join(f"{size} {value:,}" for size, value in sizes.items())
    # Standard output carries nothing but figures when a machine reads it.
    show = _say if as_json else print
    show(f"\n{name}: {(BENCHES[name].__doc__ or '').splitlines()[0]}\n  sizes: {told}")
    for figure in BENCHES[name](lab, **sizes):
        print(figure.as_json() if as_json else figure.as_text(), flush=True)


def sizes_of(name: str) -> dict[str, int]:
    """Return the sizes that a measurement takes, with what they are unless told otherwise."""
    parameters = inspect.signature(BENCHES[name]).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
