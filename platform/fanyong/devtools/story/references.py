"""Names that a story uses must exist: brands, members, products, and orders before they are paid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from fanyong.devtools.story import expect_steps, joining_steps, payout_steps, steps
from fanyong.devtools.story.format import Story
from fanyong.devtools.story.parts import BaseStep

Problem = tuple[str, str]


@dataclass
class _Known:
    """What can be named in one brand at some point of the story."""

    members: list[str] = field(default_factory=list)
    skus: list[str] = field(default_factory=list)
    orders: dict[str, list[str]] = field(default_factory=dict)
    withdrawals: list[str] = field(default_factory=list)
    shares: list[str] = field(default_factory=list)
    invitations: list[str] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)


def find_broken_references(story: Story) -> list[Problem]:
    """Return (path, sentence) for everything a story names that is not there, or names twice."""
    return _Checker(story).problems()


class _Checker:
    """Walks a story once from the top, because an order must be placed before it is paid."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._found: list[Problem] = []
        self._known = {brand.key: _Known() for brand in story.brands}

    def problems(self) -> list[Problem]:
        story = self._story
        self._unique("brands", "key", (brand.key for brand in story.brands))
        self._unique("brands", "subdomain", (b.subdomain or f"-{i}" for i, b in enumerate(story.brands)))
        self._unique("products", "sku", (f"{p.brand}/{p.sku}" for p in story.products))
        self._unique("members", "key", (f"{m.brand}/{m.key}" for m in story.members))
        for index, product in enumerate(story.products):
            if known := self._brand(f"products[{index}]", product.brand):
                known.skus.append(product.sku)
        for index, member in enumerate(story.members):
            if known := self._brand(f"members[{index}]", member.brand):
                known.members.append(member.key)
        self._check_upline()
        for index, step in enumerate(story.steps):
            if known := self._brand(f"steps[{index}]", step.brand):
                self._check_step(f"steps[{index}]", step, known)
        return self._found

    def _check_step(self, path: str, step: BaseStep, known: _Known) -> None:
        for name in ("member", "via", "payer"):
            self._among(f"{path}.{name}", getattr(step, name, None), known.members, "member")
        self._among(f"{path}.order", getattr(step, "order", None), known.orders, "order so far")
        self._among(f"{path}.withdrawal", getattr(step, "withdrawal", None), known.withdrawals, "withdrawal so far")
        self._among(f"{path}.invitation", getattr(step, "invitation", None), known.invitations, "invitation so far")
        self._among(f"{path}.batch", getattr(step, "batch", None), known.batches, "batch so far")
        match step:
            case steps.Share():
                self._check_share(path, step, known)
            case steps.Order():
                self._check_order(path, step, known)
            case steps.Refund() | steps.RecordRefund():
                self._check_refund(path, step, known)
            case steps.Exchange():
                self._check_exchange(path, step, known)
            case payout_steps.Withdraw() if step.expect_error is None:
                self._name(f"{path}.as", step.name, known.withdrawals)
            case payout_steps.PayoutBatch() if step.expect_error is None:
                self._name(f"{path}.as", step.name, known.batches)
            case payout_steps.BankResults():
                for at, result in enumerate(step.results):
                    where = f"{path}.results[{at}].withdrawal"
                    self._among(where, result.withdrawal, known.withdrawals, "withdrawal so far")
            case joining_steps.Invite() if step.expect_error is None:
                self._name(f"{path}.as", step.name, known.invitations)
            case expect_steps.Expect():
                self._check_expect(path, step, known)

    def _check_share(self, path: str, step: steps.Share, known: _Known) -> None:
        if step.expect_error is None:
            self._among(f"{path}.sku", step.sku, known.skus, "product")
            self._name(f"{path}.as", step.name, known.shares)

    def _check_order(self, path: str, step: steps.Order, known: _Known) -> None:
        self._among(f"{path}.via_share", step.via_share, [*known.shares, *known.members], "share so far, or member")
        if step.expect_error is not None:
            return
        skus = [line.sku for line in step.lines]
        for index, sku in enumerate(skus):
            self._among(f"{path}.lines[{index}].sku", sku, known.skus, "product")
        self._unique(f"{path}.lines", "sku", skus)
        if step.name is not None and step.name in known.orders:
            self._say(f"{path}.as", f"{step.name!r} is the name of an earlier order")
        elif step.name is not None:
            known.orders[step.name] = skus

    def _check_exchange(self, path: str, step: steps.Exchange, known: _Known) -> None:
        self._among(f"{path}.sku", step.sku, known.orders.get(step.order, []), f"product of order {step.order!r}")
        if step.expect_error is not None:
            return
        self._among(f"{path}.for_sku", step.for_sku, known.skus, "product")
        if step.name is not None and step.name in known.orders:
            self._say(f"{path}.as", f"{step.name!r} is the name of an earlier order")
        elif step.name is not None:
            known.orders[step.name] = [step.for_sku]

    def _check_refund(self, path: str, step: steps.Refund | steps.RecordRefund, known: _Known) -> None:
        skus = known.orders.get(step.order)
        if skus is None:
            return
        for index, line in enumerate(step.lines or ()):
            self._among(f"{path}.lines[{index}].sku", line.sku, skus, f"product of order {step.order!r}")
            if line.line is not None and line.line >= len(skus):
                self._say(f"{path}.lines[{index}].line", f"order {step.order!r} has the lines 0 to {len(skus) - 1}")
        if step.lines == [] and step.freight_fen == 0 and step.expect_error is None:
            self._say(f"{path}.lines", "nothing to refund: name a line, or freight_fen; no lines at all means all")

    def _check_expect(self, path: str, step: expect_steps.Expect, known: _Known) -> None:
        self._among(f"{path}.product", step.product, known.skus, "product")
        skus = known.orders.get(step.order or "", [])
        if step.order is not None and step.order in known.orders:
            self._among(f"{path}.sku", step.sku, skus, f"product of order {step.order!r}")
            for index, award in enumerate(step.awards or ()):
                self._among(f"{path}.awards[{index}].sku", award.sku, skus, f"product of order {step.order!r}")
                self._among(f"{path}.awards[{index}].beneficiary", award.beneficiary, known.members, "member")

    def _check_upline(self) -> None:
        parents = {(m.brand, m.key): m.via for m in self._story.members}
        for index, member in enumerate(self._story.members):
            known = self._known.get(member.brand)
            if known is None or member.via is None:
                continue
            self._among(f"members[{index}].via", member.via, known.members, "member")
            seen, above = {member.key}, parents.get((member.brand, member.key))
            while above is not None and above not in seen:
                seen.add(above)
                above = parents.get((member.brand, above))
            if above == member.key:
                self._say(f"members[{index}].via", f"{member.key!r} would have come through themselves in the end")

    def _brand(self, path: str, key: str) -> _Known | None:
        self._among(f"{path}.brand", key, self._known, "brand")
        return self._known.get(key)

    def _among(self, path: str, name: str | None, known: Iterable[str], kind: str) -> None:
        names = list(known)
        if name is not None and name not in names:
            self._say(path, f"there is no {kind} {name!r}; known: {', '.join(names) or 'none'}")

    def _name(self, path: str, name: str | None, taken: list[str]) -> None:
        if name is None:
            return
        if name in taken:
            self._say(path, f"the name {name!r} is taken by an earlier step")
        taken.append(name)

    def _unique(self, path: str, name: str, values: Iterable[str]) -> None:
        listed = list(values)
        twice = [value for value, count in Counter(listed).items() if count > 1]
        for value in twice:
            place = len(listed) - 1 - listed[::-1].index(value)
            self._say(f"{path}[{place}].{name}", f"{value.rpartition('/')[2]!r} stands here twice")

    def _say(self, path: str, what: str) -> None:
        self._found.append((path, what))
