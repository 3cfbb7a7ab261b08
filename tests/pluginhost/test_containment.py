"""A plugin that fails, or is gone, costs its own answer and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel, ConfigDict

from fanyong.hooks import hookimpl
from fanyong.ids import new_id
from fanyong.pluginhost import service
from fanyong.pluginhost.registry import PluginFailed, registry
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import unit_of_work
from fanyong.tenancy.runtime import in_tenant
from fanyong.values import LineFacts, OrderFacts, Person, Tier
from tenants.api.auth import make_token
from tenants.commissions import processing
from tenants.commissions import service as commissions
from tenants.members import service as members
from tenants.promoters import sales
from tenants.promoters import service as promoters
from tests.conftest import Brand, csrf_token
from tests.pluginhost.conftest import Plan, Tiers

Install = Callable[[Any], Any]


class Moody(Plan):
    """Fails when it is told to."""

    mood = "well"

    @hookimpl
    def propose_awards(self, settings: Any, facts: OrderFacts) -> Any:
        if self.mood == "raise":
            raise RuntimeError("not today")
        return "nonsense" if self.mood == "nonsense" else []


def queue_an_order() -> None:
    """Queue the commissions of an order that was paid."""
    line = LineFacts(uuid4(), sku="x", category="", quantity=1, paid_fen=100)
    facts = OrderFacts(uuid4(), datetime.now(UTC), (line,), Person(uuid4(), 0, None), (), levels_allowed=1)
    with unit_of_work():
        plan = commissions.current_plan()
        assert plan is not None
        commissions.queue_paid(facts, plan_version_id=plan.activation_id)


def test_a_plan_that_fails_is_recorded_and_its_order_waits(inside: Tenant, install: Install) -> None:
    plan = install(Moody())
    with unit_of_work():
        commissions.activate_plan("a_plan", {}, actor="test")
    for mood in ("raise", "nonsense"):
        plan.mood = mood
        queue_an_order()
        assert processing.process_portion() == 1
    assert processing.process_portion() == 0, "what has failed waits for its time"
    assert commissions.open_work() == 2
    assert [work.try_count for work in commissions.failing_work()] == [1, 1]
    first, second = service.open_failures()
    assert (second.plugin, second.hook) == ("a_plan", "propose_awards")
    assert "RuntimeError" in second.error or "not today" in second.error
    assert first.hook == "propose_awards"

    plan.mood = "well"
    with unit_of_work():
        commissions.retry_failing_work()
    while processing.process_portion():
        pass
    assert commissions.open_work() == 0
    with unit_of_work():
        service.settle_failures()
    assert service.open_failures() == []


def test_a_plan_that_was_taken_out_makes_its_orders_wait_and_others_go_on(inside: Tenant, install: Install) -> None:
    plan = install(Moody())
    with unit_of_work():
        commissions.activate_plan("a_plan", {}, actor="test")
    queue_an_order()
    registry.unregister("a_plan")
    assert processing.process_portion() == 1
    assert [work.error for work in commissions.failing_work()] != []
    with unit_of_work():
        commissions.activate_plan("plan_levels", {}, actor="test")
    queue_an_order()
    assert processing.process_portion() == 1
    assert commissions.open_work() == 1, "the order of the plan that is there was worked off"
    install(plan)
    with unit_of_work():
        commissions.retry_failing_work()
    assert processing.process_portion() == 1
    assert commissions.open_work() == 0


class Stricter(BaseModel):
    """Settings of a later version that lost a field: the mistake the page warns of."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def test_settings_that_a_later_version_refuses_are_a_failure_and_no_crash(inside: Tenant, install: Install) -> None:
    plan = install(Moody())
    with unit_of_work():
        activation = commissions.activate_plan("a_plan", {}, actor="test")
    plan.settings_model = Stricter
    with pytest.raises(PluginFailed, match="a_plan"):
        service.get_activation(activation.id)


class MoodyTiers(Tiers):
    """Decides on tiers, or does not."""

    mood = "well"

    @hookimpl
    def tiers(self, settings: Any) -> Any:
        if self.mood == "raise":
            raise RuntimeError("not today")
        return [Tier("one", "One", 0)]

    @hookimpl
    def decide_tier(self, settings: Any, facts: Any) -> str | None:
        if self.mood == "refuse":
            raise RuntimeError("not today")
        return "no-such-tier" if self.mood == "unknown" else "one"


@pytest.mark.parametrize(("mood", "hook"), [("raise", "tiers"), ("refuse", "decide_tier"), ("unknown", "decide_tier")])
def test_a_structure_that_fails_leaves_everybody_where_they_are(
    inside: Tenant, install: Install, mood: str, hook: str
) -> None:
    structure = install(MoodyTiers())
    with unit_of_work():
        promoters.activate_structure("a_structure", {}, actor="test")
        member, _ = members.register("o-1", nickname="one")
        assert promoters.enroll(member.id).tier == "one"
    structure.mood = mood
    with unit_of_work():
        sales.record_paid(new_id(), member_id=member.id, upline=(), paid_at=brand_now(), amount_fen=100, because="test")
    promoter = promoters.get_promoter(member.id)
    assert promoter is not None
    assert (promoter.tier, promoter.own_paid_fen) == ("one", 100)
    assert [failure.hook for failure in service.open_failures()] == [hook]


PAGES = ("/", "/console/", "/console/plan", "/console/tiers", "/console/orders", "/console/promoters")


@pytest.mark.parametrize("how", ["gone", "raises"])
def test_the_pages_of_a_brand_whose_plugins_fail_still_open(
    app: Flask, brand: Brand, install: Install, login_as: Callable[..., FlaskClient], how: str
) -> None:
    plan, structure = install(Moody()), install(MoodyTiers())
    with app.test_request_context(), in_tenant(brand.tenant), unit_of_work():
        promoters.activate_structure("a_structure", {}, actor="test")
        commissions.activate_plan("a_plan", {}, actor="test")
        member, _ = members.register("o-1", nickname="one")
        promoters.enroll(member.id)
        headers = {"Authorization": f"Bearer {make_token(member.id)}"}
    client = login_as(brand)
    plan.mood = structure.mood = "raise"
    if how == "gone":
        registry.unregister("a_plan")
        registry.unregister("a_structure")
    assert {path: client.get(path).status_code for path in PAGES} == dict.fromkeys(PAGES, 200)
    assert client.get("/api/v1/promoter", headers=headers).status_code == 200
    # And there is a way out: another structure, then another plan.
    for page, plugin in (("/console/tiers", "tiers_flat"), ("/console/plan", "plan_levels")):
        fields = {"plugin": plugin, "settings_json": "{}", "csrf_token": csrf_token(client, page)}
        assert client.post(page, data=fields).status_code == 303
