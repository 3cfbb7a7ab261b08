"""Rules against money laundering: data in, hits out, nothing asked and nothing changed.

A hit does not refuse a withdrawal, it holds it until a person has looked. Amounts are whole fen. Day and month are the
brand's calendar, windows are hours back from the withdrawal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, ConfigDict, Field

from fanyong.web.money import percent, yuan
from fanyong.wechat.times import BEIJING

MAX_FEN = 10**12
BP = 10_000
_FEN: dict[str, Any] = {"unit": "fen"}
_OFF = _l("Empty: not looked at.")


class ScreeningRules(BaseModel):
    """What is looked at; None turns a rule off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    single_fen: int | None = Field(
        default=1_000_000,
        ge=1,
        le=MAX_FEN,
        title=_l("One withdrawal from"),
        description=_OFF,
        json_schema_extra=_FEN,
    )
    day_fen: int | None = Field(
        default=2_000_000,
        ge=1,
        le=MAX_FEN,
        title=_l("A promoter's day from"),
        description=_OFF,
        json_schema_extra=_FEN,
    )
    month_fen: int | None = Field(
        default=5_000_000,
        ge=1,
        le=MAX_FEN,
        title=_l("A promoter's month from"),
        description=_OFF,
        json_schema_extra=_FEN,
    )
    window_count: int | None = Field(
        default=50,
        ge=2,
        le=10_000,
        title=_l("Withdrawals in a short time"),
        description=_l("So many within the hours below. Empty: not looked at."),
    )
    window_hours: int = Field(default=24, ge=1, le=24 * 31, title=_l("Hours that count as a short time"))
    minutes_since_release: int | None = Field(
        default=None,
        ge=1,
        le=60 * 24 * 30,
        title=_l("Minutes after commissions were released"),
        description=_l("A withdrawal sooner than that is held, from the amount below. Empty: not looked at."),
    )
    since_release_from_fen: int = Field(
        default=200_000, ge=0, le=MAX_FEN, title=_l("… from an amount of"), json_schema_extra=_FEN
    )
    account_promoters: int | None = Field(
        default=2,
        ge=2,
        le=1_000,
        title=_l("Promoters on one payee account"),
        description=_OFF,
    )
    device_promoters: int | None = Field(
        default=3,
        ge=2,
        le=1_000,
        title=_l("Promoters on one device"),
        description=_l("The mini-program names the device of each withdrawal. Empty: not looked at."),
    )
    round_trip_bp: int | None = Field(
        default=5_000,
        ge=0,
        le=BP,
        title=_l("Commissions from orders the payee is behind"),
        description=_l(
            "Share of the promoter's recent commissions on orders of the same person, payee account or device, or of "
            "a buyer who earns on this promoter's orders in turn. Empty: not looked at."
        ),
        json_schema_extra={"unit": "bp"},
    )
    round_trip_from_fen: int = Field(
        default=100_000,
        ge=0,
        le=MAX_FEN,
        title=_l("… from commissions of"),
        json_schema_extra=_FEN,
    )
    new_account_hours: int | None = Field(
        default=24,
        ge=1,
        le=24 * 366,
        title=_l("Hours a payee account or a member counts as new"),
        description=_OFF,
    )
    new_account_from_fen: int = Field(
        default=500_000, ge=0, le=MAX_FEN, title=_l("… from a withdrawal of"), json_schema_extra=_FEN
    )
    watch_list: bool = Field(default=True, title=_l("Hold whoever is on the watch list"))


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier withdrawal of the same promoter that was not given back."""

    at: datetime
    amount_fen: int


@dataclass(frozen=True, slots=True)
class BuyerShare:
    """What the promoter earned lately on the orders of a buyer who is tied to the promoter, and by what."""

    buyer_id: UUID
    commission_fen: int
    same_person: bool = False
    same_account: bool = False
    same_device: bool = False
    #: The buyer in turn earned on orders of this promoter.
    earns_back: bool = False


@dataclass(frozen=True, slots=True)
class WithdrawalFacts:
    """All that is known when somebody wants `amount_fen` at `at`."""

    amount_fen: int
    at: datetime
    earlier: tuple[Earlier, ...] = ()
    last_release_at: datetime | None = None
    member_since: datetime | None = None
    account_since: datetime | None = None
    #: Promoters who use the same payee account or device, this one included.
    account_promoters: int = 1
    device_promoters: int = 1
    #: All commissions of the last days, and those on orders of buyers who are tied to the promoter.
    commission_fen: int = 0
    tied_buyers: tuple[BuyerShare, ...] = ()
    #: What of this withdrawal is on the watch list: `member`, `account`, `device`.
    watched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that was met, with the figures that met it."""

    rule: str
    figures: Mapping[str, int | str] = field(default_factory=dict)

    def stored(self) -> dict[str, int | str]:
        """Return the hit as it is kept with the withdrawal."""
        return {"rule": self.rule, **self.figures}


Rule = Callable[[ScreeningRules, WithdrawalFacts], Hit | None]


def screen(rules: ScreeningRules, facts: WithdrawalFacts) -> tuple[Hit, ...]:
    """Return every rule that a withdrawal meets; none means that nothing has to be looked at."""
    return tuple(_hits(rules, facts))


def sentence(stored: Mapping[str, int | str]) -> str:
    """Return a kept hit in words."""
    words = WORDS.get(str(stored.get("rule")))
    if words is None:
        return str(stored.get("rule"))
    shown = {
        name: yuan(int(value)) if name.endswith("_fen") else percent(int(value)) if name.endswith("_bp") else value
        for name, value in stored.items()
    }
    return str(words) % shown


def _hits(rules: ScreeningRules, facts: WithdrawalFacts) -> Iterator[Hit]:
    for rule in RULES:
        hit = rule(rules, facts)
        if hit is not None:
            yield hit


def _single(rules: ScreeningRules, facts: WithdrawalFacts) -> Hit | None:
    if rules.single_fen is None or facts.amount_fen < rules.single_fen:
        return None
    return Hit("single", {"amount_fen": facts.amount_fen, "limit_fen": rules.single_fen})


def _day(rules: ScreeningRules, facts: WithdrawalFacts) -> Hit | None:
    today = _day_of(facts.at)
    total = facts.amount_fen + sum(e.amount_fen for e in facts.earlier if _day_of(e.at) == today)
    if rules.day_fen is None or total < rules.day_fen:
        return None
    return Hit("day", {"amount_fen": total, "limit_fen": rules.day_fen})


def _month(rules: ScreeningRules, facts: WithdrawalFacts) -> Hit | None:
    month = _day_of(facts.at).replace(day=1)
    total = facts.amount_fen + sum(e.amount_fen for e in facts.earlier if _day_of(e.at).replace(day=1) == month)
    if rules.month_fen is None or total < rules.month_fen:
        return None
    return Hit("month", {"amount_fen": total, "limit_fen": rules.month_fen})


def _velocity(rules: ScreeningRules, facts: WithdrawalFacts) -> Hit | None:
    since = facts.at - timedelta(hours=rules.window_hours)
    count = 1 + sum(since < earlier.at <= facts.at for earlier in facts.earlier)
    if rules.window_count is None or count < rules.window_count:
        return None
    return Hit("velocity", {"count": count, "hours": rules.window_hours})


def _since_release(rules: ScreeningRules, facts: WithdrawalFacts) -> Hit | None:
    if rules.minutes_since_release is None or facts.last_release_at is None:
        return None
    passed = facts.at - facts.last_release_at
    if passed >= timedelta(minutes=rules.minutes_since_release) or facts.amount_fen < rules.since_release_from_fen:
        return None
    minutes = max(0, passed // timedelta(minutes=1))
    return Hit("since_release", {"minutes": minutes, "amount_fen": facts.amount_fen})


def _shared_account(rules: ScreeningRules, facts: WithdrawalFacts) -> Hit | None:
    if rules.account_promoters is None or facts.account_promoters < rules.account_promoters:
        return None
    return Hit("shared_account", {"count": facts.account_promoters})


def _shared_device(rules: ScreeningRules, facts: WithdrawalFacts) -> Hit | None:
    if rules.device_promoters is None or facts.device_promoters < rules.device_promoters:
        return None
    return Hit("shared_device", {"count": facts.device_promoters})


def _round_trip(rules: ScreeningRules, facts: WithdrawalFacts) -> Hit | None:
    tied = sum(buyer.commission_fen for buyer in facts.tied_buyers)
    if rules.round_trip_bp is None or tied <= 0 or tied < rules.round_trip_from_fen:
        return None
    share = tied * BP // max(tied, facts.commission_fen)
    if share < rules.round_trip_bp:
        return None
    return Hit("round_trip", {"tied_fen": tied, "share_bp": share, "buyers": len(facts.tied_buyers)})


def _new_account(rules: ScreeningRules, facts: WithdrawalFacts) -> Hit | None:
    if rules.new_account_hours is None or facts.amount_fen < rules.new_account_from_fen:
        return None
    starts = [at for at in (facts.member_since, facts.account_since) if at is not None]
    youngest = max(starts, default=None)
    if youngest is None or facts.at - youngest >= timedelta(hours=rules.new_account_hours):
        return None
    hours = max(0, (facts.at - youngest) // timedelta(hours=1))
    return Hit("new_account", {"hours": hours, "amount_fen": facts.amount_fen})


def _watched(rules: ScreeningRules, facts: WithdrawalFacts) -> Hit | None:
    if not rules.watch_list or not facts.watched:
        return None
    return Hit("watched", {"what": ", ".join(facts.watched)})


def _day_of(at: datetime) -> date:
    return at.astimezone(BEIJING).date()


RULES: tuple[Rule, ...] = (
    _single,
    _day,
    _month,
    _velocity,
    _since_release,
    _shared_account,
    _shared_device,
    _round_trip,
    _new_account,
    _watched,
)
WORDS: dict[str, str | LazyString] = {
    "single": _l("One withdrawal of %(amount_fen)s; it is looked at from %(limit_fen)s on."),
    "day": _l("%(amount_fen)s on one day; it is looked at from %(limit_fen)s on."),
    "month": _l("%(amount_fen)s in one month; it is looked at from %(limit_fen)s on."),
    "velocity": _l("%(count)s withdrawals within %(hours)s hours."),
    "since_release": _l("%(amount_fen)s, %(minutes)s minutes after commissions were released."),
    "shared_account": _l("%(count)s promoters use this payee account."),
    "shared_device": _l("%(count)s promoters use this device."),
    "round_trip": _l(
        "%(tied_fen)s of the recent commissions (%(share_bp)s) come from orders of %(buyers)s buyers with the same "
        "person, account or device behind them, or who earn on this promoter in turn."
    ),
    "new_account": _l("%(amount_fen)s to a payee account or a member of %(hours)s hours."),
    "watched": _l("On the watch list: %(what)s."),
}
