"""What promoters owe after refunds of money that is gone: the list, and giving a debt up."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from fanyong.errors import IdempotencyMismatch, NotFound
from fanyong.events import publish
from fanyong.ids import new_id
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.web.money import yuan
from tenants.ledger import service as ledger
from tenants.members.models import Member
from tenants.payouts import books
from tenants.payouts.errors import NoDebt, RejectNeedsReason
from tenants.payouts.models import DebtWriteOff


def debtors(*, search: str = "") -> sa.Select[Member, int]:
    """Return the query of members with what they owe, the largest debt first."""
    owed = books.debts().subquery()
    query = sa.select(Member, owed.c.balance_fen).join(owed, owed.c.owner_id == Member.id)
    if search:
        query = query.where(Member.nickname.icontains(search, autoescape=True))
    return query.order_by(owed.c.balance_fen.desc(), Member.id)


def write_off(member_id: UUID, *, amount_fen: int, reason: str, idempotency_key: str, actor: str) -> DebtWriteOff:
    """Give up `amount_fen` of a promoter's debt at the brand's expense; the same key again gives nothing more up.

    Raises NotFound, RejectNeedsReason, IdempotencyMismatch, or NoDebt when less is owed.
    """
    if session().get(Member, member_id) is None:
        raise NotFound
    if not reason.strip():
        raise RejectNeedsReason
    ledger.lock_books()
    known = session().scalar(
        sa.select(DebtWriteOff).where(
            DebtWriteOff.member_id == member_id, DebtWriteOff.idempotency_key == idempotency_key
        )
    )
    if known is not None:
        if known.amount_fen != amount_fen:
            raise IdempotencyMismatch
        return known
    owed = books.debt_of(member_id)
    if not 0 < amount_fen <= owed:
        raise NoDebt(debt=yuan(owed))
    given_up = DebtWriteOff(
        id=new_id(),
        member_id=member_id,
        amount_fen=amount_fen,
        idempotency_key=idempotency_key,
        reason=reason.strip()[:200],
        written_off_at=brand_now(),
        written_off_by=actor,
    )
    session().add(given_up)
    session().flush()
    books.write_off(given_up)
    publish("debt.written_off", given_up, object_id=given_up.id, amount_fen=amount_fen)
    return given_up


def write_offs() -> sa.Select[DebtWriteOff, Member]:
    """Return the query of debts given up with their members, newest first."""
    return (
        sa.select(DebtWriteOff, Member)
        .join(Member, Member.id == DebtWriteOff.member_id)
        .order_by(DebtWriteOff.id.desc())
    )
