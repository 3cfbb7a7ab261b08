"""The machine of `test_books_follow_the_model`: what can happen to a brand, done to the product and the model."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from fanyong.errors import FanyongError
from tenants.ledger import service as ledger
from tenants.ledger.service import Figures
from tenants.members import service as members
from tenants.orders.errors import RefundOutOfBounds, WrongOrderState
from tenants.payouts.errors import PayeeFrozen, PayeeInDebt
from tenants.payouts.service import (
    NotEnoughAvailable,
    PromoterFrozen,
    WithdrawalBelowMinimum,
    WithdrawalBlockedByDebt,
    WrongWithdrawalState,
)
from tenants.promoters import service as promoters
from tests.money.model import DAY, Goods, Line, Payout, Person, Plan, Purchase, Shop, spread
from tests.money.parts import Till, forget

CHECK_EVERY = int(os.environ.get("MONEY_CHECK_EVERY", "4"))
#: SKU -> (price, category); the odd prices make every percentage leave a rest.
CATALOG = {"tea": (999, "drink"), "cup": (3_333, "ware"), "pot": (25_001, "ware"), "tin": (1, "")}
COUPONS = {"three": 3, "some": 777, "much": 20_000}
FREIGHTS = {"post": 1_000, "van": 1_501}
PLANS = [
    Plan("plan_levels", {"rates": [{"level": 1, "rate_bp": 1_234}]}),
    Plan(
        "plan_levels",
        {
            "rates": [
                {"level": 1, "tier": "", "rate_bp": 1_000},
                {"level": 1, "tier": "gold", "rate_bp": 1_777},
                {"level": 2, "tier": "", "rate_bp": 333},
            ],
            "overrides": [
                {"scope": "category", "target": "ware", "level": 1, "tier": "", "rate_bp": 2_500},
                {"scope": "sku", "target": "pot", "level": 2, "tier": "gold", "rate_bp": 7_000},
                {"scope": "sku", "target": "tin", "level": 1, "tier": "", "rate_bp": 9_667},
            ],
        },
    ),
    Plan(
        "plan_ladder",
        {
            "bands": [{"from_fen": 0, "rate_bp": 501}, {"from_fen": 10_000, "rate_bp": 1_201}],
            "self_purchase_bp": None,
        },
    ),
    Plan(
        "plan_ladder",
        {
            "bands": [{"from_fen": 0, "rate_bp": 2_999}],
            "self_purchase_bp": 1_111,
            "pay_upline_on_self_purchase": True,
        },
    ),
]
LADDERS: list[dict[str, Any] | None] = [
    None,
    {
        "count_when": "paid",
        "count_own_purchases": True,
        "tiers": [
            {"key": "bronze", "name": "B", "promote_at_sales_fen": 0},
            {"key": "silver", "name": "S", "promote_at_sales_fen": 5_000},
            {"key": "gold", "name": "G", "promote_at_sales_fen": 30_000},
        ],
    },
]
MINIMUM_FEN = 100


class Books(RuleBasedStateMachine):
    """Members, orders, payments, refunds, releases and withdrawals in any order."""

    till: ClassVar[Till]
    people = Bundle("people")
    orders = Bundle("orders")
    returns = Bundle("returns")
    payouts = Bundle("payouts")

    @initialize(target=people)
    def open_shop(self) -> Any:
        """Begin with three generations and a plan."""
        forget(self.till)
        self.model = Shop(levels_allowed=2)
        self.ids: dict[str, UUID] = {}
        self.order_ids: list[UUID] = []
        self.return_ids: list[UUID] = []
        self.payout_ids: list[UUID] = []
        self.names: Iterator[int] = itertools.count()
        self.change_tiers(LADDERS[0])
        self.change_plan(PLANS[0])
        self.change_window(7)
        return multiple(*(self._join(under) for under in (None, "m0", "m1")))

    # The shop

    @rule(target=people, under=people)
    def join(self, under: str) -> str:
        return self._join(under)

    @rule(target=people)
    def come_alone(self) -> str:
        return self._join(None)

    @rule(child=people, parent=people)
    def bind(self, child: str, parent: str) -> None:
        person = self.model.people[child]
        above = [p.name for p in self.model.upline(parent)] + [parent]
        possible = person.parent is None and child not in above
        with self.till.work():
            assert members.bind(self.ids[child], parent_id=self.ids[parent], source="test") is possible
        if possible:
            person.parent = parent

    @rule(plan=st.sampled_from(PLANS))
    def change_plan(self, plan: Plan) -> None:
        if plan == PLANS[1] and self.model.ladder is None:
            return
        self.till.plan(plan.name, dict(plan.values))
        self.model.plan = plan

    @rule(ladder=st.sampled_from(LADDERS))
    def change_tiers(self, ladder: dict[str, Any] | None) -> None:
        name, values = ("tiers_flat", {}) if ladder is None else ("tiers_ladder", ladder)
        self.till.tiers(name, values)
        with self.till.inside():
            while promoters.reevaluate_stale():
                pass
        self.model.ladder = ladder
        for person in self.model.people.values():
            self.model.look_at_tier(person)

    @rule(days=st.sampled_from([0, 3, 7]))
    def change_window(self, days: int) -> None:
        self.till.window(days)
        self.model.window_s = days * DAY

    @rule(name=people)
    def freeze_or_thaw(self, name: str) -> None:
        person = self.model.people[name]
        with self.till.work():
            if person.frozen:
                promoters.unfreeze(self.ids[name])
            else:
                promoters.freeze(self.ids[name], reason="test")
        person.frozen = not person.frozen

    @rule(hours=st.sampled_from([6, 72, 24 * 6, 24 * 8]))
    def let_time_pass(self, hours: int) -> None:
        self.till.advance(hours * 3_600)
        self.model.now += hours * 3_600

    @rule()
    def process(self) -> None:
        self.till.process()
        self.model.process()

    @rule()
    def release(self) -> None:
        self.till.release()
        self.model.release()

    # Orders and their payments

    @rule(
        target=orders,
        buyer=people,
        cart=st.dictionaries(st.sampled_from(sorted(CATALOG)), st.integers(1, 4), min_size=1, max_size=3),
        coupon=st.sampled_from([None, *COUPONS]),
        freight=st.sampled_from([None, *FREIGHTS]),
    )
    def order(self, buyer: str, cart: dict[str, int], coupon: str | None, freight: str | None) -> Any:
        values = [CATALOG[sku][0] * count for sku, count in cart.items()]
        discount = min(COUPONS[coupon], sum(values)) if coupon else 0
        freight_fen = FREIGHTS[freight] if freight else 0
        if sum(values) - discount + freight_fen < 1:
            return multiple()
        self.order_ids.append(self.till.order(self.ids[buyer], list(cart.items()), coupon=coupon, shipping=freight))
        lines = [
            Line(Goods(sku, CATALOG[sku][1], value - off), cart[sku])
            for sku, value, off in zip(cart, values, spread(discount, values), strict=True)
        ]
        self.model.orders.append(Purchase(buyer, lines, freight_fen))
        return len(self.model.orders) - 1

    @rule(number=orders)
    def pay(self, number: int) -> None:
        order = self.model.orders[number]
        outcome = self.till.apply(self.till.payment_fact(self.order_ids[number]))
        if order.payment == "succeeded":
            assert outcome == "already"
            return
        assert outcome == "applied"
        self.model.pay(order)

    @rule(
        number=orders,
        lie=st.sampled_from(
            [{"amount_fen": 1}, {"openid": "somebody"}, {"mchid": "1"}, {"appid": "wx"}, {"currency": "USD"}]
        ),
    )
    def pay_wrongly(self, number: int, lie: dict[str, Any]) -> None:
        order = self.model.orders[number]
        if lie == {"amount_fen": 1} and order.total_fen == 1:
            return
        outcome = self.till.apply(self.till.payment_fact(self.order_ids[number], **lie))
        assert outcome == "already" if order.payment == "succeeded" else outcome.endswith("_differs")
        if order.payment != "succeeded":
            order.payment = "wrong"

    @rule(number=orders, state=st.sampled_from(["pending", "missing", "closed"]))
    def hear_that_it_is_unpaid(self, number: int, state: str) -> None:
        self.till.apply(self.till.payment_fact(self.order_ids[number], state=state))

    @rule(number=orders)
    def close(self, number: int) -> None:
        order = self.model.orders[number]
        possible = order.state == "created" and order.payment != "succeeded"
        assert self.till.close(self.order_ids[number]) is possible
        if possible:
            order.state = "closed"

    @rule(number=orders)
    def ship(self, number: int) -> None:
        order = self.model.orders[number]
        something_left = any(line.asked_quantity < line.quantity for line in order.lines)
        if order.state == "shipped" or (order.state == "paid" and something_left):
            self.till.ship(self.order_ids[number])
            order.state, order.shipped = "shipped", True
        else:
            with pytest.raises(WrongOrderState):
                self.till.ship(self.order_ids[number])

    @rule(number=orders)
    def confirm_receipt(self, number: int) -> None:
        order = self.model.orders[number]
        if order.state not in ("shipped", "received"):
            with pytest.raises(WrongOrderState):
                self.till.receive(self.order_ids[number])
            return
        self.till.receive(self.order_ids[number])
        if order.state == "shipped":
            self.model.receive(order)

    @rule(number=orders)
    def hurry(self, number: int) -> None:
        """Bring an order from wherever it is to its receipt, and the receipt into the books."""
        for step in (self.pay, self.ship, self.confirm_receipt):
            step(number)
        self.process()

    # What takes many steps is offered as one, too: a walk at random seldom gets far.

    @rule(target=orders, buyer=people, sku=st.sampled_from(["tea", "cup", "pot"]), count=st.integers(2, 4))
    def earn(self, buyer: str, sku: str, count: int) -> Any:
        """Let an order go all the way to released commissions."""
        number = self.order(buyer, {sku: count}, None, None)
        assert isinstance(number, int)
        self.hurry(number)
        hours = self.model.orders[number].window_s // 3_600
        for part in (max(0, hours - 6), 6):
            self.let_time_pass(part)
            self.release()
            self.the_books_are_the_models()
        return number

    @rule(number=orders, count=st.sampled_from([1, 1, 2]), times=st.integers(1, 3), wait=st.booleans())
    def give_back(self, number: int, count: int, times: int, wait: bool) -> None:
        """Let pieces of an order's first line be refunded, all the way to the reversal, at once or after its window."""
        order = self.model.orders[number]
        if order.state == "created":
            (self.hurry if wait else self.pay)(number)
        for _ in range(times):
            left = order.lines[0].quantity - order.lines[0].asked_quantity
            if order.state not in ("paid", "shipped", "received") or not left:
                return
            asked = self.ask_refund(number, [min(count, left), 0, 0], 0)
            if not isinstance(asked, int):
                return
            if wait:
                self.let_time_pass(24 * 8)
                self.release()
                self.the_books_are_the_models()
            self.hear_of_refund(asked, "succeeded")
            self.process()
            self.the_books_are_the_models()

    @rule(buyer=people, wait=st.booleans())
    def think_again(self, buyer: str, wait: bool) -> None:
        """Give an order of four pieces back, piece by piece."""
        number = self.order(buyer, {"cup": 4}, None, None)
        assert isinstance(number, int)
        self.give_back(number, 1, 3, wait)

    @rule(number=orders)
    def overdraw(self, number: int) -> None:
        """Withdraw what an order earned, and then give the goods back."""
        for name in sorted({claim.name for claim in self.model.orders[number].claims}):
            self.cash_out(name)
        self.give_back(number, 2, 2, False)

    @rule(target=payouts, name=people)
    def cash_out(self, name: str) -> Any:
        """Withdraw everything, as far as the transfer."""
        number = self.withdraw(name, 1, 0)
        if isinstance(number, int):
            self.approve(number)
        return number

    # Refunds

    @rule(
        target=returns,
        number=orders,
        pieces=st.lists(st.integers(0, 4), min_size=3, max_size=3),
        freight_fen=st.sampled_from([0, 0, 1, 500, 1_501]),
    )
    def ask_refund(self, number: int, pieces: list[int], freight_fen: int) -> Any:
        order = self.model.orders[number]
        wanted = {i: n for i, n in enumerate(pieces[: len(order.lines)]) if n}
        fits = all(n <= order.lines[i].quantity - order.lines[i].asked_quantity for i, n in wanted.items())
        fits = fits and freight_fen <= order.freight_fen - order.asked_freight_fen
        by_sku = {order.lines[i].goods.sku: n for i, n in wanted.items()}
        asked = None
        if order.state in ("paid", "shipped", "received") and fits:
            asked = self.model.ask_return(number, wanted, freight_fen)
        if asked is None:
            with pytest.raises((WrongOrderState, RefundOutOfBounds)):
                self.till.refund(self.order_ids[number], by_sku, freight_fen=freight_fen)
            return multiple()
        self.return_ids.append(self.till.refund(self.order_ids[number], by_sku, freight_fen=freight_fen))
        assert self.till.refund_row(self.return_ids[-1]).amount_fen == asked.amount_fen
        return len(self.model.returns) - 1

    @rule(
        number=returns,
        state=st.sampled_from(["succeeded", "succeeded", "processing", "missing", "closed", "abnormal"]),
    )
    def hear_of_refund(self, number: int, state: str) -> None:
        wanted = self.model.returns[number]
        outcome = self.till.apply(self.till.refund_fact(self.return_ids[number], state=state))
        if wanted.state in ("done", "failed"):
            assert outcome == "already"
        elif state == "succeeded":
            self.model.finish_return(wanted)
        elif state == "closed":
            self.model.fail_return(wanted)

    @rule(number=returns)
    def hear_a_wrong_amount(self, number: int) -> None:
        row = self.till.refund_row(self.return_ids[number])
        self.till.apply(self.till.refund_fact(self.return_ids[number], amount_fen=row.amount_fen + 1))

    # Withdrawals

    @rule(target=payouts, name=people, share=st.sampled_from([1, 2, 3]), extra=st.sampled_from([0, 0, 1, 500]))
    def withdraw(self, name: str, share: int, extra: int) -> Any:
        purse, amount_fen = self.model.people[name].purse, 0
        amount_fen = purse.available // share + extra
        expected: type[FanyongError] | None = None
        if amount_fen < MINIMUM_FEN:
            expected = WithdrawalBelowMinimum
        elif self.model.people[name].frozen:
            expected = PromoterFrozen
        elif purse.debt:
            expected = WithdrawalBlockedByDebt
        elif amount_fen > purse.available:
            expected = NotEnoughAvailable
        if expected:
            with pytest.raises(expected):
                self.till.withdraw(self.ids[name], amount_fen)
            return multiple()
        self.payout_ids.append(self.till.withdraw(self.ids[name], amount_fen))
        purse.available -= amount_fen
        purse.in_transfer += amount_fen
        self.model.payouts.append(Payout(name, amount_fen))
        return len(self.model.payouts) - 1

    @rule(number=payouts)
    def approve(self, number: int) -> None:
        payout = self.model.payouts[number]
        person = self.model.people[payout.name]
        refusal: type[FanyongError] | None = None
        if payout.state not in ("requested", "approved"):
            refusal = WrongWithdrawalState
        elif payout.state == "requested" and person.frozen:
            refusal = PayeeFrozen
        elif payout.state == "requested" and person.purse.debt:
            refusal = PayeeInDebt
        if refusal is None:
            self.till.approve(self.payout_ids[number])
            payout.state = "approved"
        else:
            with pytest.raises(refusal):
                self.till.approve(self.payout_ids[number])

    @rule(number=payouts)
    def reject(self, number: int) -> None:
        payout = self.model.payouts[number]
        if payout.state == "requested":
            self.till.reject(self.payout_ids[number])
            self._come_back(payout, "rejected")
        elif payout.state == "rejected":
            self.till.reject(self.payout_ids[number])
        else:
            with pytest.raises(WrongWithdrawalState):
                self.till.reject(self.payout_ids[number])

    @precondition(lambda self: any(p.state not in ("requested", "rejected") for p in self.model.payouts))
    @rule(
        number=payouts,
        state=st.sampled_from(["paid", "paid", "processing", "wait_user", "missing", "failed", "canceled"]),
        lie=st.sampled_from([0, 0, 0, 1]),
    )
    def hear_of_transfer(self, number: int, state: str, lie: int) -> None:
        payout = self.model.payouts[number]
        if payout.state in ("requested", "rejected"):
            return
        fact = self.till.transfer_fact(self.payout_ids[number], state=state, amount_fen=payout.amount_fen + lie)
        outcome = self.till.apply(fact)
        purse = self.model.people[payout.name].purse
        if payout.state != "approved":
            assert outcome == "already"
        elif state == "paid" and not lie:
            payout.state = "paid"
            purse.in_transfer -= payout.amount_fen
            purse.paid += payout.amount_fen
        elif state in ("failed", "canceled"):
            self._come_back(payout, "failed")

    # What has to hold after each step

    @invariant()
    def the_books_are_the_models(self) -> None:
        expected = {
            self.ids[name]: Figures(
                estimated_fen=person.purse.estimated,
                frozen_fen=person.purse.frozen,
                available_fen=person.purse.available,
                in_transfer_fen=person.purse.in_transfer,
                paid_fen=person.purse.paid,
                debt_fen=person.purse.debt,
            )
            for name, person in self.model.people.items()
        }
        with self.till.work():
            found = ledger.figures(list(expected))
            tiers = {name: promoters.get_promoter(self.ids[name]) for name in self.model.people}
        assert found == expected
        assert {name: p and p.tier for name, p in tiers.items()} == {n: p.tier for n, p in self.model.people.items()}

    @invariant()
    def the_invariants_hold(self) -> None:
        """Check all of them every few steps: it takes as long as several steps."""
        self.step = getattr(self, "step", 0) + 1
        if self.step % CHECK_EVERY == 0:
            self.till.check()

    def teardown(self) -> None:
        """Bring everything to its end, and check once more."""
        if not hasattr(self, "model"):
            return
        self.process()
        self.release()
        self.the_books_are_the_models()
        self.till.check()

    def _join(self, under: str | None) -> str:
        number = next(self.names)
        name = f"m{number}"
        self.ids[name] = self.till.member(name, under=self.ids[under] if under else None)
        person = Person(name, parent=under)
        self.model.people[name] = person
        self.model.look_at_tier(person)
        return name

    def _come_back(self, payout: Payout, state: str) -> None:
        payout.state = state
        purse = self.model.people[payout.name].purse
        purse.in_transfer -= payout.amount_fen
        purse.receive(payout.amount_fen)
