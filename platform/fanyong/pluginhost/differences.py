"""What tells two settings apart, field by field; pure, and ready for JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any

#: Stands for what is not there; None is a value that a setting may have.
MISSING = "\0missing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: a dotted path, rows counted from 0, and the values in their JSON form.

    A row that came or went is one difference whose other side is MISSING; its path counts in the settings it is in.
    """

    path: str
    before: Any
    after: Any

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored; a missing side is left out."""
        return {name: value for name, value in asdict(self).items() if value != MISSING}


def from_json(value: Mapping[str, Any]) -> Difference:
    """Return a stored difference."""
    return Difference(value["path"], value.get("before", MISSING), value.get("after", MISSING))


def differences(before: Any, after: Any, *, path: str = "") -> list[Difference]:
    """Return what tells two values in JSON form apart, in the order of the fields."""
    if before == after:
        return []
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [*before, *(name for name in after if name not in before)]
        return [
            difference
            for name in names
            for difference in differences(
                before.get(name, MISSING), after.get(name, MISSING), path=f"{path}.{name}" if path else name
            )
        ]
    if _are_rows(before) and _are_rows(after):
        return list(_of_rows(before, after, path=path))
    return [Difference(path, before, after)]


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, Mapping) for row in value)


def _of_rows(before: Sequence[Any], after: Sequence[Any], *, path: str) -> Iterator[Difference]:
    """Yield the differences of two lists, where rows that are the same may have moved up or down together."""
    matcher = SequenceMatcher(None, [_key(row) for row in before], [_key(row) for row in after], autojunk=False)
    for tag, first, last, new_first, new_last in matcher.get_opcodes():
        if tag == "equal":
            continue
        changed = min(last - first, new_last - new_first)
        for step in range(changed):
            at = new_first + step
            yield from differences(before[first + step], after[at], path=f"{path}.{at}")
        for index in range(first + changed, last):
            yield Difference(f"{path}.{index}", before[index], MISSING)
        for index in range(new_first + changed, new_last):
            yield Difference(f"{path}.{index}", MISSING, after[index])


def _key(row: Any) -> str:
    return json.dumps(row, sort_keys=True)
