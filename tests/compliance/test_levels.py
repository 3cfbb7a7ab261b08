"""How many levels a brand may pay: by default, by the notice, by a waiver, and what happens above that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_babel import force_locale

from fanyong.compliance import service as compliance
from fanyong.compliance.models import Waiver
from fanyong.compliance.service import BadWaiver, TooManyLevels
from fanyong.hooks import hookimpl
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import registry
from fanyong.tenancy.clock import brand_now, set_test_clock
from fanyong.tenancy.context import Tenant, tenant_scope
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.models import AuditEntry
from fanyong.tenancy.settings import load
from fanyong.values import AwardProposal, OrderFacts
from tenants.commissions import processing
from tenants.commissions import service as commissions
from tests.conftest import Brand
from tests.money.parts import Till, open_till
from tests.pluginhost.conftest import Plan

NOW = datetime.now(UTC)


def plan_of(*levels: int) -> dict[str, object]:
    """Return settings of a plan that pays so many levels."""
    return {"rates": [{"level": level, "rate_bp": 500} for level in levels]}


def grant(tenant: Tenant, levels: int, *, days: float = 30) -> Waiver:
    with unit_of_work():
        return compliance.grant_waiver(
            tenant_id=tenant.id,
            levels=levels,
            reason="a letter of the lawyers",
            ends_at=NOW + timedelta(days=days),
            actor="staff:root@example.com",
        )


def accept() -> None:
    with unit_of_work():
        compliance.accept_notice(actor="admin:a@example.com")


@pytest.mark.parametrize(
    ("noticed", "waived", "allowed"),
    [(False, None, 1), (True, None, 2), (False, 2, 2), (False, 3, 3), (True, 2, 2), (True, 3, 3)],
)
def test_levels_by_notice_and_waiver(inside: Tenant, noticed: bool, waived: int | None, allowed: int) -> None:
    if noticed:
        accept()
    if waived:
        grant(inside, waived)
    assert compliance.levels_allowed() == allowed
    for wanted in range(5):
        if wanted <= allowed:
            compliance.check_levels(wanted)
        else:
            with pytest.raises(TooManyLevels):
                compliance.check_levels(wanted)


def test_the_highest_of_several_waivers_counts_while_it_lasts(inside: Tenant) -> None:
    grant(inside, 3, days=1)
    grant(inside, 2, days=10)
    assert compliance.levels_allowed() == 3
    with unit_of_work():
        set_test_clock(offset_seconds=2 * 86_400, actor="test")
    assert compliance.levels_allowed() == 2
    with unit_of_work():
        set_test_clock(offset_seconds=11 * 86_400, actor="test")
    assert compliance.levels_allowed() == 1


def test_a_waiver_ends_at_its_moment_by_the_brands_clock(inside: Tenant) -> None:
    waiver = grant(inside, 3, days=5)
    left = int((waiver.ends_at - brand_now()).total_seconds())
    with unit_of_work():
        set_test_clock(offset_seconds=left - 60, actor="test")
    assert compliance.levels_allowed() == 3
    with unit_of_work():
        set_test_clock(offset_seconds=left + 60, actor="test")
    assert compliance.levels_allowed() == 1


def test_a_waiver_is_for_one_brand(other_brand: Brand, inside: Tenant) -> None:
    waiver = grant(other_brand.tenant, 3)
    assert compliance.levels_allowed() == 1
    with unit_of_work():
        compliance.revoke_waiver(tenant_id=inside.id, waiver_id=waiver.id, actor="x")
    assert [w.revoked_at for w in compliance.waivers(other_brand.tenant.id)] == [None], "revoked through another brand"


def test_a_revoked_waiver_is_over_at_once_and_stays_so(inside: Tenant) -> None:
    waiver = grant(inside, 3)
    with unit_of_work():
        compliance.revoke_waiver(tenant_id=inside.id, waiver_id=waiver.id, actor="staff:x")
    assert compliance.levels_allowed() == 1
    (row,) = compliance.waivers(inside.id)
    first = row.revoked_at
    with unit_of_work():
        compliance.revoke_waiver(tenant_id=inside.id, waiver_id=waiver.id, actor="staff:y")
        compliance.revoke_waiver(tenant_id=inside.id, waiver_id=uuid4(), actor="staff:y")
    assert [w.revoked_at for w in compliance.waivers(inside.id)] == [first]
    query = (
        sa.select(AuditEntry.action, AuditEntry.actor).where(AuditEntry.tenant_id == inside.id).order_by(AuditEntry.id)
    )
    assert [tuple(row) for row in session().execute(query)][1:] == [
        ("waiver.granted", "staff:root@example.com"),
        ("waiver.revoked", "staff:x"),
    ]


@pytest.mark.parametrize(
    ("levels", "reason", "ends_at"),
    [
        (1, "r", NOW + timedelta(days=1)),
        (4, "r", NOW + timedelta(days=1)),
        (-3, "r", NOW + timedelta(days=1)),
        (2, "", NOW + timedelta(days=1)),
        (2, " \n", NOW + timedelta(days=1)),
        (2, "r", NOW - timedelta(seconds=1)),
        (3, "r", datetime(2020, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_waiver_needs_levels_a_reason_and_a_future(
    inside: Tenant, levels: int, reason: str, ends_at: datetime
) -> None:
    with pytest.raises(BadWaiver), unit_of_work():
        compliance.grant_waiver(tenant_id=inside.id, levels=levels, reason=reason, ends_at=ends_at, actor="x")
    assert compliance.waivers(inside.id) == []


def test_the_database_knows_no_four_levels(inside: Tenant) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="ck_level_waiver_levels"), unit_of_work():
        session().add(Waiver(tenant_id=inside.id, levels=4, reason="r", ends_at=NOW, granted_by="x"))


def test_the_notice_is_accepted_once(inside: Tenant) -> None:
    accept()
    first = load(compliance.LevelNotice)
    with unit_of_work():
        set_test_clock(offset_seconds=86_400, actor="test")
        compliance.accept_notice(actor="somebody else")
    assert load(compliance.LevelNotice) == first
    assert first.accepted_by == "admin:a@example.com"


def test_a_plan_of_too_many_levels_is_refused_by_the_name_of_the_rule(inside: Tenant) -> None:
    with unit_of_work():
        kept = commissions.activate_plan("plan_levels", plan_of(1), actor="test")
    with pytest.raises(TooManyLevels) as refused, unit_of_work():
        commissions.activate_plan("plan_levels", plan_of(1, 2), actor="test")
    assert refused.value.params == {"policy": compliance.POLICY_VERSION, "wanted": 2, "allowed": 1}
    with force_locale("en"):
        assert f"Rule “levels” of the compliance policy {compliance.POLICY_VERSION}" in refused.value.text
    current = plugins.current("commission_plan")
    assert current is not None
    assert current.activation_id == kept.id
    accept()
    with unit_of_work():
        commissions.activate_plan("plan_levels", plan_of(1, 2), actor="test")
    with pytest.raises(TooManyLevels), unit_of_work():
        commissions.activate_plan("plan_levels", plan_of(1, 2, 3), actor="test")
    grant(inside, 3)
    with unit_of_work():
        commissions.activate_plan("plan_levels", plan_of(1, 2, 3), actor="test")


def test_a_level_hidden_in_an_exception_counts_too(inside: Tenant) -> None:
    values = plan_of(1) | {"overrides": [{"scope": "sku", "target": "TEA", "level": 3, "rate_bp": 1}]}
    with pytest.raises(TooManyLevels), unit_of_work():
        commissions.activate_plan("plan_levels", values, actor="test")


@pytest.fixture
def till(app: Flask, brand: Brand) -> Till:
    """The till of the brand, with a buyer and three promoters above."""
    return open_till(app, brand.tenant)


@pytest.fixture
def chain(till: Till) -> list[UUID]:
    """A buyer and three promoters above, nearest first."""
    till.product("TEA", price_fen=10_000)
    above: UUID | None = None
    people = []
    for number in range(4):
        above = till.member(f"p{number}", under=above)
        people.append(above)
    return people[::-1]


def paid(till: Till, chain: list[UUID]) -> tuple[dict[UUID, int], list[tuple[str, int, str]]]:
    """Let the buyer pay an order; returns who earns what, and what was withheld: from whom, which level, why."""
    order_id = till.order(chain[0], [("TEA", 1)])
    till.apply(till.payment_fact(order_id))
    with till.inside():
        while processing.process_portion():
            pass
    with till.work():
        awards = {award.beneficiary_id: award.amount_fen for award in commissions.awards_of_orders([order_id])}
        record = commissions.commission_of_order(order_id)
        assert record is not None
        withheld = [(item["beneficiary_id"], item["level"], item["reason"]) for item in record.withheld or ()]
    return awards, withheld


def test_what_the_brand_may_no_longer_pay_is_withheld_when_an_order_is_paid(till: Till, chain: list[UUID]) -> None:
    _buyer, one, two, three = chain
    with till.work():
        waiver = compliance.grant_waiver(
            tenant_id=till.tenant.id, levels=3, reason="r", ends_at=NOW + timedelta(days=9), actor="x"
        )
    till.plan(values=plan_of(1, 2, 3))
    assert paid(till, chain) == ({one: 500, two: 500, three: 500}, [])

    with till.work():
        compliance.revoke_waiver(tenant_id=till.tenant.id, waiver_id=waiver.id, actor="x")
    expected = [(two.hex, 2, "level_not_allowed"), (three.hex, 3, "level_not_allowed")]
    assert paid(till, chain) == ({one: 500}, expected)

    till.allow_two_levels()
    assert paid(till, chain) == ({one: 500, two: 500}, expected[1:])


def test_an_order_keeps_the_levels_of_the_moment_it_was_paid(till: Till, chain: list[UUID]) -> None:
    _buyer, one, two, _three = chain
    till.allow_two_levels()
    till.plan(values=plan_of(1, 2))
    order_id = till.order(chain[0], [("TEA", 1)])
    till.apply(till.payment_fact(order_id))
    with till.owner() as connection:
        connection.execute("DELETE FROM brand_setting WHERE key = 'level_notice'")
    with till.inside():
        assert compliance.levels_allowed() == 1
        while processing.process_portion():
            pass
    with till.work():
        awards = commissions.awards_of_orders([order_id])
        assert {award.beneficiary_id for award in awards} == {one, two}
        frozen = commissions.attribution_of(order_id)
        assert frozen is not None
        assert frozen.policy == compliance.POLICY_VERSION
        assert commissions.decode_facts(frozen.facts).levels_allowed == 2


class Sly(Plan):
    """Claims one level and proposes three."""

    name = "a_sly_plan"

    @hookimpl
    def propose_awards(self, settings: Any, facts: OrderFacts) -> list[AwardProposal]:
        return [
            AwardProposal(
                line_id=facts.lines[0].line_id,
                beneficiary_id=person.member_id,
                kind="share",
                level=person.level,
                rule=f"sly:{person.level}",
                base_fen=10_000,
                rate_bp=500,
            )
            for person in facts.upline
        ]


def test_a_plugin_that_claims_less_than_it_proposes_gains_nothing(till: Till, chain: list[UUID]) -> None:
    registry.register(Sly())
    try:
        till.plan("a_sly_plan", {})
        awards, withheld = paid(till, chain)
    finally:
        registry.unregister("a_sly_plan")
    assert awards == {chain[1]: 500}
    assert [level for _, level, _ in withheld] == [2, 3]


def test_in_one_transaction_each_brand_has_its_own_waivers(app: Flask, brand: Brand, other_brand: Brand) -> None:
    """Staff look at one brand after the other, and what was remembered of the first is not the second's."""
    with app.app_context():
        with tenant_scope(brand.tenant):
            grant(brand.tenant, 3)
        with unit_of_work():
            waived = []
            for tenant in (brand.tenant, other_brand.tenant):
                with tenant_scope(tenant):
                    waived.append(bool(compliance._in_force("levels", NOW)))
    assert waived == [True, False]
