"""What `docs/story.md` says is what the player reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import AliasChoices, BaseModel

from fanyong.devtools.paths import ROOT
from fanyong.devtools.story.format import Story
from fanyong.devtools.story.loading import load
from fanyong.devtools.story.steps import STEP_MODELS
from tests.story.conftest import STORIES, Write

PAGE = (ROOT / "docs" / "story.md").read_text("utf-8")


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and all models its fields hold."""
    yield model
    for field in model.model_fields.values():
        pending: list[Any] = [field.annotation]
        while pending:
            kind = pending.pop()
            pending += get_args(kind)
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from models(kind)


def spellings(model: type[BaseModel]) -> Iterator[str]:
    """Yield what the fields of a model are called in a file."""
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        yield from map(str, alias.choices) if isinstance(alias, AliasChoices) else [str(alias or name)]


@pytest.mark.parametrize("path", sorted(STORIES.glob("*.json")), ids=lambda path: path.stem)
def test_the_shipped_stories_can_be_read(path: Any) -> None:
    assert load(path).steps


def test_the_page_names_every_step_and_every_field() -> None:
    code = " ".join(re.findall(r"`([^`\n]+)`", PAGE))
    names = {name for top in (Story, *STEP_MODELS.values()) for model in models(top) for name in spellings(model)}
    assert {name for name in names | set(STEP_MODELS) if not re.search(rf"\b{name}\b", code)} == set()


def test_the_examples_of_the_page_can_be_read(write: Write) -> None:
    first, worked = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
    assert load(write(first))
    cast = {
        "name": "worked",
        "brands": [{"key": "tea", "name": "Tea"}],
        "products": [{"sku": sku, "name": sku, "price_fen": 1} for sku in ("CUP", "TEA")],
        "members": [{"key": "茉莉"}, {"key": "乔木", "via": "茉莉"}, {"key": "阿竹", "via": "乔木"}],
    }
    assert load(write({**cast, "steps": worked}))
