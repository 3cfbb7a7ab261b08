"""Orders for plans to look at."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import strategies as st

from fanyong.values import LineFacts, OrderFacts, Person

TIERS = ("bronze", "gold")
SKUS = ("tea", "cup", "pot")
CATEGORIES = ("drink", "ware")
PAID_AT = datetime(2026, 11, 1, tzinfo=UTC)


def uid(number: int) -> UUID:
    """Return an id that can be told apart."""
    return UUID(int=number)


@st.composite
def orders(draw: st.DrawFn) -> OrderFacts:
    """An order of up to three lines with an upline of up to three."""
    tier = st.sampled_from([None, *TIERS])
    people = [
        Person(uid(100 + level), level, draw(tier), frozen=draw(st.booleans()))
        for level in range(draw(st.integers(1, 4)))
    ]
    lines = tuple(
        LineFacts(
            uid(index),
            draw(st.sampled_from(SKUS)),
            draw(st.sampled_from(["", *CATEGORIES])),
            draw(st.integers(1, 5)),
            draw(st.integers(0, 10**7)),
        )
        for index in range(draw(st.integers(1, 3)))
    )
    return OrderFacts(uid(1_000), PAID_AT, lines, people[0], tuple(people[1:]), draw(st.integers(1, 3)))
