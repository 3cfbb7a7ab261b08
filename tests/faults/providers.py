"""A provider that answers late, wrong, not at all or with a lie, and promoters who never tap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

import fanyong.wechat.provider
from fanyong.payments import provider
from fanyong.payments.provider import TransferFact
from fanyong.wechat.gateway import GatewayCache
from fanyong.wechat.provider import WeChatProvider
from tests.faults.conduct import Conduct
from tests.faults.lab import Lab

if TYPE_CHECKING:
    from tests.faults.story import World

ORDERS = "/v3/pay/transactions/jsapi"
ORDER_QUERIES = "/v3/pay/transactions/out-trade-no"
REFUNDS = "/v3/refund/domestic/refunds"
TRANSFERS = "/v3/fund-app/mch-transfer/transfer-bills"
TRANSFER_QUERIES = f"{TRANSFERS}/out-bill-no"
DOORS = (ORDERS, ORDER_QUERIES, REFUNDS, TRANSFERS, TRANSFER_QUERIES)
#: Seconds after which these trials give up on an answer, and how long one that never comes is awaited.
TIMEOUT, SILENCE = 0.5, 0.8


class Unreliable(Conduct):
    """The next calls of some doors go wrong."""

    lasting = True
    #: How: the arguments of the simulator's fault.
    faults: ClassVar[tuple[dict[str, Any], ...]] = ()

    @contextmanager
    def trial(self) -> Iterator[None]:
        for door in self.rng.sample(DOORS, self.rng.randint(2, len(DOORS))):
            self.put(door, **self.rng.choice(self.faults))
        try:
            yield
        finally:
            self.lab.simulator.control.clear_faults()

    def put(self, door: str, *, times: int = 0, **fault: Any) -> None:
        """Let the next calls of a door go wrong."""
        mchid = self.lab.till.mchid
        self.lab.simulator.control.fault(door, mchid=mchid, times=times or self.rng.randint(1, 2), **fault)

    def background(self, world: World) -> list[str]:
        before = self._waiting()
        problems = super().background(world)
        self._count(before)
        return problems

    def insist(self, name: str, arguments: dict[str, Any]) -> Any:
        before = self._waiting()
        answer = super().insist(name, arguments)
        self._count(before)
        return answer

    def _waiting(self) -> int:
        return sum(fault["times"] for fault in self.lab.simulator.control.ask("GET", "faults"))

    def _count(self, before: int) -> None:
        for _ in range(before - self._waiting()):
            self.strike()


class ErrorAnswers(Unreliable):
    """Errors of its own, throttling, and keys that are refused for a while."""

    name, share = "provider-5xx", 3
    faults = (
        {"kind": "error", "status": 500, "code": "SYSTEM_ERROR"},
        {"kind": "error", "status": 502, "code": "BAD_GATEWAY"},
        {"kind": "error", "status": 429, "code": "FREQUENCY_LIMITED"},
    )


class LostAnswers(Unreliable):
    """It has done what was asked, and the answer is lost or signed by nobody."""

    name, share = "provider-lost-answer", 4
    faults = ({"kind": "drop_answer"}, {"kind": "drop_answer"}, {"kind": "bad_signature"})


class Impatient(Unreliable):
    """Calls that are given up after half a second."""

    @contextmanager
    def trial(self) -> Iterator[None]:
        simulator_url = self.lab.app.extensions["settings"].simulator_url
        patient = fanyong.wechat.provider.GatewayCache
        # The module builds its cache by this name; nothing else of the client changes.
        fanyong.wechat.provider.GatewayCache = partial(GatewayCache, timeouts=(5, TIMEOUT))  # type: ignore[misc,assignment]
        provider.use_provider_factory(fanyong.wechat.provider.wechat_provider_factory(simulator_url=simulator_url))
        fanyong.wechat.provider.GatewayCache = patient  # type: ignore[misc]
        try:
            with super().trial():
                yield
        finally:
            provider.use_provider_factory(fanyong.wechat.provider.wechat_provider_factory(simulator_url=simulator_url))


class LateAnswers(Impatient):
    """Answers take their time; some take longer than anybody waits."""

    name, share = "provider-late", 1
    faults = ({"kind": "late", "seconds": 0.2}, {"kind": "late", "seconds": SILENCE, "times": 1})


class LostCalls(Impatient):
    """A call never arrives; nobody can tell that from an answer that is lost."""

    name, share = "provider-lost-call", 1
    faults = ({"kind": "hang_before", "seconds": SILENCE, "times": 1},)


class LyingAnswers(Unreliable):
    """A transfer or refund was accepted, but the answer, the next one or a question about it says otherwise."""

    name, share = "provider-lies", 4

    @contextmanager
    def trial(self) -> Iterator[None]:
        lost = {"kind": "drop_answer", "times": 1}
        lies: dict[str, list[tuple[str, dict[str, Any]]]] = {
            "refused when repeated": [
                (TRANSFERS, lost),
                (TRANSFERS, {"kind": "error", "status": 500, "code": "SYSTEM_ERROR", "times": 1}),
            ],
            "unknown although it is there": [
                (TRANSFERS, lost),
                (TRANSFER_QUERIES, {"kind": "error", "status": 404, "code": "NOT_FOUND", "times": 1}),
            ],
            "the question is refused": [
                (TRANSFERS, lost),
                (TRANSFER_QUERIES, {"kind": "error", "status": 400, "code": "INVALID_REQUEST", "times": 1}),
            ],
            "a refund unknown although it is there": [
                (REFUNDS, lost),
                (f"{REFUNDS}/", {"kind": "error", "status": 404, "code": "RESOURCE_NOT_EXISTS", "times": 1}),
            ],
            "a payment unknown although it is paid": [
                (ORDER_QUERIES, {"kind": "error", "status": 404, "code": "ORDER_NOT_EXIST", "times": 2}),
            ],
        }
        for chosen in self.rng.sample(sorted(lies), 3):
            for door, fault in lies[chosen]:
                self.put(door, **fault)
        try:
            yield
        finally:
            self.lab.simulator.control.clear_faults()


class NobodyTaps(Conduct):
    """No promoter confirms a transfer: WeChat closes it after a day, and the money comes back."""

    name, share = "never-confirmed", 3
    outcomes = ("expire",)

    def before_outcomes(self, world: World) -> None:
        if any(payout.state == "approved" for payout in world.model.payouts):
            self.strike()


class SlowTransfers(Conduct):
    """WeChat says for hours that a transfer is being worked on, whatever has become of it."""

    name, share = "transfer-slow", 3

    def __init__(self, lab: Lab, rng: Random) -> None:
        super().__init__(lab, rng)
        self.hours = [rng.randint(1, 9) for _ in range(rng.randint(1, 4))]

    def before_outcomes(self, world: World) -> None:
        """Let hours pass in which every question is answered with `processing`."""
        told: list[str] = []

        def processing(_provider: Any, *, number: str) -> TransferFact:
            told.append(number)
            return TransferFact(number, "processing")

        honest: Callable[..., TransferFact] = WeChatProvider.query_transfer
        WeChatProvider.query_transfer = processing  # type: ignore[assignment,method-assign]
        try:
            for hours in self.hours:
                world.advance(hours * 60)
                self.lab.make_due()
                self.healthy_background(world)
        finally:
            WeChatProvider.query_transfer = honest  # type: ignore[method-assign]
        for _ in told:
            self.strike()
