"""Whose tax was withheld: by payee over some months, for the filing and the quarterly report.

A withdrawal counts into the month of its request, and only when it was paid; what is on its way is shown apart. Tax
that went back to a payee is what was withheld less; it counts into the month of the withdrawal it was withheld from.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.database import session
from tenants.members.models import Member
from tenants.payouts import books
from tenants.payouts.models import Withdrawal

MONTHS_A_QUARTER = 3
Row = sa.Select[Member, int, int, int, int, int, int, int]


def quarter_months(year: int, quarter: int) -> tuple[date, date]:
    """Return the first days of a quarter's first and last month."""
    first = (quarter - 1) * MONTHS_A_QUARTER + 1
    return date(year, first, 1), date(year, first + MONTHS_A_QUARTER - 1, 1)


def by_payee(first: date, last: date, *, search: str = "") -> Row:
    """Return the query of payees, by nickname, with what their payouts come to.

    The columns: payouts, gross, tax, tax given back, fee, net, and the gross still on its way. Gross is tax, fee and
    net together; what is to be paid to the tax office is tax less tax given back.
    """
    paid, on_its_way = Withdrawal.state == "paid", Withdrawal.state.in_(("requested", "held", "approved"))

    def total(
        column: sa.ColumnElement[int] | sa.orm.InstrumentedAttribute[int], which: sa.ColumnElement[bool]
    ) -> sa.ColumnElement[int]:
        return sa.cast(sa.func.coalesce(sa.func.sum(column).filter(which), 0), sa.BigInteger)

    query = (
        sa.select(
            Member,
            sa.func.count().filter(paid),
            total(Withdrawal.amount_fen, paid),
            total(Withdrawal.tax_fen, paid),
            total(books.tax_given_back(), paid),
            total(Withdrawal.fee_fen, paid),
            total(Withdrawal.net_fen, paid),
            total(Withdrawal.amount_fen, on_its_way),
        )
        .join(Withdrawal, Withdrawal.member_id == Member.id)
        .where(Withdrawal.tax_month.between(first, last), sa.or_(paid, on_its_way))
        .group_by(Member.id)
        .order_by(Member.nickname, Member.id)
    )
    return query.where(Member.nickname.icontains(search, autoescape=True)) if search else query


def real_names(first: date, last: date, member_ids: list[UUID]) -> dict[UUID, str]:
    """Return the real name that payees gave last in some months, where they gave one."""
    rows = session().execute(
        sa.select(Withdrawal.member_id, Withdrawal.real_name)
        .where(
            Withdrawal.member_id.in_(member_ids),
            Withdrawal.tax_month.between(first, last),
            Withdrawal.real_name.is_not(None),
        )
        .order_by(Withdrawal.id)
    )
    return {member_id: name for member_id, name in rows if name}
