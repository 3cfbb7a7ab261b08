"""What all parts of a story file are made of."""

from __future__ import annotations

from typing import Annotated, Any, Literal

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


class WaiverTerms(Part):
    """What the platform allows a brand beyond its policy, why, and for how many days of the brand's clock."""

    kind: Literal["levels", "team", "entry"] = "levels"
    levels: Literal[2, 3] = 3
    reason: Text = "waiver"
    days: Annotated[int, Field(ge=1, le=3_650)] = 365


class SettlementRules(Part):
    """When commissions become the promoters' own, and when an order counts as received by itself."""

    trigger: Literal["window", "receipt", "working_days", "cycle"] = "window"
    window_days: Annotated[int, Field(ge=0, le=365)] = 7
    working_days: Annotated[int, Field(ge=1, le=60)] = 1
    cycle: Literal["month", "week"] = "month"
    month_days: Annotated[list[Annotated[int, Field(ge=1, le=31)]], Field(min_length=1, max_length=31)] = [15]
    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = "monday"
    auto_receive_days: Annotated[int, Field(ge=1, le=90)] | None = None

    def fields(self) -> dict[str, str]:
        """Return the rules as the console's form takes them."""
        names = ("trigger", "window_days", "working_days", "cycle", "weekday")
        days = "" if self.auto_receive_days is None else str(self.auto_receive_days)
        return {name: str(getattr(self, name)) for name in names} | {
            "month_days": ", ".join(map(str, self.month_days)),
            "auto_receive_days": days,
        }


class BaseStep(Part):
    """What every step may carry."""

    #: May be left out of a file with one brand; reading the file fills it in.
    brand: Key
    do: str
    note: str | None = None
    expect_error: Key | None = None


class MemberStep(BaseStep):
    """A step that a member takes."""

    member: Key = Field(validation_alias=AliasChoices("member", "by"))
