"""Comparing what a story expects with what the doors show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from fanyong.devtools.story.expect_steps import FIGURES, AwardExpectation, Expect
from fanyong.devtools.story.stage import Stage

#: By these an expected award finds the award it means; the others are then compared.
_NAMES = ("sku", "beneficiary", "level", "kind", "rule")
_SHOWN = ("sku", "level", "kind", "rule", "base_fen", "rate_bp", "amount_fen", "reversed_fen", "held")


class Unmet(Exception):
    """Something is not as the story expects; the message says where, what was expected, and what is."""

    def __init__(self, path: str, *, expected: object, got: object) -> None:
        super().__init__(f"{path}: expected {expected}, got {got}")
        self.path = path
        self.expected = expected
        self.got = got


def check(step: Expect, *, stage: Stage, where: str) -> None:
    """Raise Unmet for the first value of a step that is not so."""
    actual = _look(step, stage)
    for name, expected in step.expected.items():
        if name != "awards" and actual[name] != expected:
            raise Unmet(f"{where}.{name}", expected=expected, got=actual[name])
    if step.awards is not None and step.order is not None:
        of_order = awards_by_order(stage).get(stage.orders[step.order].number, [])
        found = [award for award in of_order if step.sku in (None, award["sku"])]
        _check_awards(step.awards, found, where=f"{where}.awards")


def awards_by_order(stage: Stage) -> dict[str, list[dict[str, Any]]]:
    """Return the awards of a brand in the words of a story, by the number of the order, then by line and level."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for member in filter(stage.shop.knows, stage.members):
        for award in stage.awards_of(member):
            if award["order_number"] is None:
                # A reward of a month is of no order.
                continue
            values = {name: award[name] for name in _SHOWN}
            found[award["order_number"]].append({"position": award["position"], "beneficiary": member, **values})
    for awards in found.values():
        awards.sort(key=lambda award: (award["position"], award["level"], award["beneficiary"], award["rule"]))
    return found


def sums(stage: Stage) -> dict[str, int]:
    """Return the figures of all members of a brand together."""
    stage.look_at_figures()
    return {name: sum(figures[name] for figures in stage.figures.values()) for name in FIGURES}


def _look(step: Expect, stage: Stage) -> Mapping[str, Any]:
    if step.member is not None:
        return stage.shop.figures(step.member)
    if step.order is not None:
        return stage.order(step.order)
    if step.withdrawal is not None:
        return stage.withdrawal(step.withdrawal)
    if step.product is not None:
        return stage.product(step.product)
    return sums(stage)


def _check_awards(expected: list[AwardExpectation], found: list[dict[str, Any]], *, where: str) -> None:
    left = list(found)
    for index, wanted in enumerate(expected):
        values = wanted.model_dump(exclude_unset=True)
        names = {name: values[name] for name in _NAMES if values.get(name) is not None}
        award = next((a for a in left if all(a[name] == value for name, value in names.items())), None)
        if award is None:
            raise Unmet(f"{where}[{index}]", expected=values, got=f"no such award among {_short(left)}")
        left.remove(award)
        for name, value in values.items():
            if value is not None and award[name] != value:
                raise Unmet(f"{where}[{index}].{name}", expected=value, got=award[name])
    if left:
        raise Unmet(where, expected=f"{len(expected)} awards", got=f"{len(found)}, also {_short(left)}")


def _short(awards: list[dict[str, Any]]) -> str:
    shown = [f"{a['beneficiary']} {a['rule']} {a['sku']} {a['amount_fen']}" for a in awards]
    return "; ".join(shown) or "none"
