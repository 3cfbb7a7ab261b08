"""The examples of docs/plan-rules.md come true: settings and order go through the plan and the core."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from fanyong.devtools.paths import ROOT
from fanyong.values import LineFacts, OrderFacts, PeriodFacts, PeriodPerson, Person, Tier
from plugins.plan_rules import PlanRules, Settings
from tenants.commissions.engine import Result, Spending, limit_by_spending, settle
from tenants.commissions.periods import settle_period

DOCUMENT = (ROOT / "docs" / "plan-rules.md").read_text(encoding="utf-8")
PLAN = PlanRules()
TIERS = [Tier(key, key, rank) for rank, key in enumerate(("bronze", "silver", "gold"))]
EXAMPLES: dict[str, tuple[dict[str, Any], list[tuple[str, ...]]]] = {}
for _name, _json, _table in re.findall(
    r"<!-- example: ([\w-]+) -->\n```json\n(.*?)```\n.*?\n\| Who .*?\n\|[-|:]+\n(.*?)(?=\n\n|\Z)", DOCUMENT, re.DOTALL
):
    _rows = [tuple(cell.strip(" `") for cell in row.strip("|").split("|")) for row in _table.strip().split("\n")]
    EXAMPLES[_name] = (json.loads(_json), _rows)
Row = tuple[str, str, str, str, str, str]


def uid(number: int) -> UUID:
    return UUID(int=number)


def order_of(given: Mapping[str, Any]) -> OrderFacts:
    """Return the order of an example."""
    lines = tuple(
        LineFacts(
            uid(index),
            **{
                "sku": "TEA-100",
                "category": "tea",
                "quantity": 1,
                "product": "TEA" if line.get("sku", "TEA-100") == "TEA-100" else "",
                **line,
            },
        )
        for index, line in enumerate(given.get("lines", [{"paid_fen": 10_000}]))
    )
    upline = tuple(
        Person(uid(100 + level), level, tier, month_fen=given.get("month_fen", 0))
        for level, tier in enumerate(given.get("upline", ()), start=1)
    )
    return OrderFacts(
        order_id=uid(1_000),
        paid_at=datetime.fromisoformat(given.get("paid_at", "2026-11-22T12:00:00+08:00")),
        lines=lines,
        buyer=Person(uid(100), 0, given.get("buyer")),
        upline=upline,
        levels_allowed=3,
        order_number=given.get("order_number", 2),
        region_agents=tuple(
            Person(uid(201 + n), 0, "gold", region=code) for n, code in enumerate(given.get("agents", ()))
        ),
        team_allowed=True,
    )


def who(number: int) -> str:
    """Return what the tables call somebody."""
    if number > 200:
        return f"agent {number - 200}"
    return f"level {number - 100}" if number > 100 else "buyer"


def order_rows(settings: Settings, example: Mapping[str, Any]) -> list[Row]:
    facts = order_of(example["order"])
    caps, spent = PLAN.plan_caps(settings), example.get("spent", {})
    days = {uid(100 + int(name.split()[1])): fen for name, fen in spent.get("promoter_day_fen", {}).items()}
    result: Result = settle(facts, PLAN.compile_plan(settings)(facts), caps)
    result = limit_by_spending(result, caps, Spending(days, spent.get("budget_fen", 0)))
    awards = [
        (who(a.beneficiary_id.int), a.rule, f"{a.base_fen:,}", f"{a.rate_bp:,}", f"{a.amount_fen:,}", "")
        for a in result.awards
    ]
    withheld = [
        (who(w.beneficiary_id.int) if w.beneficiary_id else f"level {w.level}", w.rule, "", "", "0", w.reason)
        for w in result.withheld
    ]
    return awards + withheld


def month_rows(settings: Settings, month: Mapping[str, Any]) -> list[Row]:
    nothing = {"rank": 0, "frozen": False, "own_fen": 0, "shared_fen": 0, "shared_orders": 0, "team_fen": 0}
    people = tuple(
        PeriodPerson(uid(number), **{"tier": "gold", **nothing, "commission_fen": 0, **person})
        for number, person in enumerate(month["people"], start=1)
    )
    start, end = datetime(2026, 10, 31, 16, tzinfo=UTC), datetime(2026, 11, 30, 16, tzinfo=UTC)
    facts = PeriodFacts("2026-11", start, end, month.get("turnover_fen", 0), people, True)
    result = settle_period(facts, PLAN.period_awards(settings, facts))
    awards = [
        (f"person {a.beneficiary_id.int}", a.rule, f"{a.base_fen:,}", f"{a.rate_bp:,}", f"{a.amount_fen:,}", "")
        for a in result.awards
    ]
    return awards + [(f"person {w.beneficiary_id.int}", w.rule, "", "", "0", w.reason) for w in result.withheld]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_comes_out_as_its_table_says(app: Flask, name: str) -> None:
    example, rows = EXAMPLES[name]
    settings = Settings.model_validate(example["settings"])
    with app.app_context():
        assert not PLAN.check_settings(settings, TIERS), "the example could not even be saved"
    found = month_rows(settings, example["month"]) if "month" in example else order_rows(settings, example)
    assert sorted(found) == sorted(rows)


def test_every_example_was_found() -> None:
    assert len(EXAMPLES) == DOCUMENT.count("<!-- example:") >= 20
    assert set(EXAMPLES) == set(re.findall(r"<!-- example: ([\w-]+) -->", DOCUMENT))


def test_every_section_of_the_settings_has_a_word_on_the_page() -> None:
    for name in Settings.model_fields:
        assert f"`{name}" in DOCUMENT or f'"{name}"' in DOCUMENT, name
