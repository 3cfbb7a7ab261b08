"""What platform staff see of brands and do to them, in the control schema."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.compliance import service as compliance
from fanyong.compliance.models import Waiver
from fanyong.errors import FanyongError, NotFound
from fanyong.tenancy.database import session
from fanyong.tenancy.directory import get_record, set_state
from fanyong.tenancy.models import AuditEntry, Domain, TenantRecord
from fanyong.wechat.times import BEIJING

MAX_REASON = 500


class ReasonMissing(FanyongError):
    code = "reason_missing"
    status = 422
    message = _l("Say why, in 1 to %(length)d characters; it stands in the audit trail.")


class BadEndDate(FanyongError):
    code = "bad_end_date"
    status = 422
    message = _l("The last day has to be a date, today or later.")


def brands(*, search: str = "", state: str = "") -> sa.Select[TenantRecord]:
    """Return the query of the brands, newest first, by name, subdomain, own domain or id."""
    query = sa.select(TenantRecord).where(TenantRecord.state != "ready").order_by(TenantRecord.claimed_at.desc())
    if state:
        query = query.where(TenantRecord.state == state)
    if search:
        hosts = sa.select(Domain.tenant_id).where(Domain.host.icontains(search, autoescape=True))
        query = query.where(
            sa.or_(
                TenantRecord.name.icontains(search, autoescape=True),
                TenantRecord.slug.icontains(search, autoescape=True),
                TenantRecord.schema_name.icontains(search, autoescape=True),
                TenantRecord.id.in_(hosts),
            )
        )
    return query


def count_by_state() -> dict[str, int]:
    """Return how many brands are in which state, with the schemas that wait in the pool as `ready`."""
    rows = session().execute(
        sa.select(TenantRecord.state, sa.func.count().label("brands")).group_by(TenantRecord.state)
    )
    return {row.state: row.brands for row in rows}


def get_brand(brand_id: UUID, *, lock: bool = False) -> TenantRecord:
    """Return one brand; raises NotFound, also for a schema that nobody has claimed."""
    record = get_record(brand_id, lock=lock)
    if record is None or record.state == "ready":
        raise NotFound
    return record


def domains(brand_id: UUID) -> list[Domain]:
    """Return a brand's own host names."""
    return list(session().scalars(sa.select(Domain).where(Domain.tenant_id == brand_id).order_by(Domain.host)))


def suspend(brand_id: UUID, *, reason: str, actor: str) -> None:
    """Close a brand's shop and freeze its console; a brand that is suspended already stays as it is."""
    record = get_brand(brand_id, lock=True)
    reason = _checked_reason(reason)
    if record.state == "active":
        set_state(record, state="suspended", reason=reason, actor=actor)


def resume(brand_id: UUID, *, actor: str) -> None:
    """Open a suspended brand again; a brand that is open already stays as it is."""
    record = get_brand(brand_id, lock=True)
    if record.state == "suspended":
        set_state(record, state="active", reason=None, actor=actor)


def grant_waiver(
    brand_id: UUID, *, reason: str, last_day: str, actor: str, levels: str = "", kind: str = "levels"
) -> Waiver:
    """Let a brand do more than the policy allows until the end of a day in Beijing, all as typed into the form.

    Raises BadWaiver, ReasonMissing or BadEndDate.
    """
    get_brand(brand_id, lock=True)
    known = next((known for known in compliance.WAIVER_KINDS if known == kind), None)
    if known is None or (known == "levels" and levels not in ("2", "3")):
        raise compliance.BadWaiver
    reason, ends_at = _checked_reason(reason), _end_of(last_day)
    number = int(levels) if known == "levels" else None
    return compliance.grant_waiver(
        tenant_id=brand_id, kind=known, levels=number, reason=reason, ends_at=ends_at, actor=actor
    )


def revoke_waiver(brand_id: UUID, *, waiver_id: UUID, actor: str) -> Waiver:
    """End a brand's waiver now; one that has ended stays as it is. Raises NotFound."""
    get_brand(brand_id, lock=True)
    waiver = next((waiver for waiver in compliance.waivers(brand_id) if waiver.id == waiver_id), None)
    if waiver is None:
        raise NotFound
    compliance.revoke_waiver(tenant_id=brand_id, waiver_id=waiver_id, actor=actor)
    return waiver


def waivers_in_force() -> list[tuple[Waiver, TenantRecord]]:
    """Return the waivers that hold now with their brands, the next to end first."""
    query = (
        sa.select(Waiver, TenantRecord)
        .join(TenantRecord, TenantRecord.id == Waiver.tenant_id)
        .where(Waiver.revoked_at.is_(None), Waiver.ends_at > sa.func.now())
        .order_by(Waiver.ends_at)
    )
    return [(row[0], row[1]) for row in session().execute(query)]


def audit_trail(*, search: str = "", brand_id: UUID | None = None) -> sa.Select[AuditEntry, str | None, str | None]:
    """Return the query of the platform's audit trail with each brand's name and subdomain, newest first."""
    query = (
        sa.select(AuditEntry, sa.type_coerce(TenantRecord.name, sa.Text), TenantRecord.slug)
        .join(TenantRecord, TenantRecord.id == AuditEntry.tenant_id, isouter=True)
        .order_by(AuditEntry.id.desc())
    )
    if brand_id is not None:
        query = query.where(AuditEntry.tenant_id == brand_id)
    if search:
        query = query.where(
            sa.or_(
                AuditEntry.actor.icontains(search, autoescape=True),
                AuditEntry.action.icontains(search, autoescape=True),
                sa.cast(AuditEntry.details, sa.Text).icontains(search, autoescape=True),
                TenantRecord.name.icontains(search, autoescape=True),
                TenantRecord.slug.icontains(search, autoescape=True),
            )
        )
    return query


def _checked_reason(text: str) -> str:
    # PostgreSQL's text holds no NUL.
    text = text.replace("\0", "").strip()
    if not 1 <= len(text) <= MAX_REASON:
        raise ReasonMissing(length=MAX_REASON)
    return text


def _end_of(day: str) -> datetime:
    try:
        end = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time.min, BEIJING).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadEndDate from None
    if end <= datetime.now(UTC):
        raise BadEndDate
    return end
