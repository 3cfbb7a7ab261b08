"""The leader board."""

from __future__ import annotations

from tenants.api.auth import current_member
from tenants.api.blueprint import bp
from tenants.api.operations import operation
from tenants.api.schemas import board as schemas
from tenants.api.texts import mark as _
from tenants.ledger import board
from tenants.members import service as members
from tenants.promoters.days import today


@bp.get("/promoter/board")
@operation(tag="promoter", summary=_("Who earned the most"), answers={200: schemas.Board})
def get_board(query: schemas.BoardQuery) -> schemas.Board:
    """Return the first ten of a period, and the member's own place."""
    me, period = current_member(), _period(query.period)
    standings, mine = board.leader_board(period), board.rank_of(me.id, period)
    known = members.get_members(standing.owner_id for standing in standings)
    return schemas.Board(
        period=query.period,
        places=[
            schemas.Place(
                rank=standing.rank,
                nickname=known[standing.owner_id].nickname,
                is_me=standing.owner_id == me.id,
                earned_fen=standing.net_fen,
            )
            for standing in standings
        ],
        mine=schemas.Place(rank=mine.rank, nickname=me.nickname, is_me=True, earned_fen=mine.net_fen) if mine else None,
    )


def _period(period: schemas.BoardPeriod) -> str:
    match period:
        case "ever":
            return board.EVER
        case "month":
            return board.month(today())
        case "day":
            return board.day(today())
