"""Processes that the tests of `./dev` watch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from fanyong.devtools import servers
from fanyong.devtools.supervisor import Supervisor


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that PostgreSQL can use, also when the tests run as root."""
    with servers.temporary_folder() as path:
        yield path


@pytest.fixture
def supervisor(folder: Path) -> Iterator[Supervisor]:
    """Give a supervisor that stops whatever the test started."""
    with Supervisor(logs=folder / "logs") as running:
        yield running


class Until(Protocol):
    """Wait for a condition."""

    def __call__(self, condition: Callable[[], bool], *, tick: Callable[[], None] = ...) -> None: ...


@pytest.fixture
def until() -> Until:
    """Give a function that waits for a condition; its limit only ends a test that has failed already."""

    def wait(condition: Callable[[], bool], *, tick: Callable[[], None] = lambda: None) -> None:
        give_up_at = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < give_up_at, "the condition never came true"
            tick()
            time.sleep(0.02)

    return wait
