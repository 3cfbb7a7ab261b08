"""The mini-program's JSON API, `/api/v1`."""

from __future__ import annotations

from flask import Flask

from tenants.api import views
from tenants.api.blueprint import bp

__all__ = ["init_api", "views"]


def init_api(app: Flask) -> None:
    """Add the API to an app; its callers prove themselves with tokens, so no form token is asked for."""
    app.extensions["csrf_protect"].exempt(bp)
    app.register_blueprint(bp)
