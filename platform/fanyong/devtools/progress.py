"""Tell a developer what is going on, on standard error, so that standard output stays clean."""

from __future__ import annotations

import sys
import time
from types import TracebackType

_QUIET_SECONDS = 15.0


def say(text: str = "") -> None:
    """Print one line to standard error."""
    print(text, file=sys.stderr, flush=True)


class Step:
    """One slow step: its name when it begins, the time it takes while it lasts, the time it took."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._began_at = time.monotonic()
        self._shown_at = self._began_at
        self._live = sys.stderr.isatty()

    def __enter__(self) -> Step:
        if self._live:
            self._redraw("...")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        elapsed = time.monotonic() - self._began_at
        line = f"  {'ok    ' if kind is None else 'failed'} {self.title} ({elapsed:.1f} s)"
        say(f"\r\x1b[K{line}" if self._live else line)

    def tick(self) -> None:
        """Show the time so far; called often, prints seldom."""
        now = time.monotonic()
        elapsed = now - self._began_at
        if self._live and now - self._shown_at >= 0.5:
            self._redraw(f"{elapsed:.0f} s")
            self._shown_at = now
        elif not self._live and now - self._shown_at >= _QUIET_SECONDS:
            say(f"  ...    {self.title} ({elapsed:.0f} s so far)")
            self._shown_at = now

    def _redraw(self, note: str) -> None:
        print(f"\r\x1b[K  {note:6} {self.title}", end="", file=sys.stderr, flush=True)
