"""Who earns what of an order, and why; who does not, and why not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fanyong.payments.models import Refund
from fanyong.tenancy.database import session
from tenants.commissions import service as commissions
from tenants.commissions.explain import award_sentence
from tenants.commissions.models import Award
from tenants.members import service as members
from tenants.members.models import Member
from tenants.orders import refunds
from tenants.orders.models import Order, OrderRefund


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


def _withheld(items: list[dict[str, Any]], people: dict[UUID, Member]) -> dict[UUID, list[WithheldRow]]:
    rows: dict[UUID, list[WithheldRow]] = defaultdict(list)
    for item in items:
        member = people.get(UUID(item["beneficiary_id"])) if item["beneficiary_id"] else None
        rows[UUID(item["line_id"])].append(WithheldRow(member, item["level"], item["rule"], item["reason"]))
    return rows
