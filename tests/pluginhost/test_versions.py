"""Versions of a choice: drafts, what changed, schedules that hold to the second, and what is refused in the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from fanyong.errors import NotFound
from fanyong.hooks import PluginKind, hookimpl
from fanyong.identity.models import AdminAction
from fanyong.pluginhost import service, versions
from fanyong.pluginhost.differences import MISSING, Difference, differences, from_json
from fanyong.pluginhost.models import PluginActivation
from fanyong.pluginhost.registry import registry
from fanyong.pluginhost.service import InvalidPluginSettings
from fanyong.pluginhost.versions import MomentTaken, NotInTheFuture, WrongState
from fanyong.tenancy.clock import brand_now, set_test_clock
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.runtime import in_tenant
from fanyong.values import SettingsProblem
from tests.conftest import Brand
from tests.pluginhost.conftest import Plan

Install = Callable[[Any], Any]
KIND: PluginKind = "commission_plan"
DAY = timedelta(days=1)


def active(number: int) -> PluginActivation:
    with unit_of_work():
        return service.activate(KIND, "a_plan", {"number": number}, tiers=(), actor="test")


def draft(number: int, *, title: str = "") -> PluginActivation:
    with unit_of_work():
        return versions.create_draft(KIND, "a_plan", {"number": number}, actor="test", title=title)


def schedule(number: int, moment: datetime) -> None:
    with unit_of_work():
        versions.schedule(KIND, number, effective_at=moment, actor="admin")


def ahead(by: timedelta) -> None:
    with unit_of_work():
        set_test_clock(offset_seconds=int(by.total_seconds()), actor="test")


def in_force(**how: Any) -> int | None:
    row = service.current_activation(KIND, **how)
    return row.number if row else None


def states() -> dict[int, str]:
    rows = session().execute(
        sa.select(PluginActivation.number, PluginActivation.state).where(PluginActivation.kind == KIND)
    )
    return {row.number: row.state for row in rows}


def test_drafts_change_nothing_until_one_is_put_in_force(inside: Tenant, install: Install) -> None:
    install(Plan())
    active(1)
    draft(2)
    draft(3)
    assert states() == {1: "active", 2: "draft", 3: "draft"}
    assert in_force() == 1
    with unit_of_work():
        versions.activate_draft(KIND, 3, actor="admin")
    assert states() == {1: "retired", 2: "draft", 3: "active"}
    assert in_force() == 3
    rows = {row.number: row for row in service.history(KIND)}
    assert rows[1].retired_at == rows[3].activated_at


def test_what_was_in_force_cannot_be_changed(inside: Tenant, install: Install) -> None:
    install(Plan())
    active(1)
    active(2)
    for number in (1, 2):
        for action in (
            lambda n: versions.change_draft(KIND, n, name="a_plan", values={"number": 9}, title="", actor="x"),
            lambda n: versions.schedule(KIND, n, effective_at=brand_now() + DAY, actor="x"),
            lambda n: versions.activate_draft(KIND, n, actor="x"),
            lambda n: versions.unschedule(KIND, n, actor="x"),
            lambda n: versions.discard(KIND, n, actor="x"),
        ):
            with pytest.raises(WrongState), unit_of_work():
                action(number)
    assert states() == {1: "retired", 2: "active"}
    with pytest.raises(NotFound), unit_of_work():
        versions.discard(KIND, 3, actor="x")


def test_a_change_is_kept_with_before_and_after(inside: Tenant, install: Install) -> None:
    install(Plan())
    draft(1, title="spring")
    with unit_of_work():
        versions.change_draft(KIND, 1, name="a_plan", values={"number": 7}, title=" summer ", actor="admin:a")
        assert versions.change_draft(KIND, 1, name="a_plan", values={"number": 7}, title="summer", actor="b") == []
    row = versions.get_version(KIND, 1)
    newest, oldest = versions.changes_of(row)
    assert (oldest.action, newest.action, newest.actor) == ("created", "changed", "admin:a")
    assert [from_json(each) for each in newest.changes] == [
        Difference("title", "spring", "summer"),
        Difference("number", 1, 7),
    ]
    with pytest.raises(sa.exc.DBAPIError, match=r"append only|permission denied"), unit_of_work():
        session().execute(sa.text("UPDATE plugin_change SET actor = 'nobody'"))


def test_a_draft_needs_settings_that_each_field_allows(inside: Tenant, install: Install) -> None:
    install(Plan())
    with pytest.raises(InvalidPluginSettings), unit_of_work():
        versions.create_draft(KIND, "a_plan", {"number": "x"}, actor="test")
    draft(1)
    with pytest.raises(InvalidPluginSettings), unit_of_work():
        versions.change_draft(KIND, 1, name="a_plan", values={"nubmer": 1}, title="", actor="x")
    assert versions.get_version(KIND, 1).settings == {"number": 1}


def test_a_schedule_holds_from_its_moment_on_without_any_job(inside: Tenant, install: Install) -> None:
    install(Plan())
    active(1)
    draft(2)
    moment = brand_now() + DAY
    schedule(2, moment)
    assert in_force() == 1
    assert in_force(at=moment - timedelta(microseconds=1)) == 1
    assert in_force(at=moment) == 2
    ahead(2 * DAY)
    assert in_force() == 2
    # A payment of before the moment that is only worked off now keeps what held then.
    assert in_force(at=moment - timedelta(microseconds=1)) == 1
    assert states() == {1: "active", 2: "scheduled"}, "reading writes nothing"
    assert service.promote_all_due() == 1
    assert service.promote_all_due() == 0
    assert states() == {1: "retired", 2: "active"}
    rows = {row.number: row for row in service.history(KIND)}
    assert rows[1].retired_at == rows[2].activated_at == moment
    assert in_force(at=moment - timedelta(microseconds=1)) == 1
    assert in_force(at=moment) == 2


def test_several_schedules_follow_each_other(inside: Tenant, install: Install) -> None:
    install(Plan())
    active(1)
    now = brand_now()
    for number, days in ((2, 3), (3, 1), (4, 2)):
        draft(number)
        schedule(number, now + days * DAY)
    assert [in_force(at=now + days * DAY) for days in (0, 1, 2, 3)] == [1, 3, 4, 2]
    ahead(10 * DAY)
    assert service.promote_all_due() == 3
    assert states() == {1: "retired", 2: "active", 3: "retired", 4: "retired"}
    rows = {row.number: row for row in service.history(KIND)}
    assert [rows[n].retired_at for n in (1, 3, 4)] == [now + days * DAY for days in (1, 2, 3)]


def test_a_moment_belongs_to_one_version(inside: Tenant, install: Install) -> None:
    install(Plan())
    active(1)
    moment = brand_now() + DAY
    draft(2)
    draft(3)
    schedule(2, moment)
    with pytest.raises(MomentTaken) as refused:
        schedule(3, moment)
    assert "2" in refused.value.text
    schedule(2, moment)
    schedule(3, moment + timedelta(seconds=1))
    with unit_of_work():
        versions.unschedule(KIND, 2, actor="admin")
    schedule(3, moment)
    assert states() == {1: "active", 2: "draft", 3: "scheduled"}


def test_before_two_versions_of_one_moment_the_one_before_both_was_in_force(inside: Tenant, install: Install) -> None:
    """Such as were scheduled before a moment belonged to one: the later one came into force, and the other never."""
    install(Plan())
    moment = brand_now() + DAY
    draft(1)
    active(2)
    draft(3)
    for number in (1, 3):
        schedule(number, moment + number * DAY)
    with unit_of_work():
        session().execute(
            sa.update(PluginActivation)
            .where(PluginActivation.state == "scheduled")
            .values(effective_at=moment)
            .execution_options(synchronize_session=False)
        )
    ahead(2 * DAY)
    assert service.promote_all_due() == 2
    assert states() == {1: "retired", 2: "retired", 3: "active"}
    assert in_force(at=moment - timedelta(microseconds=1)) == 2
    assert in_force(at=moment) == 3


def test_activating_at_once_writes_down_what_was_due_first(inside: Tenant, install: Install) -> None:
    install(Plan())
    active(1)
    draft(2)
    schedule(2, brand_now() + DAY)
    ahead(2 * DAY)
    active(3)
    assert states() == {1: "retired", 2: "retired", 3: "active"}
    assert in_force() == 3


def test_the_first_version_of_all_can_be_scheduled(inside: Tenant, install: Install) -> None:
    install(Plan())
    draft(1)
    schedule(1, brand_now() + DAY)
    assert in_force() is None
    ahead(2 * DAY)
    assert in_force() == 1


@pytest.mark.parametrize("back", [timedelta(0), DAY])
def test_only_the_future_can_be_scheduled(inside: Tenant, install: Install, back: timedelta) -> None:
    install(Plan())
    draft(1)
    with pytest.raises(NotInTheFuture), unit_of_work():
        versions.schedule(KIND, 1, effective_at=brand_now() - back, actor="x")


class Moody(Plan):
    """Allows its settings until it is told not to."""

    allowed = True
    levels = 1

    @hookimpl
    def check_settings(self, settings: Any, tiers: Any) -> Any:
        return [] if self.allowed else [SettingsProblem("number", "not any more")]

    @hookimpl
    def plan_levels(self, settings: Any) -> int:
        return self.levels


@pytest.mark.parametrize(("mood", "told"), [("settings", "not any more"), ("policy", "2026-2"), ("gone", "a_plan")])
def test_a_version_that_is_not_allowed_when_its_time_comes_stays_out(
    inside: Tenant, install: Install, mood: str, told: str
) -> None:
    plan = install(Moody())
    active(1)
    draft(2)
    schedule(2, brand_now() + DAY)
    if mood == "settings":
        plan.allowed = False
    elif mood == "policy":
        plan.levels = 3
    else:
        registry.unregister("a_plan")
    ahead(2 * DAY)
    assert in_force() == 1, "also before any job has looked"
    service.promote_all_due()
    row = versions.get_version(KIND, 2)
    assert (row.state, in_force()) == ("refused", 1)
    assert row.problem is not None
    assert told in row.problem
    assert versions.count_refused(KIND) == 1
    newest = session().scalars(sa.select(AdminAction).order_by(AdminAction.id.desc())).first()
    assert newest is not None
    assert (newest.action, newest.actor, newest.details["version"]) == ("plan.refused", "schedule", 2)
    if mood == "settings":
        # It is no dead end: mended, it is a draft that can be put in force.
        plan.allowed = True
        with unit_of_work():
            versions.unschedule(KIND, 2, actor="admin")
            versions.activate_draft(KIND, 2, actor="admin")
        assert in_force() == 2


def test_numbers_of_discarded_drafts_are_not_used_again(inside: Tenant, install: Install) -> None:
    install(Plan())
    draft(1)
    draft(2)
    with unit_of_work():
        versions.discard(KIND, 2, actor="x")
    assert draft(3).number == 3
    assert [row.number for row in service.history(KIND)] == [3, 1]
    with unit_of_work():
        assert versions.copy(KIND, 1, actor="x", title="again").settings == {"number": 1}


def test_drafts_made_at_once_get_a_number_each(app: Flask, brand: Brand, install: Install) -> None:
    install(Plan())
    start = threading.Barrier(5)
    numbers: list[int] = []

    def work() -> None:
        with app.app_context(), in_tenant(brand.tenant), unit_of_work():
            start.wait()
            numbers.append(versions.create_draft(KIND, "a_plan", {"number": 1}, actor="x").number)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [1, 2, 3, 4, 5]


def test_promoting_at_once_happens_once(app: Flask, brand: Brand, install: Install) -> None:
    install(Plan())
    with app.app_context(), in_tenant(brand.tenant):
        active(1)
        draft(2)
        schedule(2, brand_now() + DAY)
        ahead(2 * DAY)
    start = threading.Barrier(4)
    promoted: list[int] = []

    def work() -> None:
        with app.app_context(), in_tenant(brand.tenant):
            start.wait()
            promoted.append(service.promote_all_due())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(promoted) == [0, 0, 0, 1]
    with app.app_context(), in_tenant(brand.tenant):
        assert states() == {1: "retired", 2: "active"}


# What tells two settings apart.


def test_rows_that_moved_up_are_no_change() -> None:
    before = {"rates": [{"level": 1, "bp": 10}, {"level": 2, "bp": 5}, {"level": 3, "bp": 1}], "open": True}
    after = {"rates": [{"level": 2, "bp": 5}, {"level": 3, "bp": 2}, {"level": 3, "bp": 9}], "open": False}
    assert differences(before, after) == [
        Difference("rates.0", {"level": 1, "bp": 10}, MISSING),
        Difference("rates.1.bp", 1, 2),
        Difference("rates.2", MISSING, {"level": 3, "bp": 9}),
        Difference("open", True, False),
    ]


def test_a_missing_side_survives_being_stored() -> None:
    for difference in (Difference("a", MISSING, None), Difference("a.0", {"x": 1}, MISSING), Difference("b", 1, 2)):
        assert from_json(difference.as_json()) == difference


SETTINGS = st.fixed_dictionaries(
    {
        "a": st.integers(0, 3),
        "section": st.fixed_dictionaries(
            {"b": st.none() | st.booleans(), "c": st.lists(st.integers(0, 2), max_size=2)}
        ),
        "rows": st.lists(st.fixed_dictionaries({"x": st.integers(0, 2), "y": st.integers(0, 1)}), max_size=4),
    }
)


@given(SETTINGS, SETTINGS)
def test_there_is_a_difference_exactly_where_settings_differ(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = differences(before, after)
    assert (found == []) == (before == after)
    for difference in found:
        assert difference.before != difference.after
        # Each side is what stands at that path, or the row is not there at all.
        if difference.before != MISSING and difference.after == MISSING:
            assert _at(before, difference.path) == difference.before
        if difference.after != MISSING:
            assert _at(after, difference.path) == difference.after


def _at(values: Any, path: str) -> Any:
    for part in path.split("."):
        values = values[int(part)] if part.isdigit() else values[part]
    return values
