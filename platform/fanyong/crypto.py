"""Secrets at rest: a column type that encrypts, keyed by ENCRYPTION_KEY."""

from __future__ import annotations

import hmac
import os
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy_utils import StringEncryptedType
from sqlalchemy_utils.types.encrypted.encrypted_type import FernetEngine


def _key() -> str:
    key = os.environ.get("ENCRYPTION_KEY")
    if not key:
        raise RuntimeError("ENCRYPTION_KEY is not set")
    return key


def encrypted_text() -> sa.types.TypeEngine[str]:
    """Return a text column type whose values are encrypted with Fernet before they reach the database."""
    return StringEncryptedType(sa.Text, _key, FernetEngine)  # type: ignore[no-any-return]


def fingerprint(text: str) -> str:
    """Return what is the same for the same text and leads back to none: to find equal secrets without reading them."""
    return hmac.new(_key().encode(), text.encode(), sha256).hexdigest()
