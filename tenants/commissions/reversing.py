"""What a refund takes back of awards, out of whichever account the money is in by then."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from uuid import UUID

from fanyong.ids import new_id
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.commissions import buckets, engine, holding, spending
from tenants.commissions.buckets import Place
from tenants.commissions.courses import Course, with_courses
from tenants.commissions.models import Award, AwardReversal, OrderCommission
from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, PostingKind
from tenants.ledger.service import Entry


def reverse(order_id: UUID, payload: dict[str, Any]) -> None:
    """Take back what a refund takes back of an order's awards; the same refund again finds nothing left to take."""
    ledger.lock_books()
    refund_id = UUID(payload["refund_id"])
    lines = {UUID(line["line_id"]): line for line in payload["lines"]}
    query = (
        with_courses()
        .add_columns(OrderCommission.spending)
        .where(Award.order_id == order_id, Award.line_id.in_(list(lines)))
        .order_by(Award.id)
    )
    shrunk: dict[Place, int] = defaultdict(int)
    taken: dict[UUID, int] = defaultdict(int)
    rows = session().execute(query).all()
    for award, state, reversed_fen, due_at, released_at, _standing in rows:
        place = Course(state, reversed_fen, due_at, released_at)
        line = lines[award.line_id]
        target = engine.reversed_to_date(award.amount_fen, paid_fen=line["paid_fen"], refunded_fen=line["refunded_fen"])
        amount = target - place.reversed_fen
        if amount > 0:
            take_back(award, place, amount_fen=amount, refund_id=refund_id)
            taken[award.beneficiary_id] += amount
            if place.state == "frozen":
                assert place.due_at is not None
                shrunk[place.due_at, award.beneficiary_id] += amount
    buckets.take(shrunk)
    standing = rows[0].spending if rows else None
    if standing is not None:
        spending.give_back(standing, version_id=rows[0][0].plan_version_id, taken=taken)
    if payload.get("lift_hold"):
        holding.hold_release(order_id, change=-1)


def take_back(award: Award, course: Course, *, amount_fen: int, refund_id: UUID) -> None:
    """Write the reversal of one award with its postings; its bucket is the caller's to lower."""
    reversal = AwardReversal(
        id=new_id(),
        award_id=award.id,
        refund_id=refund_id,
        amount_fen=amount_fen,
        after_release=course.state == "released",
        reversed_at=brand_now(),
    )
    session().add(reversal)
    session().flush()
    if reversal.after_release:
        ledger.take_back(award.beneficiary_id, amount_fen=amount_fen, source_id=reversal.id)
        return
    shelf = AccountName.ESTIMATED if course.state == "estimated" else AccountName.FROZEN
    expense = AccountName.COMMISSION_EXPENSE
    ledger.post([Entry(PostingKind.REVERSE, reversal.id, award.beneficiary_id, shelf, expense, amount_fen)])
