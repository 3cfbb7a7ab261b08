"""The sandbox: its clock, and how far the background has come."""

from __future__ import annotations

from flask import flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue

from fanyong.errors import InvalidRequest
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires, safe_next
from fanyong.jobs.wake import request_wake
from fanyong.payments.provider import active_account
from fanyong.payments.sandbox import move_clock as move_test_clock
from fanyong.tenancy import settings
from fanyong.tenancy.clock import TestClock, brand_now
from fanyong.web.money import NotANumber, parse_whole
from fanyong.web.words import _
from tenants.console.base import bp, record, typed
from tenants.progress import progress


@bp.post("/sandbox/clock")
@requires(Permission.SETTINGS_WRITE)
def move_clock() -> ResponseReturnValue:
    """Move the test clock to an offset from the real time."""
    try:
        offset_seconds = parse_whole(typed("offset_seconds"))
    except NotANumber:
        raise InvalidRequest from None
    move_test_clock(offset_seconds=offset_seconds, actor=current_actor())
    record("clock.moved", offset_seconds=offset_seconds)
    # What has become due by the new time is done at once.
    request_wake()
    flash(_("The test clock is moved."), "success")
    return redirect(safe_next(request.form.get("next"), default=url_for("console.dashboard")), code=303)


@bp.get("/sandbox/state")
@requires(Permission.BRAND_READ)
def sandbox_status() -> ResponseReturnValue:
    """Tell a program how far the background has come, and what the brand works with."""
    account = active_account()
    waiting = progress()
    return jsonify(
        open_work=waiting.open_work,
        failing_work=waiting.failing_work,
        now=brand_now().isoformat(),
        offset_seconds=settings.load(TestClock).offset_seconds,
        mode=account.mode if account else "none",
        mchid=account.mchid if account else "",
        appid=account.appid if account else "",
        currency="CNY",
    )
