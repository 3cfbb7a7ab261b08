"""A brand's tax parameters and rules against money laundering, version by version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import ValidationError

from fanyong.ids import new_id
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.wechat.times import BEIJING
from tenants.ledger import service as ledger
from tenants.payouts import tax
from tenants.payouts.errors import BadPolicy, NotTheFirstOfAMonth
from tenants.payouts.models import PayoutPolicy
from tenants.payouts.screening import ScreeningRules

Parameters = tax.NoTax | tax.LabourMonthly | tax.Cumulative


def today() -> date:
    """Return the brand's present day."""
    return brand_now().astimezone(BEIJING).date()


def tax_policy(day: date) -> tuple[Parameters, UUID | None]:
    """Return the tax parameters in force on a day and their version; nothing is withheld before the first one."""
    row = session().scalar(
        sa.select(PayoutPolicy)
        .where(PayoutPolicy.kind == "tax", PayoutPolicy.effective_from <= day)
        .order_by(PayoutPolicy.effective_from.desc(), PayoutPolicy.number.desc())
        .limit(1)
    )
    return (tax.parse(row.parameters), row.id) if row else (tax.NoTax(), None)


def save_tax_policy(values: Mapping[str, Any], *, effective_from: date, note: str, actor: str) -> PayoutPolicy:
    """Add a version of the tax parameters; raises BadPolicy or NotTheFirstOfAMonth.

    A month is taxed as a whole, so a policy begins with a month; past months stay as they were filed.
    """
    if effective_from.day != 1 or effective_from < tax.first_of_month(today()):
        raise NotTheFirstOfAMonth
    try:
        parameters = tax.parse(values)
    except ValidationError as error:
        raise BadPolicy(details=_problems(error)) from error
    return _save("tax", parameters.model_dump(mode="json"), effective_from=effective_from, note=note, actor=actor)


def screening_rules() -> ScreeningRules:
    """Return the rules against money laundering in force, or the defaults."""
    row = _latest("screening")
    return ScreeningRules.model_validate(row.parameters) if row else ScreeningRules()


def save_screening_rules(values: Mapping[str, Any], *, note: str, actor: str) -> PayoutPolicy:
    """Add a version of the rules, in force at once; raises BadPolicy. Saying the same again changes nothing."""
    try:
        rules = ScreeningRules.model_validate(dict(values))
    except ValidationError as error:
        raise BadPolicy(details=_problems(error)) from error
    parameters, present = rules.model_dump(mode="json"), _latest("screening")
    if present is not None and present.parameters == parameters:
        return present
    return _save("screening", parameters, effective_from=None, note=note, actor=actor)


def history(kind: str) -> list[PayoutPolicy]:
    """Return all versions of a kind, newest first."""
    query = sa.select(PayoutPolicy).where(PayoutPolicy.kind == kind).order_by(PayoutPolicy.number.desc())
    return list(session().scalars(query))


def _latest(kind: str) -> PayoutPolicy | None:
    query = sa.select(PayoutPolicy).where(PayoutPolicy.kind == kind).order_by(PayoutPolicy.number.desc()).limit(1)
    return session().scalar(query)


def _save(kind: str, parameters: dict[str, Any], *, effective_from: date | None, note: str, actor: str) -> PayoutPolicy:
    # Whoever requests a withdrawal holds the books too, so that no month is taxed by two versions at once.
    ledger.lock_books()
    latest = _latest(kind)
    row = PayoutPolicy(
        id=new_id(),
        kind=kind,
        number=latest.number + 1 if latest else 1,
        parameters=parameters,
        effective_from=effective_from,
        note=note.strip()[:200],
        saved_at=brand_now(),
        saved_by=actor,
    )
    session().add(row)
    session().flush()
    return row


def _problems(error: ValidationError) -> list[dict[str, str]]:
    return [{"path": ".".join(str(part) for part in p["loc"]), "message": p["msg"]} for p in error.errors()]
