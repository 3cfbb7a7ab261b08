"""Races between processes: each of three does four things at the same moment, on one brand's money."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest

from tenants.commissions import service as commissions
from tenants.ledger.service import Figures
from tenants.members import service as members
from tests.faults.crew import Crew, request
from tests.faults.lab import Lab
from tests.money.parts import Till

Step = tuple[str, dict[str, Any]]


@pytest.fixture
def crew(lab: Lab) -> Crew:
    """Three processes."""
    return lab.crew("workers")


@pytest.fixture
def till(lab: Lab) -> Iterator[Till]:
    """The till of a brand with one product at 100 yuan, ten percent for level 1 and no after-sale window."""
    till = lab.begin_trial()
    till.product("a", price_fen=10_000)
    till.plan()
    till.window(0)
    yield till
    till.check()


def race(lab: Lab, crew: Crew, steps: Sequence[Step], *, refusals: Sequence[str] = ()) -> list[Any]:
    """Deal steps out to processes and their threads, start all at once, and return the answers in their order.

    Refusals come back as None; anything else that goes wrong, a deadlock above all, fails.
    """
    shares = [steps[number :: crew.size] for number in range(crew.size)]
    told = crew.at_once([request(lab.tenant.id, share, together=True) for share in shares if share])
    answers: list[Any] = [None] * len(steps)
    for number, answer in enumerate(told):
        for position, one in enumerate(answer["answers"]):
            assert "error" not in one, one["error"]
            assert one.get("refused") in (None, *refusals), one
            answers[number + position * crew.size] = one.get("answer")
    return answers


def heard(till: Till, order_id: UUID) -> Step:
    """Return the step of taking a payment's callback."""
    fact = till.payment_fact(order_id)
    names = ("number", "amount_fen", "openid", "mchid", "appid")
    return "hear", {name: getattr(fact, name) for name in names}


def earned(till: Till, *, orders: int = 1) -> UUID:
    """Return a promoter who has earned 1,000 fen an order, all of it available."""
    promoter = till.member("promoter")
    buyer = till.member("buyer", under=promoter)
    for _ in range(orders):
        till.received(buyer)
    till.settle()
    assert till.figures(promoter) == Figures(available_fen=1_000 * orders)
    return promoter


def test_workers_on_the_orders_of_one_upline(lab: Lab, till: Till, crew: Crew) -> None:
    parent = till.member("parent")
    buyers = [till.member(f"buyer{n}", under=parent) for n in range(3)]
    orders = [till.order(buyers[n % 3]) for n in range(24)]
    steps: list[Step] = []
    for order_id in orders:
        steps += [heard(till, order_id), ("tend", {})]
    race(lab, crew, steps)
    race(lab, crew, [("deliver", {"order": order_id.hex}) for order_id in orders] + [("tend", {})] * 3)
    race(lab, crew, [("tend", {})] * 6)
    assert till.figures(parent) == Figures(available_fen=24_000)


def test_one_order_paid_in_every_process_at_once(lab: Lab, till: Till, crew: Crew) -> None:
    parent = till.member("parent")
    order_id = till.order(till.member("buyer", under=parent))
    outcomes = race(lab, crew, [heard(till, order_id)] * 12)
    assert sorted(outcomes) == ["already"] * 11 + ["applied"]
    race(lab, crew, [("tend", {})] * 6)
    assert till.figures(parent) == Figures(estimated_fen=1_000)


def test_one_withdrawal_from_ten_clients(lab: Lab, till: Till, crew: Crew) -> None:
    promoter = earned(till)
    asked: Step = ("withdraw", {"member": promoter.hex, "amount_fen": 400, "key": "once"})
    ids = race(lab, crew, [asked] * 10)
    assert len(set(ids)) == 1
    assert till.figures(promoter) == Figures(available_fen=600, in_transfer_fen=400)


def test_ten_withdrawals_never_take_more_than_there_is(lab: Lab, till: Till, crew: Crew) -> None:
    promoter = earned(till)
    steps: list[Step] = [
        ("withdraw", {"member": promoter.hex, "amount_fen": 300, "key": f"w{number}"}) for number in range(10)
    ]
    ids = race(lab, crew, steps, refusals=["not_enough_available"])
    assert len([one for one in ids if one]) == 3
    assert till.figures(promoter) == Figures(available_fen=100, in_transfer_fen=900)


def test_refund_release_and_withdrawal(lab: Lab, till: Till, crew: Crew) -> None:
    promoter = earned(till, orders=2)
    buyer = till.member("second", under=promoter)
    for round_ in range(4):
        order_id = till.received(buyer)
        till.process()
        refund = till.refund_row(till.refund(order_id, {"a": 1}))
        back: Step = ("hear_refund", {"number": refund.out_refund_no, "amount_fen": refund.amount_fen})
        take: Step = ("withdraw", {"member": promoter.hex, "amount_fen": 400, "key": f"round{round_}"})
        race(
            lab,
            crew,
            [back, take, ("tend", {}), take, ("tend", {}), back, ("tend", {})],
            refusals=["not_enough_available", "withdrawal_blocked_by_debt"],
        )
        till.settle()
        after = till.figures(promoter)
        assert after.pending_fen == 0
        assert after.available_fen + after.in_transfer_fen - after.debt_fen == 2_000, "as if it had never been bought"
        till.check()


def test_binds_never_close_a_circle(lab: Lab, till: Till, crew: Crew) -> None:
    for trial in range(8):
        ring = [till.member(f"{trial}-{n}").hex for n in range(4)]
        steps: list[Step] = [
            ("bind", {"member": child, "parent": parent})
            for child, parent in zip(ring, [*ring[1:], ring[0]], strict=True)
        ]
        bound = race(lab, crew, steps * 2)
        assert bound.count(True) == 3
        with till.work():
            found = members.get_members([UUID(one) for one in ring])
        assert sorted(len(member.ancestors) for member in found.values()) == [0, 1, 2, 3]


def test_a_plan_that_changes_in_the_middle_of_a_batch(lab: Lab, till: Till, crew: Crew) -> None:
    parent = till.member("parent")
    buyer = till.member("buyer", under=parent)
    orders = [till.order(buyer) for _ in range(18)]
    rates = (500, 1_500, 2_500)
    changes: list[Step] = [
        ("change_plan", {"name": "plan_levels", "values": {"rates": [{"level": 1, "rate_bp": rate}]}}) for rate in rates
    ]
    steps: list[Step] = []
    for number, order_id in enumerate(orders):
        steps += [heard(till, order_id), ("tend", {})]
        if number % 6 == 3:
            steps.append(changes[number // 6])
    answers = race(lab, crew, steps)
    race(lab, crew, [("tend", {})] * 3)
    rate_of = {UUID(answers[steps.index(step)]): rate for step, rate in zip(changes, rates, strict=True)}
    with till.work():
        total = 0
        for order_id in orders:
            version = commissions.commission_of_order(order_id)
            assert version is not None
            assert version.plan_version_id is not None
            (award,) = commissions.awards_of_orders([order_id])
            assert award.plan_version_id == version.plan_version_id
            assert award.amount_fen == rate_of.get(version.plan_version_id, 1_000)
            total += award.amount_fen
    assert till.figures(parent) == Figures(estimated_fen=total)
