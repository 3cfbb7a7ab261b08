"""Forms drawn from pydantic models, and read back.

The model is the only description of a form: titles and descriptions come from
`Field(title=, description=)`, units and choices from `json_schema_extra`:

    unit      "fen" is typed as yuan, "bp" as percent
    widget    "textarea", "password" or "email" for text
    labels    words for the values of a Literal: {"paid": _l("when paid")}
    choices   the name of a list of choices that the page supplies, for example "tiers"

A field of a list of models becomes rows; names are flattened: `rates-0-level`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from fanyong.web.form_messages import message_for
from fanyong.web.form_specs import Spec, can_draw, specs_of
from fanyong.web.words import _

Choices = Mapping[str, Sequence[tuple[str, str]]]
MAX_ROWS = 1_000


class Posted(Protocol):
    """What a request's form offers."""

    def getlist(self, key: str) -> list[str]: ...

    def __iter__(self) -> Any: ...


@dataclass(frozen=True)
class FieldView:
    """One field as the template draws it; `text` is what was typed, or the present value in that form."""

    spec: Spec
    name: str
    text: str
    errors: Sequence[str]
    choices: Sequence[tuple[str, str]]
    form: SettingsForm
    in_row: bool = False

    @property
    def kind(self) -> str:
        """Which control it is."""
        return self.spec.kind if self.spec.kind != "text" or not self.choices else "select"

    @property
    def label(self) -> str:
        """Its title in the language of the request."""
        return str(self.spec.label)

    @property
    def help(self) -> str:
        """Its explanation in the language of the request."""
        return str(self.spec.help)

    @property
    def required(self) -> bool:
        """Whether it has to be filled in."""
        return self.spec.required and self.kind not in ("checkbox", "rows")

    @property
    def blank(self) -> bool:
        """Whether a select offers nothing at all: where it may stay empty, or is empty now."""
        return self.in_row or not self.text or self.spec.nullable or not self.spec.required

    @property
    def rows(self) -> list[RowView]:
        """The rows of a list."""
        return [self.blank_row(index) for index in range(self.form.counts.get(self.name, 0))]

    def blank_row(self, index: int | str) -> RowView:
        """Return the row at an index; beyond the last it is a fresh one."""
        name = f"{self.name}-{index}"
        views = [self.form.view(spec, f"{name}-{spec.name}", in_row=True) for spec in self.spec.row]
        return RowView(views, self.form.errors.get(name, ()))


@dataclass(frozen=True)
class RowView:
    """One row of a list."""

    fields: Sequence[FieldView]
    errors: Sequence[str]


@dataclass
class SettingsForm:
    """A form of one model: what is typed, what is wrong with it, and the values it comes to."""

    model: type[BaseModel]
    choices: Choices = field(default_factory=dict)
    raw: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    #: What is wrong with the whole rather than with one field.
    general: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.errors and not self.general

    def fields(self) -> list[FieldView]:
        """Return the fields to draw."""
        return [self.view(spec, spec.name) for spec in specs_of(self.model)]

    def view(self, spec: Spec, name: str, *, in_row: bool = False) -> FieldView:
        """Return one field to draw."""
        text = self.raw.get(name, "")
        choices = spec.choices or tuple(self.choices.get(spec.choices_from, ()))
        if choices and text and text not in {value for value, _label in choices}:
            # A value that is not offered any more stays visible instead of turning into another one.
            choices = (*choices, (text, text))
        return FieldView(spec, name, text, self.errors.get(name, ()), choices, self, in_row)

    def add_problems(self, details: Iterable[Mapping[str, str]]) -> None:
        """Show problems of `InvalidPluginSettings.details` at their fields."""
        for problem in details:
            self.add_error(tuple(problem["path"].split(".")) if problem["path"] else (), problem["message"])

    def add_error(self, path: Sequence[object], message: str) -> None:
        """Show a message at the field of a path, or above the form when there is no such field."""
        name = "-".join(str(part) for part in path)
        if self._is_drawn(name):
            self.errors.setdefault(name, []).append(message)
        else:
            self.general.append(f"{'.'.join(str(part) for part in path)}: {message}" if path else message)

    def check(self) -> None:
        """Check the values against the model and put what is wrong with them at the fields."""
        try:
            self.model.model_validate(self.values)
        except ValidationError as error:
            for problem in error.errors():
                name = "-".join(str(part) for part in problem["loc"])
                # A text that could not be read is missing in the values; one message about it is enough.
                if name not in self.errors:
                    self.add_error(problem["loc"], message_for(problem, _spec_at(self.model, problem["loc"])))

    def _is_drawn(self, name: str) -> bool:
        if name in self.raw or name in self.counts:
            return True
        list_name, _dash, index = name.rpartition("-")
        return index.isdigit() and int(index) < self.counts.get(list_name, 0)


def from_values(model: type[BaseModel], values: Mapping[str, Any], *, choices: Choices | None = None) -> SettingsForm:
    """Return the form filled with values in their JSON form; what is missing shows its default."""
    form = SettingsForm(model, choices or {}, values=dict(values))
    for spec in specs_of(model):
        value = values.get(spec.name, spec.default)
        if spec.kind == "rows":
            _fill_rows(form, spec, value or ())
        else:
            form.raw[spec.name] = spec.to_text(value)
    return form


def from_post(model: type[BaseModel], posted: Posted, *, choices: Choices | None = None) -> SettingsForm:
    """Return the form as it was posted, read and checked: `ok`, and then `values`, or `errors` at the fields.

    Rows whose fields are all empty are left out; the others move together.
    """
    form = SettingsForm(model, choices or {})
    for spec in specs_of(model):
        if spec.kind == "rows":
            form.values[spec.name] = [
                _read(form, spec.row, prefix=f"{spec.name}-{at}-", posted=posted, source=f"{spec.name}-{index}-")
                for at, index in enumerate(_row_indexes(spec, posted))
            ]
            form.counts[spec.name] = len(form.values[spec.name])
    flat = [spec for spec in specs_of(model) if spec.kind != "rows"]
    form.values.update(_read(form, flat, prefix="", posted=posted, source=""))
    form.check()
    return form


def from_json(model: type[BaseModel], text: str, *, choices: Choices | None = None) -> SettingsForm:
    """Return the form of settings that were typed as JSON, checked like a posted one.

    What is wrong is said above the form; the fields then show the model's defaults.
    """
    form = SettingsForm(model, choices or {})
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        form.general.append(_("This is not JSON: %(problem)s", problem=str(error)))
        values = {}
    if not isinstance(values, dict):
        form.general.append(_("The settings have to be a JSON object: {…}."))
        values = {}
    form.values = values
    if form.ok:
        form.check()
    if can_draw(model):
        filled = from_values(model, values if form.ok else {})
        form.raw, form.counts = filled.raw, filled.counts
    return form


def _fill_rows(form: SettingsForm, spec: Spec, rows: Iterable[Any]) -> None:
    count = 0
    for index, row in enumerate(rows):
        count += 1
        for cell in spec.row:
            value = row.get(cell.name, cell.default) if isinstance(row, Mapping) else getattr(row, cell.name)
            form.raw[f"{spec.name}-{index}-{cell.name}"] = cell.to_text(value)
    form.counts[spec.name] = count


def _row_indexes(spec: Spec, posted: Posted) -> list[int]:
    """Return the indexes of the rows that hold something, in their order."""
    found: dict[int, bool] = {}
    for name in posted:
        list_name, _dash, rest = name.partition("-")
        index, _dash, _cell = rest.partition("-")
        if list_name == spec.name and index.isascii() and index.isdigit() and len(index) < 9:
            found[int(index)] = found.get(int(index), False) or bool(_last(posted, name).strip())
    return sorted(index for index, filled in found.items() if filled)[:MAX_ROWS]


def _read(form: SettingsForm, specs: Sequence[Spec], *, prefix: str, posted: Posted, source: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for spec in specs:
        name = prefix + spec.name
        present = source + spec.name in posted
        text = _last(posted, source + spec.name) if present else spec.to_text(spec.default) if not prefix else ""
        form.raw[name] = text
        try:
            values.update(spec.from_text(text))
        except ValueError:
            form.errors[name] = [spec.unreadable()]
    return values


def _last(posted: Posted, name: str) -> str:
    """Return the last value of a name: a checkbox sends an empty one before its own."""
    values = posted.getlist(name)
    return values[-1] if values else ""


def _spec_at(model: type[BaseModel], path: Sequence[object]) -> Spec | None:
    specs: Sequence[Spec] = specs_of(model)
    found: Spec | None = None
    for part in path:
        if isinstance(part, int):
            continue
        found = next((spec for spec in specs if spec.name == part), None)
        specs = found.row if found else ()
    return found
