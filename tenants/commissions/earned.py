"""What members earned in a span of days, for whoever decides by it: awards less what refunds took back of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID

import sqlalchemy as sa

from fanyong.tenancy.database import session
from fanyong.wechat.times import BEIJING
from tenants.commissions.models import Award, AwardReversal


def earned_fen(member_ids: Sequence[UUID], span: tuple[date, date] | None) -> Mapping[UUID, int]:
    """Return commissions of members by the day of the award, in fen; a reversal lowers the day of its award."""
    within: list[sa.ColumnElement[bool]] = [Award.beneficiary_id.in_(member_ids)]
    if span is not None:
        first, last = (datetime.combine(day, time(), BEIJING) for day in span)
        within += [Award.awarded_at >= first, Award.awarded_at < last + timedelta(days=1)]
    awarded = sa.select(Award.beneficiary_id, _sum(Award.amount_fen)).where(*within).group_by(Award.beneficiary_id)
    reversed_ = (
        sa.select(Award.beneficiary_id, _sum(AwardReversal.amount_fen))
        .join(AwardReversal, AwardReversal.award_id == Award.id)
        .where(*within)
        .group_by(Award.beneficiary_id)
    )
    # What was taken back is read first: its award is then among the awards.
    taken_back = {row[0]: row[1] for row in session().execute(reversed_)}
    return {row[0]: row[1] - taken_back.get(row[0], 0) for row in session().execute(awarded)}


def _sum(column: sa.orm.InstrumentedAttribute[int]) -> sa.ColumnElement[int]:
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger)
