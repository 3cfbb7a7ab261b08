"""Orders to measure with, and the rows that the product writes for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fanyong.ids import new_id
from fanyong.pluginhost.service import ActivePlugin
from fanyong.tenancy.database import TenantBase
from fanyong.values import Award as AwardValue
from fanyong.values import LineFacts, OrderFacts, Person
from plugins.tiers_flat import TIER_KEY
from tenants.commissions import processing
from tenants.commissions.models import Accrual, Award, CommissionWork, OrderCommission
from tenants.commissions.service import FACTS
from tenants.ledger.models import Posting

Rows = dict[type[TenantBase], list[dict[str, Any]]]
LEVELS = 3


def make_orders(members: Sequence[UUID], *, count: int, paid_fen: int = 19_900, lines: int = 1) -> list[OrderFacts]:
    """Return paid orders whose three beneficiaries go round all members."""
    return [_order(members, number, paid_fen=paid_fen + number % 97, lines=lines) for number in range(count)]


def _order(members: Sequence[UUID], number: int, *, paid_fen: int, lines: int) -> OrderFacts:
    upline = [members[(LEVELS * number + step) % len(members)] for step in range(LEVELS)]
    return OrderFacts(
        order_id=new_id(),
        paid_at=datetime.now(UTC),
        lines=tuple(LineFacts(new_id(), f"sku-{line}", f"category-{line}", 1, paid_fen) for line in range(lines)),
        buyer=Person(members[(LEVELS * number + LEVELS) % len(members)], 0, TIER_KEY),
        upline=tuple(Person(member, level, TIER_KEY) for level, member in enumerate(upline, start=1)),
        levels_allowed=LEVELS,
    )


def posted_rows(orders: Sequence[OrderFacts], *, plan: ActivePlugin) -> Rows:
    """Return the awards, accruals and postings that `processing.process_portion` adds for paid orders."""
    rows: Rows = {Award: [], Accrual: [], Posting: []}
    for facts in orders:
        for award in processing.propose(plan, facts).awards:
            _add_award(rows, facts, award, plan=plan)
    return rows


def due_rows(orders: Sequence[OrderFacts], *, plan: ActivePlugin, due_at: datetime) -> Rows:
    """Return the whole of what orders leave behind that were paid, worked off and received."""
    rows: Rows = {CommissionWork: [], OrderCommission: [], **posted_rows(orders, plan=plan)}
    for facts in orders:
        payload = {"facts": FACTS.dump_python(facts, mode="json"), "plan_version_id": plan.activation_id.hex}
        key = f"paid:{facts.order_id}"
        work = {"id": new_id(), "key": key, "kind": "paid", "order_id": facts.order_id, "payload": payload}
        rows[CommissionWork].append({**work, "done_at": facts.paid_at, "try_count": 1})
        record = {"order_id": facts.order_id, "plan_version_id": plan.activation_id, "withheld": []}
        rows[OrderCommission].append({**record, "computed_at": facts.paid_at, "release_holds": 0})
    for accrual in rows[Accrual]:
        accrual |= {"state": "frozen", "due_at": due_at}
        owner, amount_fen = accrual["beneficiary_id"], accrual["remaining_fen"]
        rows[Posting].append(
            _posting("receive", accrual["award_id"], ("estimated", owner), ("frozen", owner), amount_fen, due_at)
        )
    return rows


def _add_award(rows: Rows, facts: OrderFacts, award: AwardValue, *, plan: ActivePlugin) -> None:
    award_id, owner = new_id(), award.beneficiary_id
    common = {"order_id": facts.order_id, "line_id": award.line_id, "beneficiary_id": owner}
    rows[Award].append(
        {
            **common,
            "id": award_id,
            "plan_version_id": plan.activation_id,
            "rule": award.rule,
            "kind": award.kind,
            "level": award.level,
            "base_fen": award.base_fen,
            "rate_bp": award.rate_bp,
            "amount_fen": award.amount_fen,
            "explanation": {**award.explanation, "plan": plan.plugin.name, "plan_version": plan.number},
            "awarded_at": facts.paid_at,
        }
    )
    rows[Accrual].append(
        {**common, "award_id": award_id, "remaining_fen": award.amount_fen, "state": "estimated", "due_at": None}
    )
    expense, estimated = ("commission_expense", None), ("estimated", owner)
    rows[Posting].append(_posting("award", award_id, expense, estimated, award.amount_fen, facts.paid_at))


def _posting(
    verb: str,
    source_id: UUID,
    debit: tuple[str, UUID | None],
    credit: tuple[str, UUID | None],
    amount_fen: int,
    at: datetime,
) -> dict[str, Any]:
    return {
        "id": new_id(),
        "business_key": f"{verb}:{source_id}",
        "debit_account": debit[0],
        "debit_owner_id": debit[1],
        "credit_account": credit[0],
        "credit_owner_id": credit[1],
        "amount_fen": amount_fen,
        "source_id": source_id,
        "posted_at": at,
    }
