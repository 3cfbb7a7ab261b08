"""What all parts of a story file are made of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

Key = Annotated[str, Field(min_length=1, max_length=64)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Fen = Annotated[int, Field(ge=0, le=10**10)]
AboveZero = Annotated[int, Field(ge=1, le=10**10)]
Pieces = Annotated[int, Field(ge=1, le=9_999)]


def _spellings(name: str, info: FieldInfo) -> list[str]:
    """Return what a field may be called in a file."""
    alias = info.validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices]
    return [alias if isinstance(alias, str) else name]


class Part(BaseModel):
    """A piece of a story file: exact types, and no field that is not known."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _knows_every_field(cls, values: Any) -> Any:
        """Name the fields there are when one is not known; pydantic would only say that it is not."""
        allowed = [name for field, info in cls.model_fields.items() for name in _spellings(field, info)]
        strange = [name for name in values if name not in allowed] if isinstance(values, dict) else []
        if strange:
            context = {"field": strange[0], "allowed": ", ".join(allowed)}
            raise PydanticCustomError("unknown_field", "there is no such field; allowed: {allowed}", context)
        return values


class Chosen(Part):
    """A plugin and its settings, as the console's form takes them."""

    plugin: Key
    settings: dict[str, JsonValue] = Field(default_factory=dict)
