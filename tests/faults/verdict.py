"""What a trial came to: the books against the model, what really moved at WeChat, and a name for what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import sqlalchemy as sa

from fanyong.payments.models import Refund, Transfer
from fanyong.tenancy.database import session
from tenants.commissions import service as commissions
from tenants.ledger import service as ledger
from tenants.ledger.service import Figures
from tenants.orders.models import Order
from tenants.payouts.models import Withdrawal

if TYPE_CHECKING:
    from tests.faults.story import World

#: SKU -> price; the odd prices make every percentage leave a rest.
CATALOG = {"tea": 9_999, "cup": 33_331, "pot": 125_001}
STOCK = 1_000

Wrong = Literal["double", "loss", "stuck", "violation"]


class Failure(Exception):
    """A trial did not end as it would have without the fault."""

    def __init__(self, wrong: Wrong, what: str) -> None:
        super().__init__(f"{wrong}: {what}")
        self.wrong: Wrong = wrong


@dataclass(frozen=True)
class Outcome:
    """What became of one trial."""

    fault: str
    seed: int
    #: How often the fault struck; a fault that found no occasion proves nothing.
    strikes: int
    wrong: Wrong | None = None
    what: str = ""
    #: From the last strike to the rest that came out right.
    recovery_ms: float | None = None
    seconds: float = 0.0
    #: What a fault counts of its own, for example forgeries that were believed.
    notes: dict[str, int] = field(default_factory=dict)


def compare(world: World) -> list[Failure]:
    """Return how the product differs from the model at a rest, the worst first."""
    with world.lab.till.work():
        figures = ledger.figures(list(world.ids.values()))
        failures = _wrong_accounts(world, figures) + _wrong_objects(world)
        open_work = commissions.open_work()
    if open_work:
        failures.append(Failure("stuck", f"{open_work} pieces of work are still open"))
    order = ("double", "loss", "violation", "stuck")
    return sorted(failures, key=lambda failure: order.index(failure.wrong))


def wrong_movements(world: World) -> list[Failure]:
    """Return how what moved at WeChat under the brand's numbers differs from what should have."""
    expected = Counter(("refund", r.amount_fen) for r in world.model.returns)
    expected += Counter(
        ("transfer", payout.amount_fen - fee_fen)
        for payout, fee_fen in zip(world.model.payouts, world.fees, strict=True)
        if payout.state == "paid"
    )
    moved = Counter(row for row in world.movements() if row[0] != "payment")
    failures = [Failure("double", f"WeChat moved {row} {n} times too often") for row, n in (moved - expected).items()]
    return failures + [Failure("loss", f"WeChat never moved {row}") for row in expected - moved]


def wrong_stock(world: World) -> list[Failure]:
    """Return where goods were taken twice, or never came back."""
    left: Counter[str] = Counter()
    for order in world.model.orders:
        left.update({line.goods.sku: -line.quantity for line in order.lines})
    left.update(world.came_back)
    found = {sku: world.lab.till.stock(sku) - STOCK for sku in CATALOG}
    return [
        Failure("violation", f"{found[sku]} of {sku} in stock instead of {left[sku]}")
        for sku in CATALOG
        if found[sku] != left[sku]
    ]


def _wrong_accounts(world: World, figures: Mapping[UUID, Figures]) -> list[Failure]:
    failures: list[Failure] = []
    for name, person in world.model.people.items():
        found, purse = figures[world.ids[name]], person.purse
        expected = {
            "estimated_fen": purse.estimated,
            "frozen_fen": purse.frozen,
            "available_fen": purse.available,
            "in_transfer_fen": purse.in_transfer,
            "paid_fen": purse.paid,
            "fee_fen": world.fee_income[name],
            "tax_withheld_fen": 0,
            "debt_fen": purse.debt,
        }
        shown = {account: getattr(found, account) for account in expected}
        if shown != expected:
            failures.append(_named(name, shown, expected))
    return failures


def _named(name: str, shown: Mapping[str, int], expected: Mapping[str, int]) -> Failure:
    differing = {key: (shown[key], expected[key]) for key in expected if shown[key] != expected[key]}
    what = f"{name}: " + ", ".join(f"{key} {a} instead of {b}" for key, (a, b) in differing.items())
    more = _owned(shown) - _owned(expected)
    if more:
        return Failure("double" if more > 0 else "loss", what)
    return Failure("stuck", what)


def _owned(accounts: Mapping[str, int]) -> int:
    """Return what a promoter has in all accounts together."""
    return sum(fen for name, fen in accounts.items() if name != "debt_fen") - accounts["debt_fen"]


def _wrong_objects(world: World) -> list[Failure]:
    """Compare orders, refunds and withdrawals: how many there are, and how far each is."""
    model = world.model
    pairs = {
        "orders": (Counter(session().scalars(sa.select(Order.state))), Counter(o.state for o in model.orders)),
        "refunds": (
            Counter(session().scalars(sa.select(Refund.state))),
            Counter("processing" if wanted.state == "open" else "succeeded" for wanted in model.returns),
        ),
        "withdrawals": (
            Counter(session().scalars(sa.select(Withdrawal.state))),
            Counter(payout.state for payout in model.payouts),
        ),
        "transfers under way": (
            Counter(session().scalars(sa.select(Transfer.state).where(Transfer.state.in_(("created", "processing"))))),
            Counter(),
        ),
    }
    failures = []
    for what, (found, expected) in pairs.items():
        if found != expected:
            wrong: Wrong = "double" if found.total() > expected.total() and what != "transfers under way" else "stuck"
            failures.append(Failure(wrong, f"{what}: {dict(found)} instead of {dict(expected)}"))
    return failures
