"""The brand console: the pages a brand's admins work with."""

from __future__ import annotations

from flask import Blueprint


def blueprint() -> Blueprint:
    """Return the console's blueprint with all its pages."""
    from tenants.console import views
    from tenants.console.base import bp

    assert views
    return bp
