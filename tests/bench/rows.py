"""Orders to measure with, and what stands in the tables for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count as numbers
from typing import Any
from uuid import UUID

import psycopg

from fanyong.ids import new_id
from fanyong.pluginhost.service import ActivePlugin
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import TenantBase
from fanyong.values import LineFacts, OrderFacts, Person
from plugins.tiers_flat import TIER_KEY
from tenants.commissions import plans
from tenants.commissions import service as commissions
from tenants.commissions.models import Award, OrderCommission
from tenants.ledger.models import AccountName, Posting, PostingKind
from tests.bench.lab import Lab, current_plan

Rows = dict[type[TenantBase], list[dict[str, Any]]]
LEVELS = 3
#: Prices go from here through so many fen.
PRICE_FEN, PRICES = 199_000, 97
#: Orders that are written into an inbox at a time.
BLOCK = 20_000


def make_order(people: Sequence[UUID], *, paid_fen: int, lines: int = 1) -> OrderFacts:
    """Return a paid order of the last of the people; those before are the buyer's upline, the nearest first."""
    upline = people[:LEVELS]
    return OrderFacts(
        order_id=new_id(),
        paid_at=datetime.now(UTC),
        lines=tuple(LineFacts(new_id(), f"sku-{line}", f"category-{line}", 1, paid_fen) for line in range(lines)),
        buyer=Person(people[-1], 0, TIER_KEY),
        upline=tuple(Person(member, level, TIER_KEY) for level, member in enumerate(upline, start=1)),
        levels_allowed=LEVELS,
    )


def round_robin(members: Sequence[UUID]) -> Iterator[list[UUID]]:
    """Return for ever three beneficiaries and a buyer, going round all members."""
    for number in numbers():
        yield [members[(LEVELS * number + step) % len(members)] for step in range(LEVELS + 1)]


def make_orders(members: Sequence[UUID], *, count: int, paid_fen: int = PRICE_FEN, lines: int = 1) -> list[OrderFacts]:
    """Return paid orders whose three beneficiaries go round all members."""
    people = round_robin(members)
    return [make_order(next(people), paid_fen=paid_fen + number % PRICES, lines=lines) for number in range(count)]


def fill_inbox(lab: Lab, tenant: Tenant, people: Iterator[list[UUID]], *, count: int) -> None:
    """Put paid orders of these people into a brand's inbox with their attributions, as `queue_paid` does."""
    with lab.inside(tenant):
        plan_id = current_plan().activation_id
    with lab.owner_connection(tenant) as connection:
        for start in range(0, count, BLOCK):
            orders = [
                make_order(next(people), paid_fen=PRICE_FEN + n % PRICES) for n in range(min(BLOCK, count - start))
            ]
            _copy(
                connection,
                "attribution (order_id, plan_version_id, policy, facts, frozen_at)",
                ("uuid", "uuid", "text", "text", "timestamptz"),
                ((facts.order_id, plan_id, "", commissions.encode_facts(facts), facts.paid_at) for facts in orders),
            )
            _copy(
                connection,
                "commission_work (id, kind, order_id)",
                ("uuid", "text", "uuid"),
                ((new_id(), "paid", facts.order_id) for facts in orders),
            )
        connection.commit()
        connection.execute("ANALYZE attribution, commission_work")


def posted_rows(facts: OrderFacts, *, plan: ActivePlugin, positions: Iterator[int]) -> Rows:
    """Return what `processing.process_portion` adds for a paid order; positions go on from the iterator."""
    rows: Rows = {Award: [], Posting: []}
    for award in plans.propose(plan, facts).awards:
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
        rows[Posting].append(
            {
                "position": next(positions),
                "amount_fen": award.amount_fen,
                "posted_at": facts.paid_at,
                "source_id": row["id"],
                "owner_id": award.beneficiary_id,
                "kind": int(PostingKind.AWARD),
                "debit": int(AccountName.COMMISSION_EXPENSE),
                "credit": int(AccountName.ESTIMATED),
                "part": 0,
            }
        )
    record = {
        "order_id": facts.order_id,
        "computed_at": facts.paid_at,
        "release_holds": 0,
        "plan_version_id": plan.activation_id,
    }
    return {**rows, OrderCommission: [record]}


def _copy(
    connection: psycopg.Connection, target: str, types: Sequence[str], rows: Iterator[tuple[object, ...]]
) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN (FORMAT BINARY)".encode()) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
