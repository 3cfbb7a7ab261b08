"""Identifiers: time-ordered UUIDs, and opaque tokens."""

from __future__ import annotations

import secrets
import uuid

import uuid_utils.compat


def new_id() -> uuid.UUID:
    """Return a UUIDv7: time-ordered, so that indexes stay compact and no sequence must move with a brand."""
    return uuid_utils.compat.uuid7()


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
