"""Playing a story: each step once, in order, each waited for until the books show it."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from fanyong.devtools.story import acts, expect_steps, steps
from fanyong.devtools.story.console import Superadmin
from fanyong.devtools.story.doors import Place, Refused, Unreachable
from fanyong.devtools.story.expectations import Unmet, check
from fanyong.devtools.story.format import Story
from fanyong.devtools.story.sandbox import Sandbox
from fanyong.devtools.story.stage import Stage, open_stage
from fanyong.devtools.story.telling import moves, reasons

Say = Callable[[str], None]


class StepFailed(Exception):
    """A step was refused although nothing in the story expects that."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what


class Player:
    """Plays one story; `stages` holds its brands by key."""

    def __init__(self, story: Story, *, place: Place, sandbox: Sandbox, superadmin: Superadmin, say: Say) -> None:
        self.story = story
        self.stages: dict[str, Stage] = {}
        self._place = place
        self._sandbox = sandbox
        self._superadmin = superadmin
        self._say = say
        #: Makes the idempotency keys of this playing its own; a step repeated after a fault keeps its key.
        self._run = secrets.token_hex(4)

    def close(self) -> None:
        """Close the connections."""
        for stage in self.stages.values():
            stage.close()

    def play(self) -> None:
        """Play everything; raises StepFailed, Unmet, BrandExists or Unreachable where it cannot go on."""
        for brand in self.story.brands:
            self.stages[brand.key] = open_stage(brand, story=self.story, place=self._place, sandbox=self._sandbox)
        for index, brand in enumerate(self.story.brands):
            self._set_up(index, self.stages[brand.key])
        for index, step in enumerate(self.story.steps):
            self._play_step(index, step)

    def _set_up(self, index: int, stage: Stage) -> None:
        try:
            stage.enter()
            stage.set_up(self._superadmin)
            self._say(f"     {stage.brand.name} is open at {stage.place.url}")
            for key in stage.members:
                if not self._joins_later(stage, key) and not stage.shop.knows(key):
                    acts.log_in(stage, key)
            stage.come_to_rest()
        except Refused as refusal:
            raise StepFailed(f"brands[{index}]", f"refused: {refusal}") from refusal
        stage.look_at_figures()

    def _joins_later(self, stage: Stage, key: str) -> bool:
        """Return whether a member's first step is a `join`; everybody else is there from the beginning."""
        here = (step for step in self.story.steps if step.brand == stage.brand.key)
        own = (step for step in here if key in (getattr(step, "member", None), getattr(step, "payer", None)))
        return isinstance(next(own, None), steps.Join)

    def _play_step(self, index: int, step: steps.AnyStep) -> None:
        stage, where = self.stages[step.brand], f"steps[{index}]"
        try:
            told = self._do(index, step)
        except Unreachable as error:
            raise StepFailed(f"{where} ({step.do})", str(error)) from error
        except Refused as refusal:
            if step.expect_error is None:
                raise StepFailed(f"{where} ({step.do})", f"refused: {refusal}") from refusal
            if refusal.code != step.expect_error:
                raise Unmet(f"{where}.expect_error", expected=step.expect_error, got=str(refusal)) from refusal
            told = f"{step.do} is refused, as expected: {refusal.code}"
        else:
            if step.expect_error is not None:
                raise Unmet(f"{where}.expect_error", expected=step.expect_error, got=f"nothing refused {step.do}")
        money = "" if isinstance(step, expect_steps.Expect) else self._money(stage, step)
        name = f"{stage.brand.name}  " if len(self.stages) > 1 else ""
        self._say(f"{index:4} {name}{told}{money}")

    def _do(self, index: int, step: steps.AnyStep) -> str:
        """Do a step and wait until its effect is there; returns it in words."""
        stage, where = self.stages[step.brand], f"steps[{index}]"
        if isinstance(step, expect_steps.Expect):
            check(step, stage=stage, where=where)
            return f"expect {_subject(step)}: {_values(step)}"
        told = acts.act(stage, step, name=where, key=f"story-{self._run}-{index}", superadmin=self._superadmin)
        stage.come_to_rest()
        acts.wait_for_effect(stage, step)
        stage.come_to_rest()
        return told

    def _money(self, stage: Stage, step: steps.AnyStep) -> str:
        """Return what a step changed in the promoters' figures, with the rules behind new awards."""
        order = stage.orders[step.order].number if isinstance(step, steps.Pay) and step.order in stage.orders else None
        parts = []
        for key, (before, after) in stage.look_at_figures().items():
            if moved := moves(before, after):
                awards = [a for a in stage.awards_of(key) if a["order_number"] == order] if order else []
                parts.append(" ".join(filter(None, [f"{key} {moved}", reasons(awards)])))
        return "".join(f"  → {part}" for part in parts)


def _subject(step: expect_steps.Expect) -> str:
    named = getattr(step, step.subject) if step.subject != "brand" else "all"
    return f"{step.subject} {named}" if step.subject != "member" else str(named)


def _values(step: expect_steps.Expect) -> str:
    shown = {name: value for name, value in step.expected.items() if name != "awards"}
    if step.awards is not None:
        shown["awards"] = len(step.awards)
    return ", ".join(f"{name} {value}" for name, value in shown.items())
