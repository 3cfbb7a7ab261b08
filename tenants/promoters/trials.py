"""A dry run of a tier structure over everybody, in portions: who would move if it decided now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fanyong.errors import NotFound
from fanyong.ids import new_id
from fanyong.jobs.wake import request_wake
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import PluginFailed, parse_settings, registry
from fanyong.pluginhost.service import ActivePlugin
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session, unit_of_work
from fanyong.values import Tier
from tenants.members.models import Member
from tenants.promoters.facts import facts_of
from tenants.promoters.models import Promoter, TierTrial, TierTrialMove
from tenants.promoters.standing import Structure, prepare

CHUNK = 500
#: Whether `run_portion` has something to do.
TRIAL_RUNNING = "EXISTS (SELECT FROM tier_trial WHERE state = 'running')"
#: Older ones are deleted when a new one starts.
KEPT = 5


def start(name: str, values: Mapping[str, Any], *, actor: str) -> TierTrial:
    """Start a dry run of a structure with these settings, saved or not; a job works it off.

    Raises UnknownPlugin, InvalidPluginSettings or PluginFailed.
    """
    checked = plugins.validate("tier_structure", name, dict(values), tiers=())
    trial = TierTrial(
        id=new_id(),
        plugin=name,
        settings=checked.model_dump(mode="json"),
        state="running",
        total=session().scalar(sa.select(sa.func.count()).select_from(Promoter)) or 0,
        looked=0,
        moved=0,
        position=None,
        problem=None,
        started_at=brand_now(),
        started_by=actor,
        finished_at=None,
    )
    session().add(trial)
    session().flush()
    _forget_old_ones()
    request_wake()
    return trial


def get_trial(trial_id: UUID, *, lock: bool = False) -> TierTrial:
    """Return a dry run; raises NotFound."""
    trial = session().get(TierTrial, trial_id, with_for_update=lock or None, populate_existing=lock)
    if trial is None:
        raise NotFound
    return trial


def latest_trials() -> list[TierTrial]:
    """Return the dry runs that are kept, newest first."""
    return list(session().scalars(sa.select(TierTrial).order_by(TierTrial.id.desc()).limit(KEPT)))


def cancel(trial_id: UUID) -> TierTrial:
    """Stop a dry run that is under way; raises NotFound."""
    trial = get_trial(trial_id, lock=True)
    if trial.state == "running":
        trial.state, trial.finished_at = "canceled", brand_now()
    return trial


def moves(trial_id: UUID) -> sa.Select[TierTrialMove, Member]:
    """Return the query of who would move, newest members first."""
    query = sa.select(TierTrialMove, Member).join(Member, Member.id == TierTrialMove.member_id)
    return query.where(TierTrialMove.trial_id == trial_id).order_by(Member.id.desc())


def summary(trial_id: UUID) -> list[tuple[str | None, str | None, int]]:
    """Return how many would move from which tier to which, the largest groups first."""
    count = sa.func.count().label("count")
    query = (
        sa.select(TierTrialMove.from_tier, TierTrialMove.to_tier, count)
        .where(TierTrialMove.trial_id == trial_id)
        .group_by(TierTrialMove.from_tier, TierTrialMove.to_tier)
        .order_by(count.desc(), TierTrialMove.from_tier, TierTrialMove.to_tier)
    )
    return [(row.from_tier, row.to_tier, row[2]) for row in session().execute(query)]


def tier_names(trial: TierTrial) -> dict[str, str]:
    """Return what the tiers of a dry run are called; none when its plugin fails."""
    try:
        return {tier.key: str(tier.name) for tier in _active(trial).ask_many("tiers", of=Tier)}
    except PluginFailed:
        return {}


def run_portion() -> int:
    """Look at the next promoters of the oldest dry run under way; returns how many."""
    with unit_of_work():
        running = sa.select(TierTrial).where(TierTrial.state == "running").order_by(TierTrial.id).limit(1)
        trial = session().scalar(running.with_for_update(skip_locked=True))
        if trial is None:
            return 0
        try:
            return _look(trial, prepare(_active(trial)))
        except PluginFailed as failure:
            trial.state, trial.problem, trial.finished_at = "failed", failure.reason[:500], brand_now()
            return 1


def _look(trial: TierTrial, structure: Structure) -> int:
    query = sa.select(Promoter).order_by(Promoter.member_id).limit(CHUNK)
    if trial.position is not None:
        query = query.where(Promoter.member_id > trial.position)
    found = session().scalars(query).all()
    facts = facts_of(found, figures=structure.figures)
    changed = [(p, structure.decide(facts[p.member_id])) for p in found]
    moved = [
        {"trial_id": trial.id, "member_id": p.member_id, "from_tier": p.tier, "to_tier": tier}
        for p, tier in changed
        if tier != p.tier
    ]
    if moved:
        session().execute(sa.insert(TierTrialMove), moved)
    trial.looked += len(found)
    trial.moved += len(moved)
    if len(found) < CHUNK:
        trial.state, trial.finished_at = "done", brand_now()
        # Who joined meanwhile was looked at too.
        trial.total = trial.looked
    else:
        trial.position = found[-1].member_id
    return max(1, len(found))


def _active(trial: TierTrial) -> ActivePlugin:
    """Return the structure of a dry run; raises PluginFailed when it can no longer be loaded."""
    try:
        plugin = registry.get("tier_structure", trial.plugin)
        return ActivePlugin(trial.id, 0, plugin, parse_settings(plugin, trial.settings))
    except Exception as error:
        raise PluginFailed(plugin=trial.plugin, hook="settings", error=error) from error


def _forget_old_ones() -> None:
    kept = sa.select(TierTrial.id).order_by(TierTrial.id.desc()).limit(KEPT)
    session().execute(sa.delete(TierTrialMove).where(TierTrialMove.trial_id.not_in(kept)))
    session().execute(sa.delete(TierTrial).where(TierTrial.id.not_in(kept)))
