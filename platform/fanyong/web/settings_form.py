"""Forms drawn from pydantic models, and read back.

The model is the only description of a form: titles and descriptions come from
`Field(title=, description=)`, units and choices from `json_schema_extra`:

    unit      "fen" is typed as yuan, "bp" as percent
    widget    "textarea", "password" or "email" for text
    labels    words for the values of a Literal: {"paid": _l("when paid")}
    choices   the name of a list of choices that the page supplies, for example "tiers"
    blank     words for what an empty field stands for: _l("all tiers")

A field that is a model becomes a section, one that may be None a section with a switch; a list of models becomes
rows, which keep the order they have on the page; a list of plain values becomes boxes to tick, or one text with
commas. They nest. Names are flattened: `rates-0-level`, `team-generations-1-rate_bp`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError

from fanyong.web.form_messages import message_for
from fanyong.web.form_specs import COMPOUND, Spec, can_draw, specs_of
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
        if self.spec.kind == "several":
            return "boxes" if self.choices else "text"
        return self.spec.kind if self.spec.kind != "text" or not self.choices else "select"

    @property
    def chosen(self) -> list[str]:
        """The ticked boxes."""
        return [part.strip() for part in self.text.split(",")]

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
        return self.spec.required and self.kind not in ("checkbox", "boxes", *COMPOUND)

    @property
    def blank(self) -> bool:
        """Whether a select offers nothing at all: where it may stay empty, or is empty now."""
        return self.in_row or not self.text or self.spec.nullable or not self.spec.required

    @property
    def fields(self) -> list[FieldView]:
        """The fields of a section."""
        return [self.form.view(spec, f"{self.name}-{spec.name}", in_row=self.in_row) for spec in self.spec.parts]

    @property
    def rows(self) -> list[RowView]:
        """The rows of a list."""
        return [self.blank_row(index) for index in range(self.form.counts.get(self.name, 0))]

    @property
    def placeholder(self) -> str:
        """What stands for the index in the names of a fresh row; lists within lists have one each."""
        return f"__index{self.name.count('__index')}__"

    @property
    def in_use(self) -> bool:
        """Whether a section says anything but its defaults, or something in it is wrong."""
        start = f"{self.name}-"
        if any(name == self.name or name.startswith(start) for name in self.form.errors):
            return True
        return (self.text == "yes") if self.spec.nullable else not self.form.is_default(self.spec.parts, start)

    def blank_row(self, index: int | str) -> RowView:
        """Return the row at an index; beyond the last it is a fresh one."""
        name = f"{self.name}-{index}"
        views = [self.form.view(spec, f"{name}-{spec.name}", in_row=True) for spec in self.spec.parts]
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

    def is_default(self, specs: Sequence[Spec], prefix: str) -> bool:
        """Return whether fields show nothing but their defaults."""
        for spec in specs:
            name = prefix + spec.name
            if spec.kind == "rows":
                if self.counts.get(name, 0) != len(spec.default or ()):
                    return False
            elif spec.kind == "section":
                if not self.is_default(spec.parts, f"{name}-"):
                    return False
            elif self.raw.get(name, "") != spec.to_text(spec.default):
                return False
        return True

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
    _fill(form, specs_of(model), values, prefix="")
    return form


def from_post(model: type[BaseModel], posted: Posted, *, choices: Choices | None = None) -> SettingsForm:
    """Return the form as it was posted, read and checked: `ok`, and then `values`, or `errors` at the fields.

    Rows whose fields are all empty are left out; the others move together, in the order in which they were sent.
    """
    form = SettingsForm(model, choices or {})
    form.values = _read(form, specs_of(model), posted=posted, source="", prefix="", in_row=False)
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


def _fill(form: SettingsForm, specs: Sequence[Spec], values: Any, *, prefix: str) -> None:
    for spec in specs:
        value = _value_of(values, spec)
        name = prefix + spec.name
        if spec.kind == "rows":
            rows = list(value or ())
            form.counts[name] = len(rows)
            for index, row in enumerate(rows):
                _fill(form, spec.parts, row, prefix=f"{name}-{index}-")
        elif spec.kind == "section":
            form.raw[name] = "" if value is None else "yes"
            _fill(form, spec.parts, {} if value is None else value, prefix=f"{name}-")
        else:
            form.raw[name] = spec.to_text(value)


def _value_of(values: Any, spec: Spec) -> Any:
    return values.get(spec.name, spec.default) if isinstance(values, Mapping) else getattr(values, spec.name)


def _row_indexes(name: str, posted: Posted) -> list[int]:
    """Return the indexes of the rows of a list that hold something, in the order in which they were sent."""
    found: dict[int, bool] = {}
    start = f"{name}-"
    for sent in posted:
        if not sent.startswith(start):
            continue
        index, _dash, _cell = sent[len(start) :].partition("-")
        if index.isascii() and index.isdigit() and len(index) < 9:
            found[int(index)] = found.get(int(index), False) or bool(_last(posted, sent).strip())
    return [index for index, filled in found.items() if filled][:MAX_ROWS]


def _read(
    form: SettingsForm, specs: Sequence[Spec], *, posted: Posted, source: str, prefix: str, in_row: bool
) -> dict[str, Any]:
    """Return the values of fields that were posted under `source`; the form shows them under `prefix`."""
    values: dict[str, Any] = {}
    for spec in specs:
        sent, name = source + spec.name, prefix + spec.name
        if spec.kind == "rows":
            values[spec.name] = [
                _read(form, spec.parts, posted=posted, source=f"{sent}-{index}-", prefix=f"{name}-{at}-", in_row=True)
                for at, index in enumerate(_row_indexes(sent, posted))
            ]
            form.counts[name] = len(values[spec.name])
        elif spec.kind == "section":
            form.raw[name] = _last(posted, sent) if spec.nullable else "yes"
            inner = _read(form, spec.parts, posted=posted, source=f"{sent}-", prefix=f"{name}-", in_row=in_row)
            values[spec.name] = inner if form.raw[name] else None
        else:
            _read_one(form, spec, values, posted=posted, sent=sent, name=name, in_row=in_row)
    return values


def _read_one(
    form: SettingsForm, spec: Spec, values: dict[str, Any], *, posted: Posted, sent: str, name: str, in_row: bool
) -> None:
    if spec.kind == "several" and sent in posted:
        text = ", ".join(part for part in posted.getlist(sent) if part.strip())
    elif sent in posted or in_row:
        text = _last(posted, sent)
    else:
        text = spec.to_text(spec.default)
    form.raw[name] = text
    try:
        values.update(spec.from_text(text))
    except ValueError:
        form.errors[name] = [spec.unreadable()]


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
        specs = found.parts if found else ()
    return found
