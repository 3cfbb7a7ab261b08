"""What pydantic complains about, in words for people and in their language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fanyong.web.form_specs import Spec
from fanyong.web.words import _


def message_for(problem: Mapping[str, Any], spec: Spec | None) -> str:
    """Return the message for one entry of `ValidationError.errors()`, limits in the field's own unit."""
    kind, context = str(problem["type"]), problem.get("ctx", {})
    if kind in _BOUNDS:
        limit = context[_BOUNDS[kind]]
        return _bound(kind, spec.shown(limit) if spec else str(limit))
    if kind in ("missing", "string_type") or (kind == "string_too_short" and context["min_length"] == 1):
        return _("Please fill this in.")
    if kind in ("string_too_short", "string_too_long"):
        return _length(kind, context)
    if kind in ("too_short", "too_long"):
        return _count(kind, context)
    if kind in ("literal_error", "enum"):
        return _("Please choose one of the options.")
    if kind in ("int_type", "int_parsing", "int_from_float", "bool_type", "bool_parsing"):
        return _("Please enter a whole number.") if kind.startswith("int") else _("Please choose yes or no.")
    if kind == "extra_forbidden":
        return _("There is no such setting.")
    if kind == "string_pattern_mismatch":
        return _("This does not have the right form.")
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error") or problem["msg"])
    return str(problem["msg"])


_BOUNDS = {"greater_than_equal": "ge", "greater_than": "gt", "less_than_equal": "le", "less_than": "lt"}


def _bound(kind: str, limit: str) -> str:
    if kind == "greater_than_equal":
        return _("This has to be at least %(limit)s.", limit=limit)
    if kind == "greater_than":
        return _("This has to be more than %(limit)s.", limit=limit)
    if kind == "less_than_equal":
        return _("This can be %(limit)s at most.", limit=limit)
    return _("This has to be less than %(limit)s.", limit=limit)


def _length(kind: str, context: Mapping[str, Any]) -> str:
    if kind == "string_too_short":
        return _("This needs at least %(number)d characters.", number=context["min_length"])
    return _("This can have %(number)d characters at most.", number=context["max_length"])


def _count(kind: str, context: Mapping[str, Any]) -> str:
    if kind == "too_short":
        return _("At least %(number)d of these are needed.", number=context["min_length"])
    return _("There can be %(number)d of these at most.", number=context["max_length"])
