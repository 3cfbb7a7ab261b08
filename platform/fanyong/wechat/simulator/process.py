"""Starting the simulator as a process of its own, for tests and tools."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fanyong.wechat.simulator.client import SimulatorClient

# The folder that holds the package `fanyong`, which a child process has to find too.
SOURCE = Path(__file__).resolve().parents[3]
STOP_SECONDS = 15


class SimulatorHandle:
    """A simulator process that keeps its port and its data over restarts."""

    def __init__(self, data_path: Path, *, port: int = 0) -> None:
        self.data_path = data_path
        self._port = port
        self._process = self._start()
        self.url = f"http://127.0.0.1:{self._port}"
        self.control = SimulatorClient(self.url)

    def kill(self) -> None:
        """End the process without warning, as `kill -9` does."""
        self._process.kill()
        self._reap()

    def restart(self) -> None:
        """Start again on the same port with the same data."""
        self._process = self._start()

    def stop(self) -> None:
        """Ask the process to end and wait until it has."""
        self.control.close()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reap()

    def _start(self) -> "subprocess.Popen[str]":
        paths = [str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "fanyong.wechat.simulator"),
                *("--port", str(self._port), "--data", str(self.data_path)),
            ],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
        if process.stdout is None:
            raise RuntimeError("the simulator was started without a pipe")
        line = process.stdout.readline()
        found = re.search(r":(\d+)$", line.strip())
        if found is None:
            process.kill()
            process.wait()
            process.stdout.close()
            raise RuntimeError("the simulator did not start; its own message stands above")
        self._port = int(found.group(1))
        return process

    def _reap(self) -> None:
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def running_simulator(data_path: Path, *, port: int = 0) -> Iterator[SimulatorHandle]:
    """Run a simulator over `data_path` on a free port, and stop it at the end."""
    handle = SimulatorHandle(data_path, port=port)
    try:
        yield handle
    finally:
        handle.stop()
