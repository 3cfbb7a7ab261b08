"""Identifiers: time-ordered UUIDs inside, prefixed text where they leave the system."""

from __future__ import annotations

import secrets
import uuid

import uuid_utils.compat


def new_id() -> uuid.UUID:
    """Return a UUIDv7: time-ordered, so that indexes stay compact and no sequence must move with a brand."""
    return uuid_utils.compat.uuid7()


def public_id(prefix: str, value: uuid.UUID) -> str:
    """Return the form of an id that leaves the system, for example `pi_018f...`."""
    return f"{prefix}_{value.hex}"


def parse_public_id(text: str, *, prefix: str) -> uuid.UUID | None:
    """Return the id behind `text`, or None when it is not one of this kind."""
    head, _, tail = text.partition("_")
    if head != prefix:
        return None
    return parse_id(tail)


def parse_id(text: str) -> uuid.UUID | None:
    """Return the UUID written in `text`, or None."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def new_token(length: int = 16) -> str:
    """Return an opaque random token of letters and digits, short enough for a mini-program scene (32)."""
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"
    return "".join(secrets.choice(alphabet) for _ in range(length))
