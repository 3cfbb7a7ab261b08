"""The team: those who came through one's shares, or through theirs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tenants.api.schemas.common import Answer, Fen, Id, Page, PageQuery, Text, Time
from tenants.api.texts import mark as _


class TeamMember(Answer):
    """Somebody who came through one's shares, or through theirs."""

    member_id: Id
    nickname: str = Field(examples=["茉莉"])
    level: int = Field(examples=[1], description=_("1: brought by you; 2: by somebody you brought, and so on."))
    tier: str | None = Field(examples=["promoter"])
    joined_at: Time
    own_paid_fen: Fen = Field(description=_("Goods they bought, less refunds."))
    shared_paid_fen: Fen = Field(description=_("Goods bought through their shares, less refunds."))


class TeamQuery(PageQuery):
    """Which part of the team."""

    level: Annotated[int, Field(ge=1, le=3)] | None = Field(default=None, description=_("Only this level."))
    search: Annotated[Text, Field(max_length=60)] = Field(default="", description=_("A part of the nickname."))
    after: Id | None = Field(
        default=None,
        description=_("The `after` of the page before: the fast way through a large team. `page` then counts from it."),
    )


class TeamPage(Page[TeamMember]):
    """One's team down to the third level, newest first. Beyond a thousand, `total` may be some seconds behind."""

    after: Id | None = Field(examples=[None], description=_("Asks for the page that follows; null at the end."))


class TeamSales(Answer):
    """Sales of a team in a period: goods paid after discounts, without freight, less refunds."""

    paid_fen: Fen
    received_fen: Fen = Field(description=_("Of orders whose goods have been received, by the day of the receipt."))
    orders: int = Field(examples=[12])


class TeamTotals(Answer):
    """The whole team, at any depth; some seconds behind."""

    members: int = Field(examples=[120])
    level_1: int = Field(examples=[20])
    level_2: int = Field(examples=[60])
    level_3: int = Field(examples=[30])
    ever: TeamSales
    today: TeamSales
    this_month: TeamSales
    last_month: TeamSales
