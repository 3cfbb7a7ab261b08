"""A few trials of every class of faults, and the proof that a bug makes them fail."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import ExitStack
from random import Random
from typing import Any

import pytest

from tenants.payouts import service as payouts
from tests.faults import __main__, report
from tests.faults.classes import CLASSES
from tests.faults.conduct import Conduct
from tests.faults.deaths import KilledAtStatement
from tests.faults.lab import Lab
from tests.faults.schedule import Ticket, halves, tickets
from tests.faults.story import World
from tests.faults.strikes import FUNCTIONS, Point, Trap
from tests.faults.trial import run_trial
from tests.faults.verdict import Outcome

SEED = 20_261_101


@pytest.mark.parametrize("name", CLASSES)
def test_a_fault_changes_nothing_about_the_end(lab: Lab, name: str) -> None:
    for seed in range(SEED, SEED + 5):
        outcome = run_trial(lab, CLASSES[name], seed)
        assert outcome.wrong is None, f"{outcome.what}\n{report.again(outcome)}"
        if outcome.strikes:
            return
    pytest.fail("it found no occasion to strike")


def test_a_seed_tells_one_story(lab: Lab) -> None:
    ends = []
    for _ in range(2):
        lab.begin_trial()
        world = World(lab, Random(f"story {SEED}"), Conduct(lab, Random(0)))
        world.play()
        ends.append((world.model.people, [order.lines for order in world.model.orders], world.came_back))
    assert ends[0] == ends[1]
    assert any(person.purse.paid for person in ends[0][0].values()), "a story in which nobody earns proves nothing"


class Watched(Conduct):
    """Nothing goes wrong; what is passed on the way is noted."""

    passed: Counter[str] = Counter()

    def insist(self, name: str, arguments: dict[str, Any]) -> Any:
        with self.watched():
            return super().insist(name, arguments)

    def background(self, world: World) -> list[str]:
        with self.watched():
            return super().background(world)

    def watched(self) -> Any:
        """Count each named point the first time it is passed in the block."""
        stack = ExitStack()
        for name, (_, when) in FUNCTIONS.items():

            def note(_connection: object, name: str = name) -> None:
                self.passed[name] += 1

            stack.enter_context(Trap(self.lab.app, Point("function", when, 1, name), note).set())
        return stack


def test_every_named_point_is_passed_by_some_story(lab: Lab) -> None:
    for seed in range(SEED, SEED + 9):
        assert run_trial(lab, Watched, seed).wrong is None
        if set(Watched.passed) == set(FUNCTIONS):
            break
    assert set(Watched.passed) == set(FUNCTIONS)


class WithdrawalsAnswerLost(KilledAtStatement):
    """Whoever asks for a withdrawal first dies after its commit, and asks again."""

    name = "withdrawal-lost"

    def point(self) -> Point:
        return Point("commit", "after", 1)

    def insist(self, name: str, arguments: dict[str, Any]) -> Any:
        self.from_phase = 0 if name == "withdraw" else 99
        return super().insist(name, arguments)

    def background(self, world: World) -> list[str]:
        return self.healthy_background(world)


def test_a_bug_makes_the_run_fail(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def play_here(planned: list[Ticket], *, processes: int) -> list[Outcome]:
        return [run_trial(lab, CLASSES[ticket.fault], ticket.seed) for ticket in planned]

    monkeypatch.setattr(__main__, "play", play_here)
    monkeypatch.setitem(CLASSES, WithdrawalsAnswerLost.name, WithdrawalsAnswerLost)
    asked = ["--trials", "3", "--seed", str(SEED), "--class", WithdrawalsAnswerLost.name]
    assert __main__.main(asked) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "faults: 3 trials, 0 violations"

    honest, count = payouts.request_withdrawal, itertools.count()

    def forgetful(*arguments: Any, **named: Any) -> Any:
        return honest(*arguments, **named | {"idempotency_key": f"new {next(count)}"})

    monkeypatch.setattr(payouts, "request_withdrawal", forgetful)
    assert __main__.main(asked) == 1
    shown = capsys.readouterr().out.splitlines()
    failed = int(shown[-1].split()[3])
    assert shown[-1] == f"faults: 3 trials, {failed} violations"
    assert failed > 0
    commands = [line.strip() for line in shown if line.strip().startswith("./dev faults")]
    assert len(commands) == failed
    # What it says to do shows the same failure.
    assert __main__.main(commands[0].split()[2:]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "faults: 1 trials, 1 violations"


def test_the_classes_take_turns_and_every_trial_has_a_seed_of_its_own() -> None:
    planned = tickets(trials=1_000, seed=500)
    assert [ticket.seed for ticket in planned] == list(range(500, 1_500))
    count = Counter(ticket.fault for ticket in planned)
    assert set(count) == set(CLASSES)
    total = sum(kind.share for kind in CLASSES.values())
    for name, kind in CLASSES.items():
        assert abs(count[name] - 1_000 * kind.share / total) < 2
    dealt = halves(planned, 2)
    assert sorted((t for half in dealt for t in half), key=lambda t: t.seed) == planned
    assert abs(len(dealt[0]) - len(dealt[1])) <= 1


def test_the_report_counts_each_kind_of_wrong() -> None:
    outcomes = [
        Outcome("raced", 1, 3, recovery_ms=10.0, notes={"forged": 2}),
        Outcome("raced", 2, 1, wrong="double", what="double: m0 has too much", notes={"forged": 1}),
        Outcome("sigkill", 3, 0, wrong="stuck", what="stuck: for ever"),
    ]
    text = report.as_text(outcomes).splitlines()
    assert text[-1] == "faults: 3 trials, 2 violations"
    assert "    ./dev faults --seed 2 --class raced --trials 1" in text
    raced = next(row for row in report.rows(outcomes) if row.fault == "raced")
    assert (raced.trials, raced.struck, raced.double, raced.losses, raced.notes) == (2, 2, 1, 0, {"forged": 3})
    assert '"failed": "sigkill", "seed": 3' in report.as_json(outcomes)


@pytest.mark.parametrize("arguments", [["--class", "earthquake"], ["--trials", "0"]])
def test_what_makes_no_sense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_code:
        __main__.parse(arguments)
    assert exit_code.value.code == 2
    assert "./dev faults" in capsys.readouterr().err
