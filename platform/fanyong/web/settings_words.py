"""Settings and their changes in words: the titles of the form instead of the names of the fields."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from fanyong.pluginhost.differences import MISSING, Difference
from fanyong.web.form_specs import Spec, can_draw, specs_of
from fanyong.web.money import yuan
from fanyong.web.settings_form import Choices
from fanyong.web.words import _


@dataclass(frozen=True, slots=True)
class ToldChange:
    """A change as people read it; an empty side is one that is not there."""

    where: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ToldSetting:
    """A setting as people read it: a text, the settings of a section, or a table of rows."""

    label: str
    text: str = ""
    parts: Sequence[ToldSetting] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def told_change(model: type[BaseModel], difference: Difference, *, choices: Choices | None = None) -> ToldChange:
    """Return a difference of two settings of a model in words; where it has no form, paths and JSON stand for it."""
    places, spec = _place(model, difference.path)
    return ToldChange(
        where=" › ".join(places),
        before=_side(spec, difference.before, choices or {}),
        after=_side(spec, difference.after, choices or {}),
    )


def told_settings(
    model: type[BaseModel], values: Mapping[str, Any], *, choices: Choices | None = None
) -> list[ToldSetting]:
    """Return settings in words, section by section; what is empty or switched off is left out."""
    if not can_draw(model):
        return [ToldSetting("", text=json.dumps(values, ensure_ascii=False, indent=2))]
    return _told(specs_of(model), values, choices or {})


def value_words(spec: Spec, value: Any, choices: Choices) -> str:
    """Return one value in words."""
    if value is None:
        return _("none")
    if spec.kind == "checkbox":
        return _("yes") if value else _("no")
    if spec.kind == "money":
        return yuan(int(value))
    if spec.kind == "several" and spec.item is not None:
        return _(", ").join(_label(spec, spec.item.to_text(one), choices) for one in value) or _("none")
    if spec.kind == "rows":
        return "; ".join(value_words(_as_section(spec), row, choices) for row in value) or _("none")
    if spec.kind == "section":
        return _(", ").join(_parts(spec, value, choices)) or "–"
    text = spec.shown(value) if spec.kind in ("percent", "number") else spec.to_text(value)
    return _label(spec, text.replace("T", " ") if spec.kind == "datetime" else text, choices) or _("none")


def _told(specs: Sequence[Spec], values: Mapping[str, Any], choices: Choices) -> list[ToldSetting]:
    told = []
    for spec in specs:
        value = values.get(spec.name, spec.default)
        if value in (None, "", [], ()) or (spec.kind == "checkbox" and not value):
            continue
        if spec.kind == "section":
            parts = _told(spec.parts, _mapping(value), choices)
            if parts:
                told.append(ToldSetting(str(spec.label), parts=parts))
        elif spec.kind == "rows":
            rows = [
                [_cell(part, _mapping(row).get(part.name, part.default), choices) for part in spec.parts]
                for row in value
            ]
            told.append(ToldSetting(str(spec.label), head=[str(part.label) for part in spec.parts], rows=rows))
        else:
            told.append(ToldSetting(str(spec.label), text=value_words(spec, value, choices)))
    return told


def _cell(spec: Spec, value: Any, choices: Choices) -> str:
    return "" if value in (None, "", []) else value_words(spec, value, choices)


def _place(model: type[BaseModel], path: str) -> tuple[list[str], Spec | None]:
    """Return where a dotted path leads, in titles, and the field there."""
    parts = path.split(".")
    outside = {"title": _("Title"), "plugin": _("Kind"), "effective_at": _("In force from")}
    if path in outside and path not in model.model_fields:
        return [outside[path]], None
    if not can_draw(model):
        return [path], None
    specs: Sequence[Spec] = specs_of(model)
    places: list[str] = []
    found: Spec | None = None
    for part in parts:
        if part.isdigit():
            places.append(_("row %(number)d", number=int(part) + 1))
            found = _as_section(found) if found else None
            continue
        found = next((spec for spec in specs if spec.name == part), None)
        places.append(str(found.label) if found else part)
        specs = found.parts if found else ()
    return places, found


def _as_section(spec: Spec) -> Spec:
    """Return what one row of a list is: the same fields, one after the other."""
    if spec.kind != "rows":
        return spec
    return Spec(spec.name, "section", spec.label, "", False, False, None, parts=spec.parts)


def _side(spec: Spec | None, value: Any, choices: Choices) -> str:
    if isinstance(value, str) and value == MISSING:
        return ""
    if spec is None:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value_words(spec, value, choices)


def _parts(spec: Spec, value: Any, choices: Choices) -> list[str]:
    """Return the fields of a section that say something."""
    values = _mapping(value)
    told = ((part, values.get(part.name, part.default)) for part in spec.parts)
    return [f"{part.label} {value_words(part, one, choices)}" for part, one in told if one not in (None, "", [], False)]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _label(spec: Spec, text: str, choices: Choices) -> str:
    """Return what the form calls one of a field's choices."""
    offered = spec.choices or tuple(choices.get(spec.choices_from, ()))
    return next((str(label) for value, label in offered if str(value) == text), text)
