"""A shop in the product and in the plain model, side by side, and what single people do in both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from fanyong.compliance import service as compliance
from fanyong.tenancy import settings
from tenants.payouts.service import WithdrawalRules
from tests.faults.lab import Lab
from tests.faults.verdict import CATALOG, STOCK
from tests.money.model import DAY, Goods, Line, Payout, Person, Plan, Purchase, Shop

PLANS = (
    Plan("plan_levels", {"rates": [{"level": 1, "rate_bp": 1_234}, {"level": 2, "rate_bp": 333}]}),
    Plan("plan_levels", {"rates": [{"level": 1, "rate_bp": 2_500}]}),
    Plan(
        "plan_ladder",
        {"bands": [{"from_fen": 0, "rate_bp": 501}, {"from_fen": 50_000, "rate_bp": 1_201}], "self_purchase_bp": 777},
    ),
)
WINDOW_DAYS = 1


@dataclass(frozen=True)
class Deed:
    """Something one person does: an operation to repeat until it is answered, and what it means in the model."""

    name: str
    arguments: dict[str, Any]
    then: Callable[[Any], None]


@dataclass
class TwoShops:
    """The product and the model of one trial."""

    lab: Lab
    rng: Random
    conduct: Any
    model: Shop = field(default_factory=lambda: Shop(levels_allowed=2, window_s=WINDOW_DAYS * DAY))
    ids: dict[str, UUID] = field(default_factory=dict)
    order_ids: list[str] = field(default_factory=list)
    return_ids: list[str] = field(default_factory=list)
    payout_ids: list[str] = field(default_factory=list)
    #: Pieces that came back before they were sent, by SKU.
    came_back: Counter[str] = field(default_factory=Counter)
    moved_before: set[str] = field(default_factory=set)
    #: The brand's fee on withdrawals in basis points, what it is for each withdrawal, and what each promoter has paid.
    fee_bp: int = 0
    fees: list[int] = field(default_factory=list)
    fee_income: Counter[str] = field(default_factory=Counter)
    rounds: int = 0

    def payment_number(self, order_id: str) -> str:
        """Return the number of an order's payment at WeChat."""
        return self.lab.till.intent(UUID(order_id)).out_trade_no

    def order_state(self, order_id: str) -> str:
        """Return how far an order has come."""
        return self.lab.till.order_row(UUID(order_id)).state

    def advance(self, seconds: int) -> None:
        """Move the brand's clock, WeChat's for its merchant, and the model's."""
        till = self.lab.till
        till.advance(seconds)
        self.lab.simulator.control.set_clock(till.mchid, offset_seconds=till.offset_seconds)
        self.model.now += seconds

    # Deeds

    def _do(self, deeds: Sequence[Deed]) -> None:
        for deed, answer in zip(deeds, self.conduct.do(self, deeds), strict=True):
            deed.then(answer)

    def _buy(self, buyer: str, paid: list[Purchase]) -> Deed:
        skus = self.rng.sample(sorted(CATALOG), self.rng.randint(1, 2))
        cart = [(sku, self.rng.randint(1, 3)) for sku in skus]
        arguments = {"member": self.ids[buyer].hex, "lines": cart, "key": self.lab.till.key()}

        def then(answer: Any) -> None:
            order_id, prepay_id = answer
            lines = [Line(Goods(sku, "", CATALOG[sku] * count), count) for sku, count in cart]
            order = Purchase(buyer, lines, 0)
            self.order_ids.append(order_id)
            self.model.orders.append(order)
            paid.append(order)
            self.lab.simulator.control.pay(prepay_id)

        return Deed("buy", arguments, then)

    def _deliver(self, number: int) -> Deed:
        def then(_answer: Any) -> None:
            self.model.orders[number].shipped = True
            self.model.receive(self.model.orders[number])

        return Deed("deliver", {"order": self.order_ids[number]}, then)

    def _give_back(self, number: int, pieces: dict[int, int]) -> Deed:
        lines = self.model.orders[number].lines
        by_sku = {lines[index].goods.sku: count for index, count in pieces.items()}

        def then(answer: Any) -> None:
            assert self.model.ask_return(number, pieces, 0) is not None
            self.return_ids.append(answer)
            if self.model.orders[number].state == "paid":
                self.came_back.update(by_sku)

        arguments = {"order": self.order_ids[number], "pieces": by_sku, "key": self.lab.till.key()}
        return Deed("give_back", arguments, then)

    def _withdraw(self, name: str, amount_fen: int) -> Deed:
        def then(answer: Any) -> None:
            purse = self.model.people[name].purse
            purse.available -= amount_fen
            purse.in_transfer += amount_fen
            self.payout_ids.append(answer)
            self.model.payouts.append(Payout(name, amount_fen))
            self.fees.append(amount_fen * self.fee_bp // 10_000)

        arguments = {"member": self.ids[name].hex, "amount_fen": amount_fen, "key": self.lab.till.key()}
        return Deed("withdraw", arguments, then)

    def _decide(self, number: int) -> Deed:
        payout = self.model.payouts[number]
        # Nothing is paid to whoever owes something: it goes back, and repays that first.
        approve = self.rng.random() < 0.85 and not self.model.people[payout.name].purse.debt

        def then(_answer: Any) -> None:
            if approve:
                payout.state = "approved"
            else:
                self._come_back(payout, "rejected")

        return Deed("decide", {"withdrawal": self.payout_ids[number], "approve": approve}, then)

    def _end_transfer(self, payout: Payout, outcome: str, *, fee_fen: int) -> None:
        if outcome != "confirm":
            self._come_back(payout, "failed")
            return
        payout.state = "paid"
        purse = self.model.people[payout.name].purse
        purse.in_transfer -= payout.amount_fen
        purse.paid += payout.amount_fen - fee_fen
        self.fee_income[payout.name] += fee_fen

    def _come_back(self, payout: Payout, state: str) -> None:
        payout.state = state
        purse = self.model.people[payout.name].purse
        purse.in_transfer -= payout.amount_fen
        purse.receive(payout.amount_fen)

    def _open_shop(self) -> None:
        """Begin with a plan, goods, and a small family: a promoter, one below, and shoppers below them."""
        till = self.lab.till
        plan = self.rng.choice(PLANS)
        self.fee_bp = self.rng.choice([0, 0, 60])
        with till.work():
            compliance.accept_notice(actor="story")
            settings.save(WithdrawalRules(fee_bp=self.fee_bp), actor="story")
        till.plan(plan.name, dict(plan.values))
        till.window(WINDOW_DAYS)
        for sku, price_fen in CATALOG.items():
            till.product(sku, price_fen=price_fen, stock=STOCK)
        self.model.plan = plan
        for name, parent in (("m0", None), ("m1", "m0"), ("m2", "m1"), ("m3", self.rng.choice(["m0", "m1", None]))):
            under = self.ids[parent] if parent else None
            self.ids[name] = till.member(name, under=under, openid=self.lab.openid(name))
            self.model.people[name] = Person(name, parent=parent)
            self.model.look_at_tier(self.model.people[name])
