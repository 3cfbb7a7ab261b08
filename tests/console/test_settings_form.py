"""A form drawn from a model and posted back gives the same values, and says where something is wrong."""

from __future__ import annotations

import re
from datetime import date, datetime
from enum import Enum
from html import unescape
from pathlib import Path
from typing import Any, Literal

import pytest
from flask import Flask, render_template_string
from flask_babel import Babel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.datastructures import MultiDict

import fanyong.web
from fanyong.web import money
from fanyong.web.filters import init_filters
from fanyong.web.form_specs import can_draw, specs_of
from fanyong.web.settings_form import from_json, from_post, from_values
from plugins.plan_ladder import Settings as LadderSettings
from plugins.plan_levels import Settings as LevelSettings
from plugins.tiers_flat import Settings as FlatSettings
from plugins.tiers_ladder import Settings as TierLadderSettings

PLUGIN_MODELS = (LadderSettings, LevelSettings, FlatSettings, TierLadderSettings)
FORM = "{% import 'web/ui.html' as ui with context %}{{ ui.form_fields(form) }}"


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    level: int = Field(ge=1, le=3)
    note: str = ""
    rate_bp: int = Field(ge=0, le=10_000, json_schema_extra={"unit": "bp"})
    scope: Literal["sku", "category"] = "sku"
    final: bool = False


class Condition(BaseModel):
    model_config = ConfigDict(extra="forbid")

    metric: Literal["own", "team"]
    at_least_fen: int = Field(default=0, ge=0, json_schema_extra={"unit": "fen"})


class Rise(BaseModel):
    model_config = ConfigDict(extra="forbid")

    mode: Literal["all", "any"] = "all"
    conditions: list[Condition] = []


class Step(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    rise: Rise = Rise()


class Limits(BaseModel):
    model_config = ConfigDict(extra="forbid")

    order_bp: int | None = Field(default=None, ge=0, le=10_000, json_schema_extra={"unit": "bp"})
    steps: list[Step] = []


class Everything(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    remark: str | None = None
    count: int = 3
    price_fen: int = Field(gt=0, le=10**9, json_schema_extra={"unit": "fen"})
    floor_fen: int | None = Field(default=None, json_schema_extra={"unit": "fen"})
    flag: bool = True
    number: Literal[1, 2, 3] = 2
    colour: Colour = Colour.RED
    rows: list[Row] = []
    pairs: tuple[Row, ...] = ()
    limits: Limits = Limits()
    budget: Limits | None = None
    tiers: list[str] = []
    days: list[int] = []
    starts_at: datetime | None = None
    ends_on: date | None = None


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
ROWS = st.fixed_dictionaries(
    {
        "level": st.integers(1, 3),
        "note": TEXT | st.just(""),
        "rate_bp": st.integers(0, 10_000),
        "scope": st.sampled_from(["sku", "category"]),
        "final": st.booleans(),
    }
)
STEPS = st.fixed_dictionaries(
    {
        "name": TEXT,
        "rise": st.fixed_dictionaries(
            {
                "mode": st.sampled_from(["all", "any"]),
                "conditions": st.lists(
                    st.fixed_dictionaries(
                        {"metric": st.sampled_from(["own", "team"]), "at_least_fen": st.integers(0, 10**9)}
                    ),
                    max_size=3,
                ),
            }
        ),
    }
)
LIMITS = st.fixed_dictionaries({"order_bp": st.none() | st.integers(0, 10_000), "steps": st.lists(STEPS, max_size=3)})
VALUES = st.fixed_dictionaries(
    {
        "name": TEXT,
        "remark": st.none() | TEXT,
        "count": st.integers(-(10**12), 10**12),
        "price_fen": st.integers(1, 10**9),
        "floor_fen": st.none() | st.integers(-(10**9), 10**9),
        "flag": st.booleans(),
        "number": st.sampled_from([1, 2, 3]),
        "colour": st.sampled_from(["red", "blue"]),
        "rows": st.lists(ROWS, max_size=4),
        "pairs": st.lists(ROWS, max_size=2),
        "limits": LIMITS,
        "budget": st.none() | LIMITS,
        "tiers": st.lists(st.sampled_from(["gold", "silver", "x-1"]), max_size=3),
        "days": st.lists(st.integers(1, 31), max_size=3),
        "starts_at": st.none() | st.just("2026-11-01T00:00:00+08:00"),
        "ends_on": st.none() | st.just("2026-12-31"),
    }
)


@pytest.fixture(scope="module")
def page() -> Flask:
    """As much of an application as drawing a form takes."""
    app = Flask("page", template_folder=str(Path(fanyong.web.__file__).parent / "templates"))
    Babel(app, default_locale="en")
    init_filters(app)
    return app


def posted(page: Flask, form: Any) -> MultiDict[str, str]:
    """Return what a browser without JavaScript sends for a drawn form."""
    with page.test_request_context("/"):
        html = render_template_string(FORM, form=form)
    while "<template" in html:
        # Blanks of lists within lists stand inside each other: the innermost goes first.
        html = re.sub(r"<template[^>]*>(?:(?!<template).)*?</template>", "", html, flags=re.DOTALL)
    fields: MultiDict[str, str] = MultiDict()
    tags = r"<input[^>]*>|<select.*?</select>|<textarea.*?</textarea>"
    for tag in re.findall(tags, html, flags=re.DOTALL):
        name = re.search(r'name="([^"]*)"', tag)
        assert name, tag
        if tag.startswith("<select"):
            chosen = re.search(r'<option value="([^"]*)" selected>', tag)
            fields.add(name[1], unescape(chosen[1]) if chosen else "")
        elif 'type="checkbox"' not in tag or " checked" in tag:
            value = re.search(r'value="([^"]*)"', tag, flags=re.DOTALL)
            fields.add(name[1], unescape(value[1]) if value else "")
    return fields


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=VALUES)
def test_what_is_drawn_comes_back(page: Flask, values: dict[str, Any]) -> None:
    """Drawing valid values and posting the page as it is changes nothing."""
    before = Everything.model_validate(values)
    with page.test_request_context("/"):
        form = from_values(Everything, before.model_dump(mode="json"))
        again = from_post(Everything, posted(page, form))
    assert again.ok, (again.errors, again.general)
    assert Everything.model_validate(again.values) == before


@pytest.mark.parametrize("model", PLUGIN_MODELS)
def test_the_forms_of_the_plugins_keep_their_defaults(page: Flask, model: type[BaseModel]) -> None:
    before = model()
    with page.test_request_context("/"):
        form = from_post(model, posted(page, from_values(model, before.model_dump(mode="json"))))
        fresh = from_post(model, posted(page, from_values(model, {})))
    assert form.ok
    assert fresh.ok
    assert model.model_validate(form.values) == model.model_validate(fresh.values) == before


def test_mistakes_stand_at_their_fields_and_nothing_typed_is_lost(page: Flask) -> None:
    typed = MultiDict(
        [
            ("name", "茶"),
            ("count", "many"),
            ("price_fen", "0"),
            ("floor_fen", "1.234"),
            ("number", "9"),
            ("rows-4-level", "7"),
            ("rows-4-rate_bp", "120"),
            ("rows-9-level", ""),
            ("rows-11-level", "2"),
            ("rows-11-rate_bp", "2.5x"),
        ]
    )
    with page.test_request_context("/"):
        form = from_post(Everything, typed)
        fields = posted(page, form)
    assert form.errors == {
        "count": ["Please enter a whole number."],
        "price_fen": ["This has to be more than ¥0.00."],
        "floor_fen": ["Please enter an amount like 12.50."],
        "number": ["Please choose one of the options."],
        "rows-0-level": ["This can be 3 at most."],
        "rows-0-rate_bp": ["This can be 100.00% at most."],
        "rows-1-rate_bp": ["Please enter a percentage like 10 or 2.50."],
    }
    assert form.general == []
    shown = {name: fields[name] for name in ("name", "count", "floor_fen", "rows-0-level", "rows-1-rate_bp")}
    assert list(shown.values()) == ["茶", "many", "1.234", "7", "2.5x"]


def test_rows_keep_the_order_in_which_they_were_sent(page: Flask) -> None:
    typed = MultiDict(
        [
            ("name", "x"),
            ("price_fen", "1"),
            ("limits-steps-5-name", "moved to the top"),
            ("limits-steps-5-rise-conditions-3-metric", "team"),
            ("limits-steps-5-rise-conditions-0-metric", "own"),
            ("limits-steps-0-name", "second"),
        ]
    )
    with page.test_request_context("/"):
        form = from_post(Everything, typed)
    assert form.ok, (form.errors, form.general)
    limits = Everything.model_validate(form.values).limits
    assert [step.name for step in limits.steps] == ["moved to the top", "second"]
    assert [condition.metric for condition in limits.steps[0].rise.conditions] == ["team", "own"]


def test_mistakes_deep_inside_stand_at_their_fields(page: Flask) -> None:
    typed = MultiDict(
        [
            ("name", "x"),
            ("price_fen", "1"),
            ("limits-steps-7-name", "a"),
            ("limits-steps-7-rise-conditions-2-at_least_fen", "lots"),
            ("budget", "yes"),
            ("budget-order_bp", "101"),
            ("days", "1, x"),
            ("starts_at", "soon"),
        ]
    )
    with page.test_request_context("/"):
        form = from_post(Everything, typed)
        html = render_template_string(FORM, form=form)
    assert form.errors == {
        "limits-steps-0-rise-conditions-0-metric": ["Please fill this in."],
        "limits-steps-0-rise-conditions-0-at_least_fen": ["Please enter an amount like 12.50."],
        "budget-order_bp": ["This can be 100.00% at most."],
        "days": ["Please enter a whole number."],
        "starts_at": ["Please enter a day like 2026-11-30."],
    }
    assert html.count("<details") == html.count('<details class="fy-section mb-3" open'), (
        "sections with mistakes are open"
    )


def test_several_values_are_boxes_where_there_are_choices(page: Flask) -> None:
    choices = {"tiers": [("gold", "Gold"), ("silver", "Silver")]}

    class Chooser(BaseModel):
        model_config = ConfigDict(extra="forbid")

        tiers: list[str] = Field(default=["gold"], json_schema_extra={"choices": "tiers"})

    with page.test_request_context("/"):
        html = render_template_string(FORM, form=from_values(Chooser, {}, choices=choices))
        ticked = from_post(Chooser, MultiDict([("tiers", ""), ("tiers", "silver"), ("tiers", "gold")]), choices=choices)
        nothing = from_post(Chooser, MultiDict([("tiers", "")]), choices=choices)
    assert re.findall(r'value="(\w+)"( checked)?', html) == [("gold", " checked"), ("silver", "")]
    assert ticked.values == {"tiers": ["silver", "gold"]}
    assert nothing.values == {"tiers": []}


def test_a_section_that_is_switched_off_is_none(page: Flask) -> None:
    typed = MultiDict([("name", "x"), ("price_fen", "1"), ("budget", ""), ("budget-order_bp", "5")])
    with page.test_request_context("/"):
        assert Everything.model_validate(from_post(Everything, typed).values).budget is None
        typed.add("budget", "yes")
        budget = Everything.model_validate(from_post(Everything, typed).values).budget
    assert budget is not None
    assert budget.order_bp == 500


def test_what_is_missing_is_asked_for(page: Flask) -> None:
    with page.test_request_context("/"):
        form = from_post(Everything, MultiDict({"rows-0-note": "only a note"}))
    asked = ["Please fill this in."]
    assert form.errors == {"name": asked, "price_fen": asked, "rows-0-level": asked, "rows-0-rate_bp": asked}


def test_a_row_error_and_an_unknown_path_are_shown(page: Flask) -> None:
    with page.test_request_context("/"):
        form = from_values(Everything, {"rows": [{"level": 1, "rate_bp": 1}]})
        form.add_problems(
            [
                {"path": "rows.0", "message": "twice"},
                {"path": "rows.5.level", "message": "far away"},
                {"path": "", "message": "all of it"},
            ]
        )
        html = render_template_string(FORM, form=form)
    assert form.errors == {"rows-0": ["twice"]}
    assert form.general == ["rows.5.level: far away", "all of it"]
    assert all(text in html for text in ("twice", "far away", "all of it"))


def test_json_is_checked_like_the_form(page: Flask) -> None:
    with page.test_request_context("/"):
        good = from_json(Everything, '{"name": "a", "price_fen": 5, "rows": [{"level": 1, "rate_bp": 250}]}')
        assert good.ok
        assert good.raw["rows-0-rate_bp"] == "2.50"
        assert from_json(Everything, "{").general[0].startswith("This is not JSON")
        assert from_json(Everything, "[" * 100_000).general[0].startswith("This is not JSON")
        assert from_json(Everything, "[1]").general == ["The settings have to be a JSON object: {…}."]
        bad = from_json(Everything, '{"name": "a", "price_fen": "x", "colour": "pink", "surprise": 1}')
    assert bad.general == [
        "price_fen: Please enter a whole number.",
        "colour: Please choose one of the options.",
        "surprise: There is no such setting.",
    ]


def test_a_model_with_other_types_cannot_be_drawn() -> None:
    class Odd(BaseModel):
        table: dict[str, int] = {}

    assert not can_draw(Odd)
    assert can_draw(Everything)
    assert [spec.kind for spec in specs_of(Everything)][:4] == ["text", "text", "number", "money"]


def test_typed_html_is_shown_and_not_run(page: Flask) -> None:
    with page.test_request_context("/"):
        html = render_template_string(FORM, form=from_post(Everything, MultiDict({"name": '"><script>x</script>'})))
    assert "<script>x" not in html


@given(st.integers(-(10**13), 10**13))
def test_amounts_survive_being_written_and_read(amount_fen: int) -> None:
    assert money.parse_yuan(money.hundredths(amount_fen)) == amount_fen
    assert money.parse_yuan(money.yuan(abs(amount_fen))) == abs(amount_fen)
    assert money.parse_percent(f"{money.hundredths(amount_fen)}%") == amount_fen


@pytest.mark.parametrize("text", ["", ".", "1.", ".5", "1.234", "1,23", "1e3", "NaN", "--1", "0x10", "1 2"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(money.NotANumber):
        money.parse_yuan(text)


def test_full_width_digits_are_read() -> None:
    assert money.parse_yuan("￥１２．５") == 1250
    assert money.parse_whole(" ４２ ") == 42
