"""Conditions of a tier: rows that a brand fills in, and the pure function that says whether they hold.

Each row asks for a figure of a period. Rows of one way belong together: all of them have to hold; one way is
enough. That is any-of-all-of, in the words of a form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Literal

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from fanyong.values import ConditionState, NextTier, SettingsProblem, TierFacts

Stage = Literal["rise", "keep", "fall"]
#: Which orders count: those that were paid, or those whose goods have been received.
Basis = Literal["paid", "received"]
Join = Literal["anyone", "after_purchase", "application", "invitation"]
JOIN_LABELS = {
    "anyone": _l("Everybody"),
    "after_purchase": _l("Whoever has bought something"),
    "application": _l("Whoever applies and is accepted"),
    "invitation": _l("Whoever a promoter's share or the brand invites"),
}
JOIN_HELP = _l(
    "Everybody at once, members from their first paid order on, after an application that somebody of the brand "
    "reviews, or by invitation."
)
MINIMUM_TITLE = _l("Purchases to become a promoter")
MINIMUM_HELP = _l("Only where it takes a purchase. 0: any order. The compliance policy takes it for an entry fee.")
MONEY = ("own_fen", "shared_fen", "team_fen", "commission_fen")
MAX_DAYS = 366


class Condition(BaseModel):
    """One row: so much of a figure in a period, to rise to a tier, to keep it, or to fall from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tier: str = Field(min_length=1, max_length=32, title=_l("Tier"), description=_l("The key of the tier."))
    stage: Stage = Field(
        title=_l("To"),
        description=_l("Rise to the tier, keep it, or fall from it when less than this was reached."),
        json_schema_extra={
            "labels": {
                "rise": _l("rise to it: at least"),
                "keep": _l("keep it: at least"),
                "fall": _l("fall from it: less than"),
            }
        },
    )
    way: int = Field(
        default=1,
        ge=1,
        le=20,
        title=_l("Way"),
        description=_l("Rows with the same number have to hold together; one number is enough."),
    )
    metric: Literal[
        "own_fen",
        "shared_fen",
        "team_fen",
        "commission_fen",
        "own_orders",
        "shared_orders",
        "team_orders",
        "direct_sellers",
    ] = Field(
        title=_l("What counts"),
        json_schema_extra={
            "labels": {
                "own_fen": _l("Own purchases"),
                "shared_fen": _l("Sales through own shares"),
                "team_fen": _l("Sales of the whole team"),
                "commission_fen": _l("Commission earned"),
                "own_orders": _l("Own orders"),
                "shared_orders": _l("Orders through own shares"),
                "team_orders": _l("Orders of the whole team"),
                "direct_sellers": _l("Promoters brought who sold something"),
            }
        },
    )
    period: Literal["ever", "this_month", "last_month", "days"] = Field(
        default="ever",
        title=_l("When"),
        json_schema_extra={
            "labels": {
                "ever": _l("ever"),
                "this_month": _l("this calendar month"),
                "last_month": _l("last calendar month"),
                "days": _l("in the last days"),
            }
        },
    )
    days: int | None = Field(default=None, ge=1, le=MAX_DAYS, title=_l("How many days"))
    amount_fen: int | None = Field(
        default=None,
        ge=1,
        le=10**12,
        title=_l("Amount"),
        description=_l("For sales, purchases and commission."),
        json_schema_extra={"unit": "fen"},
    )
    count: int | None = Field(
        default=None, ge=1, le=10**9, title=_l("Number"), description=_l("For orders and promoters.")
    )

    @property
    def need(self) -> int:
        """What has to be reached: fen, or a number."""
        return (self.amount_fen if self.metric in MONEY else self.count) or 0


def figure_key(condition: Condition, basis: Basis) -> str:
    """Return the key of the figure that a condition reads: `team_paid_fen:days_30`."""
    metric = condition.metric
    if metric in ("own_fen", "shared_fen", "team_fen"):
        return f"{metric.removesuffix('fen')}{basis}_fen:{_period_key(condition)}"
    return f"{metric}:{_period_key(condition)}"


def figures_needed(conditions: Iterable[Condition], basis: Basis) -> tuple[str, ...]:
    """Return the figures that conditions read, each once, in a fixed order."""
    return tuple(sorted({figure_key(condition, basis) for condition in conditions}))


def has_conditions(conditions: Iterable[Condition], *, tier: str, stage: Stage) -> bool:
    """Return whether a tier has conditions of a stage."""
    return any(True for _row in _of(conditions, tier, stage))


def may_rise(conditions: Sequence[Condition], *, tier: str, facts: TierFacts, basis: Basis) -> bool:
    """Return whether some way to a tier holds; a tier without conditions is open."""
    ways = list(_ways(conditions, tier, "rise"))
    return not ways or any(all(_have(row, facts, basis) >= row.need for row in way) for way in ways)


def may_return(conditions: Sequence[Condition], *, tier: str, facts: TierFacts, basis: Basis) -> bool:
    """Return whether whoever lost a tier may have it again: what keeps it has to hold now.

    Without this rule sales that count for ever would lift a promoter again the moment after the fall.
    """
    if tier not in facts.held_before or tier == facts.tier:
        return True
    keep = list(_ways(conditions, tier, "keep"))
    kept = not keep or any(all(_have(row, facts, basis) >= row.need for row in way) for way in keep)
    falls = any(all(_have(row, facts, basis) < row.need for row in way) for way in _ways(conditions, tier, "fall"))
    return kept and not falls


def must_fall(conditions: Sequence[Condition], *, tier: str, facts: TierFacts, basis: Basis) -> bool:
    """Return whether a promoter loses a tier: no way to keep it holds, or some way to fall does.

    A condition whose period began before the promoter got the tier says nothing yet, in the promoter's favour.
    """
    keep = list(_ways(conditions, tier, "keep"))
    kept = not keep or any(
        all(not _is_over(row, facts) or _have(row, facts, basis) >= row.need for row in way) for way in keep
    )
    falls = any(
        all(_is_over(row, facts) and _have(row, facts, basis) < row.need for row in way)
        for way in _ways(conditions, tier, "fall")
    )
    return falls or not kept


def rise_states(
    conditions: Sequence[Condition], *, tier: str, facts: TierFacts, basis: Basis
) -> tuple[ConditionState, ...]:
    """Return how far a member is with each condition to rise to a tier."""
    states = []
    for row in _of(conditions, tier, "rise"):
        metric, _colon, period = figure_key(row, basis).partition(":")
        states.append(ConditionState(row.way, metric, period, _have(row, facts, basis), row.need))
    return tuple(states)


def condition_problems(
    conditions: Sequence[Condition], *, tiers: Sequence[str], path: str = "conditions"
) -> list[SettingsProblem]:
    """Return what is wrong with rows that each field alone allows; `tiers` are the keys, lowest first."""
    problems = []
    for index, row in enumerate(conditions):
        problems += [SettingsProblem(f"{path}.{index}.{field}", text) for field, text in _row_problems(row, tiers)]
    return problems


def _row_problems(row: Condition, tiers: Sequence[str]) -> Iterator[tuple[str, str]]:
    if row.tier not in tiers:
        yield "tier", _("There is no tier “%(tier)s”.", tier=row.tier)
    elif row.stage != "rise" and row.tier == tiers[0]:
        yield "stage", _("Nobody falls from the lowest tier.")
    if row.stage != "rise" and row.period == "this_month":
        yield "period", _("On its first day a month is still empty. Take the last month, or a number of days.")
    if (row.days is None) == (row.period == "days"):
        yield "days", _("A number of days belongs to “in the last days”, and to nothing else.")
    is_money = row.metric in MONEY
    if (row.amount_fen is None) == is_money:
        yield "amount_fen", _("Sales, purchases and commission need an amount; orders and promoters have none.")
    if (row.count is None) != is_money:
        yield "count", _("Orders and promoters need a number; sales, purchases and commission have none.")


def _period_key(condition: Condition) -> str:
    return f"days_{condition.days}" if condition.period == "days" else condition.period


def _of(conditions: Iterable[Condition], tier: str, stage: Stage) -> Iterator[Condition]:
    return (row for row in conditions if row.tier == tier and row.stage == stage)


def _ways(conditions: Iterable[Condition], tier: str, stage: Stage) -> Iterator[list[Condition]]:
    rows = sorted(_of(conditions, tier, stage), key=lambda row: row.way)
    return (list(way) for _number, way in groupby(rows, key=lambda row: row.way))


def _have(row: Condition, facts: TierFacts, basis: Basis) -> int:
    return facts.figures.get(figure_key(row, basis), 0)


def _is_over(row: Condition, facts: TierFacts) -> bool:
    """Return whether the promoter held the tier for the whole period that a condition looks at."""
    if row.period == "ever":
        return True
    if facts.today is None or facts.tier_since is None:
        return False
    if row.period == "days":
        return facts.tier_since <= facts.today - timedelta(days=row.days or 0)
    return facts.tier_since <= first_of_last_month(facts.today)


def first_of_last_month(today: date) -> date:
    """Return the first day of the calendar month before."""
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def may_join(join: Join, *, minimum_fen: int, facts: TierFacts, tiers: Iterable[str]) -> bool:
    """Return whether a member who is no promoter may become one; whoever was let in to a tier may, always."""
    if any(key in facts.granted for key in tiers):
        return True
    match join:
        case "anyone":
            return True
        case "after_purchase":
            return facts.own_paid_fen >= max(1, minimum_fen)
        case "invitation":
            return facts.invited
        case "application":
            return False


def next_entry(join: Join, *, tier: str, minimum_fen: int, facts: TierFacts) -> NextTier:
    """Return what a member who is no promoter has to do to get the lowest tier."""
    match join:
        case "anyone":
            return NextTier(tier, "open")
        case "after_purchase":
            bought = ConditionState(1, "own_paid_fen", "ever", facts.own_paid_fen, max(1, minimum_fen))
            return NextTier(tier, "purchase", (bought,))
        case "application":
            return NextTier(tier, "application")
        case "invitation":
            return NextTier(tier, "invitation")
