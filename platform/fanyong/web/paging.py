"""Lists in pages of 25."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import sqlalchemy as sa
from flask import request

from fanyong.tenancy.database import session

PER_PAGE = 25
MAX_PAGE = 100_000
MAX_EXPORT = 50_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list."""

    items: Sequence[T]
    number: int
    total: int
    per_page: int = PER_PAGE

    @property
    def pages(self) -> int:
        """How many pages there are; an empty list has one."""
        return max(1, -(-self.total // self.per_page))

    @property
    def first(self) -> int:
        """The position of the first item, counted from one."""
        return (self.number - 1) * self.per_page + 1

    @property
    def last(self) -> int:
        """The position of the last item."""
        return self.first + len(self.items) - 1

    def numbers(self) -> list[int | None]:
        """Return the page numbers to offer: the ends, the neighbours, and None for a gap."""
        near = {1, self.pages, *range(self.number - 1, self.number + 2)}
        offered: list[int | None] = []
        for number in sorted(n for n in near if 1 <= n <= self.pages):
            previous = offered[-1] if offered else None
            if previous is not None and number - previous > 1:
                offered.append(None)
            offered.append(number)
        return offered


def page_number() -> int:
    """Return the page that the request asks for; nonsense means the first."""
    text = request.args.get("page", "")
    return min(int(text), MAX_PAGE) if text.isascii() and text.isdigit() and int(text) else 1


def paginate(query: sa.Select[*tuple[Any, ...]], *, number: int | None = None, per_page: int = PER_PAGE) -> Page[Any]:
    """Return a page of a query's rows: objects where it selects one thing, rows where it selects several.

    A page beyond the end becomes the last one.
    """
    total = session().scalar(sa.select(sa.func.count()).select_from(query.order_by(None).subquery())) or 0
    last = max(1, -(-total // per_page))
    number = min(number or page_number(), last)
    return Page(_rows(query.limit(per_page).offset((number - 1) * per_page)), number, total, per_page)


def everything(query: sa.Select[*tuple[Any, ...]]) -> Sequence[Any]:
    """Return all rows of a query for a file, as `paginate` does; a search narrows down what is longer than that."""
    return _rows(query.limit(MAX_EXPORT))


def url_with(**changes: object) -> str:
    """Return the address of the present page with some of its query arguments changed; None removes one."""
    # Built here and not by url_for, whose own arguments (_scheme, _method) a visitor could otherwise give.
    arguments: dict[str, Any] = {**request.args.to_dict(), **changes}
    query = urlencode({name: value for name, value in arguments.items() if value not in (None, "")})
    return f"{quote(request.path)}?{query}" if query else quote(request.path)


def _rows(query: sa.Select[*tuple[Any, ...]]) -> Sequence[Any]:
    rows = session().execute(query)
    return rows.scalars().all() if len(query.column_descriptions) == 1 else rows.all()
