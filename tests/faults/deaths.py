"""Processes that die: at a named function, a statement or a commit; in earnest, in a child, by SIGKILL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tests.faults.conduct import Conduct
from tests.faults.crew import request
from tests.faults.lab import Lab
from tests.faults.strikes import FUNCTIONS, Killed, Point, Trap

if TYPE_CHECKING:
    from tests.faults.shop import Deed
    from tests.faults.story import World


def some_function(rng: Random, _within: int = 0) -> Point:
    """Draw a named point."""
    name = rng.choice(sorted(FUNCTIONS))
    return Point("function", FUNCTIONS[name][1], rng.choice([1, 1, 1, 2]), name)


def some_moment(rng: Random, within: int = 60) -> Point:
    """Draw one of the next `within` statements, or a commit."""
    kind, when = rng.choice(("statement", "statement", "commit")), rng.choice(("before", "after"))
    return Point(kind, when, rng.randint(1, within // 5 if kind == "commit" else within))


class Struck(Conduct):
    """Something strikes once at a point, from a drawn phase on."""

    def __init__(self, lab: Lab, rng: Random) -> None:
        super().__init__(lab, rng)
        self.from_phase = rng.randint(0, 5)
        self.trap = Trap(lab.app, self.point(), self.strike)

    def point(self) -> Point:
        """Draw where it strikes."""
        return some_moment(self.rng)

    @contextmanager
    def exposed(self) -> Iterator[None]:
        if self.phase < self.from_phase or self.strikes:
            yield
            return
        with self.trap.set():
            yield


class KilledAtFunction(Struck):
    """The process dies at one of the named points."""

    name, share = "kill-point", 6

    def __init__(self, lab: Lab, rng: Random) -> None:
        super().__init__(lab, rng)
        # The point decides when it is passed.
        self.from_phase = 0

    def point(self) -> Point:
        return some_function(self.rng)

    def strike(self, connection: sa.Connection | None = None) -> None:
        super().strike(connection)
        raise Killed


class KilledAtStatement(Struck):
    """The process dies before or after any statement, or around any commit."""

    name, share = "kill-anywhere", 6

    def strike(self, connection: sa.Connection | None = None) -> None:
        super().strike(connection)
        raise Killed


class KilledInEarnest(Conduct):
    """Another process does the work and is killed by SIGKILL; whoever waited for its answer asks again."""

    name, share = "sigkill", 4

    def __init__(self, lab: Lab, rng: Random) -> None:
        super().__init__(lab, rng)
        self.from_phase = rng.randint(0, 5)
        # A deed or the worker is what dies; each is as likely.
        self.of_background = rng.random() < 0.5

    def do(self, world: World, deeds: Sequence[Deed]) -> list[Any]:
        if self.of_background:
            return super().do(world, deeds)
        answers = []
        for deed in deeds:
            told = self._die(deed.name, deed.arguments) if self._waits() else None
            answers.append(self.insist(deed.name, deed.arguments) if told is None else told[0])
        return answers

    def background(self, world: World) -> list[str]:
        if not self.of_background or not self._waits():
            return super().background(world)
        told = self._die("tend", {})
        problems: list[str] = ["the worker died"] if told is None else told[0]
        return problems

    def _waits(self) -> bool:
        return self.phase >= self.from_phase and not self.strikes

    def _die(self, name: str, arguments: dict[str, Any]) -> tuple[Any] | None:
        """Let a child do an operation and die of it; None when it did, its answer when the point was not passed."""
        point = self.rng.choice((some_function, some_moment, some_moment))(self.rng, 15)
        (told,) = self.lab.crew("mortals").at_once([request(self.lab.tenant.id, [(name, arguments)], point)])
        if told["killed"]:
            self.strike()
            return None
        (answer,) = told["answers"]
        if "answer" not in answer:
            raise AssertionError(f"{name}: {answer}")
        return (answer["answer"],)
