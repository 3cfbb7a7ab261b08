"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from fanyong.wechat.simulator.process import SimulatorHandle
from tests.faults.lab import Lab, lab_of


@pytest.fixture(scope="package")
def lab(app: Flask, simulator_process: SimulatorHandle) -> Iterator[Lab]:
    """A lab on the application of the tests."""
    with lab_of(app, simulator_process) as lab:
        yield lab
