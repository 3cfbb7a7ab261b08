"""Other processes of the same application: `python -m tests.faults.crew`, one request a line.

Workers do what they are told side by side. A mortal forks for each request, so that its death costs milliseconds;
the point of death is a statement, a commit or a function of the product that the child alone replaces.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import UUID

from fanyong.app import create_app
from fanyong.config import Settings
from fanyong.errors import FanyongError
from fanyong.tenancy.directory import directory
from tests.faults import operations
from tests.faults.strikes import Point, Trap

ROOT = Path(__file__).resolve().parents[2]


class Crew:
    """Processes to hand operations to."""

    def __init__(self, settings: dict[str, Any], *, size: int, mortal: bool) -> None:
        argv = [sys.executable, "-m", "tests.faults.crew", "mortal" if mortal else "worker"]
        environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}
        pipe = subprocess.PIPE
        self._processes = [
            subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True) for _ in range(size)
        ]
        for process in self._processes:
            _tell(process, settings)
        for process in self._processes:
            assert _hear(process) == "ready"

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._processes)

    def at_once(self, requests: Sequence[dict[str, Any]]) -> list[Any]:
        """Give each process one request, all at the same moment; return their answers."""
        busy = self._processes[: len(requests)]
        for process, request in zip(busy, requests, strict=True):
            _tell(process, request)
        return [_hear(process) for process in busy]

    def close(self) -> None:
        """Let them end."""
        for process in self._processes:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait()
            process.stdout.close()


def request(
    tenant_id: UUID,
    steps: Sequence[tuple[str, dict[str, Any]]],
    death: Point | None = None,
    *,
    together: bool = False,
) -> dict[str, Any]:
    """Return a request: operations to do in a row or, each in a thread, together, and where to die of them."""
    told = death.as_json() if death else None
    return {"tenant": tenant_id.hex, "steps": list(steps), "death": told, "together": together}


def main(mortal: bool) -> None:
    """Serve requests from standard input until it ends."""
    logging.disable(logging.CRITICAL)
    app = create_app(Settings(**json.loads(sys.stdin.readline())))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(_in_a_child(app, asked) if mortal else _work(app, asked)), flush=True)


def _in_a_child(app: Any, asked: dict[str, Any]) -> dict[str, Any]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        answer: dict[str, Any] = {"error": "the child stumbled"}
        try:
            answer = _work(app, asked)
        finally:
            os.write(writer, json.dumps(answer).encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    _pid, status = os.waitpid(child, 0)
    killed = os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    answer = json.loads(told) if told else {}
    return answer | {"killed": killed}


def _work(app: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Do the operations; answer with what each returned, or with the error that ended it."""
    with app.app_context():
        tenant = directory.by_id(UUID(asked["tenant"]))
    assert tenant is not None
    death: AbstractContextManager[None] = contextlib.nullcontext()
    if asked["death"]:
        death = Trap(app, Point.from_json(asked["death"]), lambda _: os.kill(os.getpid(), signal.SIGKILL)).set()

    def do(step: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        name, arguments = step
        try:
            return {"answer": operations.run(app, tenant, name, arguments)}
        except FanyongError as error:
            return {"refused": error.code}
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}

    with death, ThreadPoolExecutor(len(asked["steps"]) if asked["together"] else 1) as threads:
        return {"answers": list(threads.map(do, asked["steps"]))}


def _tell(process: subprocess.Popen[str], value: Any) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(value) + "\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


if __name__ == "__main__":
    main(sys.argv[1] == "mortal")
