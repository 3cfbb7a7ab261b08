"""A shop story made up by a seed: what people do, done to the product and, at the same time, to the plain model.

Between two rests everything may be under way; at a rest the background has done all it can, and the books have to
be the model's. The conduct decides how things are done, and what goes wrong on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from tenants.invariants.service import check_books
from tenants.ledger.sealing import verify
from tests.faults.shop import WINDOW_DAYS, TwoShops
from tests.faults.verdict import Failure, compare, wrong_movements, wrong_stock
from tests.money.model import DAY, Purchase

#: A refund may have to be handed over, asked about and booked: a rest that takes more rounds has got stuck.
ROUNDS = 8


class World(TwoShops):
    """The shop of one trial and its story."""

    def play(self) -> None:
        """Play a whole story; raises Failure as soon as a rest does not come out."""
        self._open_shop()
        self.moved_before = set(self.lab.moved())
        for number, phase in enumerate(self._phases()):
            self.conduct.enter(self, number)
            phase()
            self.rest()
        self.conduct.leave(self)
        self.rest(last=True)

    # The phases of a story

    def _phases(self) -> Iterator[Callable[[], None]]:
        yield self.sell
        yield self.deliver
        way = self.rng.random()
        if way < 0.4:
            yield self.give_back
        elif way < 0.6:
            # What they hold must not be released meanwhile.
            yield self.ask_slow_refunds
            yield self.let_window_pass
            yield self.finish_refunds
        yield self.let_window_pass
        yield self.withdraw
        yield self.settle_transfers
        if self.rng.random() < 0.5:
            # Of orders whose commissions are out: taken back, or owed.
            yield self.give_back
            if self.rng.random() < 0.5:
                yield self.sell
                yield self.deliver
                yield self.let_window_pass

    def sell(self) -> None:
        """Let shoppers order and pay."""
        # Nobody earns by whoever stands at the top; such an order is seldom.
        names = sorted(self.ids)
        buyers = [self.rng.choice([*names, *names[1:], *names[1:]]) for _ in range(self.rng.choice([1, 2, 2, 3]))]
        paid: list[Purchase] = []
        deeds = [self._buy(buyer, paid) for buyer in buyers]
        self._do(deeds)
        for order in paid:
            self.model.pay(order)
        self.conduct.hear(self)

    def deliver(self) -> None:
        """Bring most of what is paid to its buyers."""
        waiting = [
            number
            for number, order in enumerate(self.model.orders)
            if order.state == "paid" and any(line.asked_quantity < line.quantity for line in order.lines)
        ]
        chosen = [n for n in waiting if self.rng.random() < 0.85] or waiting[:1]
        self._do([self._deliver(n) for n in chosen])

    def give_back(self) -> None:
        """Let pieces of some orders come back."""
        self._ask_refunds()
        for wanted in self.model.returns:
            if wanted.state == "open":
                self.model.finish_return(wanted)

    def ask_slow_refunds(self) -> None:
        """Let pieces of some orders come back, with refunds that WeChat takes its time for."""
        self.lab.simulator.control.set_refunds(self.lab.till.mchid, mode="manual")
        self._ask_refunds()

    def finish_refunds(self) -> None:
        """Let WeChat finish the slow refunds."""
        till, control = self.lab.till, self.lab.simulator.control
        for refund_id, wanted in zip(self.return_ids, self.model.returns, strict=True):
            if wanted.state == "open":
                control.refund(till.mchid, till.refund_row(UUID(refund_id)).out_refund_no, action="succeed")
                self.model.finish_return(wanted)
        control.set_refunds(till.mchid, mode="at_once")
        self.conduct.hear(self)

    def let_window_pass(self) -> None:
        """Let the after-sale window of everything received run out."""
        self.advance(WINDOW_DAYS * DAY + self.rng.choice([0, 1, 7_200]))

    def withdraw(self) -> None:
        """Let promoters ask for what they have, or a part of it; most of it is approved."""
        self.model.release()
        deeds = []
        for name, person in sorted(self.model.people.items()):
            amount_fen = person.purse.available // self.rng.choice([1, 1, 2, 3])
            if amount_fen >= 100 and not person.purse.debt and self.rng.random() < 0.85:
                deeds.append(self._withdraw(name, amount_fen))
        self._do(deeds)
        self._do([self._decide(n) for n, p in enumerate(self.model.payouts) if p.state == "requested"])

    def settle_transfers(self) -> None:
        """Let promoters confirm their transfers, or not."""
        self.conduct.before_outcomes(self)
        for number, payout in enumerate(self.model.payouts):
            if payout.state != "approved":
                continue
            outcome = self.conduct.outcome(self.rng)
            number_there = self.lab.till.transfer_row(UUID(self.payout_ids[number])).out_bill_no
            if outcome != "expire":
                self.lab.simulator.control.transfer(self.lab.till.mchid, number_there, action=outcome)
            self._end_transfer(payout, outcome, fee_fen=self.fees[number])
        if self.conduct.outcomes == ("expire",):
            # Nobody tapped: a day later WeChat closes them by itself.
            self.advance(DAY + 60)
        self.conduct.hear(self)

    # Rests

    def rest(self, *, last: bool = False) -> None:
        """Let the background work until the books are the model's; raises Failure when it does not get there."""
        self.model.process()
        self.model.release()
        self.conduct.before_rest(self)
        failures: list[Failure] = []
        for round_ in range(ROUNDS):
            self.rounds = round_ + 1
            self.lab.make_due()
            problems = self.conduct.background(self)
            self.conduct.hear(self)
            failures = self._differences(problems)
            if not failures:
                break
        if failures:
            raise failures[0]
        self.conduct.rested(self)
        if last:
            self._end()

    def _end(self) -> None:
        """Work on for nothing, and look at everything once more: what is right has to stay so."""
        self.lab.make_due()
        problems = self.conduct.healthy_background(self, everything=True)
        failures = self._differences(problems) + wrong_movements(self) + wrong_stock(self)
        if failures:
            raise failures[0]
        with self.lab.till.work():
            report, chain = check_books(), verify()
        if chain.broken or chain.unsealed:
            raise Failure("violation", f"the chain of seals: {chain}")
        if not report.ok:
            raise Failure("violation", "; ".join(report.problems[:3]))

    def _differences(self, problems: Sequence[str]) -> list[Failure]:
        return compare(self) or [Failure("stuck", problem) for problem in problems]

    def movements(self) -> list[tuple[str, int]]:
        """Return what moved at WeChat since the story began: what for, and fen."""
        return [row for number, row in self.lab.moved().items() if number not in self.moved_before]

    def _ask_refunds(self) -> None:
        deeds = []
        for number, order in enumerate(self.model.orders):
            left = {
                index: line.quantity - line.asked_quantity
                for index, line in enumerate(order.lines)
                if line.quantity > line.asked_quantity
            }
            if order.state in ("paid", "received") and left and self.rng.random() < 0.6:
                # Mostly a piece of several, so that the same line can come back again.
                pieces = {index: self.rng.choice([1, 1, count]) for index, count in left.items()}
                deeds.append(self._give_back(number, pieces))
        self._do(deeds)
