"""A queue that is emptied or away, clocks that are wrong, and other processes that do the same at the same moment."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import uuid_utils.compat
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue

from fanyong.jobs.tending import tick
from fanyong.jobs.wake import queue
from tests.faults.conduct import Conduct
from tests.faults.crew import request
from tests.faults.lab import Lab

if TYPE_CHECKING:
    from tests.faults.shop import Deed
    from tests.faults.story import World


class Queued(Conduct):
    """The background works through the queue, as the workers do; the scheduler ticks."""

    def background(self, world: World) -> list[str]:
        self.trouble()
        with self.lab.app.app_context():
            tick()
            while found := Queue.dequeue_any([queue()], timeout=None, connection=queue().connection):
                job, _queue = found
                job.func(*job.args, **job.kwargs)
        return []

    def trouble(self) -> None:
        """Do something to the queue, now and then."""


class QueueEmptied(Queued):
    """Everything in Valkey is gone, again and again."""

    name, share = "valkey-emptied", 3

    def insist(self, name: str, arguments: dict[str, Any]) -> Any:
        answer = super().insist(name, arguments)
        self.trouble()
        return answer

    def trouble(self) -> None:
        if self.rng.random() < 0.4:
            self.strike()
            self.lab.app.extensions["redis"].flushdb()


class QueueAway(Queued):
    """Valkey does not answer for some phases; nothing that people do fails for it."""

    name, share = "valkey-away", 3

    def __init__(self, lab: Lab, rng: Random) -> None:
        super().__init__(lab, rng)
        self.away = {phase for phase in range(8) if rng.random() < 0.4}

    def do(self, world: World, deeds: Sequence[Deed]) -> list[Any]:
        if self.phase not in self.away:
            return super().do(world, deeds)
        self.strike()
        present = self.lab.app.extensions["redis"]
        retry = Retry(NoBackoff(), 0)
        # Nobody listens on the discard port.
        self.lab.app.extensions["redis"] = Redis(host="127.0.0.1", port=9, socket_connect_timeout=1, retry=retry)
        try:
            return super().do(world, deeds)
        finally:
            self.lab.app.extensions["redis"] = present


class WrongClocks(Conduct):
    """Each process has a clock of its own, up to a day ahead or behind; the database's is the one that counts."""

    name, share = "clock-skew", 4

    @contextmanager
    def exposed(self) -> Iterator[None]:
        skew = timedelta(seconds=self.rng.choice([-86_400, -3_601, 3_601, 86_400]))
        self.strike()
        with skewed(skew):
            yield


@contextmanager
def skewed(skew: timedelta) -> Iterator[None]:
    """Let every module of the product that looks at the clock see it that much ahead."""

    class Elsewhere(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            real = datetime.now(UTC) + skew
            return real.astimezone(tz) if tz else real.replace(tzinfo=None)  # type: ignore[return-value]

    def later_id() -> UUID:
        # The first 48 bits of such an id are the milliseconds since 1970.
        return UUID(int=real_id().int + (int(skew.total_seconds()) * 1_000 << 80))

    real_id = uuid_utils.compat.uuid7
    with ExitStack() as stack:
        uuid_utils.compat.uuid7 = later_id
        stack.callback(setattr, uuid_utils.compat, "uuid7", real_id)
        for name, module in list(sys.modules.items()):
            # The signatures of calls to WeChat stay true: it refuses those of a wrong clock, and says so.
            is_ours = name.partition(".")[0] in ("fanyong", "tenants", "plugins") and ".wechat" not in name
            if is_ours and getattr(module, "datetime", None) is datetime:
                module.datetime = Elsewhere  # type: ignore[attr-defined]
                stack.callback(setattr, module, "datetime", datetime)
        yield


class Raced(Conduct):
    """Three processes do everything at the same moment: the same deeds with the same keys, and the same background."""

    name, share = "raced", 4

    def do(self, world: World, deeds: Sequence[Deed]) -> list[Any]:
        if not deeds:
            return []
        crew = self.lab.crew("workers")
        orders = [list(range(len(deeds))) for _ in range(crew.size)]
        for order in orders:
            self.rng.shuffle(order)
        requests = [request(self.lab.tenant.id, [(deeds[n].name, deeds[n].arguments) for n in o]) for o in orders]
        self.strike()
        answers: list[Any] = [None] * len(deeds)
        for order, told in zip(orders, crew.at_once(requests), strict=True):
            for number, answer in zip(order, told["answers"], strict=True):
                if "answer" not in answer:
                    raise AssertionError(f"{deeds[number].name}: {answer}")
                answers[number] = answer["answer"]
        return answers

    def background(self, world: World) -> list[str]:
        crew = self.lab.crew("workers")
        problems: list[str] = []
        for told in crew.at_once([request(self.lab.tenant.id, [("tend", {})])] * crew.size):
            (answer,) = told["answers"]
            problems += answer.get("answer") or ([str(answer)] if "answer" not in answer else [])
        return problems
