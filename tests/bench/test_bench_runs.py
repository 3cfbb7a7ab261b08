"""Every measurement runs, at sizes that take no time, and says what it is compared to; its values decide nothing."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from flask import Flask

from fanyong.wechat.simulator.process import SimulatorHandle
from tests.bench.__main__ import BENCHES, main, sizes_of
from tests.bench.lab import Lab

TINY: dict[str, dict[str, int]] = {
    "switch": {"brands": 2, "blocks": 2},
    "provision": {"rounds": 2},
    "posting": {"orders": 20, "rounds": 2, "copied": 4, "naive": 2, "members": 6},
    "compute": {"orders": 3, "rounds": 2, "exceptions": 2},
    "release": {"due": 9, "rounds": 1, "members": 6, "moments": 2},
    "check": {"orders": 5, "members": 6, "rounds": 1},
    "callback": {"block": 2, "rounds": 2, "watched": 2},
}


@pytest.fixture
def lab(app: Flask, simulator_process: SimulatorHandle) -> Lab:
    """The application of the tests, as something to measure."""
    return Lab(app, simulator_process)


@pytest.mark.parametrize("name", BENCHES)
def test_a_measurement_runs_and_compares(name: str, lab: Lab) -> None:
    measure: Any = BENCHES[name]
    figures = measure(lab, **TINY[name])
    assert any(figure.ratio is not None for figure in figures)
    for figure in figures:
        assert figure.bench == name
        assert math.isfinite(figure.value)
        assert figure.value > 0
        assert (figure.ratio is None) == (figure.compared_to is None)
        assert set(json.loads(figure.as_json())) == {"bench", "what", "value", "unit", "compared_to", "ratio"}
        assert figure.what in figure.as_text()


def test_the_sizes_of_the_tests_are_sizes_of_the_measurements() -> None:
    assert {name: set(sizes) for name, sizes in TINY.items()} == {name: set(sizes_of(name)) for name in BENCHES}


def test_an_unknown_measurement_is_refused_with_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_code:
        main(["speed"])
    assert exit_code.value.code == 2
    assert "'speed'; there are: switch" in capsys.readouterr().err
