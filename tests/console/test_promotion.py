"""Promoters, tiers and the plan."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import registry
from tests.console.parts import Browser, Busy, audited
from tests.money.parts import Till

LEVELS = {"plugin": "plan_levels", "rates-0-level": "1", "rates-0-tier": "", "rates-0-rate_bp": "12.5"}


def active(till: Till, kind: Any = "commission_plan") -> tuple[str, int, dict[str, Any]] | None:
    """Return the plugin a brand uses, its version number and its settings."""
    with till.work():
        found = plugins.current(kind)
        return (found.plugin.name, found.number, found.settings.model_dump(mode="json")) if found else None


def test_promoters_are_listed_with_their_figures(owner: Browser, busy: Busy) -> None:
    page = owner.get("/promoters")
    assert "茉莉" in page
    assert "青松" in owner.get("/promoters?q=青")
    assert "No promoter matches." in owner.get("/promoters?q=nobody")
    rows = {row[1]: row for row in owner.table("/promoters?format=csv")}
    assert rows["青松"][3] == "茉莉"
    assert rows["茉莉"][8:] == ["20.00", "0.00", "15.00", "5.00", "0.00", "0.00", "0.00", "0.00"]


def test_without_members_the_list_says_where_they_come_from(owner: Browser) -> None:
    assert "There are no members yet." in owner.get("/promoters")


def test_each_figure_leads_to_its_postings(owner: Browser, busy: Busy) -> None:
    promoter = f"/promoters/{busy.promoter}"
    assert "¥15.00" in owner.get(promoter)
    everything = owner.get(f"{promoter}?view=statement")
    only = owner.get(f"{promoter}?view=statement&account=in_transfer").partition('id="list"')[2]
    assert "Commission expense" in everything
    assert "Commission expense" not in only
    assert "¥5.00" in only
    assert "10.00% of ¥300.00" in owner.get(f"{promoter}?view=awards")
    assert "青松" in owner.get(f"{promoter}?view=team")
    assert "joined" in owner.get(f"{promoter}?view=tiers")
    assert "茉莉" in owner.get(f"/promoters/{busy.buyer}").partition("Upline")[2]


def test_a_promoter_who_did_nothing_yet_has_empty_lists(owner: Browser, till: Till) -> None:
    member = till.member("新人")
    assert "Nothing was posted yet." in owner.get(f"/promoters/{member}")
    assert "No awards yet." in owner.get(f"/promoters/{member}?view=awards")
    assert "has not brought anybody" in owner.get(f"/promoters/{member}?view=team")
    assert "Nothing was posted yet." in owner.get(f"/promoters/{member}?view=nonsense&account=nonsense")


def test_freezing_needs_a_reason(owner: Browser, busy: Busy) -> None:
    promoter = f"/promoters/{busy.promoter}"
    assert "Please give a reason." in owner.refused(f"{promoter}/freeze", {"reason": " "})
    assert "Frozen since" in owner.post(f"{promoter}/freeze", {"reason": "刷单"})
    assert "刷单" in owner.get(promoter)
    assert "Frozen since" not in owner.post(f"{promoter}/unfreeze")
    assert audited(busy.till)[-2:] == ["promoter.frozen", "promoter.unfrozen"]


def test_a_plan_is_chosen_by_its_form(owner: Browser, till: Till) -> None:
    assert "There is no plan yet" in owner.get("/plan")
    assert "Plan version 1 is active" in owner.post("/plan", LEVELS)
    assert active(till) == ("plan_levels", 1, {"overrides": [], "rates": [{"level": 1, "rate_bp": 1250, "tier": ""}]})
    assert 'value="12.50"' in owner.get("/plan/new")
    ladder = {"plugin": "plan_ladder", "bands-0-from_fen": "0", "bands-0-rate_bp": "5", "self_purchase_bp": "2"}
    page = owner.post("/plan", ladder)
    assert "Version 2" in page
    assert "Version 1" in page
    assert audited(till)[-2:] == ["plan.activated", "plan.activated"]


def test_a_plan_is_chosen_by_json(owner: Browser, till: Till) -> None:
    settings = {"rates": [{"level": 1, "tier": "promoter", "rate_bp": 800}], "overrides": []}
    owner.post("/plan", {"plugin": "plan_levels", "settings_json": json.dumps(settings)})
    assert active(till) == ("plan_levels", 1, settings)


BAD_PLANS = [
    ({"rates-0-rate_bp": "101"}, "This can be 100.00% at most."),
    ({"rates-0-rate_bp": "ten"}, "Please enter a percentage like 10 or 2.50."),
    ({"rates-0-level": "4"}, "This can be 3 at most."),
    ({"rates-0-tier": "gold"}, "There is no tier “gold”."),
    ({"rates-1-level": "1", "rates-1-rate_bp": "3"}, "There is another rate for the same level"),
    ({"rates-1-level": "2", "rates-1-rate_bp": "90"}, "All levels together would give away"),
    ({"rates-0-level": "", "rates-0-rate_bp": ""}, "At least 1 of these are needed."),
    ({"overrides-0-scope": "sku", "overrides-0-level": "1", "overrides-0-rate_bp": "1"}, "Please fill this in."),
]


def test_a_plan_that_cannot_work_comes_back_as_typed(owner: Browser, till: Till) -> None:
    for values, message in BAD_PLANS:
        page = owner.refused("/plan", {**LEVELS, **values})
        assert message in page
        assert all(f'value="{text}"' in page for name, text in values.items() if text and "tier" not in name)
        assert active(till) is None


BAD_JSON = [
    ("{", "This is not JSON"),
    ("[]", "The settings have to be a JSON object"),
    ('{"rates": []}', "rates: At least 1 of these are needed."),
    ('{"surprise": 1}', "surprise: There is no such setting."),
    ('{"rates": [{"level": 1, "rate_bp": 1e400}]}', "rates.0.rate_bp"),
    ('{"rates": [{"level": 1, "rate_bp": 10, "tier": "gold"}]}', "There is no tier “gold”."),
]


def test_json_that_cannot_work_comes_back_as_typed(owner: Browser, till: Till) -> None:
    for text, message in BAD_JSON:
        page = owner.refused("/plan", {"plugin": "plan_levels", "settings_json": text})
        assert message in page
        assert text in page
        assert active(till) is None


def test_a_plugin_of_nowhere_is_refused(owner: Browser) -> None:
    assert "There is no plugin “nonsense” here." in owner.refused("/plan", {"plugin": "nonsense"})
    assert "There is no plugin “tiers_flat” here." in owner.refused("/plan", {"plugin": "tiers_flat"})


def test_two_levels_need_the_notice(owner: Browser, till: Till) -> None:
    two = {**LEVELS, "rates-1-level": "2", "rates-1-rate_bp": "3"}
    assert "Rule “levels” of the compliance policy 2026-2" in owner.refused("/plan", two)
    assert "Notice accepted by" in owner.post("/compliance/accept-notice")
    owner.post("/plan", two)
    assert active(till) is not None


def test_a_plugin_that_raises_changes_nothing_and_is_reported(
    owner: Browser, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(settings: object, tiers: object) -> None:
        raise ZeroDivisionError("inside the plugin")

    real = registry._caller
    monkeypatch.setattr(registry, "_caller", lambda n, hook: broken if hook == "check_settings" else real(n, hook))
    assert "The plugin could not check these settings." in owner.refused("/plan", LEVELS)
    monkeypatch.undo()
    assert active(till) is None
    page = owner.get("/")
    assert "plan_levels.check_settings" in page
    assert "plan_levels.check_settings" not in owner.post("/failures/settle")


def test_tiers_are_chosen_and_the_plan_is_looked_at(owner: Browser, till: Till) -> None:
    ladder = {
        "plugin": "tiers_ladder",
        "join": "anyone",
        "count_when": "paid",
        "count_own_purchases": "",
        "tiers-0-key": "bronze",
        "tiers-0-name": "青铜",
        "tiers-0-promote_at_sales_fen": "0",
        "tiers-1-key": "gold",
        "tiers-1-name": "黄金",
        "tiers-1-promote_at_sales_fen": "1000",
    }
    owner.post("/tiers", ladder)
    found = active(till, "tier_structure")
    assert found is not None
    assert found[2]["tiers"][1].items() >= {"key": "gold", "name": "黄金", "promote_at_sales_fen": 100_000}.items()
    owner.post("/plan", {**LEVELS, "rates-0-tier": "gold"})
    assert "does not fit the new tiers" in owner.post("/tiers", {"plugin": "tiers_flat", "tier_name": "推广员"})
    bad = {**ladder, "tiers-0-promote_at_sales_fen": "5", "tiers-1-promote_at_sales_fen": "4", "tiers-1-key": "bronze"}
    page = owner.refused("/tiers", bad)
    assert "The lowest tier starts at 0." in page
    assert "Each tier needs more sales than the one before it." in page
    assert "There are two tiers with this key." in page
