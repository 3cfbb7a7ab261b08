"""The leader board."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tenants.api.schemas.common import Answer, Fen, Query
from tenants.api.texts import mark as _

BoardPeriod = Literal["ever", "month", "day"]


class BoardQuery(Query):
    """Which period."""

    period: BoardPeriod = Field(
        default="month", description=_("Ever, the present calendar month, or today; by China's clock.")
    )


class Place(Answer):
    """One promoter's place; whoever earned the same has the same rank."""

    rank: int = Field(examples=[1])
    nickname: str = Field(examples=["茉莉"])
    is_me: bool = Field(examples=[False])
    earned_fen: Fen = Field(description=_("Commissions less what refunds took back."))


class Board(Answer):
    """Those who earned the most; some seconds behind."""

    period: BoardPeriod
    places: list[Place] = Field(description=_("The first ten."))
    mine: Place | None = Field(description=_("null for somebody who earned nothing in the period."))
