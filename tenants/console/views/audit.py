"""The brand's audit trail."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from fanyong.identity.permissions import Permission
from fanyong.identity.service import actions
from fanyong.identity.web import requires
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.filters import localtime
from fanyong.web.money import yuan
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from tenants.console.base import bp


@bp.get("/audit")
@requires(Permission.SETTINGS_READ)
def audit() -> ResponseReturnValue:
    """List who changed what."""
    query = actions(search=request.args.get("q", "").strip())
    if wants_csv():
        header = (_("Time"), _("Who"), _("What"), _("Details"))
        rows = ((localtime(a.at, seconds=True), a.actor, a.action, _details(a.details)) for a in everything(query))
        return csv_response("audit", header=header, rows=rows)
    return render_template("console/audit.html", page=paginate(query), details=_details)


def _details(details: dict[str, object]) -> str:
    """Return the details of an entry on one line; amounts as people write them."""
    said = []
    for name, value in details.items():
        if name.endswith("_fen") and isinstance(value, int):
            said.append(f"{name.removesuffix('_fen')}: {yuan(value)}")
        elif value not in (None, ""):
            said.append(f"{name}: {value}")
    return ", ".join(said)
