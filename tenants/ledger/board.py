"""Who earned how much: leader boards, one's own rank, trends. They follow the books by seconds, with the seals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.database import session
from tenants.ledger.models import Earning

EVER = "all"


@dataclass(frozen=True, slots=True)
class Standing:
    """One promoter's place in a period; whoever earned the same has the same rank."""

    owner_id: UUID
    rank: int
    earned_fen: int
    reversed_fen: int
    net_fen: int
    awards: int


def month(day: date) -> str:
    """Return the period of a day's month."""
    return f"m:{day:%Y-%m}"


def day(day: date) -> str:
    """Return the period of one day."""
    return f"d:{day:%Y-%m-%d}"


def leader_board(period: str = EVER, *, limit: int = 10) -> list[Standing]:
    """Return those who earned the most in a period, after refunds, the best first."""
    query = (
        sa.select(Earning)
        .where(Earning.period == period, Earning.net_fen > 0)
        .order_by(Earning.net_fen.desc(), Earning.owner_id)
        .limit(limit)
    )
    standings: list[Standing] = []
    for place, row in enumerate(session().scalars(query), 1):
        same = bool(standings) and standings[-1].net_fen == row.net_fen
        standings.append(_standing(row, standings[-1].rank if same else place))
    return standings


def rank_of(owner_id: UUID, period: str = EVER) -> Standing | None:
    """Return a promoter's own place in a period, or None for somebody who earned nothing in it."""
    row = session().get(Earning, (period, owner_id), populate_existing=True)
    if row is None:
        return None
    more = sa.select(sa.func.count()).where(Earning.period == period, Earning.net_fen > row.net_fen)
    return _standing(row, (session().scalar(more) or 0) + 1)


def trend(owner_id: UUID, *, first: date, last: date) -> Mapping[str, int]:
    """Return what a promoter earned on each day from `first` to `last`, after refunds, by the day (`2026-11-22`)."""
    query = (
        sa.select(Earning.period, Earning.net_fen)
        .where(Earning.owner_id == owner_id, Earning.period.between(day(first), day(last)))
        .order_by(Earning.period)
    )
    return {period.removeprefix("d:"): fen for period, fen in session().execute(query)}


def _standing(row: Earning, rank: int) -> Standing:
    return Standing(row.owner_id, rank, row.earned_fen, row.reversed_fen, row.net_fen, row.awards)
