"""The versions of the compliance policy, as data: what each allows, and what it takes.

A version is never changed once it was in force, because every paid order names the one it was paid under. The newest
is in force. `docs/compliance.md` names the sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What it takes: nothing, the brand's accepted notice, a waiver of the platform; or it cannot be had.
Need = Literal["nothing", "notice", "waiver", "never"]


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the policy."""

    version: str
    #: The highest levels that need nothing, the notice, a waiver; more than the last cannot be had.
    default_levels: int
    notice_levels: int
    max_levels: int
    #: Rewards on what the downline sells or earns beyond the levels.
    team_rewards: Need
    #: Pay for a new member as such, without an order.
    head_count: Need
    #: Goods that somebody may be asked to buy before earning, in fen: without more, and with the notice about
    #: entry. Above that it takes a waiver. None is no rule.
    entry_free_fen: int | None
    entry_notice_fen: int | None


#: Oldest first. Version 2026-1 knew no plan that could reward a team or a head, and left entry to the brand.
POLICIES: tuple[Policy, ...] = (
    Policy(
        version="2026-1",
        default_levels=1,
        notice_levels=2,
        max_levels=3,
        team_rewards="never",
        head_count="never",
        entry_free_fen=None,
        entry_notice_fen=None,
    ),
    Policy(
        version="2026-2",
        default_levels=1,
        notice_levels=2,
        max_levels=3,
        team_rewards="waiver",
        head_count="never",
        entry_free_fen=10_000,
        entry_notice_fen=100_000,
    ),
)
CURRENT = POLICIES[-1]


def policy_of(version: str) -> Policy | None:
    """Return a version of the policy, or None when there was none of that name."""
    return next((policy for policy in POLICIES if policy.version == version), None)
