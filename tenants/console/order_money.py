"""Who earns what of an order, and why; who does not, and why not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fanyong.payments.models import Refund
from fanyong.tenancy.database import session
from fanyong.web.money import hundredths
from tenants.catalog.models import Product
from tenants.commissions import service as commissions
from tenants.commissions.explain import award_sentence, withheld_sentence
from tenants.commissions.models import Award
from tenants.members import service as members
from tenants.members.models import Member
from tenants.orders import covering, exchanges, refunds
from tenants.orders.models import Order, OrderExchange, OrderRefund
from tenants.reconciliation.models import Difference
from tenants.settlement import service as settlement


@dataclass(frozen=True, slots=True)
class AwardRow:
    """One award as it is shown."""

    award: Award
    course: commissions.Course
    member: Member
    sentence: str


@dataclass(frozen=True, slots=True)
class WithheldRow:
    """Something a plan proposed and nobody got."""

    member: Member | None
    level: int
    rule: str
    reason: str

    @property
    def sentence(self) -> str:
        """Why, in words."""
        return withheld_sentence(self.reason, level=self.level, rule=self.rule)


@dataclass(frozen=True, slots=True)
class OrderMoney:
    """All that an order's money became besides goods."""

    awards: dict[UUID, list[AwardRow]]
    withheld: dict[UUID, list[WithheldRow]]
    refunds: list[tuple[OrderRefund, Refund]]
    #: False while the work that computes the awards waits.
    computed: bool
    had_plan: bool
    awarded_fen: int
    kept_fen: int


def money_of(order: Order) -> OrderMoney:
    """Return who earns what of an order."""
    found = commissions.awards_of_orders([order.id])
    record = commissions.commission_of_order(order.id)
    withheld: list[dict[str, Any]] = list(record.withheld or ()) if record else []
    ids = {award.beneficiary_id for award in found} | {
        UUID(item["beneficiary_id"]) for item in withheld if item["beneficiary_id"]
    }
    people = members.get_members(ids)
    courses = commissions.courses_of([award.id for award in found])
    rows: dict[UUID, list[AwardRow]] = defaultdict(list)
    for award in found:
        rows[award.line_id].append(
            AwardRow(
                award,
                courses[award.id],
                people[award.beneficiary_id],
                award_sentence(award.explanation),
            )
        )
    awarded = sum(award.amount_fen for award in found)
    return OrderMoney(
        awards=rows,
        withheld=_withheld(withheld, people),
        refunds=[(r, session().get_one(Refund, r.refund_id)) for r in refunds.refunds_of(order.id)],
        computed=record is not None and record.computed_at is not None,
        had_plan=record is not None and record.plan_version_id is not None,
        awarded_fen=awarded,
        kept_fen=awarded - sum(course.reversed_fen for course in courses.values()),
    )


def money_as_json(order: Order) -> dict[str, Any]:
    """Return an order's commissions with their explanations, and who got nothing and why."""
    money, by_line = money_of(order), {line.id: line for line in order.lines}
    return {
        "order": {"id": order.id.hex, "number": order.number, "state": order.state, "total_fen": order.total_fen},
        "computed": money.computed,
        "awarded_fen": money.awarded_fen,
        "kept_fen": money.kept_fen,
        "awards": [
            {
                "id": row.award.id.hex,
                "sku": by_line[line_id].sku,
                "beneficiary_id": row.member.id.hex,
                "nickname": row.member.nickname,
                "kind": row.award.kind,
                "amount_fen": row.award.amount_fen,
                "reversed_fen": row.course.reversed_fen,
                "state": row.course.state,
                "explanation": {**row.award.explanation, "text": row.sentence},
            }
            for line_id, rows in money.awards.items()
            for row in rows
        ],
        "not_given": [
            {
                "sku": by_line[line_id].sku,
                "beneficiary_id": row.member.id.hex if row.member else None,
                "nickname": row.member.nickname if row.member else None,
                "level": row.level,
                "rule": row.rule,
                "reason": row.reason,
                "text": row.sentence,
            }
            for line_id, rows in money.withheld.items()
            for row in rows
        ],
    }


def _withheld(items: list[dict[str, Any]], people: dict[UUID, Member]) -> dict[UUID, list[WithheldRow]]:
    rows: dict[UUID, list[WithheldRow]] = defaultdict(list)
    for item in items:
        member = people.get(UUID(item["beneficiary_id"])) if item["beneficiary_id"] else None
        rows[UUID(item["line_id"])].append(WithheldRow(member, item["level"], item["rule"], item["reason"]))
    return rows


@dataclass(frozen=True, slots=True)
class ExchangePanel:
    """What was exchanged of an order, and what still can be."""

    made: list[OrderExchange]
    replacements: dict[UUID, Product]
    #: The orders over the differences, by id.
    new_orders: dict[UUID, Order]
    #: Pieces that are left to be exchanged, by line.
    left: dict[UUID, int]
    #: The exchange whose difference this order collects.
    behind: OrderExchange | None

    @property
    def possible(self) -> bool:
        """Whether anything is left to exchange."""
        return any(self.left.values())


@dataclass(frozen=True, slots=True)
class Refundable:
    """What a refund can still cover of a line; `held` pieces are in exchanges whose difference nobody has paid yet."""

    pieces: int
    fen: int
    held: int


def refundable(order: Order) -> dict[UUID, Refundable]:
    """Return what refunds can still cover, by line: nothing that another refund or an exchange counts on."""
    found = {}
    for line in order.lines:
        exchanged = covering.exchanged_of(line)
        pieces = max(0, line.quantity - line.refunded_quantity - exchanged.held_pieces)
        found[line.id] = Refundable(pieces, covering.free_fen(line, exchanged), exchanged.held_pieces)
    return found


def from_bill(order: Order, difference: Difference) -> dict[str, str]:
    """Return the form that records a bill's refund, filled in: its amount goes over the lines in their order."""
    left = difference.there_fen
    filled = {"number": difference.number, "happened_on": difference.day.isoformat()}
    for line in order.lines:
        part = min(left, line.paid_fen - line.refunded_fen)
        if part > 0:
            filled[f"amount-{line.id.hex}"], left = hundredths(part), left - part
    if left and covering.freight_left(order):
        filled["freight"] = hundredths(min(left, covering.freight_left(order)))
    return filled


def exchange_panel(order: Order) -> ExchangePanel:
    """Return an order's exchanges with what they came to."""
    made = exchanges.exchanges_of(order.id)
    open_lines = order.lines if order.state in exchanges.EXCHANGEABLE_STATES else []
    return ExchangePanel(
        made=made,
        replacements={item.replacement_id: session().get_one(Product, item.replacement_id) for item in made},
        new_orders={
            item.new_order_id: session().get_one(Order, item.new_order_id) for item in made if item.new_order_id
        },
        left={line.id: exchanges.left_to_exchange(line) for line in open_lines},
        behind=exchanges.exchange_behind(order.id),
    )


def held_promoters(order: Order) -> set[UUID]:
    """Return which promoters who earn on an order have all their commissions on hold."""
    earning = {award.beneficiary_id for award in commissions.awards_of_orders([order.id])}
    return earning & set(session().scalars(settlement.held_members())) if earning else set()
