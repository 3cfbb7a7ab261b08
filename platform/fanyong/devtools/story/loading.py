"""Reading a story file: every mistake is found before anything is played, and says where it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fanyong.devtools.story.format import Story
from fanyong.devtools.story.references import find_broken_references
from fanyong.devtools.story.steps import STEP_MODELS

_SHOWN = 12


class Mistake(Exception):
    """A file cannot be played; the message names the file and the line or path."""


def load(path: Path) -> Story:
    """Return the story of a file; raises Mistake naming everything that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Mistake(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise Mistake(f"{path}: is not UTF-8 text (byte {error.start})") from error
    try:
        raw = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise Mistake(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from error
    except (_Repeated, RecursionError) as error:
        raise Mistake(f"{path}: {error}") from error
    problems = _find_problems(raw)
    if problems:
        more = len(problems) - _SHOWN
        shown = [f"{path}: {where}: {what}" for where, what in problems[:_SHOWN]]
        raise Mistake("\n".join([*shown, *([f"{path}: and {more} more"] if more > 0 else [])]))
    return Story.model_validate(raw)


def files(paths: list[Path]) -> list[Path]:
    """Return the story files that paths mean: files themselves, and all of a folder by name; raises Mistake."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.glob("*.json"))
            if not inside:
                raise Mistake(f"{path}: this folder holds no story (*.json)")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise Mistake(f"{path}: there is no such file")
    return found


class _Repeated(ValueError):
    """An object of the file has the same field twice; only one of them could count."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Repeated(f"an object has the field {twice!r} twice")
    return values


def _no_constant(name: str) -> Any:
    raise _Repeated(f"{name} is no number of JSON")


def _find_problems(raw: Any) -> list[tuple[str, str]]:
    if not isinstance(raw, dict):
        return [("(whole file)", f"a story is one object {{...}}, not {_kind(raw)}")]
    _fill_in_brand(raw)
    try:
        story = Story.model_validate(raw)
    except ValidationError as error:
        return [_explain(problem) for problem in error.errors()]
    return find_broken_references(story)


def _fill_in_brand(raw: dict[str, Any]) -> None:
    """Name the brand where it was left out, which a story with one brand may do."""
    brands = raw.get("brands")
    if not (isinstance(brands, list) and len(brands) == 1 and isinstance(brands[0], dict)):
        return
    key = brands[0].get("key")
    if not isinstance(key, str):
        return
    for part in ("products", "members", "steps"):
        values = raw.get(part)
        for item in values if isinstance(values, list) else ():
            if isinstance(item, dict):
                item.setdefault("brand", key)


def _explain(problem: Any) -> tuple[str, str]:
    """Return (path, sentence) of one of pydantic's findings."""
    loc = _without_tag(problem["loc"])
    kind, given = problem["type"], problem["input"]
    if kind == "unknown_field":
        return path_text((*loc, problem["ctx"]["field"])), problem["msg"]
    if kind == "missing":
        return path_text(loc), "is missing"
    if kind == "union_tag_invalid":
        return path_text((*loc, "do")), f"{given['do']!r} is no step; allowed: {', '.join(STEP_MODELS)}"
    if kind == "union_tag_not_found":
        return path_text((*loc, "do")), f"is missing; allowed: {', '.join(STEP_MODELS)}"
    if kind == "int_type":
        whole = "a whole number" + (" of fen (¥90.00 is 9000)" if str(loc[-1]).endswith("_fen") else "")
        return path_text(loc), f"{json.dumps(given, ensure_ascii=False)} is not {whole}"
    if kind == "value_error":
        return path_text(loc), str(problem["ctx"]["error"])
    if kind in ("model_attributes_type", "model_type", "dict_type"):
        return path_text(loc), f"an object {{...}} is needed, not {_kind(given)}"
    return path_text(loc), f"{json.dumps(given, ensure_ascii=False, default=str)[:80]}: {problem['msg']}"


def path_text(loc: tuple[int | str, ...]) -> str:
    """Return a place as people write it: ("steps", 3, "lines", 0) -> `steps[3].lines[0]`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "(whole file)"


def _without_tag(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    # Pydantic puts the kind of the step into the place: ("steps", 3, "order", "lines").
    return (*loc[:2], *loc[3:]) if loc[:1] == ("steps",) and len(loc) > 2 and loc[2] in STEP_MODELS else loc


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
