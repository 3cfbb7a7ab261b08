"""How the audit trail is told to people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint
from flask_babel import lazy_gettext as _l

from fanyong.web.filters import localtime

_ACTIONS = {
    "staff.created": _l("Staff account made"),
    "staff.logged_in": _l("Logged in"),
    "tenant.active": _l("Brand resumed"),
    "tenant.signed_up": _l("Brand signed up"),
    "tenant.suspended": _l("Brand suspended"),
    "waiver.granted": _l("Waiver granted"),
    "waiver.revoked": _l("Waiver revoked"),
}


_WAIVERS = {"levels": _l("Levels"), "team": _l("Team rewards"), "entry": _l("Entry purchase")}
_DETAILS = {
    "ends_at": _l("until"),
    "kind": _l("kind"),
    "levels": _l("levels"),
    "name": _l("name"),
    "reason": _l("reason"),
    "slug": _l("subdomain"),
    "waiver": _l("waiver"),
}


def action_name(action: str) -> str:
    """Return what an action is called; one without a name of its own is shown as it is."""
    return str(_ACTIONS.get(action, action))


def waiver_name(kind: str) -> str:
    """Return what a kind of waiver is called."""
    return str(_WAIVERS.get(kind, kind))


def details_text(details: dict[str, Any]) -> str:
    """Return the details of an entry on one line, without those that say nothing."""
    told = (f"{_DETAILS.get(key, key)}: {_value(key, value)}" for key, value in details.items() if value != "")
    return " · ".join(told)


def _value(key: str, value: object) -> str:
    if key == "kind":
        return waiver_name(str(value))
    return localtime(datetime.fromisoformat(str(value))) if key == "ends_at" else str(value)


def register_words(bp: Blueprint) -> None:
    """Offer them to the templates."""
    bp.app_template_filter("waiver_name")(waiver_name)
    bp.app_template_filter("action_name")(action_name)
    bp.app_template_filter("details_text")(details_text)
