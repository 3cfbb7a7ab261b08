"""What everybody is owed, worked out the slow and plain way: dictionaries, fractions, and no code of the product."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any

DAY = 86_400


@dataclass(frozen=True)
class Goods:
    """A line as it was paid."""

    sku: str
    category: str
    paid_fen: int


@dataclass(frozen=True)
class Human:
    """Somebody around an order: the buyer at level 0, whoever brought the buyer at level 1, and so on."""

    name: str
    level: int
    tier: str | None
    frozen: bool = False


@dataclass(frozen=True)
class Share:
    """What one person should earn of one line."""

    line: int
    name: str
    level: int
    rate_bp: int
    amount_fen: int


@dataclass(frozen=True)
class Plan:
    """A plan and its settings."""

    name: str
    values: Mapping[str, Any]


def spread(total: int, weights: Sequence[int]) -> list[int]:
    """Split by largest remainder: everybody's floor, then one fen each by the size of what was cut off."""
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    parts = [floor(value) for value in exact]
    cut_off = [value - part for value, part in zip(exact, parts, strict=True)]
    while sum(parts) < total:
        first = cut_off.index(max(cut_off))
        parts[first] += 1
        cut_off[first] = Fraction(-1)
    return parts


def levels_rate(values: Mapping[str, Any], goods: Goods, human: Human) -> int | None:
    """Return the rate by `plan_levels`: look at every row, keep the most specific one that fits."""
    best: tuple[tuple[int, int], int] | None = None
    rows = [{"scope": "brand", "target": "", **row} for row in values.get("rates", [])]
    for row in [*rows, *values.get("overrides", [])]:
        tier = row.get("tier", "")
        fits = {"brand": True, "category": row["target"] == goods.category, "sku": row["target"] == goods.sku}
        if row["level"] != human.level or not fits[row["scope"]] or (tier and tier != human.tier):
            continue
        rank = ({"brand": 0, "category": 1, "sku": 2}[row["scope"]], 1 if tier else 0)
        if best is None or rank > best[0]:
            best = (rank, row["rate_bp"])
    return best[1] if best else None


def ladder_rates(
    values: Mapping[str, Any], lines: Sequence[Goods], buyer: Human, parent: Human | None
) -> list[tuple[Human, int]]:
    """Return who gets which rate of every line by `plan_ladder`."""
    total = sum(goods.paid_fen for goods in lines)
    rate_bp = 0
    for band in values["bands"]:
        if total >= band["from_fen"]:
            rate_bp = band["rate_bp"]
    rebate_bp = values.get("self_purchase_bp")
    gets_rebate = rebate_bp is not None and buyer.tier is not None
    who: list[tuple[Human, int]] = [(buyer, rebate_bp)] if rebate_bp is not None and gets_rebate else []
    if parent is not None and (not gets_rebate or values.get("pay_upline_on_self_purchase", False)):
        who.append((parent, rate_bp))
    return who


def shares(
    plan: Plan | None, lines: Sequence[Goods], buyer: Human, upline: Sequence[Human], *, levels_allowed: int
) -> list[Share]:
    """Return what an order owes, line by line: policy, floor, and never more than the line's price."""
    owed: list[Share] = []
    for index, goods in enumerate(lines):
        wanted: list[tuple[Human, int | None]] = []
        if plan and plan.name == "plan_levels":
            wanted = [(human, levels_rate(plan.values, goods, human)) for human in upline]
        if plan and plan.name == "plan_ladder":
            wanted = list(ladder_rates(plan.values, lines, buyer, upline[0] if upline else None))
        of_line = [
            Share(index, human.name, human.level, rate_bp, floor(Fraction(goods.paid_fen * rate_bp, 10_000)))
            for human, rate_bp in wanted
            if rate_bp is not None and human.tier is not None and not human.frozen and human.level <= levels_allowed
        ]
        of_line = [share for share in of_line if share.amount_fen > 0]
        given = [share.amount_fen for share in of_line]
        if sum(given) > goods.paid_fen:
            given = spread(goods.paid_fen, given)
        owed += [
            Share(s.line, s.name, s.level, s.rate_bp, amount)
            for s, amount in zip(of_line, given, strict=True)
            if amount > 0
        ]
    return owed


def ladder_tier(values: Mapping[str, Any], held: str | None, sales_fen: int) -> str:
    """Return the rung by `tiers_ladder` with everybody welcome: the highest reached, and never below the one held."""
    rung = 0
    for index, tier in enumerate(values["tiers"]):
        if sales_fen >= tier["promote_at_sales_fen"] or tier["key"] == held:
            rung = index
    return str(values["tiers"][rung]["key"])


@dataclass
class Purse:
    """A promoter's accounts."""

    estimated: int = 0
    frozen: int = 0
    available: int = 0
    in_transfer: int = 0
    paid: int = 0
    debt: int = 0

    def receive(self, amount_fen: int) -> None:
        """Take money in; a debt is repaid first."""
        repaid = min(self.debt, amount_fen)
        self.debt -= repaid
        self.available += amount_fen - repaid

    def give_back(self, amount_fen: int) -> None:
        """Lose money that was released; what is not there any more becomes a debt."""
        taken = min(self.available, amount_fen)
        self.available -= taken
        self.debt += amount_fen - taken


@dataclass
class Claim:
    """One commission on its way."""

    line: int
    name: str
    amount_fen: int
    taken_fen: int = 0
    state: str = "estimated"


@dataclass
class Person:
    """A member."""

    name: str
    parent: str | None = None
    tier: str | None = None
    frozen: bool = False
    own_fen: int = 0
    shared_fen: int = 0
    purse: Purse = field(default_factory=Purse)


@dataclass
class Line:
    """An order line with what refunds cover (asked) and what they gave back (done)."""

    goods: Goods
    quantity: int
    asked_quantity: int = 0
    asked_fen: int = 0
    done_fen: int = 0


@dataclass
class Purchase:
    """An order."""

    buyer: str
    lines: list[Line]
    freight_fen: int
    state: str = "created"
    payment: str = "open"
    asked_freight_fen: int = 0
    holds: int = 0
    claims: list[Claim] = field(default_factory=list)
    due_at: int | None = None
    frozen_shares: list[Share] = field(default_factory=list)
    seller: str | None = None
    window_s: int = 0
    shipped: bool = False

    @property
    def total_fen(self) -> int:
        return sum(line.goods.paid_fen for line in self.lines) + self.freight_fen


@dataclass
class Return:
    """A refund: pieces and fen by line."""

    order: int
    pieces: dict[int, tuple[int, int]]
    freight_fen: int
    state: str = "open"

    @property
    def amount_fen(self) -> int:
        return self.freight_fen + sum(fen for _, fen in self.pieces.values())


@dataclass
class Payout:
    """A withdrawal."""

    name: str
    amount_fen: int
    state: str = "requested"


Step = Callable[[], None]


@dataclass
class Shop:
    """A brand. `waiting` is what has happened and has not reached the books yet, in the order it happened."""

    levels_allowed: int
    people: dict[str, Person] = field(default_factory=dict)
    orders: list[Purchase] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    payouts: list[Payout] = field(default_factory=list)
    plan: Plan | None = None
    ladder: Mapping[str, Any] | None = None
    window_s: int = 7 * DAY
    now: int = 0
    waiting: list[Step] = field(default_factory=list)

    def upline(self, name: str) -> list[Person]:
        """Return everybody above a member, nearest first."""
        found = []
        parent = self.people[name].parent
        while parent is not None:
            found.append(self.people[parent])
            parent = self.people[parent].parent
        return found

    def look_at_tier(self, person: Person) -> None:
        """Move a person to the tier that the present structure gives."""
        if self.ladder is None:
            person.tier = "promoter"
        else:
            person.tier = ladder_tier(self.ladder, person.tier, person.shared_fen + person.own_fen)

    def sell(self, order: Purchase, fen: int) -> None:
        """Count a sale (or a return) for the buyer and the one who brought the buyer."""
        buyer = self.people[order.buyer]
        buyer.own_fen += fen
        self.look_at_tier(buyer)
        if order.seller is not None:
            self.people[order.seller].shared_fen += fen
            self.look_at_tier(self.people[order.seller])

    def pay(self, order: Purchase) -> None:
        """Let the money of an order arrive; a closed one goes back untouched."""
        order.payment = "succeeded"
        if order.state != "created":
            return
        order.state, order.window_s = "paid", self.window_s
        buyer = self.people[order.buyer]
        upline = self.upline(order.buyer)[:3]
        order.seller = upline[0].name if upline else None
        order.frozen_shares = shares(
            self.plan,
            [line.goods for line in order.lines],
            Human(buyer.name, 0, buyer.tier, buyer.frozen),
            [Human(p.name, level, p.tier, p.frozen) for level, p in enumerate(upline, start=1)],
            levels_allowed=self.levels_allowed,
        )
        self.waiting.append(lambda: self._book(order))
        self.sell(order, sum(line.goods.paid_fen for line in order.lines))

    def receive(self, order: Purchase) -> None:
        """Let the buyer confirm the receipt."""
        order.state = "received"
        due_at = self.now + order.window_s
        self.waiting.append(lambda: self._freeze(order, due_at))

    def ask_return(self, number: int, pieces: Mapping[int, int], freight_fen: int) -> Return | None:
        """Ask for a refund; None when there is nothing to give back."""
        order = self.orders[number]
        covered: dict[int, tuple[int, int]] = {}
        for index, count in pieces.items():
            line = order.lines[index]
            so_far = floor(Fraction(line.goods.paid_fen * (line.asked_quantity + count), line.quantity))
            covered[index] = (count, max(0, so_far - line.asked_fen))
        wanted = Return(number, covered, freight_fen)
        if wanted.amount_fen <= 0:
            return None
        for index, (count, fen) in covered.items():
            order.lines[index].asked_quantity += count
            order.lines[index].asked_fen += fen
        order.asked_freight_fen += freight_fen
        order.holds += 1
        self.returns.append(wanted)
        return wanted

    def finish_return(self, wanted: Return) -> None:
        """Let a refund reach the buyer."""
        order = self.orders[wanted.order]
        wanted.state = "done"
        order.holds -= 1
        for index, (_, fen) in wanted.pieces.items():
            order.lines[index].done_fen += fen
        given = {index: order.lines[index].done_fen for index in wanted.pieces}
        self.waiting.append(lambda: self._reverse(order, given))
        self.sell(order, -sum(fen for _, fen in wanted.pieces.values()))

    def fail_return(self, wanted: Return) -> None:
        """Let the provider refuse a refund."""
        order = self.orders[wanted.order]
        wanted.state = "failed"
        order.holds -= 1
        order.asked_freight_fen -= wanted.freight_fen
        for index, (count, fen) in wanted.pieces.items():
            order.lines[index].asked_quantity -= count
            order.lines[index].asked_fen -= fen

    def process(self) -> None:
        """Bring what is waiting into the books."""
        for step in self.waiting:
            step()
        self.waiting.clear()

    def release(self) -> None:
        """Release what is due and not held by a refund under way."""
        for order in self.orders:
            for claim in order.claims:
                if claim.state == "frozen" and order.holds == 0 and order.due_at is not None:
                    if order.due_at > self.now:
                        continue
                    claim.state = "released"
                    purse = self.people[claim.name].purse
                    purse.frozen -= claim.amount_fen - claim.taken_fen
                    purse.receive(claim.amount_fen - claim.taken_fen)

    def _book(self, order: Purchase) -> None:
        for share in order.frozen_shares:
            order.claims.append(Claim(share.line, share.name, share.amount_fen))
            self.people[share.name].purse.estimated += share.amount_fen

    def _freeze(self, order: Purchase, due_at: int) -> None:
        order.due_at = due_at
        for claim in order.claims:
            if claim.state == "estimated":
                claim.state = "frozen"
                purse = self.people[claim.name].purse
                purse.estimated -= claim.amount_fen - claim.taken_fen
                purse.frozen += claim.amount_fen - claim.taken_fen

    def _reverse(self, order: Purchase, given: Mapping[int, int]) -> None:
        for claim in order.claims:
            if claim.line not in given or order.lines[claim.line].goods.paid_fen == 0:
                continue
            paid_fen = order.lines[claim.line].goods.paid_fen
            target = floor(Fraction(claim.amount_fen * given[claim.line], paid_fen))
            back = max(0, target - claim.taken_fen)
            claim.taken_fen += back
            purse = self.people[claim.name].purse
            if claim.state == "released":
                purse.give_back(back)
            elif claim.state == "frozen":
                purse.frozen -= back
            else:
                purse.estimated -= back
            if claim.state != "released" and claim.taken_fen == claim.amount_fen:
                claim.state = "reversed"
