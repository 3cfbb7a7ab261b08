"""Orders to measure with, and the rows that the product writes for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from fanyong.ids import new_id
from fanyong.pluginhost.service import ActivePlugin
from fanyong.tenancy.database import TenantBase
from fanyong.values import LineFacts, OrderFacts, Person
from plugins.tiers_flat import TIER_KEY
from tenants.commissions import processing
from tenants.commissions import service as commissions
from tenants.commissions.models import Attribution, Award, OrderCommission, ReleaseBucket
from tenants.ledger.models import AccountName, Posting, PostingKind

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


def posted_rows(orders: Sequence[OrderFacts], *, plan: ActivePlugin, positions: Iterator[int] | None = None) -> Rows:
    """Return what `processing.process_portion` adds for paid orders; positions go on from the iterator."""
    rows: Rows = {Award: [], Posting: [], OrderCommission: []}
    numbers = positions or count(1)
    for facts in orders:
        for award in processing.propose(plan, facts).awards:
            row = {
                "id": new_id(),
                "order_id": facts.order_id,
                "line_id": award.line_id,
                "plan_version_id": plan.activation_id,
                "beneficiary_id": award.beneficiary_id,
                "base_fen": award.base_fen,
                "amount_fen": award.amount_fen,
                "awarded_at": facts.paid_at,
                "rate_bp": award.rate_bp,
                "level": award.level,
                "kind": award.kind,
                "rule": award.rule,
                "tier": award.tier,
                "details": dict(award.details) or None,
            }
            rows[Award].append(row)
            rows[Posting].append(_posting(PostingKind.AWARD, row["id"], row, next(numbers), facts.paid_at))
        rows[OrderCommission].append(
            {
                "order_id": facts.order_id,
                "computed_at": facts.paid_at,
                "release_holds": 0,
                "plan_version_id": plan.activation_id,
                "withheld": None,
            }
        )
    return rows


def due_rows(
    orders: Sequence[OrderFacts],
    *,
    plan: ActivePlugin,
    due_at: datetime,
    positions: Iterator[int] | None = None,
    moments: int = 1,
) -> Rows:
    """Return the whole of what orders leave behind that were paid, worked off and received.

    They are due at so many `moments`, which all orders share, up to `due_at`.
    """
    numbers = positions or count(1)
    rows = posted_rows(orders, plan=plan, positions=numbers)
    rows |= {Attribution: [], ReleaseBucket: []}
    dues = [due_at - timedelta(minutes=moment) for moment in range(moments)]
    buckets: dict[tuple[datetime, UUID], int] = defaultdict(int)
    for number, (facts, record) in enumerate(zip(orders, rows[OrderCommission], strict=True)):
        record["due_at"] = dues[number % moments]
        rows[Attribution].append(
            {
                "order_id": facts.order_id,
                "plan_version_id": plan.activation_id,
                "policy": "",
                "facts": commissions.encode_facts(facts),
                "frozen_at": facts.paid_at,
            }
        )
    due_of = {record["order_id"]: record["due_at"] for record in rows[OrderCommission]}
    parts: dict[UUID, int] = defaultdict(int)
    for award in rows[Award]:
        order_id = award["order_id"]
        posting = _posting(PostingKind.RECEIVE, order_id, award, next(numbers), due_at)
        rows[Posting].append(posting | {"part": parts[order_id]})
        parts[order_id] += 1
        buckets[due_of[order_id], award["beneficiary_id"]] += award["amount_fen"]
    rows[ReleaseBucket] = [
        {"id": new_id(), "due_at": due, "owner_id": owner, "amount_fen": fen} for (due, owner), fen in buckets.items()
    ]
    return rows


def _posting(kind: PostingKind, source_id: UUID, award: dict[str, Any], position: int, at: datetime) -> dict[str, Any]:
    received = kind == PostingKind.RECEIVE
    return {
        "position": position,
        "amount_fen": award["amount_fen"],
        "posted_at": at,
        "source_id": source_id,
        "owner_id": award["beneficiary_id"],
        "kind": int(kind),
        "debit": int(AccountName.ESTIMATED if received else AccountName.COMMISSION_EXPENSE),
        "credit": int(AccountName.FROZEN if received else AccountName.ESTIMATED),
        "part": 0,
    }
