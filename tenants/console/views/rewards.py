"""Month-end rewards: what each month that is over brings, looked at before it is posted."""

from __future__ import annotations

from flask import jsonify, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.pluginhost.models import PluginActivation
from fanyong.tenancy import settings
from fanyong.tenancy.database import session
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.errors import wants_json
from fanyong.web.money import hundredths
from fanyong.web.paging import everything, paginate
from fanyong.web.words import _
from tenants.commissions.explain import award_sentence
from tenants.console import labels
from tenants.console.base import bp, done, record, refused, typed
from tenants.periods import service
from tenants.periods.models import PeriodLine
from tenants.periods.service import RewardSettings


@bp.get("/rewards")
@requires(Permission.LEDGER_READ)
def rewards() -> ResponseReturnValue:
    """List the months that are over; as JSON for a program of the brand's."""
    if wants_csv():
        header = (_("Month"), _("State"), _("Turnover"), _("Rewards"), _("Amount"), _("Not paid"))
        rows = (
            (
                run.month,
                labels.label("rewards", run.state),
                hundredths(run.turnover_fen),
                run.awards,
                hundredths(run.total_fen),
                run.withheld,
            )
            for run in everything(service.runs())
        )
        return csv_response("month-end-rewards", header=header, rows=rows)
    if wants_json():
        months = [
            {"month": run.month, "state": run.state, "awards": run.awards, "total_fen": run.total_fen}
            for run in everything(service.runs())
        ]
        return jsonify(months=months)
    return _list_page()


@bp.get("/rewards/<month>")
@requires(Permission.LEDGER_READ)
def rewards_month(month: str) -> ResponseReturnValue:
    """Show what a month brings to whom; as a file with every line."""
    if not wants_csv():
        return _month_page(month)
    run = service.get_run(month)
    header = (_("Nickname"), _("OpenID"), _("Rule"), _("Amount"), _("Why"))
    rows = (
        (member.nickname, member.openid, line.rule, hundredths(line.amount_fen), why(line))
        for withheld in (False, True)
        for line, member in everything(service.lines(run.id, withheld=withheld))
    )
    return csv_response(f"rewards-{run.month}", header=header, rows=rows)


@bp.post("/rewards/settings")
@requires(Permission.REWARDS_POST)
def save_reward_settings() -> ResponseReturnValue:
    """Set how long rewards wait after they are posted."""
    try:
        value = RewardSettings.model_validate({"release_days": typed("release_days")})
    except ValidationError:
        return _list_page(problem=_("Please enter 0 to 365 days.")), 422
    settings.save(value, actor=current_actor())
    record("rewards.settings_saved", release_days=value.release_days)
    return done(_("Saved."), "console.rewards")


@bp.post("/rewards/<month>/again")
@requires(Permission.REWARDS_POST)
def work_out_rewards(month: str) -> ResponseReturnValue:
    """Have a month worked out again."""
    try:
        service.work_out_again(month)
    except FanyongError as error:
        return _refused(month, error)
    record("rewards.worked_out_again", month=month)
    return done(_("The month is being worked out again."), "console.rewards_month", month=month)


@bp.post("/rewards/<month>/discard")
@requires(Permission.REWARDS_POST)
def discard_rewards(month: str) -> ResponseReturnValue:
    """Say that a month's rewards are not paid."""
    try:
        run = service.discard(month, reason=typed("reason"), actor=current_actor())
    except FanyongError as error:
        return _refused(month, error)
    record("rewards.discarded", month=month, reason=run.reason, amount_fen=run.total_fen)
    return done(_("These rewards are discarded."), "console.rewards_month", month=month)


@bp.post("/rewards/<month>/post")
@requires(Permission.REWARDS_POST)
def post_rewards(month: str) -> ResponseReturnValue:
    """Let a month's rewards go into the books."""
    try:
        run = service.post(month, actor=current_actor())
    except FanyongError as error:
        return _refused(month, error)
    record("rewards.posted", month=month, awards=run.awards, amount_fen=run.total_fen)
    return done(_("The rewards are being posted."), "console.rewards_month", month=month)


def why(line: PeriodLine) -> str:
    """Return a line's explanation in words, or why nothing is paid."""
    return award_sentence(line.explanation) if line.explanation else labels.label("withheld", line.reason or "")


def _refused(month: str, error: FanyongError) -> ResponseReturnValue:
    problem = refused(error)
    return _month_page(month, problem=problem), error.status


def _list_page(*, problem: str = "") -> str:
    return render_template(
        "console/rewards.html",
        page=paginate(service.runs()),
        release_days=settings.load(RewardSettings).release_days,
        problem=problem,
    )


def _month_page(month: str, *, problem: str = "") -> str:
    run = service.get_run(month)
    view = "withheld" if request.args.get("view") == "withheld" else ""
    search = request.args.get("q", "").strip()
    return render_template(
        "console/rewards_month.html",
        run=run,
        version=session().get(PluginActivation, run.plan_version_id) if run.plan_version_id else None,
        rules=service.rules(run.id),
        view=view,
        page=paginate(service.lines(run.id, withheld=bool(view), search=search)),
        release_days=settings.load(RewardSettings).release_days,
        why=why,
        problem=problem,
    )
