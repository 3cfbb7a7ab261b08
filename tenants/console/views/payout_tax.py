"""Tax: what is withheld, under which version of the policy, and whose it was."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, Literal

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from pydantic import BaseModel, Field

from fanyong.errors import FanyongError
from fanyong.identity.permissions import Permission
from fanyong.identity.web import current_actor, requires
from fanyong.web.csv_export import csv_response, wants_csv
from fanyong.web.money import hundredths
from fanyong.web.paging import everything, paginate
from fanyong.web.settings_form import SettingsForm, from_post, from_values
from fanyong.web.words import _
from tenants.console.base import bp, done, record, refused
from tenants.payouts import policies, tax, tax_report
from tenants.payouts.errors import BadPolicy


class TaxForm(BaseModel):
    """A version of the tax policy."""

    method: Literal["none", "labour_monthly", "cumulative"] = Field(
        title=_l("Method"), json_schema_extra={"labels": dict(tax.METHODS)}
    )
    effective_from: date = Field(title=_l("In force from"), description=_l("The first day of a month."))
    parameters: str = Field(
        default="",
        max_length=10_000,
        title=_l("Other parameters"),
        description=_l("JSON, for example other deductions or brackets. Empty: those of the law."),
        json_schema_extra={"widget": "textarea"},
    )
    note: str = Field(default="", max_length=200, title=_l("Note"))


@bp.get("/payouts/tax")
@requires(Permission.WITHDRAWALS_READ)
def payout_tax() -> ResponseReturnValue:
    """Show the policy's versions and the tax of a month or a quarter."""
    return _csv() if wants_csv() else _page()


@bp.post("/payouts/tax")
@requires(Permission.SETTINGS_WRITE)
def save_tax_policy() -> ResponseReturnValue:
    """Add a version of the tax policy."""
    form = from_post(TaxForm, request.form)
    parameters = _parameters(form)
    if not form.ok or parameters is None:
        return _page(form), 422
    values = TaxForm.model_validate(form.values)
    try:
        saved = policies.save_tax_policy(
            {**parameters, "method": values.method},
            effective_from=values.effective_from,
            note=values.note,
            actor=current_actor(),
        )
    except FanyongError as error:
        text = refused(error)
        if isinstance(error, BadPolicy):
            form.add_problems(
                [{"path": "parameters", "message": f"{p['path']}: {p['message']}"} for p in error.details]
            )
        else:
            form.add_error(["effective_from"], text)
        return _page(form), error.status
    record("tax_policy.saved", version=saved.number, method=values.method, effective_from=str(values.effective_from))
    return done(_("Tax policy %(number)d is saved.", number=saved.number), "console.payout_tax")


def _parameters(form: SettingsForm) -> dict[str, Any] | None:
    text = str(form.values.get("parameters") or "")
    try:
        found = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        form.add_error(["parameters"], _("This is not JSON: %(problem)s", problem=str(error)))
        return None
    if not isinstance(found, dict):
        form.add_error(["parameters"], _("The settings have to be a JSON object: {…}."))
        return None
    return found


def _period() -> tuple[str, date, date]:
    """Return the month or quarter that is asked for, as text and by its first and last month."""
    text, today = request.args.get("month", "") or request.args.get("quarter", ""), policies.today()
    year, _dash, part = text.partition("-")
    if year.isascii() and year.isdigit() and 2000 <= int(year) <= 2999:
        if part in ("Q1", "Q2", "Q3", "Q4"):
            return text, *tax_report.quarter_months(int(year), int(part[1]))
        if part.isascii() and part.isdigit() and 1 <= int(part) <= 12:
            month = date(int(year), int(part), 1)
            return f"{month:%Y-%m}", month, month
    month = tax.first_of_month(today)
    return f"{month:%Y-%m}", month, month


def _quarters() -> list[str]:
    """Return the present quarter and the seven before it."""
    today = policies.today()
    at = today.year * 4 + (today.month - 1) // 3
    return [f"{number // 4}-Q{number % 4 + 1}" for number in range(at, at - 8, -1)]


def _page(form: SettingsForm | None = None) -> str:
    text, first, last = _period()
    today = policies.today()
    active, active_id = policies.tax_policy(today)
    return render_template(
        "console/payout_tax.html",
        page=paginate(tax_report.by_payee(first, last, search=request.args.get("q", "").strip())),
        period=text,
        quarters=_quarters(),
        versions=policies.history("tax"),
        methods=tax.METHODS,
        active=active,
        active_id=active_id,
        form=form
        or from_values(TaxForm, {"method": active.method, "effective_from": tax.first_of_month(today).isoformat()}),
    )


def _csv() -> ResponseReturnValue:
    text, first, last = _period()
    found = everything(tax_report.by_payee(first, last, search=request.args.get("q", "").strip()))
    names = tax_report.real_names(first, last, [row[0].id for row in found])
    record("tax_report.exported", period=text, payees=len(found))
    header = (
        _("Period"),
        _("Member"),
        _("Nickname"),
        _("Real name"),
        _("Payouts"),
        _("Gross"),
        _("Withholding tax"),
        _("Tax given back"),
        _("Withdrawal fee"),
        _("Net"),
        _("Still on its way"),
    )
    rows = (
        (text, member.id.hex, member.nickname, names.get(member.id, ""), count, *map(hundredths, amounts))
        for member, count, *amounts in found
    )
    return csv_response(f"tax-{text}", header=header, rows=rows)
