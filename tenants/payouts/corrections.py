"""Tax that was withheld too much goes back to its payee.

A withdrawal is taxed on top of those before it. When one of them comes back, what was withheld from the later ones is
too much. The surplus goes back as soon as it lies among the taxes withheld: from what was paid at once, from what is
still on its way when it is paid. The caller holds the books.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa

from fanyong.events import publish
from fanyong.ids import new_id
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.payouts import books, quoting, tax
from tenants.payouts.models import TaxCorrection, Withdrawal
from tenants.payouts.tax import Taxed


def settle(cause: Withdrawal) -> None:
    """Give back what is withheld too much from the payee of a withdrawal that was just paid, or came back."""
    session().flush()
    drawn = _drawn(cause.member_id, cause.tax_month.year)
    for (withdrawal_id, tax_month, taxed), surplus_fen in zip(
        drawn, tax.surpluses([taxed for _id, _month, taxed in drawn]), strict=True
    ):
        if surplus_fen:
            correction = TaxCorrection(
                id=new_id(),
                member_id=cause.member_id,
                withdrawal_id=withdrawal_id,
                tax_month=tax_month,
                cause_id=cause.id,
                cause_state=cause.state,
                amount_fen=surplus_fen,
                withheld_before_fen=taxed.withheld_fen,
                booked_at=brand_now(),
            )
            session().add(correction)
            session().flush()
            books.give_tax_back(correction)
            publish("tax.given_back", correction, object_id=correction.id, amount_fen=surplus_fen)


def corrected_of(withdrawal_id: UUID) -> int:
    """Return how much of a withdrawal's tax went back to its payee."""
    query = sa.select(sa.func.coalesce(sa.func.sum(TaxCorrection.amount_fen), 0))
    return int(session().scalar(query.where(TaxCorrection.withdrawal_id == withdrawal_id)) or 0)


def corrections_of(withdrawal_id: UUID) -> list[TaxCorrection]:
    """Return what of a withdrawal's tax went back, oldest first."""
    query = sa.select(TaxCorrection).where(TaxCorrection.withdrawal_id == withdrawal_id).order_by(TaxCorrection.id)
    return list(session().scalars(query))


def _drawn(member_id: UUID, year: int) -> list[tuple[UUID, date, Taxed]]:
    """Return a payee's withdrawals of a year; empty where no tax was taken from any of them: then none can go back."""
    of_year = sa.and_(
        Withdrawal.member_id == member_id,
        Withdrawal.tax_month.between(date(year, 1, 1), date(year, 12, 1)),
        Withdrawal.state == "paid",
        Withdrawal.tax_fen > 0,
    )
    return quoting.taxed_in(member_id, year) if session().scalar(sa.select(sa.exists().where(of_year))) else []
