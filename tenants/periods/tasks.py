"""The tender of month-end rewards: notices that a month is over, works it out, and posts what was let through.

Each call does one thing in one transaction, so that a crash loses nothing and the next call goes on where it stood.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fanyong.ids import new_id
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.models import PluginActivation
from fanyong.pluginhost.registry import PluginFailed
from fanyong.tenancy.bulk import copy_rows, jsonb
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.months import Span, month_span
from fanyong.values import PeriodProposal
from tenants.commissions import buckets
from tenants.commissions.models import Award, OrderCommission
from tenants.commissions.periods import PeriodResult, settle_period
from tenants.commissions.proposals import ImpossibleProposal
from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, PostingKind
from tenants.periods.facts import gather, is_settled
from tenants.periods.models import PeriodLine, PeriodRun
from tenants.periods.service import months_to_open

#: Promoters whose rewards are posted in one transaction.
PEOPLE_A_PORTION = 1_000
MAX_PROBLEM = 500
#: Whether `run_portion` has something to do: with a run, or for the month before the present one, which has none yet
#: although the runs, or the orders, began earlier.
MONTHS_TO_DO = """
    EXISTS (SELECT FROM period_run WHERE state IN ('waiting', 'posting'))
    OR to_char(clock.today - interval '1 month', 'YYYY-MM') > coalesce(
        (SELECT max(month) FROM period_run),
        (SELECT to_char((frozen_at AT TIME ZONE 'Asia/Shanghai') - interval '1 month', 'YYYY-MM')
           FROM attribution ORDER BY order_id LIMIT 1),
        '9999-12')"""

_LINE: dict[LiteralString, str] = {
    "id": "uuid",
    "run_id": "uuid",
    "member_id": "uuid",
    "rule": "text",
    "amount_fen": "int8",
    "base_fen": "int8",
    "rate_bp": "int8",
    "tier": "text",
    "explanation": "jsonb",
    "reason": "text",
}
_POSTED = sa.text(
    """
    UPDATE period_line l SET award_id = t.award_id
      FROM unnest(CAST(:lines AS uuid[]), CAST(:awards AS uuid[])) AS t (id, award_id) WHERE l.id = t.id
    """
)


def run_portion() -> int:
    """Open months that are over, post a portion, or work a month out; returns how many things it did."""
    with unit_of_work():
        opened = _open_months()
        if opened:
            return opened
        run = _claim()
        if run is None:
            return 0
        return _post_portion(run) if run.state == "posting" else _work_out(run)


def _open_months() -> int:
    """Write a run for each month that is over and has none; returns how many."""
    rows = [{"month": month} for month in months_to_open()]
    if not rows:
        return 0
    new = session().execute(insert(PeriodRun).values(rows).on_conflict_do_nothing().returning(PeriodRun.id))
    return len(new.all())


def _claim() -> PeriodRun | None:
    """Return the oldest month that there is something to do for; what was let through goes first."""
    query = sa.select(PeriodRun).where(PeriodRun.state.in_(("posting", "waiting")))
    query = query.order_by(PeriodRun.state, PeriodRun.month).limit(1)
    return session().scalar(query.with_for_update(skip_locked=True))


def _work_out(run: PeriodRun) -> int:
    """Work a month out anew, unless some of its orders still wait to be worked off; returns how many it did."""
    span = _span(run.month)
    if not is_settled(span):
        return 0
    session().execute(sa.delete(PeriodLine).where(PeriodLine.run_id == run.id))
    run.plan_version_id = _version_at(span.ends_at)
    run.turnover_fen = run.people = run.awards = run.total_fen = run.withheld = 0
    run.computed_at, run.problem = brand_now(), ""
    try:
        result = _result(run, span)
    except (PluginFailed, ImpossibleProposal) as error:
        run.state, run.problem = "failed", str(error)[:MAX_PROBLEM]
        return 1
    run.awards, run.withheld = len(result.awards), len(result.withheld)
    run.total_fen = sum(award.amount_fen for award in result.awards)
    run.state = "computed" if run.awards or run.withheld else "nothing"
    session().flush()
    _write_lines(run.id, result)
    return 1


def _result(run: PeriodRun, span: Span) -> PeriodResult:
    """Return what the plan of the month makes of it; raises PluginFailed or ImpossibleProposal."""
    nothing = PeriodResult((), ())
    if run.plan_version_id is None:
        return nothing
    plan = plugins.get_activation(run.plan_version_id)
    if not hasattr(plan.plugin, "period_awards"):
        return nothing
    facts = gather(run.month, span)
    run.turnover_fen, run.people = facts.turnover_fen, len(facts.people)
    return settle_period(facts, plan.ask_many("period_awards", of=PeriodProposal, facts=facts))


def _version_at(moment: datetime) -> UUID | None:
    """Return the plan version that was in force just before a moment."""
    query = sa.select(PluginActivation.id).where(
        PluginActivation.kind == "commission_plan",
        PluginActivation.state.in_(("active", "retired")),
        PluginActivation.activated_at < moment,
        sa.or_(PluginActivation.retired_at.is_(None), PluginActivation.retired_at >= moment),
    )
    return session().scalar(query.order_by(PluginActivation.activated_at.desc()).limit(1))


def _write_lines(run_id: UUID, result: PeriodResult) -> None:
    rows: list[Sequence[Any]] = [
        (
            new_id(),
            run_id,
            award.beneficiary_id,
            award.rule,
            award.amount_fen,
            award.base_fen,
            award.rate_bp,
            award.tier,
            jsonb(award.explanation),
            None,
        )
        for award in result.awards
    ]
    rows += [
        (new_id(), run_id, item.beneficiary_id, item.rule, 0, 0, 0, "", None, item.reason) for item in result.withheld
    ]
    if rows:
        copy_rows("period_line", _LINE, rows)


def _post_portion(run: PeriodRun) -> int:
    """Bring the rewards of some promoters into the books, all of one promoter's together; returns how many."""
    ledger.lock_books()
    lines = session().scalars(_unposted(run.id)).all()
    now = brand_now()
    if not lines:
        run.state, run.posted_at = "posted", now
        return 1
    assert run.due_at is not None
    _know(run, now)
    awards = {line.id: new_id() for line in lines}
    session().execute(sa.insert(Award), [_award(run, line, award_id=awards[line.id], at=now) for line in lines])
    rows = [(awards[line.id], line.member_id, line.amount_fen, 0) for line in lines]
    expense, estimated, frozen = AccountName.COMMISSION_EXPENSE, AccountName.ESTIMATED, AccountName.FROZEN
    ledger.append(PostingKind.AWARD, rows, debit=expense, credit=estimated, at=now)
    # There are no goods to wait for: a reward waits for its time at once.
    ledger.append(PostingKind.RECEIVE, rows, debit=estimated, credit=frozen, at=now)
    amounts: dict[buckets.Place, int] = defaultdict(int)
    for line in lines:
        amounts[run.due_at, line.member_id] += line.amount_fen
    buckets.put(amounts)
    session().execute(_POSTED, {"lines": list(awards), "awards": list(awards.values())})
    run.posted += len(lines)
    return len(lines)


def _unposted(run_id: UUID) -> sa.Select[PeriodLine]:
    left = (PeriodLine.run_id == run_id, PeriodLine.reason.is_(None), PeriodLine.award_id.is_(None))
    people = sa.select(PeriodLine.member_id).where(*left).distinct().order_by(PeriodLine.member_id)
    chosen = PeriodLine.member_id.in_(people.limit(PEOPLE_A_PORTION))
    return sa.select(PeriodLine).where(*left, chosen).order_by(PeriodLine.id)


def _know(run: PeriodRun, now: datetime) -> None:
    """Keep for the run what is kept for an order: by which version it was computed, and when it is due."""
    row = {"order_id": run.id, "computed_at": now, "due_at": run.due_at, "plan_version_id": run.plan_version_id}
    session().execute(insert(OrderCommission).values(release_holds=0, **row).on_conflict_do_nothing())


def _award(run: PeriodRun, line: PeriodLine, *, award_id: UUID, at: datetime) -> dict[str, Any]:
    explanation = line.explanation or {}
    columns = ("rule", "tier", "base_fen", "rate_bp", "amount_fen")
    return {
        "id": award_id,
        "order_id": run.id,
        "line_id": run.id,
        "plan_version_id": run.plan_version_id,
        "beneficiary_id": line.member_id,
        "base_fen": line.base_fen,
        "amount_fen": line.amount_fen,
        "awarded_at": at,
        "rate_bp": line.rate_bp,
        "level": 0,
        "kind": "period",
        "rule": line.rule,
        "tier": line.tier,
        "details": {name: value for name, value in explanation.items() if name not in columns},
    }


def _span(month: str) -> Span:
    span = month_span(month)
    assert span is not None
    return span
