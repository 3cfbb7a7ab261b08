"""Killed at any point: after a restart and the next tick the end is the one without the fault, to the fen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from signal import SIGKILL
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from fanyong.tenancy.database import session
from fanyong.wechat.simulator.client import SimulatorClient
from tenants.ledger.service import Figures
from tenants.orders.models import Order
from tenants.payouts.models import Withdrawal
from tests.money.killed import COMMIT
from tests.money.parts import Till

ROOT = Path(__file__).resolve().parents[2]
COMMISSIONS, LEDGER = "tenants.commissions", "tenants.ledger.service"
FLOWS, PAYMENTS, WECHAT = "fanyong.payments.flows", "fanyong.payments.service", "fanyong.wechat.provider"

#: Where the worker dies: (function, before or after it, at which call).
WORKER_POINTS: dict[str, tuple[str, str, int]] = {
    "after a portion was claimed": (f"{COMMISSIONS}.processing:_together", "before", 1),
    "after an order was computed": (f"{COMMISSIONS}.processing:compute", "after", 1),
    "before the books are locked": (f"{COMMISSIONS}.awarding:write", "before", 1),
    "after the awards, before their postings": (f"{COMMISSIONS}.awarding:insert_awards", "after", 1),
    "after the postings of the awards": (f"{LEDGER}:append", "after", 1),
    "after a posting, before the balances": (f"{LEDGER}:_move_balances", "before", 1),
    "after the balances": (f"{LEDGER}:_decrease", "after", 1),
    "after the awards, before the commit": (f"{COMMISSIONS}.awarding:write", "after", 1),
    "in a receipt": (f"{COMMISSIONS}.holding:receive", "after", 1),
    "before a receipt's buckets": (f"{COMMISSIONS}.buckets:put", "before", 1),
    "in a reversal": (f"{COMMISSIONS}.reversing:take_back", "after", 1),
    "before a reversal lowers its buckets": (f"{COMMISSIONS}.buckets:take", "before", 1),
    "after buckets were claimed for release": (f"{COMMISSIONS}.releasing:release", "before", 1),
    "in a release": (f"{LEDGER}:release_to_available", "after", 1),
    "while the books are sealed": ("tenants.ledger.sealing:_close", "after", 1),
    "between claim and refund call": (f"{FLOWS}:_refund", "before", 1),
    "between refund call and its answer": (f"{WECHAT}:WeChatProvider.refund", "after", 1),
    "after a refund was applied, before the commit": (f"{PAYMENTS}:apply_refund", "after", 1),
    "between claim and transfer call": (f"{FLOWS}:_transfer", "before", 1),
    "between transfer call and its answer": (f"{WECHAT}:WeChatProvider.transfer", "after", 1),
    "after a transfer was applied, before the commit": (f"{PAYMENTS}:apply_transfer", "after", 1),
    "while an order is closed": ("tenants.catalog.service:return_stock", "after", 1),
    **{f"after commit {n}, its answer lost": (COMMIT, "after", n) for n in (1, 4, 9, 11)},
}


class Mortals:
    """Processes that work until they die."""

    def __init__(self, app: Flask) -> None:
        settings = json.dumps(asdict(app.extensions["settings"]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.money.killed"],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._say(settings) == "ready"

    def run(self, till: Till, point: tuple[str, str, int], *, action: str = "tend", **arguments: Any) -> int:
        """Work until death or the end; return the signal that ended it, 0 for none."""
        name, when, count = point
        request = {"tenant": till.tenant.id.hex, "action": action, "arguments": arguments}
        return int(self._say(json.dumps(request | {"point": name, "when": when, "count": count})))

    def close(self) -> None:
        """End the process that the others are forked from."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _say(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="module")
def mortals(app: Flask) -> Iterator[Mortals]:
    """Processes that can be killed."""
    processes = Mortals(app)
    yield processes
    processes.close()


@dataclass
class Scene:
    """A brand in the middle of everything: one piece of each kind of work waits."""

    till: Till
    simulator: SimulatorClient
    withdrawal_id: UUID

    def finish(self) -> dict[str, Any]:
        """Let a healthy background bring everything to its end, confirm the transfer, and return the end."""
        for _ in range(3):
            self.till.make_due()
            self.till.tend()
        self.simulator.transfer(
            self.till.mchid, self.till.transfer_row(self.withdrawal_id).out_bill_no, action="confirm"
        )
        self.till.make_due()
        self.till.tend()
        self.till.check()
        return self.till.end_state() | {"stock": self.till.stock("a"), "moved": self.moved()}

    def moved(self) -> list[tuple[str, int]]:
        """Return what really moved for this brand's numbers."""
        with self.till.owner() as connection:
            ours = {
                str(row[0])
                for query in ("SELECT out_refund_no FROM refund", "SELECT out_bill_no FROM transfer")
                for row in connection.execute(query.encode()).fetchall()
            }
        ledger = self.simulator.ledger(self.till.mchid)
        return sorted((m["kind"], m["amount_fen"]) for m in ledger["movements"] if m["our_no"] in ours)


def set_the_scene(till: Till, simulator: SimulatorClient) -> Scene:
    """Let work pile up: awards, a receipt, a reversal, a release, a refund, a transfer and an order to close."""
    # Callbacks would do the work of the process that is to be killed.
    simulator.set_callbacks(till.mchid, mode="never")
    till.product("a", price_fen=10_000, stock=100)
    till.plan()
    till.window(0)
    promoter = till.shopper(simulator, "promoter")
    buyer = till.shopper(simulator, "buyer", under=promoter)
    till.received(buyer)
    given_back = till.received(buyer, [("a", 3)])
    till.settle()
    asked = till.withdraw(promoter, 3_500)
    till.approve(asked)
    refunding = till.order(buyer, [("a", 2)])
    till.pay_at_wechat(simulator, refunding)
    till.make_due()
    till.tend_only_payments()
    due = till.received(buyer)
    till.process()
    assert till.order_row(due).state == "received"
    till.refund(refunding, {"a": 1})
    till.paid(buyer)
    till.received(buyer)
    till.refunded(given_back, {"a": 2})
    unpaid = till.order(buyer, [("a", 5)])
    with till.owner() as connection:
        connection.execute('UPDATE "order" SET expires_at = now() WHERE id = %s', [unpaid])
    return Scene(till, simulator, asked)


@pytest.fixture(scope="module")
def end_without_fault() -> dict[str, Any]:
    """Filled by the first test that needs it."""
    return {}


@pytest.fixture
def expected(
    till: Till, simulator: SimulatorClient, end_without_fault: dict[str, Any], renewed: Callable[[], Till]
) -> dict[str, Any]:
    """How the scene ends when nobody dies."""
    if not end_without_fault:
        end_without_fault.update(set_the_scene(till, simulator).finish())
        renewed()
    return end_without_fault


@pytest.mark.parametrize("point", WORKER_POINTS)
def test_a_killed_worker_changes_nothing_about_the_end(
    expected: dict[str, Any], till: Till, simulator: SimulatorClient, mortals: Mortals, point: str
) -> None:
    scene = set_the_scene(till, simulator)
    till.make_due()
    assert mortals.run(till, WORKER_POINTS[point]) == SIGKILL, "the point was never reached"
    till.check()
    assert scene.finish() == expected


def test_killed_again_and_again(
    expected: dict[str, Any], till: Till, simulator: SimulatorClient, mortals: Mortals
) -> None:
    """A background that dies at its fourth commit, six times in a row, gets there all the same."""
    scene = set_the_scene(till, simulator)
    for _ in range(6):
        till.make_due()
        assert mortals.run(till, (COMMIT, "after", 4)) == SIGKILL
    till.check()
    assert scene.finish() == expected


def test_the_end_is_the_one_worked_out_by_hand(expected: dict[str, Any]) -> None:
    accounts: dict[str, Figures] = expected["accounts"]
    # Orders of 1, 3, 2, 1, 1 and 1 pieces at 100 yuan earn 10 % of each; two pieces of the second and one of the
    # third come back. 3,500 fen are in the wallet; of 6,000 fen earned and kept, 1,000 each wait for two receipts.
    assert accounts["promoter"] == Figures(estimated_fen=2_000, available_fen=500, paid_fen=3_500)
    assert expected["moved"] == [("refund", 10_000), ("transfer", 3_500)]
    assert expected["open_work"] == 0


@pytest.mark.parametrize(
    "point",
    [
        ("tenants.ledger.service:post", "before", 1),
        ("tenants.ledger.service:post", "after", 1),
        (COMMIT, "after", 1),
    ],
    ids=["before the hold", "in the hold", "after its commit"],
)
def test_a_withdrawal_whose_request_died(till: Till, mortals: Mortals, point: tuple[str, str, int]) -> None:
    till.product("a", price_fen=10_000)
    till.plan()
    till.window(0)
    promoter = till.member("promoter")
    till.received(till.member("buyer", under=promoter))
    till.settle()
    asked = {"member": promoter.hex, "amount_fen": 600, "key": "once"}
    assert mortals.run(till, point, action="withdraw", **asked) == SIGKILL
    till.withdraw(promoter, 600, key="once")
    assert till.figures(promoter) == Figures(available_fen=400, in_transfer_fen=600)
    with till.work():
        assert session().scalar(sa.select(sa.func.count()).select_from(Withdrawal)) == 1
    till.check()


@pytest.mark.parametrize(
    "point",
    [
        ("tenants.orders.service:freeze", "after", 1),
        ("tenants.commissions.service:queue_paid", "after", 1),
        (COMMIT, "after", 1),
    ],
    ids=["in the attribution", "after it was queued", "after its commit"],
)
def test_a_payment_whose_callback_died(till: Till, mortals: Mortals, point: tuple[str, str, int]) -> None:
    till.product("a", price_fen=10_000)
    till.plan()
    parent = till.member("parent")
    order_id = till.order(till.member("buyer", under=parent))
    fact = till.payment_fact(order_id)
    told = {name: getattr(fact, name) for name in ("number", "amount_fen", "openid", "mchid", "appid")}
    assert mortals.run(till, point, action="pay", **told) == SIGKILL
    till.apply(fact)
    till.process()
    assert till.figures(parent) == Figures(estimated_fen=1_000)
    till.check()


@pytest.mark.parametrize(
    "point",
    [("tenants.catalog.service:take_stock", "after", 1), (COMMIT, "after", 1)],
    ids=["after the stock was taken", "after its commit"],
)
def test_an_order_whose_request_died(till: Till, mortals: Mortals, point: tuple[str, str, int]) -> None:
    till.product("a", stock=10)
    buyer = till.member("buyer")
    placed = {"member": buyer.hex, "sku": "a", "quantity": 3, "key": "once"}
    assert mortals.run(till, point, action="place", **placed) == SIGKILL
    till.order(buyer, [("a", 3)], key="once")
    assert till.stock("a") == 7
    with till.work():
        assert session().scalar(sa.select(sa.func.count()).select_from(Order)) == 1
    till.check()
