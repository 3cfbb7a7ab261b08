"""Statements by month: what stood there, every movement with the balances after it, what stands there."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tenants.api.schemas.common import Answer, Fen, Page, Query, Time
from tenants.api.schemas.promoter import MovementKind
from tenants.api.texts import mark as _


class StatementMonths(Answer):
    """The months there are statements of."""

    months: list[str] = Field(
        examples=[["2026-11", "2026-10"]], description=_("Newest first; months are those of Beijing.")
    )


class MonthBalances(Answer):
    """What a promoter has at one moment."""

    pending_fen: Fen = Field(examples=[1200], description=_("Earned and not yet released."))
    available_fen: Fen = Field(examples=[5000], description=_("Can be withdrawn."))
    in_transfer_fen: Fen = Field(examples=[0], description=_("In withdrawals that are not finished."))
    debt_fen: Fen = Field(examples=[0], description=_("Owed to the shop."))
    balance_fen: Fen = Field(examples=[6200], description=_("The first three together, less the debt."))


class MonthLine(Answer):
    """One movement."""

    position: int = Field(examples=[42], description=_("Its place in the shop's books; later ones are higher."))
    at: Time
    kind: MovementKind
    text: str = Field(examples=["Commission earned"])
    number: str = Field(
        examples=["2611220000000042"], description=_("Of the order or withdrawal; empty where it is about several.")
    )
    amount_fen: Fen = Field(examples=[900])
    change_fen: int = Field(
        examples=[900], description=_("What it adds to the balance; 0 where money only moves on within it.")
    )
    after: MonthBalances


class MonthStatement(Page[MonthLine]):
    """One month, its movements oldest first."""

    month: str = Field(examples=["2026-11"])
    is_over: bool = Field(description=_("Whether nothing can be added to it any more."))
    opening: MonthBalances
    closing: MonthBalances


class StatementFileQuery(Query):
    """Which file."""

    format: Literal["pdf", "csv"] = "pdf"
