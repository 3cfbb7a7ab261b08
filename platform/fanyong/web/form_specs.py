"""What a pydantic model says about its form: which control each field gets, and how texts become values."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from fanyong.web import money
from fanyong.web.words import _
from fanyong.wechat.times import BEIJING

Kind = Literal[
    "text",
    "textarea",
    "password",
    "email",
    "number",
    "money",
    "percent",
    "date",
    "datetime",
    "checkbox",
    "select",
    "several",
    "rows",
    "section",
]
#: Fields made of other fields.
COMPOUND: tuple[Kind, ...] = ("rows", "section")
_UNIT_KINDS: dict[str, Kind] = {"fen": "money", "bp": "percent"}
_SEPARATORS = re.compile(r"[,，、;；\n]+")
_TRUE = frozenset({"yes", "on", "1", "true", "y"})


class CannotDraw(TypeError):
    """A field of a type that no control is for; such settings are edited as JSON."""


@dataclass(frozen=True)
class Spec:
    """One field of a form."""

    name: str
    kind: Kind
    label: Any
    help: Any
    #: The field has no default; `nullable` means that empty stands for None.
    required: bool
    nullable: bool
    default: Any
    #: For a select: the texts of its options; their values by text.
    choices: tuple[tuple[str, Any], ...] = ()
    values: Mapping[str, Any] | None = None
    choices_from: str = ""
    #: What empty stands for, in words: shown in an empty field.
    blank: Any = ""
    #: The fields of a section, or of each row.
    parts: tuple[Spec, ...] = ()
    #: For `several`: what each of the values is.
    item: Spec | None = None

    def to_text(self, value: Any) -> str:
        """Return a value as it is typed."""
        if value is None:
            return ""
        if self.kind in ("money", "percent"):
            return money.hundredths(value)
        if self.kind == "checkbox":
            return "yes" if value else ""
        if self.item is not None:
            return ", ".join(self.item.to_text(one) for one in value)
        if self.kind == "date":
            return str(value)
        if self.kind == "datetime":
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
            return f"{moment.astimezone(BEIJING):%Y-%m-%dT%H:%M}"
        return str(value.value if isinstance(value, Enum) else value)

    def from_text(self, text: str) -> dict[str, Any]:
        """Return {name: value} for what was typed, or {} where the model's default or complaint stands.

        Raises ValueError for a text that cannot be read at all.
        """
        if self.kind == "checkbox":
            return {self.name: text.lower() in _TRUE}
        if self.kind in ("text", "textarea", "password", "email"):
            return {self.name: None if self.nullable and not text else text.replace("\r\n", "\n")}
        if self.item is not None:
            texts = [part.strip() for part in _SEPARATORS.split(text) if part.strip()]
            return {self.name: [self.item._number_or_choice(part) for part in texts]}
        if not text.strip():
            return {self.name: None} if self.nullable else {}
        return {self.name: self._number_or_choice(text)}

    def unreadable(self) -> str:
        """Return what to say about a text that cannot be read."""
        if self.kind == "money":
            return _("Please enter an amount like 12.50.")
        if self.kind == "percent":
            return _("Please enter a percentage like 10 or 2.50.")
        if self.kind in ("date", "datetime"):
            return _("Please enter a day like 2026-11-30.")
        return _("Please enter a whole number.")

    def shown(self, value: Any) -> str:
        """Return a limit of this field in the unit it is typed in."""
        if self.kind == "money":
            return money.yuan(int(value))
        return money.percent(int(value)) if self.kind == "percent" else str(value)

    def _number_or_choice(self, text: str) -> Any:
        if self.kind == "money":
            return money.parse_yuan(text)
        if self.kind == "percent":
            return money.parse_percent(text)
        if self.kind == "number":
            return money.parse_whole(text)
        if self.kind == "date":
            return date.fromisoformat(text.strip()).isoformat()
        if self.kind == "datetime":
            return datetime.fromisoformat(text.strip()).replace(tzinfo=BEIJING).isoformat()
        if self.kind == "text":
            return text
        # An unknown option goes to the model as it is, whose complaint is shown.
        return (self.values or {}).get(text, text)


@lru_cache(maxsize=256)
def specs_of(model: type[BaseModel]) -> tuple[Spec, ...]:
    """Return the fields of a model's form, in the order of the model; raises CannotDraw."""
    return tuple(_spec(name, info) for name, info in model.model_fields.items())


def can_draw(model: type[BaseModel]) -> bool:
    """Return whether every field of a model has a control."""
    try:
        specs_of(model)
    except CannotDraw:
        return False
    return True


def _spec(name: str, info: FieldInfo) -> Spec:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    annotation, nullable = _unwrapped(info.annotation)
    kind, choices, parts = _control(annotation, extra)
    default = info.get_default(call_default_factory=True, validated_data={})
    return Spec(
        name=name,
        kind=kind,
        label=info.title or name.replace("_", " ").capitalize(),
        help=info.description or "",
        required=info.is_required(),
        nullable=nullable,
        default=None if default is PydanticUndefined else default,
        choices=choices,
        values=_values(annotation) if kind == "select" else None,
        choices_from=str(extra.get("choices", "")),
        blank=extra.get("blank", ""),
        parts=parts,
        item=_item_spec(annotation, extra) if kind == "several" else None,
    )


def _unwrapped(annotation: Any) -> tuple[Any, bool]:
    """Return a type without `Annotated` and `| None`, and whether None was allowed."""
    if get_origin(annotation) is Annotated:
        return _unwrapped(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        others = [part for part in get_args(annotation) if part is not type(None)]
        if len(others) == 1:
            return _unwrapped(others[0])[0], True
    return annotation, False


def _control(annotation: Any, extra: Mapping[str, Any]) -> tuple[Kind, tuple[tuple[str, Any], ...], tuple[Spec, ...]]:
    if get_origin(annotation) is Literal or _is(annotation, Enum):
        labels = extra.get("labels", {})
        return "select", tuple((text, labels.get(text, text)) for text in _values(annotation)), ()
    if annotation is bool:
        return "checkbox", (), ()
    if annotation is int:
        return _UNIT_KINDS.get(str(extra.get("unit", "")), "number"), (), ()
    if annotation is str:
        widget = extra.get("widget")
        return (widget if widget in ("textarea", "password", "email") else "text"), (), ()
    if annotation is date:
        return "date", (), ()
    if annotation is datetime:
        return "datetime", (), ()
    if _is(annotation, BaseModel):
        return "section", (), specs_of(annotation)
    item = _item_of(annotation)
    if _is(item, BaseModel):
        return "rows", (), specs_of(item)
    if item is not None:
        spec = _item_spec(annotation, extra)
        if spec.kind in ("text", "number", "money", "percent", "select"):
            return "several", spec.choices, ()
    raise CannotDraw(f"no control for {annotation!r}")


def _item_spec(annotation: Any, extra: Mapping[str, Any]) -> Spec:
    """Return what one value of a list of plain values is."""
    item = _item_of(annotation)
    kind, choices, parts = _control(item, extra)
    values = _values(item) if kind == "select" else None
    return Spec("", kind, "", "", False, False, None, choices=choices, values=values, parts=parts)


def _item_of(annotation: Any) -> Any:
    arguments: Sequence[Any] = get_args(annotation)
    if get_origin(annotation) is list or (get_origin(annotation) is tuple and arguments[1:] == (...,)):
        return _unwrapped(arguments[0])[0]
    return None


def _is(annotation: Any, base: type) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, base)


def _values(annotation: Any) -> dict[str, Any]:
    members = [m.value for m in annotation] if _is(annotation, Enum) else list(get_args(annotation))
    return {str(member): member for member in members}
