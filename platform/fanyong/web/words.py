"""Words in the language of the request; `_` with types."""

from __future__ import annotations

from flask_babel import gettext


def _(text: str, **values: object) -> str:
    """Return the translation of `text` with its placeholders filled."""
    return str(gettext(text, **values))
