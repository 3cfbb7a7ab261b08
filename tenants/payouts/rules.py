"""What a brand allows withdrawals to be: settings with safe defaults, and pure functions over them."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar, Literal

from flask_babel import lazy_gettext as _l
from pydantic import Field, field_validator

from fanyong.errors import FanyongError
from fanyong.tenancy import settings
from fanyong.web.money import yuan
from tenants.payouts import errors

MAX_FEN = 100_000_000
#: WeChat Pay wants the payee's real name from 2,000 CNY on (transfer rules of 2025), so no brand may ask for it later.
REAL_NAME_FROM_FEN = 200_000
_FEN: dict[str, Any] = {"unit": "fen"}
BP = 10_000


class WithdrawalRules(settings.SettingsGroup):
    """What a brand allows; the defaults are what WeChat Pay allows a merchant without asking, or less."""

    key: ClassVar[str] = "withdrawal"
    minimum_fen: int = Field(default=100, ge=10, le=MAX_FEN, title=_l("Smallest withdrawal"), json_schema_extra=_FEN)
    maximum_fen: int = Field(
        default=2_000_000, ge=10, le=MAX_FEN, title=_l("Largest withdrawal"), json_schema_extra=_FEN
    )
    payee_day_fen: int = Field(
        default=2_000_000, ge=10, le=MAX_FEN, title=_l("A promoter's limit a day"), json_schema_extra=_FEN
    )
    payee_day_count: int = Field(default=100, ge=1, le=1_000, title=_l("A promoter's withdrawals a day"))
    brand_day_fen: int = Field(
        default=10_000_000,
        ge=10,
        le=100 * MAX_FEN,
        title=_l("Limit of all promoters a day"),
        json_schema_extra=_FEN,
    )
    fee_fixed_fen: int = Field(
        default=0,
        ge=0,
        le=100_000,
        title=_l("Fee of each withdrawal"),
        description=_l("The promoter bears it; it is taken from what is paid out."),
        json_schema_extra=_FEN,
    )
    fee_bp: int = Field(
        default=0, ge=0, le=2_000, title=_l("Fee as a share of the amount"), json_schema_extra={"unit": "bp"}
    )
    cycle: Literal["any_day", "weekdays", "month_days"] = Field(
        default="any_day",
        title=_l("When withdrawals are taken"),
        json_schema_extra={
            "labels": {
                "any_day": _l("Any day"),
                "weekdays": _l("On some days of the week"),
                "month_days": _l("On some days of the month"),
            }
        },
    )
    days: str = Field(
        default="",
        max_length=120,
        pattern=r"^[0-9]{1,2}( *[,，] *[0-9]{1,2})*$|^$",
        title=_l("Which days"),
        description=_l(
            "1 to 7 for Monday to Sunday, or 1 to 31, with commas. 31 is the last day of a shorter month too."
        ),
    )
    #: Withdrawals below this amount need nobody's approval; 0 means all do.
    auto_approve_below_fen: int = Field(
        default=0,
        ge=0,
        le=MAX_FEN,
        title=_l("Approve by itself below"),
        description=_l("0 means that somebody approves each one."),
        json_schema_extra=_FEN,
    )
    #: From this amount on two different people approve.
    two_people_from_fen: int = Field(
        default=1_000_000,
        ge=0,
        le=MAX_FEN,
        title=_l("Two people approve from"),
        description=_l("0 means that two people approve each one."),
        json_schema_extra=_FEN,
    )
    real_name_from_fen: int = Field(
        default=REAL_NAME_FROM_FEN,
        ge=0,
        le=REAL_NAME_FROM_FEN,
        title=_l("Real name needed from"),
        description=_l("WeChat Pay itself asks for it from 2,000.00 on."),
        json_schema_extra=_FEN,
    )

    @field_validator("days")
    @classmethod
    def _in_a_month(cls, value: str) -> str:
        if any(not 1 <= day <= 31 for day in days_of(value)):
            raise ValueError("days are 1 to 31")
        return value


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was withdrawn on a day so far, in fen: by this payee and by everybody; what came back does not count."""

    payee_fen: int = 0
    payee_count: int = 0
    brand_fen: int = 0


def days_of(text: str) -> tuple[int, ...]:
    """Return the days of a text like `1, 15`."""
    return tuple(int(part) for part in text.replace("，", ",").split(",") if part.strip())


def fee_of(rules: WithdrawalRules, amount_fen: int) -> int:
    """Return the fee of a withdrawal: the fixed part and the share, which is floored; never more than the amount."""
    return min(amount_fen, rules.fee_fixed_fen + amount_fen * rules.fee_bp // BP)


def is_payout_day(rules: WithdrawalRules, day: date) -> bool:
    """Return whether withdrawals are taken on a day of the brand; without any day chosen, all are."""
    chosen = days_of(rules.days)
    if rules.cycle == "any_day" or not chosen:
        return True
    if rules.cycle == "weekdays":
        return day.isoweekday() in chosen
    last = monthrange(day.year, day.month)[1]
    return day.day in {min(number, last) for number in chosen}


def next_payout_day(rules: WithdrawalRules, day: date) -> date | None:
    """Return the first day after `day` on which withdrawals are taken; None when no day ever fits."""
    ahead = (day + timedelta(days=count) for count in range(1, 63))
    return next((candidate for candidate in ahead if is_payout_day(rules, candidate)), None)


def broken_limit(rules: WithdrawalRules, *, amount_fen: int, day: date, drawn: Drawn) -> FanyongError | None:
    """Return the first limit that a withdrawal on a day would break, as the sentence its promoter reads."""
    if amount_fen < rules.minimum_fen:
        return errors.WithdrawalBelowMinimum(minimum=yuan(rules.minimum_fen))
    if not is_payout_day(rules, day):
        coming = next_payout_day(rules, day)
        return errors.NotAPayoutDay(day=coming.isoformat() if coming else "–")
    if drawn.payee_count >= rules.payee_day_count:
        return errors.PayeeDayCount(limit=rules.payee_day_count)
    return _too_much(rules, amount_fen=amount_fen, drawn=drawn)


def needs_two_people(rules: WithdrawalRules, amount_fen: int) -> bool:
    """Return whether two different people have to approve a withdrawal."""
    return amount_fen >= rules.two_people_from_fen


def _too_much(rules: WithdrawalRules, *, amount_fen: int, drawn: Drawn) -> FanyongError | None:
    checks: Sequence[tuple[int, FanyongError]] = (
        (rules.maximum_fen, errors.WithdrawalAboveMaximum(maximum=yuan(rules.maximum_fen))),
        (
            rules.payee_day_fen - drawn.payee_fen,
            errors.PayeeDayAmount(
                limit=yuan(rules.payee_day_fen), left=yuan(max(0, rules.payee_day_fen - drawn.payee_fen))
            ),
        ),
        (
            rules.brand_day_fen - drawn.brand_fen,
            errors.BrandDayAmount(
                limit=yuan(rules.brand_day_fen), left=yuan(max(0, rules.brand_day_fen - drawn.brand_fen))
            ),
        ),
    )
    return next((error for limit, error in checks if amount_fen > limit), None)
