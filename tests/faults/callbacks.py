"""Callbacks that come twice, in any order, late, or from somebody who is not WeChat."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, ClassVar

from tests.faults.conduct import Conduct
from tests.faults.inbox import Letter
from tests.faults.lab import Lab
from tests.money.parts import at_once

if TYPE_CHECKING:
    from tests.faults.story import World


class Told(Conduct):
    """WeChat tells everything, and what it sent is handed on as the class decides."""

    def __init__(self, lab: Lab, rng: Random) -> None:
        super().__init__(lab, rng)
        self.sent_before = 0
        self.taken = 0
        self.kept: list[Letter] = []

    @contextmanager
    def trial(self) -> Iterator[None]:
        mchid = self.lab.till.mchid
        self.sent_before = len(self.lab.simulator.control.notifications(mchid))
        self.lab.simulator.control.set_callbacks(mchid, mode="normal")
        yield

    @property
    def path(self) -> str:
        """Where the brand's callbacks go."""
        return f"/callbacks/wechat/{self.lab.tenant.id.hex}"

    def hear(self, world: World) -> None:
        sent = len(self.lab.simulator.control.notifications(self.lab.till.mchid)) - self.sent_before
        letters = self.lab.inbox.take(sent - self.taken, prefix=self.path)
        self.taken = sent
        self.hand_on(world, letters)

    def hand_on(self, world: World, letters: Sequence[Letter]) -> None:
        """Give letters to the brand's door."""
        for letter in letters:
            self.deliver(letter)

    def deliver(self, letter: Letter, *, path: str = "") -> int:
        """Put a letter into the door, as WeChat's request would; returns the status of the answer."""
        client = self.lab.app.test_client()
        return client.post(path or letter.path, data=letter.body, headers=letter.headers).status_code

    def leave(self, world: World) -> None:
        for letter in self.kept:
            self._accept(self.deliver(letter))

    def _accept(self, status: int) -> None:
        if status != 204:
            raise AssertionError(f"a true callback was answered with {status}")


class Twice(Told):
    """Each callback comes two or three times, one after the other or at the same moment, and once more at the end."""

    name, share = "callback-twice", 3

    def hand_on(self, world: World, letters: Sequence[Letter]) -> None:
        for letter in letters:
            self.strike()
            self.kept.append(letter)
            times = self.rng.randint(2, 3)
            if self.rng.random() < 0.4:
                answers = at_once(*[partial(self.deliver, letter)] * times)
            else:
                answers = [self.deliver(letter) for _ in range(times)]
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
                self._accept(answer)


class Shuffled(Told):
    """Callbacks come in any order, a few much later than others, together with old ones."""

    name, share = "callback-shuffled", 3

    def hand_on(self, world: World, letters: Sequence[Letter]) -> None:
        waiting = [*self.kept, *letters]
        self.rng.shuffle(waiting)
        cut = self.rng.randint(0, len(waiting))
        self.kept = waiting[cut:]
        for letter in waiting[:cut]:
            self.strike()
            self._accept(self.deliver(letter))
            if self.rng.random() < 0.3:
                self.kept.append(letter)


class Late(Told):
    """No callback comes before everything is over, by the brand's clock days later; the background has asked."""

    name, share = "callback-late", 3

    def hand_on(self, world: World, letters: Sequence[Letter]) -> None:
        self.kept += letters
        if letters:
            self.strike()

    def leave(self, world: World) -> None:
        world.advance(self.rng.randint(2, 5) * 86_400)
        self.rng.shuffle(self.kept)
        super().leave(world)


class Never(Conduct):
    """No callback ever comes."""

    name, share = "callback-never", 2

    def hear(self, world: World) -> None:
        if self.strikes == 0:
            self.strike()


class Forged(Told):
    """Forgeries come before the truth: changed, old, of another key, merchant or brand; none may be believed."""

    name, share = "callback-forged", 4
    #: What only whoever holds WeChat's key could make; the simulator makes them.
    SIGNED: ClassVar[tuple[str, ...]] = ("stale", "wrong_key", "foreign_merchant", "unknown_serial", "signature_probe")

    def __init__(self, lab: Lab, rng: Random) -> None:
        super().__init__(lab, rng)
        self.notes = {"forged": 0, "believed": 0}

    def hand_on(self, world: World, letters: Sequence[Letter]) -> None:
        for letter in letters:
            for forgery, path in self._forgeries(letter):
                self.strike()
                status = self.deliver(forgery, path=path)
                self.notes["forged"] += 1
                self.notes["believed"] += status not in (401, 404)
            self._accept(self.deliver(letter))
        if self.notes["believed"]:
            raise AssertionError(f"{self.notes['believed']} forged callbacks were believed")

    def hear(self, world: World) -> None:
        self._lie_about_orders(world)
        super().hear(world)

    def _forgeries(self, letter: Letter) -> Iterator[tuple[Letter, str]]:
        """Make what somebody without WeChat's key can make of a true callback."""
        names = {name.lower(): name for name in letter.headers}
        middle = len(letter.body) // 2
        changed = letter.body[:middle] + bytes([letter.body[middle] ^ 1]) + letter.body[middle + 1 :]
        yield Letter(letter.path, letter.headers, changed), ""
        signature = names["wechatpay-signature"]
        crooked = letter.headers | {signature: letter.headers[signature][::-1]}
        yield Letter(letter.path, crooked, letter.body), ""
        stamp = names["wechatpay-timestamp"]
        yield Letter(letter.path, letter.headers | {stamp: str(int(time.time()) - 3_600)}, letter.body), ""
        # True, but another brand's: neither may take the other's.
        yield letter, letter.path.replace(self.lab.tenant.id.hex, self.lab.other.id.hex)

    def _lie_about_orders(self, world: World) -> None:
        """Let WeChat's own signature stand under something that is not true, about an order not heard of yet."""
        if not world.order_ids or self.rng.random() < 0.5:
            return
        order_id = self.rng.choice(world.order_ids)
        number = world.payment_number(order_id)
        for kind in self.rng.sample(self.SIGNED, 2):
            url = f"{self.lab.inbox.url}/forged"
            self.lab.simulator.control.forge(self.lab.till.mchid, kind=kind, number=number, url=url)
            (letter,) = self.lab.inbox.take(1, prefix="/forged")
            self.strike()
            self.notes["forged"] += 1
            self.notes["believed"] += self.deliver(letter, path=self.path) != 401
        # Well signed and of another amount: it is kept for a person and books nothing; the truth comes after it.
        self.lab.simulator.control.forge(
            self.lab.till.mchid, kind="amount_changed", number=number, url=f"{self.lab.inbox.url}/forged"
        )
        (letter,) = self.lab.inbox.take(1, prefix="/forged")
        before = world.order_state(order_id)
        self.deliver(letter, path=self.path)
        self.notes["forged"] += 1
        self.notes["believed"] += world.order_state(order_id) != before
