"""Giving promoters the tiers that the brand's structure decides on; who was moved by which figures is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from fanyong.jobs.wake import request_wake
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import PluginFailed, checked_sequence
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import once_a_transaction, session
from fanyong.values import NextTier, Tier, TierFacts, TierTraits
from tenants.promoters.facts import check_figures, facts_of, is_quick
from tenants.promoters.models import Promoter, TierChange, TierGrant, TierLook


@dataclass(frozen=True, slots=True)
class Structure:
    """A tier structure, ready to decide: its tiers and the figures that it reads."""

    active: plugins.ActivePlugin
    tiers: Sequence[Tier]
    figures: Sequence[str]

    def decide(self, facts: TierFacts) -> str | None:
        """Return the tier a member should hold; raises PluginFailed for an answer that is none."""
        wanted = self.active.ask("decide_tier", facts=facts)
        known = [tier.key for tier in self.tiers]
        if wanted is not None and not (isinstance(wanted, str) and wanted.isprintable() and wanted in known):
            raise PluginFailed(plugin=self.active.plugin.name, hook="decide_tier", error=LookupError(wanted))
        return wanted

    def rank_of(self, tier: str | None) -> int:
        """Return the rank of a tier; -1 for none, and for one of an older structure."""
        return next((known.rank for known in self.tiers if known.key == tier), -1)


def prepare(active: plugins.ActivePlugin) -> Structure:
    """Return a structure ready to decide; raises PluginFailed."""
    tiers = active.ask_many("tiers", of=Tier)
    name = active.plugin.name
    figures = checked_sequence(name, "tier_figures", active.ask("tier_figures") or (), of=str)
    try:
        check_figures(figures)
    except ValueError as error:
        raise PluginFailed(plugin=name, hook="tier_figures", error=error) from error
    return Structure(active, tiers, figures)


def current_structure() -> Structure | None:
    """Return the brand's structure, or None before one was chosen; raises PluginFailed."""
    activation = plugins.current_activation("tier_structure")
    if activation is None:
        return None
    return once_a_transaction(f"structure:{activation.id}", lambda: prepare(plugins.get_activation(activation.id)))


def traits() -> TierTraits:
    """Return what has to be known of the brand's structure; nothing special of one that does not say, or fails."""
    try:
        structure = current_structure()
        answer = structure.active.ask("tier_traits") if structure else None
    except PluginFailed:
        return TierTraits()
    return answer if isinstance(answer, TierTraits) else TierTraits()


def evaluate(promoters: Sequence[Promoter], *, because: str) -> None:
    """Give promoters, whose rows are locked, the tiers that the structure decides on.

    A plugin that raises changes nothing and is reported.
    """
    activation = plugins.current_activation("tier_structure")
    if activation is None or not promoters:
        return
    for promoter in promoters:
        promoter.evaluated_with = activation.id
    try:
        structure = current_structure()
        assert structure is not None
        facts = facts_of(promoters, figures=structure.figures)
    except PluginFailed as failure:
        plugins.record_failure(failure)
        return
    for promoter in promoters:
        try:
            tier = structure.decide(facts[promoter.member_id])
        except PluginFailed as failure:
            plugins.record_failure(failure)
            continue
        told = facts[promoter.member_id]
        if tier != promoter.tier:
            _move(promoter, to=tier, because=because, activation_id=activation.id, told=told)
        if told.granted:
            _use_grants(promoter, structure)


def look_at(promoters: Sequence[Promoter], *, because: str) -> None:
    """Look at promoters after something happened to their sales: at once, or by the job where it takes a wider view."""
    try:
        structure = current_structure()
    except PluginFailed as failure:
        plugins.record_failure(failure)
        return
    if structure is None or is_quick(structure.figures):
        evaluate(promoters, because=because)
        return
    ask_to_look([promoter.member_id for promoter in promoters], because=because)


def ask_to_look(member_ids: Sequence[UUID], *, because: str) -> None:
    """Let the job look at promoters."""
    session().add_all(TierLook(member_id=member_id, because=because) for member_id in member_ids)
    request_wake()


def next_tier(promoter: Promoter) -> NextTier | None:
    """Return the tier a promoter can reach next and how far they are; None at the top, or where nobody says."""
    try:
        structure = current_structure()
        if structure is None:
            return None
        facts = facts_of([promoter], figures=structure.figures)[promoter.member_id]
        answer = structure.active.ask("next_tier", facts=facts)
    except PluginFailed as failure:
        plugins.record_failure(failure)
        return None
    return answer if isinstance(answer, NextTier) else None


def _use_grants(promoter: Promoter, structure: Structure) -> None:
    """Mark what was opened to a promoter as used, up to the tier that is held now."""
    held = structure.rank_of(promoter.tier)
    reached = [tier.key for tier in structure.tiers if tier.rank <= held]
    session().execute(
        sa.update(TierGrant)
        .where(TierGrant.member_id == promoter.member_id, TierGrant.used_at.is_(None), TierGrant.tier.in_(reached))
        .values(used_at=brand_now())
    )


def _move(promoter: Promoter, *, to: str | None, because: str, activation_id: UUID, told: TierFacts) -> None:
    now = brand_now()
    session().add(
        TierChange(
            member_id=promoter.member_id,
            from_tier=promoter.tier,
            to_tier=to,
            because=because,
            activation_id=activation_id,
            facts=figures_told(told),
            changed_at=now,
        )
    )
    promoter.tier, promoter.tier_since = to, now


def figures_told(facts: TierFacts) -> dict[str, Any]:
    """Return the figures that decided, as they are kept with a change."""
    ever = ("own_paid_fen", "own_received_fen", "shared_paid_fen", "shared_received_fen")
    told: dict[str, Any] = {f"{name}:ever": getattr(facts, name) for name in ever}
    told |= facts.figures
    if facts.granted:
        told["granted"] = list(facts.granted)
    if facts.invited:
        told["invited"] = True
    return told
