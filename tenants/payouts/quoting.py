"""What a withdrawal would come to: gross, tax, fee and net, and whether it may be at all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time, timedelta
from uuid import UUID

import sqlalchemy as sa

from fanyong.errors import FanyongError
from fanyong.tenancy import settings
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.web.money import yuan
from fanyong.wechat.times import BEIJING
from tenants.members.models import Member
from tenants.payouts import books, errors, policies, tax
from tenants.payouts.channels import Channel
from tenants.payouts.models import CAME_BACK, PayoutPolicy, Withdrawal
from tenants.payouts.rules import Drawn, WithdrawalRules, broken_limit, fee_of
from tenants.payouts.tax import PayeeYear, Tax, Taxed
from tenants.promoters import service as promoters


@dataclass(frozen=True, slots=True)
class Quote:
    """The parts of a withdrawal, in fen: gross = net + tax + fee."""

    amount_fen: int
    tax: Tax
    fee_fen: int
    #: The month it is taxed in, by its first day, and the version of the tax policy.
    tax_month: date
    tax_policy_id: UUID | None

    @property
    def net_fen(self) -> int:
        """What reaches the payee."""
        return self.amount_fen - self.tax.tax_fen - self.fee_fen

    def stored_tax(self) -> dict[str, int]:
        """Return how the tax came about, as it is kept with the withdrawal."""
        return asdict(self.tax)


def quote(member_id: UUID, amount_fen: int) -> Quote:
    """Return the parts of a withdrawal requested now; with the books locked they hold until the commit."""
    rules, day = settings.load(WithdrawalRules), policies.today()
    parameters, policy_id = policies.tax_policy(day)
    year = drawn_in_year(member_id, day.year) if policy_id else PayeeYear({}, {})
    due = tax.tax_of(parameters, year, month=day.month, amount_fen=amount_fen)
    return Quote(amount_fen, due, fee_of(rules, amount_fen), tax.first_of_month(day), policy_id)


def problem_of(
    member: Member, asked: Quote, *, channel: Channel, real_name: str | None, has_payee_name: bool = False
) -> FanyongError | None:
    """Return the first reason why a withdrawal cannot be, or None when it can."""
    rules, day = settings.load(WithdrawalRules), policies.today()
    limit = broken_limit(rules, amount_fen=asked.amount_fen, day=day, drawn=drawn_on(member.id, day))
    if isinstance(limit, errors.WithdrawalBelowMinimum):
        return limit
    return (
        _problem_of_promoter(member.id, asked.amount_fen)
        or limit
        or _problem_of_channel(asked, channel)
        or _problem_of_name(rules, asked.amount_fen, has_name=has_payee_name or bool((real_name or "").strip()))
    )


def kept_back(member_id: UUID) -> FanyongError | None:
    """Return why nothing may be paid to a promoter now, for whoever decides about it; None when it may.

    The same rule as that of `batches.waiting`, for one.
    """
    promoter = promoters.get_promoter(member_id)
    if promoter is not None and promoter.frozen_at is not None:
        return errors.PayeeFrozen()
    debt = books.debt_of(member_id)
    return errors.PayeeInDebt(debt=yuan(debt)) if debt else None


def drawn_on(member_id: UUID, day: date) -> Drawn:
    """Return what was withdrawn on a day of the brand so far."""
    mine = Withdrawal.member_id == member_id
    begins = datetime.combine(day, time(), BEIJING)
    row = (
        session()
        .execute(
            sa.select(
                sa.func.coalesce(sa.func.sum(Withdrawal.amount_fen).filter(mine), 0),
                sa.func.count().filter(mine),
                sa.func.coalesce(sa.func.sum(Withdrawal.amount_fen), 0),
            ).where(
                Withdrawal.requested_at >= begins,
                Withdrawal.requested_at < begins + timedelta(days=1),
                Withdrawal.state.not_in(CAME_BACK),
            )
        )
        .one()
    )
    return Drawn(int(row[0]), int(row[1]), int(row[2]))


def drawn_in_year(member_id: UUID, year: int) -> PayeeYear:
    """Return what a payee has drawn in a calendar year, by month of the request.

    Tax given back is not withheld, and neither is what is too much already and goes back as soon as it is paid: it must
    not make up for what the next withdrawal owes.
    """
    drawn = [replace(taxed, is_paid=True) for _id, _month, taxed in taxed_in(member_id, year)]
    gross: dict[int, int] = defaultdict(int)
    withheld: dict[int, int] = defaultdict(int)
    for one, surplus_fen in zip(drawn, tax.surpluses(drawn), strict=True):
        gross[one.month] += one.amount_fen
        withheld[one.month] += one.withheld_fen - surplus_fen
    return PayeeYear(gross, withheld)


def taxed_in(member_id: UUID, year: int) -> list[tuple[UUID, date, Taxed]]:
    """Return a payee's withdrawals of a year that did not come back, with their months, in the order of requests."""
    rows = session().execute(
        sa.select(
            Withdrawal.id,
            Withdrawal.tax_month,
            Withdrawal.amount_fen,
            sa.cast(Withdrawal.tax_fen - books.tax_given_back(), sa.BigInteger),
            Withdrawal.state == "paid",
            PayoutPolicy.parameters,
        )
        .outerjoin(PayoutPolicy, PayoutPolicy.id == Withdrawal.tax_policy_id)
        .where(
            Withdrawal.member_id == member_id,
            Withdrawal.tax_month.between(date(year, 1, 1), date(year, 12, 1)),
            Withdrawal.state.not_in(CAME_BACK),
        )
        .order_by(Withdrawal.requested_at, Withdrawal.id)
    )
    return [
        (withdrawal_id, month, Taxed(tax.parse(values or {"method": "none"}), month.month, amount, withheld, is_paid))
        for withdrawal_id, month, amount, withheld, is_paid, values in rows
    ]


def remark_of(channel: Channel) -> str:
    """Return what the payee reads next to the money: the month and the brand's words."""
    now = brand_now().astimezone(BEIJING)
    return f"{now.year}年{now.month}月{channel.traits.remark}"


def _problem_of_promoter(member_id: UUID, amount_fen: int) -> FanyongError | None:
    promoter = promoters.get_promoter(member_id)
    if promoter is not None and promoter.frozen_at is not None:
        return errors.PromoterFrozen()
    debt = books.debt_of(member_id)
    if debt:
        return errors.WithdrawalBlockedByDebt(debt=yuan(debt))
    available = books.available_of(member_id)
    return errors.NotEnoughAvailable(available=yuan(available)) if amount_fen > available else None


def _problem_of_channel(asked: Quote, channel: Channel) -> FanyongError | None:
    traits = channel.traits
    if asked.net_fen < max(1, traits.minimum_fen):
        return errors.NothingLeft(
            amount=yuan(asked.amount_fen),
            tax=yuan(asked.tax.tax_fen),
            fee=yuan(asked.fee_fen),
            net=yuan(asked.net_fen),
            minimum=yuan(max(1, traits.minimum_fen)),
        )
    if traits.maximum_fen is not None and asked.net_fen > traits.maximum_fen:
        return errors.AboveChannelMaximum(maximum=yuan(traits.maximum_fen))
    return None


def _problem_of_name(rules: WithdrawalRules, amount_fen: int, *, has_name: bool) -> FanyongError | None:
    if amount_fen >= rules.real_name_from_fen and not has_name:
        return errors.RealNameMissing(amount=yuan(rules.real_name_from_fen))
    return None
