"""Paid orders become awards: computed without a lock, then written with their postings in a few statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import starmap
from typing import Any, LiteralString
from uuid import UUID

import sqlalchemy as sa

from fanyong.ids import new_id
from fanyong.tenancy.bulk import add_rows, in_one_trip, jsonb
from fanyong.tenancy.clock import ASK as ASK_CLOCK
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.clock import remember as remember_clock
from fanyong.tenancy.database import session
from fanyong.values import Award, Caps, OrderFacts, Withheld
from tenants.commissions import engine, plans, spending
from tenants.commissions.attribution import decode_facts
from tenants.commissions.models import OrderCommission
from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, PostingKind

NOTHING = engine.Result((), ())
_AWARD: dict[LiteralString, str] = {
    "id": "uuid",
    "order_id": "uuid",
    "line_id": "uuid",
    "plan_version_id": "uuid",
    "beneficiary_id": "uuid",
    "base_fen": "int8",
    "amount_fen": "int8",
    "awarded_at": "timestamptz",
    "rate_bp": "int4",
    "level": "int2",
    "kind": "text",
    "rule": "text",
    "tier": "text",
    "details": "jsonb",
}
_RECORD: dict[LiteralString, str] = {
    "order_id": "uuid",
    "plan_version_id": "uuid",
    "computed_at": "timestamptz",
    "release_holds": "int8",
    "withheld": "jsonb",
    "spending": "jsonb",
}
_KNOWN: LiteralString = "SELECT order_id, computed_at FROM order_commission WHERE order_id = ANY(%s)"
#: From so many orders on, their awards are written before the books are locked.
MANY = 100
#: The records of orders that have one, and when their awards were made.
Known = Mapping[UUID, datetime | None]


@dataclass(frozen=True, slots=True)
class PaidOrder:
    """A paid order as its attribution has it."""

    order_id: UUID
    plan_version_id: UUID | None
    facts: str


@dataclass(frozen=True, slots=True)
class Computed:
    """What a plan came to for one order."""

    facts: OrderFacts
    plan_version_id: UUID | None
    result: engine.Result
    #: The plan's caps if it has limits over several orders, and where these stood before the order.
    limits: Caps | None = None
    standing: Mapping[str, Any] | None = None


def compute(order: PaidOrder) -> Computed:
    """Ask the order's own plan version about its frozen facts; raises PluginFailed."""
    facts = decode_facts(order.facts)
    if order.plan_version_id is None:
        return Computed(facts, None, NOTHING)
    plan = plans.ready_plan(order.plan_version_id)
    limits = plan.caps if spending.is_limited(plan.caps) else None
    return Computed(facts, order.plan_version_id, plan.ask(facts), limits)


def write(computed: Sequence[Computed]) -> None:
    """Write the awards of orders with their postings; what was written before is left out, or fails.

    Awards are most of the writing and need no lock, so that those of many orders are written while another worker
    still has the books; their unique key refuses an order that was awarded before, and the portion is then done row by
    row. Limits over several orders are another matter: what they leave is known under the lock alone.
    """
    if len(computed) >= MANY and all(order.limits is None for order in computed):
        awards = _awards_of(computed)
        insert_awards(awards)
        known, newest = _lock_and_ask(computed)
        new = _without_awards(computed, known)
        _record(new, awards, known=known, newest=newest)
    else:
        known, newest = _lock_and_ask(computed)
        new = _within_limits(_without_awards(computed, known))
        awards = _awards_of(new)
        with in_one_trip(rows=max(len(awards), len(new))):
            insert_awards(awards)
            _record(new, awards, known=known, newest=newest)
    for order in new:
        if order.facts.order_id in known:
            _complete(order, brand_now())


def _lock_and_ask(computed: Sequence[Computed]) -> tuple[Known, int]:
    """Become the one writer; return which of the orders have a record, and the newest position."""
    asked = (_KNOWN, [[order.facts.order_id for order in computed]])
    [clock], known, [[newest]] = ledger.lock_books_and_ask((ASK_CLOCK, ()), asked, (ledger.NEWEST, ()))
    remember_clock(clock)
    return dict(known), newest


def _without_awards(computed: Sequence[Computed], known: Known) -> Sequence[Computed]:
    return [order for order in computed if known.get(order.facts.order_id) is None]


def _awards_of(orders: Sequence[Computed]) -> list[tuple[UUID, Computed, Award]]:
    return [(new_id(), order, award) for order in orders for award in order.result.awards]


def _record(
    new: Sequence[Computed], awards: Sequence[tuple[UUID, Computed, Award]], *, known: Known, newest: int
) -> None:
    """Post the awards of orders and note that they have been made; the caller has the books."""
    now = brand_now()
    ledger.append(
        PostingKind.AWARD,
        [(award_id, award.beneficiary_id, award.amount_fen, 0) for award_id, _order, award in awards],
        debit=AccountName.COMMISSION_EXPENSE,
        credit=AccountName.ESTIMATED,
        at=now,
        newest=newest,
    )
    add_rows(
        "order_commission", _RECORD, [_order_row(order, now) for order in new if order.facts.order_id not in known]
    )


def _within_limits(orders: Sequence[Computed]) -> Sequence[Computed]:
    """Return orders with what the limits over several orders leave of their awards, one order after the other."""
    limited = [
        (order.facts, order.result, order.limits, order.plan_version_id)
        for order in orders
        if order.limits is not None and order.plan_version_id is not None
    ]
    if not limited:
        return orders
    counters = spending.read(limited)
    held = {
        facts.order_id: counters.hold(facts, result, caps=caps, version_id=version_id)
        for facts, result, caps, version_id in limited
    }
    counters.write()
    return [_held(order, *held[order.facts.order_id]) if order.limits is not None else order for order in orders]


def _held(order: Computed, result: engine.Result, standing: Mapping[str, Any]) -> Computed:
    return replace(order, result=result, standing=standing)


def insert_awards(awards: Sequence[tuple[UUID, Computed, Award]]) -> None:
    """Write awards, all of them new."""
    add_rows("award", _AWARD, list(starmap(_award_row, awards)))


def _award_row(award_id: UUID, order: Computed, award: Award) -> tuple[Any, ...]:
    facts = order.facts
    return (
        award_id,
        facts.order_id,
        award.line_id,
        order.plan_version_id,
        award.beneficiary_id,
        award.base_fen,
        award.amount_fen,
        facts.paid_at,
        award.rate_bp,
        award.level,
        award.kind,
        award.rule,
        award.tier,
        jsonb(award.details) if award.details else None,
    )


def _order_row(order: Computed, now: datetime) -> tuple[Any, ...]:
    withheld = [_as_json(item) for item in order.result.withheld]
    standing = jsonb(order.standing) if order.standing is not None else None
    return order.facts.order_id, order.plan_version_id, now, 0, jsonb(withheld) if withheld else None, standing


def _complete(order: Computed, now: datetime) -> None:
    """Fill in the record that a hold made before the order was computed."""
    session().execute(
        sa.update(OrderCommission)
        .where(OrderCommission.order_id == order.facts.order_id)
        .values(
            computed_at=now,
            plan_version_id=order.plan_version_id,
            withheld=[_as_json(item) for item in order.result.withheld] or None,
            spending=order.standing,
        )
        .execution_options(synchronize_session=False)
    )


def _as_json(item: Withheld) -> dict[str, Any]:
    return {
        "line_id": item.line_id.hex,
        "beneficiary_id": item.beneficiary_id.hex if item.beneficiary_id else None,
        "level": item.level,
        "rule": item.rule,
        "reason": item.reason,
    }
