"""Who is a promoter and in which tier: the brand's tier structure decides on plain figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
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
from fanyong.values import Person, Tier
from tenants.members.models import Member
from tenants.promoters.days import day_of, month_of
from tenants.promoters.facts import month_sales
from tenants.promoters.models import Promoter, TierChange
from tenants.promoters.standing import evaluate

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
    evaluate([promoter], because="joined")
    return promoter


def look_again(member_id: UUID, *, because: str) -> Promoter:
    """Return the member's promoter row after the structure has looked at it again."""
    promoter = lock([member_id])[0]
    evaluate([promoter], because=because)
    return promoter


def lock(member_ids: Sequence[UUID]) -> list[Promoter]:
    """Return promoters, made where there are none, locked in the order of their ids."""
    wanted = sorted(set(member_ids))
    query = sa.select(Promoter).where(Promoter.member_id.in_(wanted)).order_by(Promoter.member_id)
    found = {
        promoter.member_id: promoter
        for promoter in session().scalars(query.with_for_update().execution_options(populate_existing=True))
    }
    return [found.get(member_id) or enroll(member_id) for member_id in wanted]


def people(member_ids: Sequence[UUID], *, first_level: int, paid_at: datetime | None = None) -> tuple[Person, ...]:
    """Return members as persons of an order paid at a moment, the first at `first_level`, each next further up."""
    if not member_ids:
        return ()
    rows = {p.member_id: p for p in session().scalars(sa.select(Promoter).where(Promoter.member_id.in_(member_ids)))}
    ranks = {tier.key: tier.rank for tier in tiers_to_show() if isinstance(tier.key, str)}
    sold = month_sales(member_ids, span=month_of(day_of(paid_at or brand_now())))
    return tuple(
        _person(member_id, rows.get(member_id), level=level, ranks=ranks, month_fen=sold.get(member_id, 0))
        for level, member_id in enumerate(member_ids, start=first_level)
    )


def agents(regions: Mapping[UUID, str], *, paid_at: datetime) -> tuple[Person, ...]:
    """Return the agents of an order's region, by member with the region each stands for, as persons of level 0."""
    found = people(list(regions), first_level=0, paid_at=paid_at)
    return tuple(replace(person, level=0, region=regions[person.member_id]) for person in found)


#: Whether `reevaluate_stale` has something to do. Two ends of an index tell it, however many promoters there are.
TIERS_STALE = """
    EXISTS (SELECT FROM (
        (SELECT evaluated_with FROM promoter ORDER BY evaluated_with LIMIT 1)
        UNION ALL (SELECT evaluated_with FROM promoter ORDER BY evaluated_with DESC LIMIT 1)) AS ends
     WHERE evaluated_with IS DISTINCT FROM
           (SELECT id FROM plugin_activation WHERE kind = 'tier_structure' AND state = 'active'))
    OR EXISTS (SELECT FROM plugin_activation WHERE kind = 'tier_structure' AND state = 'scheduled'
                  AND effective_at <= clock.brand_now)"""


def reevaluate_stale() -> int:
    """Look again at promoters whose tier was decided by an older structure; returns how many."""
    with unit_of_work():
        stale = _stale_condition()
        if stale is None:
            return 0
        query = sa.select(Promoter).where(stale).order_by(Promoter.member_id).limit(REEVALUATE_CHUNK)
        found = session().scalars(query.with_for_update(skip_locked=True)).all()
        evaluate(found, because="structure")
        return len(found)


def stale_count() -> int:
    """Return how many promoters wait to be looked at by the present structure."""
    stale = _stale_condition()
    if stale is None:
        return 0
    return session().scalar(sa.select(sa.func.count()).select_from(Promoter).where(stale)) or 0


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


def promoters(*, search: str = "", tier: str = "") -> sa.Select[Promoter, Member]:
    """Return the query of promoters with their members, newest first, filtered by tier and nickname or openid."""
    query = sa.select(Promoter, Member).join(Member).order_by(Member.id.desc())
    if tier:
        query = query.where(Promoter.tier == tier)
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


def _person(
    member_id: UUID, promoter: Promoter | None, *, level: int, ranks: Mapping[str, int], month_fen: int
) -> Person:
    tier = promoter.tier if promoter else None
    frozen = bool(promoter and promoter.frozen_at)
    return Person(member_id, level, tier, frozen=frozen, rank=ranks.get(tier or "", 0), month_fen=month_fen)


def _stale_condition() -> sa.ColumnElement[bool] | None:
    activation = plugins.current_activation("tier_structure")
    return None if activation is None else Promoter.evaluated_with.is_distinct_from(activation.id)


def _locked(member_id: UUID) -> Promoter:
    return session().get_one(Promoter, member_id, with_for_update=True, populate_existing=True)
