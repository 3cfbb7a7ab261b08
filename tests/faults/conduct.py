"""How the people and the background of a story go about it; the faults are variations of this."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from fanyong.errors import TemporarilyUnavailable
from tests.faults import operations
from tests.faults.lab import Lab
from tests.faults.strikes import Killed

if TYPE_CHECKING:
    from tests.faults.shop import Deed
    from tests.faults.story import World

#: How often somebody repeats what was not answered, before the trial counts as stuck.
PATIENCE = 12
#: What an edge answers with "later, please": whoever hears it repeats the request with the same key.
INTERRUPTIONS = (Killed, sa.exc.DBAPIError, TemporarilyUnavailable)


class Conduct:
    """Nothing goes wrong: callbacks never come, and the background asks."""

    name: ClassVar[str] = "none"
    #: How many trials of a round of the schedule; what takes long gets few.
    share: ClassVar[int] = 1
    #: What promoters do with their transfers.
    outcomes: tuple[str, ...] = ("confirm", "confirm", "confirm", "fail", "cancel")
    #: Interruptions come from a state of things, and not at one counted moment.
    lasting = False

    def __init__(self, lab: Lab, rng: Random) -> None:
        self.lab, self.rng = lab, rng
        self.strikes = 0
        self.struck_at: float | None = None
        self.recoveries: list[float] = []
        self.notes: dict[str, int] = {}
        self.phase = -1

    @classmethod
    def home(cls, lab: Lab) -> Lab:
        """Return where the trials of this class are played."""
        return lab

    # What a trial goes through

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Arrange what lasts for the whole trial."""
        yield

    def enter(self, world: World, number: int) -> None:
        """Note that a phase begins."""
        self.phase = number

    def leave(self, world: World) -> None:
        """Note that nothing goes wrong any more."""

    def before_outcomes(self, world: World) -> None:
        """Do something before the promoters look at their transfers."""

    def before_rest(self, world: World) -> None:
        """Do something between what people did and the background's work."""

    def outcome(self, rng: Random) -> str:
        """Return what a promoter does with a transfer."""
        return rng.choice(self.outcomes)

    def rested(self, world: World) -> None:
        """Note that the books are right again."""
        if self.struck_at is not None:
            self.recoveries.append((time.monotonic() - self.struck_at) * 1_000)
            self.struck_at = None

    # How things are done

    @contextmanager
    def exposed(self) -> Iterator[None]:
        """Do something of the product's, to which the fault may happen."""
        yield

    def do(self, world: World, deeds: Sequence[Deed]) -> list[Any]:
        """Do deeds one after the other, each until it is answered; return the answers."""
        return [self.insist(deed.name, deed.arguments) for deed in deeds]

    def insist(self, name: str, arguments: dict[str, Any]) -> Any:
        """Repeat an operation with the same key until it is answered."""
        for attempt in range(PATIENCE):
            before = self.strikes
            try:
                with self.exposed():
                    return operations.run(self.lab.app, self.lab.tenant, name, arguments)
            except INTERRUPTIONS:
                if (self.strikes == before and not self.lasting) or attempt == PATIENCE - 1:
                    raise
                self.pause()
        raise AssertionError("unreachable")

    def pause(self) -> None:
        """Wait before something is repeated; nothing by default."""

    def background(self, world: World) -> list[str]:
        """Let the background work once; returns what went wrong."""
        try:
            with self.exposed():
                return self.healthy_background(world)
        except Killed:
            return ["the worker died"]

    def healthy_background(self, world: World, *, everything: bool = False) -> list[str]:
        """Let a worker work to which nothing happens."""
        arguments = {"everything": everything}
        problems: list[str] = operations.run(self.lab.app, self.lab.tenant, "tend", arguments)
        return problems

    def hear(self, world: World) -> None:
        """Let the callbacks that WeChat has sent arrive; none by default."""

    def strike(self, _connection: sa.Connection | None = None) -> None:
        """Note that the fault happens now."""
        self.strikes += 1
        self.struck_at = time.monotonic()
