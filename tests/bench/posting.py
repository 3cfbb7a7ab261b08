"""How many paid orders reach the books a second: the product, a naive way, and what PostgreSQL can take at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from uuid import UUID

from fanyong.pluginhost import service as plugins
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import TenantBase, session, unit_of_work
from fanyong.values import OrderFacts
from tenants.commissions import processing
from tenants.commissions import service as commissions
from tenants.commissions.models import Award, OrderCommission
from tenants.invariants.service import check_books
from tenants.ledger.models import AccountName, Balance, Posting
from tests.bench.figures import Figure, medians, side_by_side
from tests.bench.lab import Lab, add_members, current_plan
from tests.bench.rows import LEVELS, make_orders, posted_rows


def measure(
    lab: Lab, *, orders: int = 8_000, rounds: int = 5, copied: int = 8_000, naive: int = 50, members: int = 20_000
) -> list[Figure]:
    """Post blocks of orders, whole portions each, with three beneficiaries an order, in the three ways, in turn."""
    total = orders * rounds
    with lab.brand() as ours, lab.brand() as other, lab.brand() as floor:
        _queue(lab, ours, _orders(lab, ours, members=members, count=total))
        naive_turns = iter(_in_blocks(_orders(lab, other, members=members, count=naive * rounds), size=naive))
        floor_blocks = _in_blocks(_orders(lab, floor, members=members, count=copied * rounds), size=copied)
        with lab.inside(other):
            naive_plan = current_plan().activation_id
        with lab.inside(floor):
            plan, positions = current_plan(), count(1)
            copies = iter([posted_rows(block, plan=plan, positions=positions) for block in floor_blocks])
        sent: Counter[str] = Counter()
        numbers = count(1)
        ways = {
            "ours": lambda: _work_off(lab, ours, sent, wanted=orders),
            "naive": lambda: _post_naively(lab, other, sent, next(naive_turns), plan_id=naive_plan, numbers=numbers),
            "floor": lambda: lab.copy(floor, next(copies)),
        }
        taken = medians(side_by_side(ways, rounds=rounds))
        with lab.inside(ours):
            report = check_books()
    assert report.ok, report.problems
    assert report.figures["awards"] == total * LEVELS, report.figures
    each = {"ours": sent["ours"] / total, "naive": sent["naive"] / (naive * rounds)}
    speed = {"ours": orders / taken["ours"], "naive": naive / taken["naive"], "floor": copied / taken["floor"]}
    return [
        Figure("posting", "paid orders worked off, three awards each", speed["ours"], "orders/s"),
        _beside("row by row with the ORM, balances locked, a commit an order", speed, "naive"),
        _beside(f"COPY of the same rows, {copied} orders a transaction", speed, "floor"),
        Figure("posting", "statements for an order worked off", each["ours"], "statements"),
        Figure(
            "posting",
            "statements for an order with the ORM",
            each["naive"],
            "statements",
            "ours to this",
            each["ours"] / each["naive"],
        ),
    ]


def _beside(what: str, speed: dict[str, float], name: str) -> Figure:
    return Figure("posting", what, speed[name], "orders/s", "ours to this", speed["ours"] / speed[name])


def _orders(lab: Lab, tenant: Tenant, *, members: int, count: int) -> list[OrderFacts]:
    with lab.inside(tenant):
        return make_orders(add_members(members), count=count)


def _in_blocks(orders: Sequence[OrderFacts], *, size: int) -> list[Sequence[OrderFacts]]:
    return [orders[start : start + size] for start in range(0, len(orders), size)]


def _queue(lab: Lab, tenant: Tenant, orders: Sequence[OrderFacts]) -> None:
    with lab.inside(tenant), unit_of_work():
        plan_id = current_plan().activation_id
        for facts in orders:
            commissions.queue_paid(facts, plan_version_id=plan_id)


def _work_off(lab: Lab, tenant: Tenant, sent: Counter[str], *, wanted: int) -> None:
    done = 0
    with lab.counting(sent, "ours"):
        while done < wanted:
            # A context for each portion, as the background has it.
            with lab.inside(tenant):
                portion = processing.process_portion(limit=min(wanted - done, processing.PORTION))
            assert portion, "the inbox was empty too early"
            done += portion


def _post_naively(
    lab: Lab, tenant: Tenant, sent: Counter[str], orders: Sequence[OrderFacts], *, plan_id: UUID, numbers: Iterator[int]
) -> None:
    for facts in orders:
        with lab.counting(sent, "naive"), lab.inside(tenant), unit_of_work():
            rows = posted_rows([facts], plan=plugins.get_activation(plan_id), positions=numbers)
            for award, posting in zip(rows[Award], rows[Posting], strict=True):
                _add(Award(**award))
                _add(Posting(**posting))
                _add_to_balance(award["beneficiary_id"], amount_fen=award["amount_fen"])
            for record in rows[OrderCommission]:
                _add(OrderCommission(**record))


def _add(row: TenantBase) -> None:
    session().add(row)
    session().flush()


def _add_to_balance(owner_id: UUID, *, amount_fen: int) -> None:
    key = {"owner_id": owner_id, "account": AccountName.AVAILABLE}
    balance = session().get(Balance, key, with_for_update=True)
    if balance is None:
        balance = Balance(**key, balance_fen=0)
        session().add(balance)
    balance.balance_fen += amount_fen
    session().flush()
