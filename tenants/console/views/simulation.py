"""The simulator of the plan page: the unsaved form in, who would earn what out; as a piece of the page or as JSON."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from fanyong.errors import InvalidRequest
from fanyong.hooks import Plugin, PluginKind
from fanyong.identity.permissions import Permission
from fanyong.identity.web import requires
from fanyong.ids import new_id
from fanyong.pluginhost.registry import PluginFailed, UnknownPlugin, parse_settings, registry
from fanyong.pluginhost.service import ActivePlugin
from fanyong.web.errors import wants_json
from fanyong.web.settings_form import SettingsForm, from_post
from fanyong.web.words import _
from tenants.commissions.simulate import simulate
from tenants.console import simulator
from tenants.console.base import bp
from tenants.console.versions import Verdict, verdict
from tenants.console.views.plugin_choice import posted

KIND: PluginKind = "commission_plan"


@bp.post("/plan/simulate")
@requires(Permission.PLANS_READ)
def simulate_plan() -> ResponseReturnValue:
    """Work an order out that nobody placed, by settings that nobody saved."""
    if request.is_json:
        return _simulate_json()
    try:
        plugin, form, _text = posted(KIND)
    except UnknownPlugin as error:
        return _page(problems=[error.text]), 422
    case = from_post(simulator.SimulatorForm, request.form, choices=simulator.choices())
    problems = [*_problems(form, of=_("Settings")), *_problems(case, of=_("Order"))]
    if problems:
        return _page(problems=problems), 422
    values = simulator.SimulatorForm.model_validate(case.values)
    return _answer(plugin, form.values, values.sim)


def _simulate_json() -> ResponseReturnValue:
    """Answer a program: {"plugin", "settings", "order"}, with the fields of the form."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not isinstance(body.get("settings"), dict):
        raise InvalidRequest
    plugin = registry.get(KIND, str(body.get("plugin", "")))
    try:
        case = simulator.Case.model_validate(body.get("order", {}))
        parse_settings(plugin, body["settings"])
    except ValidationError as error:
        details = [{"path": ".".join(map(str, each["loc"])), "message": each["msg"]} for each in error.errors()]
        raise InvalidRequest(details=details) from error
    return _answer(plugin, body["settings"], case)


def _answer(plugin: Plugin, values: dict[str, Any], case: simulator.Case) -> ResponseReturnValue:
    plan = ActivePlugin(new_id(), 0, plugin, parse_settings(plugin, values))
    try:
        outcome = simulator.outcome(simulate(plan, simulator.facts_of(case, plan=plan)), number=0)
    except simulator.NoSuchMember:
        return _page(problems=[_("There is no member of this nickname or openid.")]), 422
    except PluginFailed as failure:
        return _page(problems=[_("The plan fails: %(reason)s", reason=failure.reason)]), 422
    return _page(outcome=outcome, verdict=verdict(KIND, plugin.name, values))


def _page(
    *, outcome: simulator.Outcome | None = None, verdict: Verdict | None = None, problems: list[str] | None = None
) -> Response:
    if wants_json() or request.is_json:
        return jsonify(_as_json(outcome, verdict, problems or []))
    # htmx asks for the piece alone; without JavaScript it is a page of its own.
    template = "simulation.html" if request.headers.get("HX-Request") else "simulation_page.html"
    return make_response(
        render_template(f"console/{template}", outcome=outcome, verdict=verdict, problems=problems or [])
    )


def _as_json(outcome: simulator.Outcome | None, verdict: Verdict | None, problems: list[str]) -> dict[str, Any]:
    if outcome is None or verdict is None:
        return {"error": {"code": "simulation_impossible", "message": "; ".join(problems), "details": problems}}
    against = [*verdict.problems, *(finding.problem.text for finding in verdict.findings if finding.problem)]
    return {
        "paid_fen": outcome.paid_fen,
        "cost_fen": outcome.cost_fen,
        "cost_bp": outcome.cost_bp,
        "awards": [
            {
                "who": row.who,
                "level": row.level,
                "sku": row.sku,
                "rule": row.rule,
                "amount_fen": row.amount_fen,
                "sentence": row.sentence,
                "explanation": row.explanation,
            }
            for row in outcome.paid
        ],
        "withheld": [
            {"who": row.who, "level": row.level, "sku": row.sku, "rule": row.rule, "reason": row.reason}
            for row in outcome.unpaid
        ],
        "may_be_activated": verdict.ok,
        "problems": against,
    }


def _problems(form: SettingsForm, *, of: str) -> list[str]:
    """Return what is wrong with a form, each message once."""
    messages = [*form.general, *(message for each in form.errors.values() for message in each)]
    return [f"{of}: {message}" for message in dict.fromkeys(messages)]
