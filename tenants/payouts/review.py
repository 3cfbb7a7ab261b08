"""What is known of a withdrawal when the rules against money laundering look at it, and the watch list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from fanyong.errors import NotFound
from fanyong.ids import new_id
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.commissions.models import Award
from tenants.members.models import Member
from tenants.orders.models import Order
from tenants.payouts import books
from tenants.payouts.errors import RejectNeedsReason
from tenants.payouts.models import CAME_BACK, PayeeAccount, WatchEntry, Withdrawal
from tenants.payouts.screening import BuyerShare, Earlier, WithdrawalFacts

#: How far back the rules look; the longest window a rule can have, and every calendar month.
LOOK_BACK = timedelta(days=31)
#: Of a promoter with very many, the newest commissions tell enough; a withdrawal must not wait for all of them.
MOST_AWARDS = 5_000
MOST_BUYERS = 200


def gather(
    member: Member, *, amount_fen: int, at: datetime, payee: PayeeAccount | None, device_id: str | None
) -> WithdrawalFacts:
    """Return the facts about a withdrawal that is requested now, but for `refreshed`."""
    fingerprints = _fingerprints(member.id)
    devices = _devices(member.id, device_id)
    total, tied = _buyers(member.id, since=at - LOOK_BACK, fingerprints=fingerprints, devices=devices)
    return WithdrawalFacts(
        amount_fen=amount_fen,
        at=at,
        last_release_at=books.last_release_at(member.id),
        member_since=member.joined_at,
        account_since=payee.created_at if payee else None,
        commission_fen=total,
        tied_buyers=tied,
        watched=_watched(member.id, payee, device_id),
    )


def refreshed(
    facts: WithdrawalFacts, member_id: UUID, *, payee: PayeeAccount | None, device_id: str | None
) -> WithdrawalFacts:
    """Return the facts as of now, with the withdrawals before this one; with the books locked none is missing.

    What was requested while this request waited for the books came before it, so the moment is a new one too.
    """
    now = brand_now()
    same_account = PayeeAccount.fingerprint == payee.fingerprint if payee else None
    same_device = Withdrawal.device_id == device_id if device_id else None
    return replace(
        facts,
        at=now,
        earlier=_earlier(member_id, since=now - LOOK_BACK),
        account_promoters=_sharers(same_account, PayeeAccount.member_id, member_id),
        device_promoters=_sharers(same_device, Withdrawal.member_id, member_id),
    )


def watch(kind: str, value: str, *, shown: str, note: str, actor: str) -> WatchEntry:
    """Put somebody or something on the watch list, once; raises RejectNeedsReason without a note."""
    if not note.strip():
        raise RejectNeedsReason
    present = session().scalar(
        sa.select(WatchEntry).where(WatchEntry.kind == kind, WatchEntry.value == value, WatchEntry.removed_at.is_(None))
    )
    if present is not None:
        return present
    entry = WatchEntry(
        id=new_id(),
        kind=kind,
        value=value,
        shown=shown,
        note=note.strip()[:200],
        added_at=brand_now(),
        added_by=actor,
    )
    session().add(entry)
    session().flush()
    return entry


def unwatch(entry_id: UUID, *, actor: str) -> WatchEntry:
    """Take an entry off the list; it is kept with who did it. Raises NotFound."""
    entry = session().get(WatchEntry, entry_id, with_for_update=True)
    if entry is None:
        raise NotFound
    if entry.removed_at is None:
        entry.removed_at, entry.removed_by = brand_now(), actor
    return entry


def watch_list() -> sa.Select[WatchEntry]:
    """Return the query of the present watch list, newest first."""
    return sa.select(WatchEntry).where(WatchEntry.removed_at.is_(None)).order_by(WatchEntry.id.desc())


def _earlier(member_id: UUID, *, since: datetime) -> tuple[Earlier, ...]:
    rows = session().execute(
        sa.select(Withdrawal.requested_at, Withdrawal.amount_fen).where(
            Withdrawal.member_id == member_id,
            Withdrawal.requested_at > since,
            Withdrawal.state.not_in(CAME_BACK),
        )
    )
    return tuple(Earlier(at, fen) for at, fen in rows)


def _sharers(same: sa.ColumnElement[bool] | None, owner: sa.orm.InstrumentedAttribute[UUID], member_id: UUID) -> int:
    """Return how many promoters share something, this one included."""
    if same is None:
        return 1
    others = session().scalar(sa.select(sa.func.count(sa.distinct(owner))).where(same, owner != member_id))
    return 1 + (others or 0)


def _fingerprints(member_id: UUID) -> Sequence[str]:
    query = sa.select(PayeeAccount.fingerprint).where(PayeeAccount.member_id == member_id).distinct()
    return session().scalars(query).all()


def _devices(member_id: UUID, device_id: str | None) -> Sequence[str]:
    query = sa.select(Withdrawal.device_id).where(Withdrawal.member_id == member_id, Withdrawal.device_id.is_not(None))
    found = {device for device in session().scalars(query.distinct()) if device}
    return sorted(found | ({device_id} if device_id else set()))


def _buyers(
    member_id: UUID, *, since: datetime, fingerprints: Sequence[str], devices: Sequence[str]
) -> tuple[int, tuple[BuyerShare, ...]]:
    """Return all recent commissions of a promoter, and those on orders of buyers who are tied to the promoter."""
    recent = (
        sa.select(Award.order_id, Award.amount_fen)
        .where(Award.beneficiary_id == member_id, Award.awarded_at > since)
        .order_by(Award.id.desc())
        .limit(MOST_AWARDS)
        .cte("recent")
    )
    shares = (
        sa.select(Order.member_id.label("buyer"), sa.cast(sa.func.sum(recent.c.amount_fen), sa.BigInteger).label("fen"))
        .join(Order, Order.id == recent.c.order_id)
        .group_by(Order.member_id)
        .cte("shares")
    )
    person = shares.c.buyer == member_id
    account = sa.exists().where(
        PayeeAccount.member_id == shares.c.buyer, PayeeAccount.fingerprint.in_(list(fingerprints))
    )
    device = sa.exists().where(Withdrawal.member_id == shares.c.buyer, Withdrawal.device_id.in_(list(devices)))
    back = sa.exists().where(
        Order.member_id == member_id,
        Order.paid_at > since,
        Award.order_id == Order.id,
        Award.beneficiary_id == shares.c.buyer,
        shares.c.buyer != member_id,
    )
    rows = session().execute(
        sa.select(shares.c.buyer, shares.c.fen, person, account, device, back)
        .where(sa.or_(person, account, device, back))
        .order_by(shares.c.fen.desc())
        .limit(MOST_BUYERS)
    )
    tied = tuple(BuyerShare(*row) for row in rows)
    total = session().scalar(sa.select(sa.cast(sa.func.coalesce(sa.func.sum(recent.c.amount_fen), 0), sa.BigInteger)))
    return total or 0, tied


def _watched(member_id: UUID, payee: PayeeAccount | None, device_id: str | None) -> tuple[str, ...]:
    values = {("member", member_id.hex)}
    values |= {("account", payee.fingerprint)} if payee else set()
    values |= {("device", device_id)} if device_id else set()
    query = sa.select(WatchEntry.kind).where(
        WatchEntry.removed_at.is_(None), sa.tuple_(WatchEntry.kind, WatchEntry.value).in_(sorted(values))
    )
    return tuple(sorted(session().scalars(query)))
