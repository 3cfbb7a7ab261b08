"""From the receipt to the release: which bucket an order's awards wait in, and what a hold does to them.

All of it happens with the books locked. An order's awards wait at its `due_at`. A promoter's part that is held leaves
its bucket and takes a detour (`ReleaseDetour`), which says where it went afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.commissions import buckets
from tenants.commissions.buckets import Place
from tenants.commissions.models import Award, AwardReversal, OrderCommission, ReleaseDetour
from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, PostingKind


@dataclass(frozen=True, slots=True)
class Receipt:
    """The goods of an order are with the buyer; what it earned is due at `due_at`."""

    order_id: UUID
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """What is left of one order for one promoter."""

    order_id: UUID
    owner_id: UUID
    amount_fen: int


def receive(receipts: Iterable[Receipt]) -> None:
    """Let the awards of received orders wait for their time; said again for an earlier one, bring them forward."""
    # Before any row: whoever places a hold has the books first, too.
    ledger.lock_books()
    wanted = {receipt.order_id: receipt for receipt in receipts}
    if not wanted:
        return
    # The books come first, as for a hold: whoever has the rows and waits for the books would wait in a circle.
    ledger.lock_books()
    orders = _locked(wanted)
    first = [order for order in orders if order.due_at is None]
    for order in orders:
        if order.due_at is not None and wanted[order.order_id].due_at < order.due_at:
            _bring_forward(order, wanted[order.order_id].due_at)
    _receive_first({order.order_id: order for order in first}, wanted)


def hold_release(order_id: UUID, *, change: int) -> None:
    """Add (+1) a reason to hold the release of an order's commissions, or take one away (-1)."""
    ledger.lock_books()
    holds = session().scalar(
        insert(OrderCommission)
        .values(order_id=order_id, release_holds=change)
        .on_conflict_do_update(
            index_elements=[OrderCommission.order_id],
            set_={"release_holds": OrderCommission.release_holds + change},
        )
        .returning(OrderCommission.release_holds)
        .execution_options(synchronize_session=False)
    )
    due_at = session().scalar(sa.select(OrderCommission.due_at).where(OrderCommission.order_id == order_id))
    if due_at is None:
        return
    if change > 0 and holds == change:
        _take_out(order_id, due_at)
    elif change < 0 and holds == 0:
        _put_back(order_id, due_at)


def _receive_first(orders: Mapping[UUID, OrderCommission], wanted: Mapping[UUID, Receipt]) -> None:
    by_order: dict[UUID, list[Part]] = defaultdict(list)
    for part in parts_of(orders):
        by_order[part.order_id].append(part)
    amounts: dict[Place, int] = defaultdict(int)
    postings: list[tuple[UUID, UUID, int, int]] = []
    held: list[dict[str, Any]] = []
    places = {(wanted[part.order_id].due_at, part.owner_id) for parts in by_order.values() for part in parts}
    taken = buckets.released(places)
    for order_id, order in orders.items():
        parts, due_at = by_order[order_id], wanted[order_id].due_at
        if any((due_at, part.owner_id) in taken for part in parts):
            due_at = buckets.free_moment(due_at, [part.owner_id for part in parts])
        order.due_at = due_at
        postings += [(order_id, part.owner_id, part.amount_fen, number) for number, part in enumerate(parts)]
        if order.release_holds:
            held += [{"order_id": order_id, "owner_id": part.owner_id, "due_at": None} for part in parts]
        else:
            for part in parts:
                amounts[due_at, part.owner_id] += part.amount_fen
    session().flush()
    estimated, frozen = AccountName.ESTIMATED, AccountName.FROZEN
    ledger.append(PostingKind.RECEIVE, postings, debit=estimated, credit=frozen, at=brand_now())
    if held:
        session().execute(sa.insert(ReleaseDetour), held)
    buckets.put(amounts)


def _bring_forward(order: OrderCommission, due_at: datetime) -> None:
    """Move what waits for a later moment to an earlier one; what is held stays held, and waits for it afterwards."""
    if order.due_at is None or order.due_at <= brand_now():
        return
    detours = _detours(order.order_id)
    waiting = {part: detours.get(part.owner_id, order.due_at) for part in parts_of([order.order_id])}
    later = {part: place for part, place in waiting.items() if place is not None and place > due_at}
    moment = buckets.free_moment(due_at, [part.owner_id for part in later])
    buckets.take({(place, part.owner_id): part.amount_fen for part, place in later.items()})
    buckets.put({(moment, part.owner_id): part.amount_fen for part in later})
    order.due_at = moment
    _send(order.order_id, {part.owner_id: moment for part in later if part.owner_id in detours})


def _take_out(order_id: UUID, due_at: datetime) -> None:
    parts = list(parts_of([order_id]))
    detours = _detours(order_id)
    places = {part: detours.get(part.owner_id, due_at) for part in parts}
    done = buckets.released([(place, part.owner_id) for part, place in places.items() if place is not None])
    waiting = {
        part: place for part, place in places.items() if place is not None and (place, part.owner_id) not in done
    }
    buckets.take({(place, part.owner_id): part.amount_fen for part, place in waiting.items()})
    _send(order_id, {part.owner_id: None for part in waiting})


def _put_back(order_id: UUID, due_at: datetime) -> None:
    held = {owner for owner, place in _detours(order_id).items() if place is None}
    parts = [part for part in parts_of([order_id]) if part.owner_id in held]
    moment = buckets.free_moment(max(due_at, brand_now()), held)
    buckets.put({(moment, part.owner_id): part.amount_fen for part in parts})
    _send(order_id, dict.fromkeys(held, moment))


def _send(order_id: UUID, places: Mapping[UUID, datetime | None]) -> None:
    if not places:
        return
    rows = [{"order_id": order_id, "owner_id": owner, "due_at": place} for owner, place in places.items()]
    upsert = insert(ReleaseDetour).values(rows)
    session().execute(
        upsert.on_conflict_do_update(
            index_elements=[ReleaseDetour.order_id, ReleaseDetour.owner_id], set_={"due_at": upsert.excluded.due_at}
        ).execution_options(synchronize_session=False)
    )


def _detours(order_id: UUID) -> dict[UUID, datetime | None]:
    query = sa.select(ReleaseDetour.owner_id, ReleaseDetour.due_at).where(ReleaseDetour.order_id == order_id)
    return dict(session().execute(query).all())


def parts_of(order_ids: Iterable[UUID]) -> Iterable[Part]:
    """Return what is left of orders for each promoter, without those for whom nothing is left."""
    taken = (
        sa.select(sa.func.coalesce(sa.func.sum(AwardReversal.amount_fen), 0))
        .where(AwardReversal.award_id == Award.id)
        .correlate(Award)
        .scalar_subquery()
    )
    left = sa.cast(sa.func.sum(Award.amount_fen - taken), sa.BigInteger)
    query = (
        sa.select(Award.order_id, Award.beneficiary_id, left)
        .where(Award.order_id.in_(list(order_ids)))
        .group_by(Award.order_id, Award.beneficiary_id)
        .having(left > 0)
        .order_by(Award.order_id, Award.beneficiary_id)
    )
    return [Part(*row) for row in session().execute(query)]


def _locked(order_ids: Iterable[UUID]) -> list[OrderCommission]:
    query = sa.select(OrderCommission).where(OrderCommission.order_id.in_(list(order_ids)))
    return list(
        session().scalars(
            query.order_by(OrderCommission.order_id).with_for_update().execution_options(populate_existing=True)
        )
    )
