"""Tiers: what one holds, what the next one takes, and how to apply or follow an invitation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tenants.api.schemas.common import Answer, Body, Id, Text, Time
from tenants.api.texts import mark as _

TierKey = Annotated[Text, Field(min_length=1, max_length=32)]


class Tier(Answer):
    """One tier of the brand."""

    key: str = Field(examples=["gold"])
    name: str = Field(examples=["黄金"])
    rank: int = Field(examples=[2], description=_("0 is the lowest."))
    icon: str = Field(examples=["🥇"], description=_("An emoji, or empty."))
    rights: list[str] = Field(examples=[["生日礼物"]], description=_("What promoters of the tier may expect."))


class TierCondition(Answer):
    """One condition of the next tier, and how far one is."""

    metric: str = Field(examples=["team_paid_fen"])
    period: str = Field(
        examples=["last_month"], description=_("ever, this_month, last_month, or days_30 for the last 30 days.")
    )
    have: int = Field(examples=[250000], description=_("In fen where the metric ends in _fen, else a number."))
    need: int = Field(examples=[1000000])
    missing: int = Field(examples=[750000])
    text: str = Field(examples=["Sales of the whole team, paid, last calendar month"])


class TierWay(Answer):
    """Conditions that have to hold together."""

    conditions: list[TierCondition]
    reached: bool = Field(examples=[False])


class NextTier(Answer):
    """The next tier; where there are several ways to it, one is enough."""

    tier: str = Field(examples=["gold"])
    name: str = Field(examples=["黄金"])
    how: Literal["open", "purchase", "application", "invitation", "conditions"] = Field(examples=["conditions"])
    text: str = Field(examples=["By meeting the conditions."])
    ways: list[TierWay]


class TierChange(Answer):
    """A change of one's tier."""

    from_tier: str | None = Field(examples=["silver"])
    to_tier: str | None = Field(examples=["gold"])
    text: str = Field(examples=["order 2611220000000042"], description=_("Why."))
    changed_at: Time


class MyTier(Answer):
    """One's tier, all tiers of the brand, and the way to the next."""

    tier: str | None = Field(examples=["silver"], description=_("null for a member who is no promoter."))
    since: Time | None
    tiers: list[Tier]
    next: NextTier | None = Field(description=_("null at the top."))
    history: list[TierChange] = Field(description=_("The last 20 changes, newest first."))


class Question(Answer):
    """One question of the application form."""

    key: str = Field(examples=["phone"])
    label: str = Field(examples=["手机号"])
    kind: Literal["text", "number", "choice"]
    choices: list[str] = Field(examples=[[]], description=_("For kind choice: the answers that are possible."))
    required: bool = Field(examples=[True])


class GivenAnswer(Answer):
    """A question and its answer, as they stood when the application was handed in."""

    key: str = Field(examples=["phone"])
    label: str = Field(examples=["手机号"])
    value: str = Field(examples=["13800000000"])


class Application(Answer):
    """An application, and what became of it."""

    id: Id
    tier: str = Field(examples=["promoter"])
    state: Literal["open", "approved", "rejected"] = Field(examples=["open"])
    reason: str | None = Field(examples=[None], description=_("Why it was rejected."))
    answers: list[GivenAnswer]
    submitted_at: Time
    decided_at: Time | None = Field(examples=[None])


class ApplicationForm(Answer):
    """What is asked of those who apply, and one's own last application."""

    tiers: list[str] = Field(
        examples=[["promoter"]], description=_("Tiers that one applies for; empty where nobody applies.")
    )
    intro: str = Field(examples=["欢迎加入"])
    questions: list[Question]
    latest: Application | None


class Apply(Body):
    """An application."""

    tier: TierKey | None = Field(
        default=None, examples=["promoter"], description=_("null: the lowest tier that is applied for.")
    )
    answers: dict[str, Annotated[Text, Field(max_length=2000)]] = Field(
        default={}, examples=[{"name": "林一", "phone": "13800000000"}], description=_("By the keys of the questions.")
    )


class AcceptInvitation(Body):
    """The code of an invitation."""

    code: Annotated[Text, Field(min_length=1, max_length=64)] = Field(examples=["7kQ2mXw9Zb"])
