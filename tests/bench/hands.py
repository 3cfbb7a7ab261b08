"""Other processes of the same application, to work side by side: `python -m tests.bench.hands`, a request a line."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flask import Flask

from fanyong.app import create_app
from fanyong.config import Settings

ROOT = Path(__file__).resolve().parents[2]


class Hands:
    """Processes that do what they are told; the names are those of `tests.bench.tasks`."""

    def __init__(self, *, size: int) -> None:
        environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}
        argv, pipe = [sys.executable, "-m", "tests.bench.hands"], subprocess.PIPE
        self._processes = [
            subprocess.Popen(argv, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True) for _ in range(size)
        ]

    def begin(self, app: Flask) -> None:
        """Let them make the application as it is here; one that cannot says why on standard error."""
        self._tell([asdict(app.extensions["settings"])] * self.size)
        self.answers()

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._processes)

    def ask(self, name: str, requests: Sequence[dict[str, Any]]) -> list[Any]:
        """Give each process one request, all at the same moment; return their answers."""
        self.start(name, requests)
        return self.answers()

    def start(self, name: str, requests: Sequence[dict[str, Any]]) -> None:
        """Give each process one request and go on; `answers` waits for them."""
        self._tell([{"task": name, "arguments": request} for request in requests])

    def stop(self) -> None:
        """Tell those that work until they are told otherwise that it is enough."""
        self._tell([{}] * len(self._processes))

    def answers(self) -> list[Any]:
        """Return what each process answers; a failure in one of them is raised here."""
        answers = []
        for process in self._processes:
            assert process.stdout is not None
            line = process.stdout.readline()
            answer = json.loads(line) if line else {"error": "a helping process died"}
            if "error" in answer:
                raise RuntimeError(answer["error"])
            answers.append(answer["answer"])
        return answers

    def close(self) -> None:
        """Let them end."""
        for process in self._processes:
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()
            process.stdout.close()

    def _tell(self, values: Sequence[Any]) -> None:
        for process, value in zip(self._processes, values, strict=True):
            assert process.stdin is not None
            process.stdin.write(json.dumps(value) + "\n")
            process.stdin.flush()


@contextmanager
def hands(app: Flask, *, size: int) -> Iterator[Hands]:
    """Have so many helping processes for the block."""
    helping = Hands(size=size)
    try:
        helping.begin(app)
        yield helping
    finally:
        helping.close()


def main() -> None:
    """Serve requests from standard input until it ends."""
    from tests.bench import tasks

    logging.disable(logging.CRITICAL)
    app = create_app(Settings(**json.loads(sys.stdin.readline())))
    print(json.dumps({"answer": "ready"}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        if not asked:
            continue
        try:
            answer = {"answer": getattr(tasks, asked["task"])(app, **asked["arguments"])}
        except Exception as error:
            answer = {"error": f"{asked['task']}: {type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
