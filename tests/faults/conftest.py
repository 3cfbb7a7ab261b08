"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from fanyong.wechat.simulator.process import SimulatorHandle
from tests.conftest import beside, set_up
from tests.faults.lab import Lab, lab_of


@pytest.fixture(scope="package")
def lab(app: Flask, simulator_process: SimulatorHandle) -> Iterator[Lab]:
    """A lab on a database of its own: some of its workers look after every brand that there is."""
    app.extensions["redis"].flushdb()
    with set_up(beside(app, "faults")) as own, lab_of(own, simulator_process) as lab:
        yield lab
