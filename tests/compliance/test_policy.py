"""The policy as data: its versions, team rewards, pay for heads, purchases to join, and the waivers of each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask_babel import force_locale

from fanyong.compliance import service as compliance
from fanyong.compliance.models import Waiver
from fanyong.compliance.policies import CURRENT, POLICIES, policy_of
from fanyong.compliance.service import BadWaiver, EntryNotAllowed, HeadCountNotAllowed, TeamNotAllowed
from fanyong.hooks import hookimpl
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import PluginFailed, registry
from fanyong.tenancy.clock import brand_now, set_test_clock
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session, unit_of_work
from fanyong.values import PlanTraits, TierTraits
from tenants.commissions import service as commissions
from tenants.promoters import service as promoters
from tests.conftest import Brand
from tests.pluginhost.conftest import Plan, Tiers

DAY = timedelta(days=1)


class Rich(Plan):
    """A plan that says of itself what it is told."""

    name = "a_rich_plan"
    traits: Any = PlanTraits(levels=1)

    @hookimpl
    def plan_traits(self, settings: Any) -> Any:
        return self.traits


class Costly(Tiers):
    """A structure that asks for a purchase before somebody may earn."""

    name = "a_costly_structure"
    join_purchase_fen: Any = 0

    @hookimpl
    def tier_traits(self, settings: Any) -> Any:
        return TierTraits(join_purchase_fen=self.join_purchase_fen)


@pytest.fixture
def install() -> Iterator[Callable[[Any], Any]]:
    """Put a plugin next to the built-in ones until the test ends."""
    names: list[str] = []

    def add(plugin: Any) -> Any:
        registry.register(plugin)
        names.append(plugin.name)
        return plugin

    yield add
    for name in names:
        registry.unregister(name)


def grant(tenant: Tenant, kind: Any, *, days: int = 5, levels: int | None = None) -> Waiver:
    with unit_of_work():
        return compliance.grant_waiver(
            tenant_id=tenant.id, kind=kind, levels=levels, reason="r", ends_at=brand_now() + days * DAY, actor="x"
        )


def activate(name: str = "a_rich_plan") -> None:
    with unit_of_work():
        commissions.activate_plan(name, {}, actor="test")


def test_old_versions_stay_readable() -> None:
    assert [policy.version for policy in POLICIES] == ["2026-1", "2026-2"]
    first = policy_of("2026-1")
    assert first is not None
    assert (first.default_levels, first.notice_levels, first.max_levels, first.team_rewards) == (1, 2, 3, "never")
    assert policy_of("1999-1") is None
    assert compliance.POLICY_VERSION == CURRENT.version == "2026-2"


def test_team_rewards_need_a_waiver_of_their_own(inside: Tenant, install: Callable[[Any], Any]) -> None:
    install(Rich(traits=PlanTraits(levels=1, team_rewards=True)))
    with pytest.raises(TeamNotAllowed) as refused:
        activate()
    session().rollback()
    with force_locale("en"):
        assert "Rule “team rewards” of the compliance policy 2026-2" in refused.value.text
    grant(inside, "levels", levels=3)
    grant(inside, "entry")
    assert not compliance.team_allowed()
    with pytest.raises(TeamNotAllowed):
        activate()
    session().rollback()
    waiver = grant(inside, "team")
    assert compliance.team_allowed()
    activate()
    assert not compliance.team_allowed(at=waiver.ends_at)
    assert compliance.team_allowed(at=waiver.ends_at - timedelta(seconds=1))
    with unit_of_work():
        compliance.revoke_waiver(tenant_id=inside.id, waiver_id=waiver.id, actor="x")
    assert not compliance.team_allowed()


def test_a_waiver_for_the_team_ends_by_the_brands_clock_and_is_for_one_brand(
    other_brand: Brand, inside: Tenant
) -> None:
    grant(other_brand.tenant, "team")
    assert not compliance.team_allowed()
    grant(inside, "team", days=2)
    with unit_of_work():
        set_test_clock(offset_seconds=3 * 86_400, actor="test")
    assert not compliance.team_allowed()


def test_nobody_can_permit_pay_for_heads(inside: Tenant, install: Callable[[Any], Any]) -> None:
    install(Rich(traits=PlanTraits(levels=0, head_count=True)))
    for kind in ("team", "entry"):
        grant(inside, kind)
    grant(inside, "levels", levels=3)
    with pytest.raises(HeadCountNotAllowed) as refused:
        activate()
    with force_locale("en"):
        assert "Rule “no pay for recruiting”" in refused.value.text


def test_all_findings_are_told_at_once(inside: Tenant) -> None:
    found = compliance.plan_findings(PlanTraits(levels=3, team_rewards=True, head_count=True))
    assert [(each.rule, each.problem is None) for each in found] == [
        ("levels", False),
        ("team_rewards", False),
        ("head_count", False),
    ]
    assert all(each.problem is None for each in compliance.plan_findings(PlanTraits(levels=1)))


@pytest.mark.parametrize("answer", [1, "levels", {"levels": 1}])
def test_traits_of_the_wrong_kind_are_a_failure(inside: Tenant, install: Callable[[Any], Any], answer: Any) -> None:
    install(Rich(traits=answer))
    with pytest.raises(PluginFailed, match="plan_traits"):
        activate()


@pytest.mark.parametrize(
    ("asked_fen", "notice", "waiver", "allowed"),
    [
        (0, False, False, True),
        (10_000, False, False, True),
        (10_001, False, False, False),
        (10_001, True, False, True),
        (100_000, True, False, True),
        (100_001, True, False, False),
        (100_001, False, True, True),
        (10**9, True, True, True),
    ],
)
def test_a_purchase_to_join_is_an_entry_fee_from_a_limit_on(
    inside: Tenant, install: Callable[[Any], Any], asked_fen: int, notice: bool, waiver: bool, allowed: bool
) -> None:
    install(Costly(join_purchase_fen=asked_fen))
    if notice:
        with unit_of_work():
            compliance.accept_notice(actor="a", kind="entry")
    if waiver:
        grant(inside, "entry")
    if allowed:
        with unit_of_work():
            promoters.activate_structure("a_costly_structure", {}, actor="test")
        current = plugins.current_activation("tier_structure")
        assert current is not None
        assert current.plugin == "a_costly_structure"
        return
    with pytest.raises(EntryNotAllowed) as refused, unit_of_work():
        promoters.activate_structure("a_costly_structure", {}, actor="test")
    with force_locale("en"):
        assert "Rule “entry fee” of the compliance policy 2026-2" in refused.value.text


def test_the_notices_are_two(inside: Tenant) -> None:
    with unit_of_work():
        compliance.accept_notice(actor="a", kind="entry")
    assert compliance.levels_allowed() == 1
    assert compliance.entry_allowed_fen() == CURRENT.entry_notice_fen
    with unit_of_work():
        compliance.accept_notice(actor="a")
    assert compliance.levels_allowed() == 2


@pytest.mark.parametrize(("kind", "levels"), [("team", 2), ("entry", 3), ("levels", None), ("other", None)])
def test_only_a_waiver_for_levels_counts_them(inside: Tenant, kind: Any, levels: int | None) -> None:
    with pytest.raises(BadWaiver):
        grant(inside, kind, levels=levels)
    session().rollback()
    assert compliance.waivers(inside.id) == []


@pytest.mark.parametrize(("kind", "levels"), [("team", 2), ("levels", None), ("other", None)])
def test_the_database_keeps_waivers_in_form(inside: Tenant, kind: str, levels: int | None) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="ck_level_waiver_"), unit_of_work():
        session().add(
            Waiver(tenant_id=inside.id, kind=kind, levels=levels, reason="r", ends_at=brand_now(), granted_by="x")
        )
