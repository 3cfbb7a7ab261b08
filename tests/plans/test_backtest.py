"""Back-tests: the same code as paying, in portions that survive a crash, over exactly the orders of the time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from fanyong.hooks import PluginKind
from fanyong.pluginhost import versions
from fanyong.pluginhost.registry import PluginFailed, registry
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.commissions import backtest
from tenants.commissions.backtest import BadPeriod, TooManyBacktests
from tenants.commissions.backtest_models import BacktestPromoter, BacktestRun
from tests.money.parts import DAY, Till

KIND: PluginKind = "commission_plan"
ONE = {"rates": [{"level": 1, "rate_bp": 1_000}]}


@pytest.fixture
def shop(till: Till) -> list[UUID]:
    """Three promoters above each other and a buyer below, who paid for four orders a day apart."""
    till.product("a", price_fen=10_000)
    till.product("b", price_fen=3_333)
    till.plan(values=ONE)
    people: list[UUID] = []
    for name in ("top", "middle", "near", "buyer"):
        people.append(till.member(name, under=people[-1] if people else None))
    for _ in range(4):
        till.paid(people[-1], [("a", 1), ("b", 3)])
        till.settle()
        till.advance(DAY)
    return people


def start(till: Till, values: dict[str, Any], *, days: float = 30) -> UUID:
    """Ask for a back-test of new settings over the days that are over."""
    with till.work():
        row = versions.create_draft(KIND, "plan_levels", values, actor="test")
        now = brand_now()
        return backtest.start(row, starts_at=now - timedelta(days=days), ends_at=now, actor="test").id


def finish(till: Till) -> list[int]:
    """Do all portions; returns how many orders each had."""
    portions = []
    with till.inside():
        while done := backtest.run_portion():
            portions.append(done)
    return portions


def found(till: Till, run_id: UUID) -> tuple[BacktestRun, dict[UUID, tuple[int, int]]]:
    """Return a run and, by promoter, what they got and would have got."""
    with till.work():
        rows = session().query(BacktestPromoter).filter_by(run_id=run_id)
        return backtest.get_run(run_id), {row.member_id: (row.now_fen, row.then_fen) for row in rows}


def test_the_plan_that_paid_comes_to_what_was_paid(till: Till, shop: list[UUID]) -> None:
    run_id = start(till, ONE)
    finish(till)
    run, by_promoter = found(till, run_id)
    # 10,000 + 9,999 fen an order: 1,000 + 999 fen, each line floored.
    assert by_promoter == {shop[2]: (4 * 1_999, 4 * 1_999)}
    totals = run.totals
    assert (run.state, run.orders_done, run.orders_total) == ("done", 4, 4)
    assert (totals["lines"], totals["paid_fen"], totals["changed"], totals["capped"]) == (8, 4 * 19_999, 0, 0)
    assert totals["rules"] == {"levels:1": [8, 4 * 1_999]}


def test_another_plan_shows_who_gains_and_who_loses(till: Till, shop: list[UUID]) -> None:
    till.allow_two_levels()
    values = {"rates": [{"level": 1, "rate_bp": 500}, {"level": 2, "rate_bp": 300}, {"level": 3, "rate_bp": 100}]}
    run_id = start(till, values)
    finish(till)
    run, by_promoter = found(till, run_id)
    assert by_promoter == {shop[2]: (4 * 1_999, 4 * 999), shop[1]: (0, 4 * 599)}, "level 3 is not allowed today"
    assert run.totals["changed"] == 4
    assert run.totals["withheld"] == {"level_not_allowed": 8}
    with till.work():
        assert [row[0].id for row in backtest.top(run_id, losers=True, limit=5)] == [shop[2]]
        assert [row[0].id for row in backtest.top(run_id, losers=False, limit=5)] == [shop[1]]


def test_only_orders_of_the_time_count(till: Till, shop: list[UUID]) -> None:
    run_id = start(till, ONE, days=2.5)
    finish(till)
    run, _by_promoter = found(till, run_id)
    assert (run.orders_total, run.orders_done) == (2, 2)
    with pytest.raises(BadPeriod):
        start(till, ONE, days=-1)


def test_a_crash_between_and_within_portions_changes_no_figure(
    till: Till, shop: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest, "ORDERS_A_PORTION", 1)
    run_id = start(till, ONE)
    with till.inside():
        assert backtest.run_portion() == 1
        real = backtest.work_out

        def dies(*arguments: Any) -> Any:
            real(*arguments)
            raise ZeroDivisionError

        monkeypatch.setattr(backtest, "work_out", dies)
        with pytest.raises(ZeroDivisionError):
            backtest.run_portion()
        monkeypatch.setattr(backtest, "work_out", real)
    run, _ = found(till, run_id)
    assert (run.state, run.orders_done) == ("running", 1)
    assert finish(till) == [1, 1, 1, 1], "three orders, and a look that finds no more"
    run, by_promoter = found(till, run_id)
    assert (run.state, run.orders_done) == ("done", 4)
    assert by_promoter == {shop[2]: (4 * 1_999, 4 * 1_999)}


def test_a_run_keeps_the_settings_it_was_asked_for(till: Till, shop: list[UUID]) -> None:
    run_id = start(till, ONE)
    with till.work():
        versions.change_draft(
            KIND, 2, name="plan_levels", values={"rates": [{"level": 1, "rate_bp": 1}]}, title="", actor="x"
        )
    finish(till)
    assert found(till, run_id)[0].totals["then_fen"] == 4 * 1_999


def test_a_canceled_run_stops_where_it_stands(till: Till, shop: list[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtest, "ORDERS_A_PORTION", 1)
    run_id = start(till, ONE)
    with till.inside():
        backtest.run_portion()
    with till.work():
        backtest.cancel(run_id)
    assert finish(till) == []
    run, _ = found(till, run_id)
    assert (run.state, run.orders_done) == ("canceled", 1)
    with till.work():
        assert backtest.cancel(run_id).state == "canceled"


def test_no_more_than_a_few_run_at_once(till: Till, shop: list[UUID]) -> None:
    for _ in range(backtest.MAX_RUNNING):
        start(till, ONE)
    with pytest.raises(TooManyBacktests):
        start(till, ONE)
    finish(till)
    start(till, ONE)


def test_a_plan_that_fails_on_an_order_is_told_and_the_rest_goes_on(
    till: Till, shop: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start(till, ONE)
    plugin = registry.get(KIND, "plan_levels")
    # Half of the orders: a plan knows an order only by its facts.
    calls = iter(range(100))

    real = backtest.prepare

    def prepare(plan: Any) -> Any:
        ready = real(plan)

        def ask(facts: Any) -> Any:
            if next(calls) % 2:
                raise PluginFailed(plugin=plugin.name, hook="propose_awards", error=ZeroDivisionError("inside"))
            return ready.ask(facts)

        return replace(ready, ask=ask)

    monkeypatch.setattr(backtest, "prepare", prepare)
    finish(till)
    run, _ = found(till, run_id)
    assert (run.state, run.totals["failed"], run.totals["then_fen"]) == ("done", 2, 2 * 1_999)
    assert "inside" in run.totals["failure"]


def test_a_plugin_that_is_taken_out_ends_the_run(till: Till, shop: list[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = start(till, ONE)

    def gone(plan: Any) -> Any:
        raise PluginFailed(plugin="plan_levels", hook="settings", error=LookupError("taken out"))

    monkeypatch.setattr(backtest, "prepare", gone)
    assert finish(till) == [1]
    run, _ = found(till, run_id)
    assert run.state == "failed"
    assert run.problem is not None
    assert "taken out" in run.problem


def test_limits_over_several_orders_are_applied_in_the_order_of_the_payments(
    till: Till, shop: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest, "ORDERS_A_PORTION", 1)
    # Three more on the day of the last one: each order is worth 1,999 fen.
    for _ in range(3):
        till.paid(shop[3], [("a", 1), ("b", 3)])
    till.settle()
    limits = {"promoter_day_fen": 4_500, "budget_fen": 9_000, "budget_period": "version"}
    with till.work():
        row = versions.create_draft(KIND, "plan_rules", {**ONE, "limits": limits}, actor="test")
        now = brand_now()
        run_id = backtest.start(row, starts_at=now - timedelta(days=30), ends_at=now, actor="test").id
    finish(till)
    run, by_promoter = found(till, run_id)
    # Four days of one order each, then a day of three, cut at the budget: 7,996 + 1,004.
    assert by_promoter == {shop[2]: (7 * 1_999, 9_000)}
    assert (run.state, run.orders_done, run.totals["capped"]) == ("done", 7, 3)
    assert run.totals["withheld"] == {"budget": 4}
