"""What the background does for tiers: after wider events, and every night; in portions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import PluginFailed
from fanyong.tenancy import settings
from fanyong.tenancy.database import session, unit_of_work
from tenants.members.models import Member
from tenants.promoters.days import today
from tenants.promoters.facts import is_bound_to_time
from tenants.promoters.models import Promoter, TierLook
from tenants.promoters.sales_models import Sale
from tenants.promoters.service import stale_count
from tenants.promoters.standing import Structure, current_structure, evaluate
from tenants.promoters.team import uncounted

CHUNK = 200
#: Whether `look_where_asked` has something to do.
LOOKS_ASKED = "EXISTS (SELECT FROM tier_look)"
#: Whether `look_every_night` has something to do: two ends of an index tell it, however many promoters there are.
NIGHT_TO_DO = """
    EXISTS (SELECT FROM (
        (SELECT checked_on FROM promoter ORDER BY checked_on LIMIT 1)
        UNION ALL (SELECT checked_on FROM promoter ORDER BY checked_on DESC LIMIT 1)) AS ends
     WHERE checked_on < clock.today OR checked_on IS NULL)
    AND NOT EXISTS (SELECT FROM brand_setting s JOIN plugin_activation a ON s.value ->> 'structure' = CAST(a.id AS text)
                     WHERE s.key = 'tier_nights' AND s.value ->> 'day' = CAST(clock.today AS text)
                       AND a.kind = 'tier_structure' AND a.state = 'active')"""


class QuietNight(settings.SettingsGroup):
    """Which structure was found not to depend on the calendar, on which day: it is asked again on the next one."""

    key: ClassVar[str] = "tier_nights"
    structure: UUID
    day: date


def look_where_asked() -> int:
    """Look at promoters whom an event concerns: their team sold, or somebody they brought; returns how many."""
    with unit_of_work():
        oldest = sa.select(TierLook.id).order_by(TierLook.id).limit(CHUNK).with_for_update(skip_locked=True)
        asked = session().execute(
            sa.delete(TierLook).where(TierLook.id.in_(oldest)).returning(TierLook.member_id, TierLook.because)
        )
        reasons: dict[UUID, str] = {row.member_id: row.because for row in asked}
        found = _locked(list(reasons))
        for because in sorted(set(reasons.values())):
            evaluate([p for p in found if reasons[p.member_id] == because], because=because)
        return len(reasons)


def look_every_night() -> int:
    """Look at promoters on each new day of the brand where a condition depends on the calendar; returns how many.

    Who was looked at keeps the day, so that a job that was cut off goes on where it stopped.
    """
    with unit_of_work():
        structure, day = _structure(), today()
        if structure is None:
            return 0
        if not is_bound_to_time(structure.figures):
            _note(QuietNight(structure=structure.active.activation_id, day=day))
            return 0
        query = sa.select(Promoter).where(_unchecked(day)).order_by(Promoter.member_id).limit(CHUNK)
        found = session().scalars(query.with_for_update(skip_locked=True)).all()
        evaluate(found, because="night")
        for promoter in found:
            promoter.checked_on = day
        return len(found)


def waiting_count() -> int:
    """Return how much of this waits, with the sales and members that teams do not count yet."""
    counts = [
        sa.select(sa.func.count()).select_from(TierLook),
        sa.select(sa.func.count()).select_from(Sale).where(Sale.dirty),
        sa.select(sa.func.count()).select_from(Member).where(uncounted()),
    ]
    structure = _structure()
    if structure is not None and is_bound_to_time(structure.figures):
        counts.append(sa.select(sa.func.count()).select_from(Promoter).where(_unchecked(today())))
    return stale_count() + sum(session().scalar(query) or 0 for query in counts)


def _structure() -> Structure | None:
    """Return the brand's structure, or None where there is none or it fails."""
    try:
        return current_structure()
    except PluginFailed as failure:
        plugins.record_failure(failure)
        return None


def _note(quiet: QuietNight) -> None:
    row = {"key": quiet.key, "value": quiet.model_dump(mode="json"), "updated_by": "platform"}
    insertion = insert(settings.BrandSetting).values(row)
    # Two workers may find out at the same time.
    session().execute(insertion.on_conflict_do_update(index_elements=["key"], set_=row))


def _unchecked(day: date) -> sa.ColumnElement[bool]:
    return sa.or_(Promoter.checked_on < day, Promoter.checked_on.is_(None))


def _locked(member_ids: Sequence[UUID]) -> Sequence[Promoter]:
    query = sa.select(Promoter).where(Promoter.member_id.in_(member_ids)).order_by(Promoter.member_id)
    return session().scalars(query.with_for_update().execution_options(populate_existing=True)).all()
