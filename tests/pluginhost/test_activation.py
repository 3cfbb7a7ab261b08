"""A brand's choice of plugins: versions, what is refused, and two admins who save at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from fanyong.hooks import hookimpl
from fanyong.pluginhost import service
from fanyong.pluginhost.models import PluginActivation
from fanyong.pluginhost.registry import PluginFailed, UnknownPlugin
from fanyong.pluginhost.service import InvalidPluginSettings
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.runtime import in_tenant
from fanyong.values import SettingsProblem, Tier
from tests.conftest import Brand
from tests.pluginhost.conftest import Plan

Install = Callable[[Any], Any]
PLAN = "commission_plan"


def save(number: int = 1, *, name: str = "a_plan", actor: str = "test") -> PluginActivation:
    with unit_of_work():
        return service.activate("commission_plan", name, {"number": number}, tiers=(), actor=actor)


def versions() -> list[tuple[int, dict[str, Any], bool]]:
    """Return number, settings and whether it is the current one, oldest first."""
    return [(row.number, row.settings, row.state == "active") for row in reversed(service.history("commission_plan"))]


def test_each_change_is_a_version_and_the_one_before_is_kept(inside: Tenant, install: Install) -> None:
    install(Plan())
    install(Plan(name="another"))
    save(1, actor="admin:a@example.com")
    save(2)
    save(2, name="another")
    assert versions() == [(1, {"number": 1}, False), (2, {"number": 2}, False), (3, {"number": 2}, True)]
    rows = list(reversed(service.history("commission_plan")))
    assert [row.plugin for row in rows] == ["a_plan", "a_plan", "another"]
    assert rows[0].activated_by == "admin:a@example.com"
    assert rows[0].retired_at == rows[1].activated_at
    active = service.current("commission_plan")
    assert active is not None
    assert (active.number, active.plugin.name, active.activation_id) == (3, "another", rows[2].id)


def test_an_old_version_can_still_be_asked(inside: Tenant, install: Install) -> None:
    install(Plan())
    first = save(1)
    save(2)
    old = service.get_activation(first.id)
    assert (old.number, old.settings.model_dump()) == (1, {"number": 1})
    assert old.ask("plan_levels") == 1


def test_the_same_again_changes_nothing(inside: Tenant, install: Install) -> None:
    install(Plan())
    assert save(5).id == save(5).id == save(5, actor="somebody else").id
    with unit_of_work():
        written_out = service.activate("commission_plan", "a_plan", {"number": 5}, tiers=(), actor="x")
    assert versions() == [(1, {"number": 5}, True)]
    assert written_out.activated_by == "test"


def test_defaults_are_written_out_so_that_they_never_change_later(inside: Tenant, install: Install) -> None:
    install(Plan())
    with unit_of_work():
        service.activate("commission_plan", "a_plan", {}, tiers=(), actor="x")
    assert versions() == [(1, {"number": 1}, True)]


def test_a_new_version_of_the_plugin_is_a_new_version_of_the_choice(inside: Tenant, install: Install) -> None:
    plan = install(Plan())
    save(1)
    plan.version = "1.1"
    save(1)
    assert [(row.number, row.plugin_version) for row in reversed(service.history("commission_plan"))] == [
        (1, "1.0"),
        (2, "1.1"),
    ]


def test_the_kinds_count_for_themselves(inside: Tenant, install: Install) -> None:
    install(Plan())
    save(1)
    structures = service.history("tier_structure")
    assert [(row.number, row.plugin) for row in structures] == [(1, "tiers_flat")], "a new brand starts with one tier"
    assert versions() == [(1, {"number": 1}, True)]


@pytest.mark.parametrize(
    ("values", "path"),
    [({"number": "x"}, "number"), ({"nubmer": 1}, "nubmer"), ({"number": None}, "number"), ({"number": 1.5}, "number")],
)
def test_settings_that_do_not_fit_the_model_change_nothing(
    inside: Tenant, install: Install, values: dict[str, Any], path: str
) -> None:
    install(Plan())
    save(1)
    with pytest.raises(InvalidPluginSettings) as refused, unit_of_work():
        service.activate("commission_plan", "a_plan", values, tiers=(), actor="x")
    assert [problem["path"] for problem in refused.value.details] == [path]
    assert versions() == [(1, {"number": 1}, True)]


class Critical(Plan):
    """Accepts only what names a known tier."""

    @hookimpl
    def check_settings(self, settings: Any, tiers: Any) -> Any:
        return [] if len(tiers) == settings.number else [SettingsProblem("number", "not as many tiers")]


def test_the_plugins_own_check_gets_the_tiers_and_can_refuse(inside: Tenant, install: Install) -> None:
    install(Critical())
    tiers = (Tier("a", "A", 0), Tier("b", "B", 1))
    with pytest.raises(InvalidPluginSettings) as refused, unit_of_work():
        service.activate("commission_plan", "a_plan", {"number": 3}, tiers=tiers, actor="x")
    assert refused.value.details == [{"path": "number", "message": "not as many tiers"}]
    assert versions() == []
    with unit_of_work():
        service.activate("commission_plan", "a_plan", {"number": 2}, tiers=tiers, actor="x")
    assert versions() == [(1, {"number": 2}, True)]


@pytest.mark.parametrize("answer", [RuntimeError("broken"), "a text", [1]])
def test_a_check_that_fails_saves_nothing(inside: Tenant, install: Install, answer: object) -> None:
    class Broken(Plan):
        @hookimpl
        def check_settings(self, settings: Any, tiers: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

    install(Broken())
    with pytest.raises(PluginFailed, match="check_settings"):
        save(1)
    session().rollback()
    assert versions() == []


@pytest.mark.parametrize(("kind", "name"), [(PLAN, "nobody"), (PLAN, "tiers_flat"), ("tier_structure", "plan_levels")])
def test_what_is_not_there_or_of_the_other_kind_is_unknown(inside: Tenant, kind: Any, name: str) -> None:
    with pytest.raises(UnknownPlugin):
        service.activate(kind, name, {}, tiers=(), actor="x")


def test_the_database_keeps_one_current_version_of_a_kind(inside: Tenant, install: Install) -> None:
    install(Plan())
    save(1)
    with pytest.raises(sa.exc.IntegrityError, match="uq_plugin_activation_current"), unit_of_work():
        session().add(
            PluginActivation(
                kind=PLAN,
                number=9,
                state="active",
                plugin="a_plan",
                plugin_version="1.0",
                settings={},
                created_at=datetime.now(UTC),
                created_by="x",
                activated_at=datetime.now(UTC),
                activated_by="x",
            )
        )


@pytest.mark.parametrize("has_one_already", [False, True])
def test_admins_who_save_at_once_get_one_version_each(
    app: Flask, brand: Brand, install: Install, has_one_already: bool
) -> None:
    install(Plan())
    if has_one_already:
        with app.app_context(), in_tenant(brand.tenant):
            save(100)
    start = threading.Barrier(6)
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with app.app_context(), in_tenant(brand.tenant), unit_of_work():
                start.wait()
                service.activate("commission_plan", "a_plan", {"number": number % 3}, tiers=(), actor=f"t{number}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with app.app_context(), in_tenant(brand.tenant):
        found = versions()
    assert [number for number, *_ in found] == list(range(1, len(found) + 1))
    assert [current for *_, current in found] == [False] * (len(found) - 1) + [True]
    # Nobody's save is lost, and one that says what the last one said is no version.
    assert {settings["number"] for _, settings, _ in found} >= {0, 1, 2}
    assert all(one[1] != after[1] for one, after in pairwise(found))


def test_two_brands_choose_for_themselves(app: Flask, brand: Brand, other_brand: Brand, install: Install) -> None:
    install(Plan())
    for each, number in ((brand, 1), (other_brand, 2)):
        with app.app_context(), in_tenant(each.tenant):
            save(number)
    for each, number in ((brand, 1), (other_brand, 2)):
        with app.app_context(), in_tenant(each.tenant):
            assert versions() == [(1, {"number": number}, True)]
