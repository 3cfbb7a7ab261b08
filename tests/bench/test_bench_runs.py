"""Every measurement runs, at sizes that take no time, and says what it is compared to; its values decide nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pytest
from flask import Flask

from fanyong.payments import flows
from fanyong.wechat.simulator.process import SimulatorHandle
from tests.bench.__main__ import BENCHES, MONEY, SCALED, main, sizes_of
from tests.bench.figures import Figure
from tests.bench.lab import Lab
from tests.bench.posting import profile
from tests.conftest import beside, listening

TINY: dict[str, dict[str, int]] = {
    "switch": {"brands": 2, "blocks": 2},
    "provision": {"rounds": 2},
    "callback": {"block": 2, "rounds": 2, "watched": 2},
    "compute": {"orders": 3, "rounds": 2, "exceptions": 2},
    "posting": {"orders": 60, "rounds": 2, "naive": 2, "members": 30},
    "audit": {"orders": 20, "rounds": 1},
    "board": {"orders": 20, "rounds": 1},
    "backtest": {"orders": 20, "naive": 2},
    "release": {"orders": 20, "naive": 3},
    "online": {"orders": 60, "sold": 20, "clients": 2, "batch": 5},
    "brands": {"brands": 2, "orders": 2, "ticks": 1},
    "visible": {"rate": 20, "slowest": 20, "callbacks_rate": 2, "most_callbacks": 2, "span": 1},
    "team": {"members": 30, "others": 10, "rounds": 2},
}
KEYS = {"bench", "what", "value", "unit", "floor", "naive", "ratio_floor", "ratio_naive", "goal", "met"}


@pytest.fixture(scope="module")
def lab(app: Flask, simulator_process: SimulatorHandle) -> Iterator[Lab]:
    """An application to measure, whose workers meet its brands alone; measurements share brands, as in a real run."""
    app.extensions["redis"].flushdb()
    before: str = app.extensions["settings"].callback_url
    with listening(beside(app, "bench")) as own:
        lab = Lab(own, simulator_process)
        yield lab
        lab.close()
    flows.use_callback_url(before)


@pytest.mark.parametrize("name", BENCHES)
def test_a_measurement_runs_and_compares(name: str, lab: Lab) -> None:
    figures = BENCHES[name](lab, **TINY[name])
    assert any(figure.floor or figure.naive or figure.goal for figure in figures)
    for figure in figures:
        assert figure.bench == name
        assert math.isfinite(figure.value)
        assert figure.value >= 0
        told = json.loads(figure.as_json())
        assert set(told) == KEYS
        assert (told["met"] is None) == (told["goal"] is None)
        assert (told["ratio_floor"] is None) == (told["floor"] is None)
        assert (told["ratio_naive"] is None) == (told["naive"] is None)
        assert figure.what in figure.as_text()


def test_a_profile_says_where_the_time_of_posting_goes(lab: Lab) -> None:
    text = profile(lab, orders=20, members=6)
    assert text.startswith("20 orders: ")
    for part in ("COPY posting", "COMMIT", "claim and read", "tottime"):
        assert part in text


@pytest.mark.parametrize(
    ("unit", "value", "other", "ratio", "met"), [("orders/s", 30, 10, 3, True), ("ms", 30, 10, 1 / 3, False)]
)
def test_more_is_better_of_rates_alone(unit: str, value: float, other: float, ratio: float, met: bool) -> None:
    figure = Figure("compute", "something", value, unit, floor=other, naive=other, goal=20)
    assert figure.ratio_floor == figure.ratio_naive == ratio
    assert figure.met is met


def test_money_and_the_scaled_sizes_are_measurements() -> None:
    assert set(MONEY) <= set(BENCHES)
    for name, sizes in SCALED.items():
        assert set(sizes) <= set(sizes_of(name))


def test_the_sizes_of_the_tests_are_sizes_of_the_measurements() -> None:
    assert {name: set(sizes) for name, sizes in TINY.items()} == {name: set(sizes_of(name)) for name in BENCHES}


def test_an_unknown_measurement_is_refused_with_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_code:
        main(["speed"])
    assert exit_code.value.code == 2
    assert "'speed'; there are: money, switch" in capsys.readouterr().err
