"""What was sold, by whom and when: changed with each payment, receipt and refund, rolled up for teams behind them.

A sale counts on the day it was paid (or received) for the upline of that moment. A refund takes it off that same day:
what came back was never sold, whichever month it is sent back in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fanyong.pluginhost.registry import PluginFailed
from fanyong.tenancy.database import session, unit_of_work
from tenants.promoters import service as promoters
from tenants.promoters.days import day_of
from tenants.promoters.facts import is_quick
from tenants.promoters.models import Promoter
from tenants.promoters.sales_models import Sale, SalesDay
from tenants.promoters.standing import current_structure, look_at

CHUNK = 500
#: Whether `roll_up_teams` has something to do.
TEAMS_BEHIND = "EXISTS (SELECT FROM sale WHERE dirty)"
#: Paid, received, orders.
Part = tuple[int, int, int]


def record_paid(
    order_id: UUID, *, member_id: UUID, upline: Sequence[UUID], paid_at: datetime, amount_fen: int, because: str
) -> None:
    """Count a paid order for its buyer and for whoever brought the buyer; `upline` is all of it, nearest first."""
    sale = Sale(
        order_id=order_id,
        member_id=member_id,
        seller_id=upline[0] if upline else None,
        depth=len(upline),
        paid_on=day_of(paid_at),
        paid_fen=0,
        received_fen=0,
    )
    session().add(sale)
    _change(sale, paid_fen=amount_fen, because=because)


def record_received(order_id: UUID, *, received_at: datetime, amount_fen: int, because: str) -> None:
    """Count what the buyer of a paid order kept until the receipt."""
    sale = session().get_one(Sale, order_id, with_for_update=True, populate_existing=True)
    sale.received_on = day_of(received_at)
    _change(sale, received_fen=amount_fen, because=because)


def record_refunded(order_id: UUID, *, amount_fen: int, because: str) -> None:
    """Take goods that were given back off the days on which they were paid and received."""
    sale = session().get_one(Sale, order_id, with_for_update=True, populate_existing=True)
    received_fen = -amount_fen if sale.received_on is not None else 0
    _change(sale, paid_fen=-amount_fen, received_fen=received_fen, because=because)


def orders_of(member_id: UUID) -> int:
    """Return how many orders a member has paid so far."""
    query = sa.select(sa.func.count()).select_from(Sale).where(Sale.member_id == member_id)
    return session().scalar(query) or 0


def roll_up_teams() -> int:
    """Add sales that changed to the figures of everybody above their buyers; returns how many sales."""
    with unit_of_work():
        claimed = session().execute(_CLAIM, {"limit": CHUNK}).all()
        if not claimed:
            return 0
        parts = [part for row in claimed for part in _team_parts(row)]
        values = {
            "members": [part[0] for part in parts],
            "depths": [part[1] for part in parts],
            "days": [part[2] for part in parts],
            "paid": [part[3] for part in parts],
            "received": [part[4] for part in parts],
            "orders": [part[5] for part in parts],
        }
        session().execute(_ADD_TO_DAYS, values)
        session().execute(_ADD_TO_TOTALS, values)
        if _looks_at_teams():
            session().execute(_ASK_TO_LOOK, values)
        return len(claimed)


def _change(sale: Sale, *, paid_fen: int = 0, received_fen: int = 0, because: str) -> None:
    """Change a sale, whose row is locked, and with it the figures of buyer and seller."""
    before = _parts(sale)
    sale.paid_fen += paid_fen
    sale.received_fen += received_fen
    sale.dirty = sale.depth > 0
    after = _parts(sale)
    changes = {day: _minus(after.get(day), before.get(day)) for day in after.keys() | before.keys()}
    total = _minus(_sum(after), _sum(before))
    rows = promoters.lock([sale.member_id, *([sale.seller_id] if sale.seller_id else [])])
    for promoter in rows:
        _add(promoter, total, own=promoter.member_id == sale.member_id)
    _add_to_days(sale, changes)
    look_at(rows, because=because)


def _parts(sale: Sale) -> dict[date, Part]:
    """Return what a sale comes to, by day."""
    parts: dict[date, Part] = {sale.paid_on: (sale.paid_fen, 0, int(sale.paid_fen > 0))}
    if sale.received_on is not None:
        paid_fen, _received, orders = parts.get(sale.received_on, (0, 0, 0))
        parts[sale.received_on] = (paid_fen, sale.received_fen, orders)
    return parts


def _sum(parts: dict[date, Part]) -> Part:
    return sum(p[0] for p in parts.values()), sum(p[1] for p in parts.values()), sum(p[2] for p in parts.values())


def _minus(after: Part | None, before: Part | None) -> Part:
    new, old = after or (0, 0, 0), before or (0, 0, 0)
    return new[0] - old[0], new[1] - old[1], new[2] - old[2]


def _add(promoter: Promoter, change: Part, *, own: bool) -> None:
    side = "own" if own else "shared"
    for name, value in zip(("paid_fen", "received_fen", "orders"), change, strict=True):
        column = f"{side}_{name}"
        setattr(promoter, column, getattr(promoter, column) + value)


def _add_to_days(sale: Sale, changes: dict[date, Part]) -> None:
    zero = dict.fromkeys((f"{side}_{name}" for side in ("own", "shared") for name in _COLUMNS), 0)
    rows = []
    for day, change in changes.items():
        for member_id, side in ((sale.member_id, "own"), (sale.seller_id, "shared")):
            if member_id is not None and any(change):
                named = {f"{side}_{name}": value for name, value in zip(_COLUMNS, change, strict=True)}
                rows.append({"member_id": member_id, "day": day, **zero, **named})
    if not rows:
        return
    # Sorted, so that two payments of the same people never wait for each other in a circle.
    statement = insert(SalesDay).values(sorted(rows, key=lambda row: (row["member_id"], row["day"])))
    added = {name: getattr(SalesDay, name) + getattr(statement.excluded, name) for name in zero}
    session().execute(statement.on_conflict_do_update(index_elements=[SalesDay.member_id, SalesDay.day], set_=added))


def _team_parts(row: sa.Row[tuple[object, ...]]) -> Iterator[tuple[UUID, int, date, int, int, int]]:
    """Yield what teams do not hold of a sale yet: (buyer, depth, day, paid, received, orders)."""
    paid_fen, orders = row.paid_fen - row.team_paid_fen, int(row.paid_fen > 0) - row.team_orders
    received_fen = row.received_fen - row.team_received_fen
    days: dict[date, list[int]] = defaultdict(lambda: [0, 0, 0])
    days[row.paid_on][0] += paid_fen
    days[row.paid_on][2] += orders
    if row.received_on is not None:
        days[row.received_on][1] += received_fen
    for day, values in days.items():
        if any(values):
            yield row.member_id, row.depth, day, values[0], values[1], values[2]


def _looks_at_teams() -> bool:
    try:
        structure = current_structure()
    except PluginFailed:
        return False
    return structure is not None and not is_quick(structure.figures)


_COLUMNS = ("paid_fen", "received_fen", "orders")
#: The row that is returned is the one before the change: what the teams hold is what they held.
_CLAIM = sa.text(
    """
    WITH claimed AS (
        SELECT * FROM sale WHERE dirty ORDER BY order_id LIMIT :limit FOR UPDATE SKIP LOCKED
    ), marked AS (
        UPDATE sale s SET dirty = false, team_paid_fen = s.paid_fen, team_received_fen = s.received_fen,
               team_orders = (s.paid_fen > 0)::int
          FROM claimed c WHERE c.order_id = s.order_id
    )
    SELECT * FROM claimed
    """
)
_ABOVE = """
    unnest(CAST(:members AS uuid[]), CAST(:depths AS bigint[]), CAST(:days AS date[]), CAST(:paid AS bigint[]),
           CAST(:received AS bigint[]), CAST(:orders AS bigint[])) p(member_id, depth, day, paid, received, orders)
    JOIN member m ON m.id = p.member_id
    CROSS JOIN LATERAL unnest(m.ancestors[1:p.depth]) a(id)
"""
_ADD_TO_DAYS = sa.text(
    f"""
    INSERT INTO team_day AS t (member_id, day, paid_fen, received_fen, orders)
    SELECT a.id, p.day, sum(p.paid), sum(p.received), sum(p.orders) FROM {_ABOVE}
     GROUP BY a.id, p.day ORDER BY a.id, p.day
        ON CONFLICT (member_id, day) DO UPDATE SET paid_fen = t.paid_fen + excluded.paid_fen,
           received_fen = t.received_fen + excluded.received_fen, orders = t.orders + excluded.orders
    """
)
_ADD_TO_TOTALS = sa.text(
    f"""
    INSERT INTO team_total AS t (member_id, level_1, level_2, level_3, members, paid_fen, received_fen, orders)
    SELECT a.id, 0, 0, 0, 0, sum(p.paid), sum(p.received), sum(p.orders) FROM {_ABOVE}
     GROUP BY a.id ORDER BY a.id
        ON CONFLICT (member_id) DO UPDATE SET paid_fen = t.paid_fen + excluded.paid_fen,
           received_fen = t.received_fen + excluded.received_fen, orders = t.orders + excluded.orders
    """
)
_ASK_TO_LOOK = sa.text(
    f"""
    INSERT INTO tier_look (id, member_id, because)
    SELECT gen_random_uuid(), a.id, 'team' FROM {_ABOVE} GROUP BY a.id
    """
)
