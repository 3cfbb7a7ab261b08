"""Figures, periods and conditions of tiers in words."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from fanyong.values import ConditionState
from fanyong.web.words import _

METRICS = {
    "own_paid_fen": _l("Own purchases, paid"),
    "own_received_fen": _l("Own purchases, received"),
    "own_orders": _l("Own orders"),
    "shared_paid_fen": _l("Sales through own shares, paid"),
    "shared_received_fen": _l("Sales through own shares, received"),
    "shared_orders": _l("Orders through own shares"),
    "sales_paid_fen": _l("Sales with own purchases, paid"),
    "sales_received_fen": _l("Sales with own purchases, received"),
    "team_paid_fen": _l("Sales of the whole team, paid"),
    "team_received_fen": _l("Sales of the whole team, received"),
    "team_orders": _l("Orders of the whole team"),
    "direct_sellers": _l("Promoters brought who sold something"),
    "commission_fen": _l("Commission earned"),
}
PERIODS = {
    "ever": _l("ever"),
    "this_month": _l("this calendar month"),
    "last_month": _l("last calendar month"),
}
HOW = {
    "open": _l("Everybody can become one."),
    "purchase": _l("It takes a purchase."),
    "application": _l("Please apply; the shop looks at each application."),
    "invitation": _l("By invitation of the shop or of a promoter."),
    "conditions": _l("By meeting the conditions."),
}

REASONS = {
    "joined": _l("joined"),
    "structure": _l("new tier structure"),
    "night": _l("looked at by night"),
    "team": _l("sales of the team"),
    "application": _l("application accepted"),
    "invitation": _l("invited by the shop"),
    "invited": _l("brought by a promoter"),
}


def reason_text(because: str) -> str:
    """Return in words why a tier changed."""
    if because.startswith("order "):
        return _("order %(number)s", number=because.removeprefix("order "))
    return str(REASONS.get(because, because))


def is_money(metric: str) -> bool:
    """Return whether a figure is an amount in fen."""
    return metric.endswith("_fen")


def metric_text(metric: str) -> str:
    """Return what a figure is called; one without words is shown as it is."""
    return str(METRICS.get(metric, metric))


def period_text(period: str) -> str:
    """Return what a period is called."""
    if period.startswith("days_"):
        return _("in the last %(days)s days", days=period.removeprefix("days_"))
    return str(PERIODS.get(period, period))


def figure_text(key: str) -> str:
    """Return what a figure of a period is called: `team_paid_fen:last_month`."""
    metric, _colon, period = key.partition(":")
    return _("%(figure)s, %(period)s", figure=metric_text(metric), period=period_text(period))


def condition_text(state: ConditionState) -> str:
    """Return a condition in words, without how far somebody is."""
    return figure_text(f"{state.metric}:{state.period}")
