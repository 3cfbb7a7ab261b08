"""The pieces that all schemas are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Self, TypeVar
from uuid import UUID

import sqlalchemy as sa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from fanyong.web.paging import MAX_PAGE, paginate
from tenants.api.texts import mark as _

EXAMPLE_ID = "019a9f5e-7c1b-7d52-9d1e-2f6c1a0b7e11"

Id = Annotated[UUID, Field(examples=[EXAMPLE_ID])]
Fen = Annotated[int, Field(examples=[9000])]
#: PostgreSQL stores no NUL, so no text may carry one.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
Time = Annotated[
    datetime, AfterValidator(lambda value: value.astimezone(UTC)), Field(examples=["2026-11-22T08:30:00Z"])
]
Sku = Annotated[str, Field(examples=["TEA-100"])]

Item = TypeVar("Item", bound=BaseModel)


class Body(BaseModel):
    """What a program sends: exact types, and no field that is not known."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """Arguments of an address; unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Answer(BaseModel):
    """What a program gets."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class PageQuery(Query):
    """Which page of a list."""

    page: int = Field(default=1, ge=1, le=MAX_PAGE, description=_("Counted from 1; each has 25 items."))


class Page(Answer, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    page: int = Field(examples=[1])
    pages: int = Field(examples=[1], description=_("How many pages there are; an empty list has one."))
    total: int = Field(examples=[1])

    @classmethod
    def of(
        cls, query: sa.Select[*tuple[Any, ...]], *, number: int, views: Callable[[Sequence[Any]], Iterable[Item]]
    ) -> Self:
        """Return a page of a query's rows, drawn by `views`; beyond the last page there is nothing."""
        found = paginate(query, number=number)
        rows = found.items if found.number == number else ()
        return cls(items=list(views(rows)), page=number, pages=found.pages, total=found.total)


class Error(Answer):
    """What went wrong."""

    code: str = Field(examples=["not_found"], description=_("For programs; it never changes."))
    message: str = Field(
        examples=["There is nothing here."], description=_("For people, in the language of Accept-Language.")
    )
    details: Any = Field(
        default=None,
        examples=[None],
        description=_("For invalid_request: a list of {path, message}; else null."),
    )


class ErrorAnswer(Answer):
    """The one form of every error."""

    error: Error


class IdempotencyHeaders(BaseModel):
    """The header that makes repeating a request safe."""

    model_config = ConfigDict(frozen=True)

    key: str = Field(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x20-\x7e]+$",
        examples=["order-7f3c"],
        description=_(
            "Any text of 1 to 255 printable ASCII characters, new for each wish and the same for each retry of it."
        ),
    )
