"""What every page of the console needs: the blueprint, the frame around a page, and the ends of a request."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from fanyong.errors import FanyongError, NotFound
from fanyong.identity.service import record_action
from fanyong.identity.web import current_actor
from fanyong.payments.sandbox import is_sandbox
from fanyong.tenancy import settings
from fanyong.tenancy.clock import TestClock, brand_now
from fanyong.tenancy.context import bound_tenant
from fanyong.tenancy.database import session
from fanyong.web.errors import wants_json
from tenants.commissions import service as commissions
from tenants.commissions import spending
from tenants.commissions.models import PlanSpending
from tenants.console import labels
from tenants.console.navigation import Group, groups, waiting

bp = Blueprint("console", __name__, url_prefix="/console", template_folder="templates")


class Frame:
    """What the layout shows around a page, read only when a page is drawn."""

    @cached_property
    def is_sandbox(self) -> bool:
        """Whether the brand plays with the simulator's money."""
        return is_sandbox()

    @cached_property
    def offset_seconds(self) -> int:
        """How far the test clock is ahead."""
        return settings.load(TestClock).offset_seconds

    @cached_property
    def now(self) -> object:
        """The brand's present time."""
        return brand_now()

    @cached_property
    def budget(self) -> PlanSpending | None:
        """The budget of the plan in force, if it has run out."""
        version_id = commissions.current_plan_version_id()
        return spending.budget_at_its_end(version_id) if version_id else None

    @cached_property
    def groups(self) -> list[Group]:
        """The menu of whoever is logged in."""
        return groups(waiting())


@bp.before_request
def only_on_a_brands_host() -> None:
    """Hide these pages on the platform's host."""
    if bound_tenant() is None:
        raise NotFound


@bp.context_processor
def frame() -> dict[str, object]:
    """Give templates the frame and the words for states."""
    return {"frame": Frame(), "label": labels.label, "color": labels.color}


def record(action: str, **details: object) -> None:
    """Write what the present admin does into the brand's audit trail."""
    record_action(action, actor=current_actor(), **details)


def done(message: str, endpoint: str, **values: Any) -> Response:
    """Return to a page with a word about what was done."""
    flash(message, "success")
    return redirect(url_for(endpoint, **values), code=303)


def refused(error: FanyongError) -> str:
    """Undo what a refused request began, and return what to tell its sender.

    A program that asked for JSON gets the error with its code instead of the form.
    """
    session().rollback()
    if wants_json():
        raise error
    return error.text


def asked_day(name: str) -> date | None:
    """Return a day that the address asks for; nonsense asks for none."""
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


def typed(name: str) -> str:
    """Return a field of the posted form, trimmed."""
    return request.form.get(name, "").strip()
