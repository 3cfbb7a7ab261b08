"""Who is a promoter, in which tier, and what moves them: the brand's tier structure decides on plain figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.dialects.postgresql import insert

from fanyong.errors import FanyongError
from fanyong.jobs.wake import request_wake
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.models import PluginActivation
from fanyong.pluginhost.registry import PluginFailed
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session, unit_of_work
from fanyong.values import Person, Tier, TierFacts
from tenants.members.models import Member
from tenants.promoters.models import Promoter, TierChange

Figure = Literal["own_paid_fen", "own_received_fen", "shared_paid_fen", "shared_received_fen"]
REEVALUATE_CHUNK = 200


class FreezeNeedsReason(FanyongError):
    code = "reason_missing"
    status = 422
    message = _l("Please give a reason.")


def current_structure() -> plugins.ActivePlugin | None:
    """Return the brand's tier structure, or None before one was chosen."""
    return plugins.current("tier_structure")


def tiers() -> Sequence[Tier]:
    """Return the ranks of the brand's tier structure, lowest first."""
    structure = current_structure()
    return structure.ask_many("tiers", of=Tier) if structure else ()


def tiers_to_show() -> Sequence[Tier]:
    """Return the tiers for people to read: none while the structure's plugin fails, so that pages still open."""
    try:
        return tiers()
    except PluginFailed:
        return ()


def activate_structure(name: str, values: dict[str, Any], *, actor: str) -> PluginActivation:
    """Make a tier structure the brand's own; every member is looked at anew by a job.

    Raises UnknownPlugin or InvalidPluginSettings.
    """
    activation = plugins.activate("tier_structure", name, values, tiers=(), actor=actor)
    request_wake()
    return activation


def enroll(member_id: UUID) -> Promoter:
    """Return the member's promoter row, made on the first call, with the tier the structure gives."""
    session().execute(
        insert(Promoter)
        .values(member_id=member_id, own_paid_fen=0, own_received_fen=0, shared_paid_fen=0, shared_received_fen=0)
        .on_conflict_do_nothing()
    )
    promoter = _locked(member_id)
    evaluate(promoter, because="joined")
    return promoter


def people(member_ids: Sequence[UUID], *, first_level: int) -> tuple[Person, ...]:
    """Return members as persons of an order, the first at `first_level`, each next one a level further up."""
    rows = {p.member_id: p for p in session().scalars(sa.select(Promoter).where(Promoter.member_id.in_(member_ids)))}
    return tuple(_person(member_id, rows.get(member_id), first_level + i) for i, member_id in enumerate(member_ids))


def record_sale(member_id: UUID, *, figure: Figure, amount_fen: int, because: str) -> None:
    """Add to (or, with a negative amount, take from) what a promoter sold, and look at the tier again."""
    promoter = _locked_or_none(member_id) or enroll(member_id)
    setattr(promoter, figure, getattr(promoter, figure) + amount_fen)
    evaluate(promoter, because=because)


def evaluate(promoter: Promoter, *, because: str) -> None:
    """Give a promoter the tier the structure decides on; a plugin that raises changes nothing and is reported."""
    activation = plugins.current_activation("tier_structure")
    if activation is None:
        return
    promoter.evaluated_with = activation.id
    try:
        structure = plugins.get_activation(activation.id)
        known = [tier.key for tier in structure.ask_many("tiers", of=Tier)]
        wanted = structure.ask("decide_tier", facts=_facts(promoter))
        if wanted is not None and not (isinstance(wanted, str) and wanted.isprintable() and wanted in known):
            raise PluginFailed(plugin=structure.plugin.name, hook="decide_tier", error=LookupError(wanted))
    except PluginFailed as failure:
        plugins.record_failure(failure)
        return
    if wanted != promoter.tier:
        _move(promoter, to=wanted, because=because, activation_id=structure.activation_id)


def reevaluate_stale() -> int:
    """Look again at promoters whose tier was decided by an older structure; returns how many."""
    with unit_of_work():
        activation = plugins.current_activation("tier_structure")
        if activation is None:
            return 0
        stale = session().scalars(_stale(activation.id).limit(REEVALUATE_CHUNK)).all()
        for promoter in stale:
            evaluate(promoter, because="structure")
        return len(stale)


def stale_count() -> int:
    """Return how many promoters wait to be looked at by the present structure."""
    activation = plugins.current_activation("tier_structure")
    if activation is None:
        return 0
    condition = Promoter.evaluated_with.is_distinct_from(activation.id)
    return session().scalar(sa.select(sa.func.count()).select_from(Promoter).where(condition)) or 0


def freeze(member_id: UUID, *, reason: str) -> None:
    """Stop a promoter from earning and withdrawing; raises FreezeNeedsReason."""
    if not reason.strip():
        raise FreezeNeedsReason
    promoter = _locked(member_id)
    promoter.frozen_at, promoter.frozen_reason = brand_now(), reason.strip()


def unfreeze(member_id: UUID) -> None:
    """Let a frozen promoter earn and withdraw again."""
    promoter = _locked(member_id)
    promoter.frozen_at = promoter.frozen_reason = None


def get_promoter(member_id: UUID) -> Promoter | None:
    """Return a member's promoter row, or None."""
    return session().get(Promoter, member_id)


def promoters(*, search: str = "") -> sa.Select[Promoter, Member]:
    """Return the query of promoters with their members, newest first, filtered by nickname or openid."""
    query = sa.select(Promoter, Member).join(Member).order_by(Member.id.desc())
    if search:
        query = query.where(
            sa.or_(
                Member.nickname.icontains(search, autoescape=True),
                Member.openid.contains(search, autoescape=True),
            )
        )
    return query


def tier_history(member_id: UUID) -> list[TierChange]:
    """Return a promoter's tier changes, newest first."""
    query = sa.select(TierChange).where(TierChange.member_id == member_id).order_by(TierChange.id.desc())
    return list(session().scalars(query))


def _person(member_id: UUID, promoter: Promoter | None, level: int) -> Person:
    tier = promoter.tier if promoter else None
    return Person(member_id, level, tier, frozen=bool(promoter and promoter.frozen_at))


def _facts(promoter: Promoter) -> TierFacts:
    return TierFacts(
        member_id=promoter.member_id,
        tier=promoter.tier,
        own_paid_fen=promoter.own_paid_fen,
        own_received_fen=promoter.own_received_fen,
        shared_paid_fen=promoter.shared_paid_fen,
        shared_received_fen=promoter.shared_received_fen,
    )


def _move(promoter: Promoter, *, to: str | None, because: str, activation_id: UUID) -> None:
    now = brand_now()
    session().add(
        TierChange(
            member_id=promoter.member_id,
            from_tier=promoter.tier,
            to_tier=to,
            because=because,
            activation_id=activation_id,
            changed_at=now,
        )
    )
    promoter.tier, promoter.tier_since = to, now


def _locked(member_id: UUID) -> Promoter:
    return session().get_one(Promoter, member_id, with_for_update=True, populate_existing=True)


def _locked_or_none(member_id: UUID) -> Promoter | None:
    return session().get(Promoter, member_id, with_for_update=True, populate_existing=True)


def _stale(activation_id: UUID) -> sa.Select[Promoter]:
    return (
        sa.select(Promoter)
        .where(Promoter.evaluated_with.is_distinct_from(activation_id))
        .order_by(Promoter.member_id)
        .with_for_update(skip_locked=True)
    )
