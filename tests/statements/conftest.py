"""What the tests of statements share: the busy brand and its owner of the tests of the console."""

from __future__ import annotations

from tests.console.conftest import busy, owner, till

__all__ = ["busy", "owner", "till"]
