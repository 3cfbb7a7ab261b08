"""The plan's pages: from a draft to the version in force, comparing, simulating, back-testing, compliance."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from fanyong.compliance import service as compliance
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost import versions
from fanyong.wechat.times import BEIJING
from tenants.console.simulator import Case, facts_of
from tests.console.parts import Browser, Busy, audited
from tests.money.parts import DAY, Till

LEVELS = {"plugin": "plan_levels", "rates-0-level": "1", "rates-0-tier": "", "rates-0-rate_bp": "10"}
BETTER = {**LEVELS, "rates-0-rate_bp": "12.5", "version_title": "双十一"}
TWO = {**LEVELS, "rates-1-level": "2", "rates-1-rate_bp": "3"}


def in_force(till: Till) -> int:
    """Return the number of the plan version in force."""
    with till.work():
        row = plugins.current_activation("commission_plan")
        return row.number if row else 0


def beijing(till: Till, *, seconds: int) -> str:
    """Return a moment of the brand's time as the field for it takes it."""
    moment = datetime.now(BEIJING) + timedelta(seconds=till.offset_seconds + seconds)
    return f"{moment:%Y-%m-%dT%H:%M}"


def test_the_plan_in_force_is_told_in_plain_sentences(owner: Browser, till: Till) -> None:
    owner.post("/plan", LEVELS)
    page = owner.get("/plan")
    assert "In force now: version 1" in page
    assert "Somebody whom a promoter (推广员) brought pays ¥100.00: that promoter gets ¥10.00. Together ¥10.00." in page
    assert "10.00%" in page


def test_a_draft_is_looked_at_and_put_in_force(owner: Browser, till: Till) -> None:
    owner.post("/plan", LEVELS)
    page = owner.post("/plan/drafts", BETTER)
    assert "Draft 2 is kept." in page
    assert "双十一" in page
    assert "Rates of the brand › row 1 › Rate" in page
    assert "<del>10.00%</del>" in page
    assert "<strong>12.50%</strong>" in page
    assert "that promoter gets ¥12.50" in page
    assert in_force(till) == 1, "a draft changes nothing"
    assert "Version 2 is in force from now on." in owner.post("/plan/versions/2/activate")
    assert in_force(till) == 2
    assert audited(till)[-2:] == ["plan.draft_created", "plan.activated"]
    assert owner.refused("/plan/versions/2", BETTER, status=409)
    assert owner.refused("/plan/versions/2/discard", status=409)
    assert "Retired" in owner.get("/plan/versions/1")


def test_a_draft_is_changed_and_the_trail_says_what(owner: Browser, till: Till) -> None:
    owner.post("/plan/drafts", LEVELS)
    assert 'value="10.00"' in owner.get("/plan/versions/1/edit")
    owner.post(
        "/plan/versions/1",
        {
            **BETTER,
            "overrides-0-scope": "sku",
            "overrides-0-target": "a",
            "overrides-0-level": "1",
            "overrides-0-rate_bp": "20",
        },
    )
    page = owner.get("/plan/versions/1")
    assert "Exceptions › row 1: → For One product, SKU or category a, Level 1, Rate 20.00%" in " ".join(page.split())
    trail = owner.get("/audit")
    assert "Rates of the brand › row 1 › Rate: 10.00% → 12.50%" in trail
    assert "Title: – → 双十一" in trail
    bad = owner.refused("/plan/versions/1", {**LEVELS, "rates-0-rate_bp": "101"})
    assert "This can be 100.00% at most." in bad
    assert 'value="101"' in bad


def test_a_version_comes_into_force_by_itself_also_without_a_job(owner: Browser, till: Till) -> None:
    owner.post("/plan", LEVELS)
    owner.post("/plan/drafts", BETTER)
    assert "in the future" in owner.refused("/plan/versions/2/schedule", {"effective_at": beijing(till, seconds=-DAY)})
    assert "Please choose a day and an hour." in owner.refused("/plan/versions/2/schedule", {"effective_at": "soon"})
    page = owner.post("/plan/versions/2/schedule", {"effective_at": beijing(till, seconds=DAY)})
    assert "Scheduled" in page
    assert in_force(till) == 1
    till.advance(2 * DAY)
    assert in_force(till) == 2
    till.tend()
    assert "In force now: version 2" in owner.get("/plan")
    assert audited(till)[-1] == "plan.activated"


def test_a_schedule_can_be_taken_back_and_a_draft_discarded(owner: Browser, till: Till) -> None:
    owner.post("/plan", LEVELS)
    owner.post("/plan/drafts", BETTER)
    owner.post("/plan/versions/2/schedule", {"effective_at": beijing(till, seconds=DAY)})
    assert "is a draft again" in owner.post("/plan/versions/2/unschedule")
    assert "Draft 2 is discarded." in owner.post("/plan/versions/2/discard")
    till.advance(2 * DAY)
    till.tend()
    assert in_force(till) == 1
    page = owner.post("/plan/versions/1/copy")
    assert "Draft 3 is a copy of version 1." in page, "a number is never used twice"


def test_a_scheduled_version_that_is_no_longer_allowed_is_told(owner: Browser, till: Till) -> None:
    owner.post("/plan", LEVELS)
    with till.work():
        compliance.grant_waiver(
            tenant_id=till.tenant.id,
            levels=2,
            reason="a pilot",
            ends_at=datetime.now(BEIJING) + timedelta(days=5),
            actor="staff",
        )
    owner.post("/plan/drafts", TWO)
    assert "Rule “levels”" in owner.refused(
        "/plan/versions/2/schedule", {"effective_at": beijing(till, seconds=9 * DAY)}
    )
    owner.post("/plan/versions/2/schedule", {"effective_at": beijing(till, seconds=4 * DAY)})
    with till.work():
        (waiver,) = compliance.waivers(till.tenant.id)
        compliance.revoke_waiver(tenant_id=till.tenant.id, waiver_id=waiver.id, actor="staff")
    till.advance(5 * DAY)
    assert in_force(till) == 1
    till.tend()
    page = owner.get("/plan")
    assert "Version 2 did not come into force" in page
    assert "levels" in page
    assert audited(till)[-1] == "plan.refused"
    # The badge in the menu says that something waits.
    assert re.search(r'href="/console/plan".*?badge[^>]*>1<', page, re.DOTALL)


def test_any_two_versions_are_compared(owner: Browser, till: Till) -> None:
    assert "There are no two versions yet." in owner.get("/plan/compare")
    owner.post("/plan", LEVELS)
    owner.post("/plan", {"plugin": "plan_ladder", "bands-0-from_fen": "0", "bands-0-rate_bp": "5"})
    owner.post("/plan/drafts", BETTER)
    assert "Percent by level and tier" in owner.get("/plan/compare?a=1&b=2")
    page = owner.get("/plan/compare?a=1&b=3")
    assert "<del>10.00%</del>" in page
    assert "Nothing: both say the same." in owner.get("/plan/compare?a=1&b=1")
    assert owner.get("/plan/compare?a=nonsense&b=-1")


def test_tiers_have_versions_too(owner: Browser, till: Till) -> None:
    page = owner.post("/tiers/drafts", {"plugin": "tiers_flat", "tier_name": "合伙人", "join": "anyone"})
    assert "合伙人" in page
    assert "Draft 2 is kept." in page
    owner.post("/tiers/versions/2/activate")
    assert "合伙人" in owner.get("/tiers")


def simulation(**changes: Any) -> dict[str, Any]:
    return {**LEVELS, "sim-level_1": "promoter", "sim-amount": "90.01", **changes}


def test_unsaved_settings_are_simulated(owner: Browser, till: Till) -> None:
    till.product("a", category="tea", price_fen=1_999)
    page = owner.send("/plan/simulate", simulation(**{"rates-0-rate_bp": "3.33"})).get_data(as_text=True)
    assert "3.33% of ¥90.01" in page
    assert "¥2.99" in page
    basket = {"sim-basket-0-sku": "a", "sim-basket-0-quantity": "3", "sim-discount": "9.97", "sim-level_1": ""}
    page = owner.send("/plan/simulate", simulation(**basket)).get_data(as_text=True)
    assert "¥50.00" in page, "3 x 19.99 less 9.97"
    assert "Nobody earns on this order." in page
    answer = owner.send("/plan/simulate", simulation(**{"rates-0-rate_bp": "lots"}))
    assert answer.status_code == 422
    assert "Please enter a percentage" in answer.get_data(as_text=True)
    with till.work():
        assert plugins.history("commission_plan") == []


def test_a_promoter_s_own_discount_comes_before_the_order_s_as_in_an_order(owner: Browser, till: Till) -> None:
    till.product("a", price_fen=10_000)
    own = {"own_purchases": {"mode": "discount", "rates": [{"rate_bp": 1_000}]}}
    case = Case(basket=[{"sku": "a", "quantity": 1}], discount=1_000, buyer="promoter")
    with till.work():
        promotion = plugins.compiled(versions.create_draft("commission_plan", "plan_rules", own, actor="test"))
        (line,) = facts_of(case, plan=promotion).lines
    # 100.00 less 10 % is 90.00, and 10.00 less than that; the other way round it would be 81.00.
    assert (line.paid_fen, line.self_discount_bp) == (8_000, 1_000)


def test_a_real_member_is_simulated_with_those_above(owner: Browser, till: Till) -> None:
    promoter = till.member("茉莉")
    till.member("青松", under=promoter)
    page = owner.send("/plan/simulate", simulation(**{"sim-member": "青松", "sim-level_1": ""})).get_data(as_text=True)
    assert "Level 1 · 茉莉" in page
    assert "¥9.00" in page
    answer = owner.send("/plan/simulate", simulation(**{"sim-member": "nobody"}))
    assert answer.status_code == 422
    assert "There is no member" in answer.get_data(as_text=True)


def test_programs_get_json(owner: Browser, till: Till) -> None:
    body = {
        "plugin": "plan_levels",
        "settings": {"rates": [{"level": 1, "rate_bp": 1_000}, {"level": 2, "rate_bp": 500}]},
        "order": {"amount": 10_000, "level_1": "promoter", "level_2": "promoter"},
    }
    token = re.search(r'name="csrf_token" value="([^"]+)"', owner.get("/plan"))
    assert token
    headers = {"X-CSRFToken": token[1], "Accept": "application/json"}
    answer = owner.client.post("/console/plan/simulate", json=body, headers=headers)
    found = answer.get_json()
    assert (found["paid_fen"], found["cost_fen"], found["cost_bp"]) == (10_000, 1_000, 1_000)
    assert [(row["level"], row["amount_fen"]) for row in found["awards"]] == [(1, 1_000)]
    assert [(row["level"], row["reason"]) for row in found["withheld"]] == [(2, "level_not_allowed")]
    assert found["may_be_activated"] is False
    assert "Rule “levels”" in found["problems"][0]
    wrong = owner.client.post("/console/plan/simulate", json={**body, "settings": {"rates": 1}}, headers=headers)
    assert wrong.status_code == 422


def test_a_draft_is_held_against_orders_of_the_past(owner: Browser, busy: Busy) -> None:
    till = busy.till
    owner.post("/plan/drafts", {**BETTER, "rates-0-rate_bp": "20"})
    today = f"{datetime.now(BEIJING):%Y-%m-%d}"
    start = f"{datetime.now(BEIJING) - timedelta(days=2):%Y-%m-%d}"
    assert "first and the last day" in owner.refused("/plan/versions/2/backtest", {"from": "", "to": today})
    assert "has to come before" in owner.refused("/plan/versions/2/backtest", {"from": today, "to": "2020-01-01"})
    answer = owner.send("/plan/versions/2/backtest", {"from": start, "to": "2099-01-01"})
    assert answer.status_code == 303
    here = answer.location.removeprefix("/console")
    assert 'hx-trigger="every 2s"' in owner.get(here)
    till.tend()
    page = owner.get(here)
    # Three and two pieces at ¥100.00 were paid: 10 % was ¥50.00, 20 % would have been ¥100.00.
    assert "2 of 2 orders" in page
    assert "Done" in page
    assert page.count("¥100.00") >= 1
    assert "¥50.00" in page
    assert "茉莉" in page.partition("Would have gained most")[2]
    assert "Nobody would have lost." in page
    assert owner.table(f"{here}?format=csv")[1][0] == "茉莉"
    assert owner.table(f"{here}?format=csv")[1][2:] == ["50.00", "100.00", "50.00"]
    assert "Version 2" in owner.get("/plan/backtests")


def test_the_compliance_page_says_what_is_allowed(owner: Browser, till: Till) -> None:
    page = owner.get("/compliance")
    assert "Notice about two levels" in page
    assert "None was granted." in page
    assert "2026-1" in page
    assert "2026-2" in page
    page = owner.post("/compliance/accept-notice", {"kind": "entry"})
    assert "up to ¥1,000.00" in page
    assert "Notice about two levels" in page, "the other notice is another one"
    with till.work():
        compliance.grant_waiver(
            tenant_id=till.tenant.id,
            kind="team",
            reason="reviewed by counsel",
            ends_at=datetime.now(BEIJING) + timedelta(days=5),
            actor="staff",
        )
    page = owner.get("/compliance")
    assert "reviewed by counsel" in page
    assert "allowed by a waiver" in page
