"""The mini-program's JSON API, `/api/v1`."""

from __future__ import annotations

from flask import Flask

from tenants.api.blueprint import bp
from tenants.api.views import about, board, orders, promoter, session, shop, statements, team, tiers, withdrawals

#: Each module adds its operations to the blueprint when it is imported.
OPERATIONS = (about, board, orders, promoter, session, shop, statements, team, tiers, withdrawals)


def init_api(app: Flask) -> None:
    """Add the API to an app; its callers prove themselves with tokens, so no form token is asked for."""
    app.extensions["csrf_protect"].exempt(bp)
    app.register_blueprint(bp)
