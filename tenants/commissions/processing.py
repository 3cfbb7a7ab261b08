"""Working the inbox off, and releasing what is due: the tenders of this feature.

Each call is one transaction and does one portion. A crash before its commit leaves the row for the next call.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from fanyong.ids import new_id
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.registry import PluginFailed
from fanyong.tenancy.clock import brand_now, server_now
from fanyong.tenancy.database import TenantBase, session, unit_of_work
from fanyong.values import Award as AwardValue
from fanyong.values import AwardProposal, OrderFacts
from tenants.commissions import engine
from tenants.commissions.models import Accrual, Award, AwardReversal, CommissionWork, OrderCommission
from tenants.commissions.service import FACTS
from tenants.ledger import service as ledger
from tenants.ledger.models import AccountName, PostingKind
from tenants.ledger.service import Entry, Release

#: Rows travel as parameters, so that the statement is compiled once.
_INSERT_AWARDS = (
    insert(TenantBase.metadata.tables[Award.__tablename__])
    .on_conflict_do_nothing(
        index_elements=[Award.line_id, Award.plan_version_id, Award.rule, Award.beneficiary_id, Award.kind]
    )
    .returning(Award.id)
)
WORK_CHUNK = 20
RELEASE_CHUNK = 200
#: Pauses before failed work is tried again, in seconds; the last one repeats.
RETRY_PAUSES = (5, 30, 120, 600, 3_600)


def process_portion() -> int:
    """Work a few inbox rows off, the oldest of orders that have nothing older open; returns how many."""
    with unit_of_work():
        works = session().scalars(_next_works()).all()
        if works:
            ledger.lock_books()
        for work in works:
            _work_off(work)
        return len(works)


def release_due() -> int:
    """Release a chunk of commissions whose time has come; returns how many."""
    with unit_of_work():
        ledger.lock_books()
        now = brand_now()
        due = session().scalars(_due(now)).all()
        ledger.release_to_available(
            [
                Release(PostingKind.RELEASE, a.award_id, a.beneficiary_id, AccountName.FROZEN, a.remaining_fen)
                for a in due
            ]
        )
        for accrual in due:
            accrual.state, accrual.released_at = "released", now
        return len(due)


def propose(plan: plugins.ActivePlugin, facts: OrderFacts) -> engine.Result:
    """Ask a plan about an order and settle its answer; raises PluginFailed, also for an impossible answer."""
    proposals = plan.ask_many("propose_awards", of=AwardProposal, facts=facts)
    try:
        return engine.settle(facts, proposals)
    except engine.ImpossibleProposal as error:
        raise PluginFailed(plugin=plan.plugin.name, hook="propose_awards", error=error) from error


def _work_off(work: CommissionWork) -> None:
    """Bring one row into the books.

    A plugin that raises leaves the row with its error for a later try; the order and its money are untouched.
    """
    work.try_count += 1
    try:
        with session().begin_nested():
            _handle(work)
    except PluginFailed as failure:
        plugins.record_failure(failure)
        work.error = str(failure)[:500]
        pause = RETRY_PAUSES[min(work.try_count, len(RETRY_PAUSES)) - 1]
        work.next_try_at = server_now() + timedelta(seconds=pause)
    else:
        work.done_at, work.error = server_now(), None


def _next_works() -> sa.Select[CommissionWork]:
    older = aliased(CommissionWork)
    blocked = sa.exists().where(
        older.order_id == CommissionWork.order_id,
        older.done_at.is_(None),
        # The payment comes first whatever the ids say: they are of as many clocks as there are servers.
        CommissionWork.kind != "paid",
        sa.or_(older.kind == "paid", older.id < CommissionWork.id),
    )
    return (
        sa.select(CommissionWork)
        .where(
            CommissionWork.done_at.is_(None),
            CommissionWork.next_try_at <= sa.func.clock_timestamp(),
            ~blocked,
        )
        .order_by(CommissionWork.id)
        .limit(WORK_CHUNK)
        .with_for_update(skip_locked=True, of=CommissionWork)
    )


def _due(now: datetime) -> sa.Select[Accrual]:
    return (
        sa.select(Accrual)
        .join(OrderCommission, OrderCommission.order_id == Accrual.order_id)
        .where(Accrual.state == "frozen", Accrual.due_at <= now, OrderCommission.release_holds == 0)
        .order_by(Accrual.beneficiary_id, Accrual.award_id)
        .limit(RELEASE_CHUNK)
        .with_for_update(skip_locked=True)
    )


def _handle(work: CommissionWork) -> None:
    if work.kind == "paid":
        _award(work.payload)
    elif work.kind == "received":
        _receive(work.order_id, due_at=datetime.fromisoformat(work.payload["due_at"]))
    else:
        _reverse(work.payload)


def _award(payload: dict[str, Any]) -> None:
    facts = FACTS.validate_python(payload["facts"])
    plan_version_id = payload["plan_version_id"]
    result = engine.Result((), ())
    if plan_version_id is not None:
        plan = plugins.get_activation(UUID(plan_version_id))
        result = propose(plan, facts)
        _write_awards(facts, result.awards, plan=plan)
    record = session().get_one(OrderCommission, facts.order_id)
    record.withheld = [_json(asdict(item)) for item in result.withheld]
    record.computed_at = brand_now()


def _write_awards(facts: OrderFacts, awards: tuple[AwardValue, ...], *, plan: plugins.ActivePlugin) -> None:
    """Write awards with their accruals and postings; awards that were written before are left out."""
    if not awards:
        return
    rows = [_award_row(facts, award, plan=plan) for award in awards]
    new_ids = set(session().scalars(_INSERT_AWARDS, rows))
    new = [row for row in rows if row["id"] in new_ids]
    if new:
        session().execute(sa.insert(Accrual), [_accrual_row(row) for row in new])
    ledger.post(
        [
            Entry(
                PostingKind.AWARD,
                row["id"],
                row["beneficiary_id"],
                AccountName.COMMISSION_EXPENSE,
                AccountName.ESTIMATED,
                row["amount_fen"],
            )
            for row in new
        ]
    )


def _accrual_row(award: dict[str, Any]) -> dict[str, Any]:
    return {
        "award_id": award["id"],
        "order_id": award["order_id"],
        "line_id": award["line_id"],
        "beneficiary_id": award["beneficiary_id"],
        "remaining_fen": award["amount_fen"],
        "state": "estimated",
    }


def _award_row(facts: OrderFacts, award: AwardValue, *, plan: plugins.ActivePlugin) -> dict[str, Any]:
    return {
        "id": new_id(),
        "order_id": facts.order_id,
        "line_id": award.line_id,
        "plan_version_id": plan.activation_id,
        "rule": award.rule,
        "beneficiary_id": award.beneficiary_id,
        "kind": award.kind,
        "level": award.level,
        "base_fen": award.base_fen,
        "rate_bp": award.rate_bp,
        "amount_fen": award.amount_fen,
        "explanation": {**award.explanation, "plan": plan.plugin.name, "plan_version": plan.number},
        "awarded_at": facts.paid_at,
    }


def _receive(order_id: UUID, *, due_at: datetime) -> None:
    query = sa.select(Accrual).where(Accrual.order_id == order_id, Accrual.state == "estimated")
    entries = []
    for accrual in session().scalars(query.order_by(Accrual.award_id).with_for_update()):
        accrual.state, accrual.due_at = "frozen", due_at
        entries.append(
            Entry(
                PostingKind.RECEIVE,
                accrual.award_id,
                accrual.beneficiary_id,
                AccountName.ESTIMATED,
                AccountName.FROZEN,
                accrual.remaining_fen,
            )
        )
    ledger.post(entries)


def _reverse(payload: dict[str, Any]) -> None:
    refund_id = UUID(payload["refund_id"])
    for line in payload["lines"]:
        query = (
            sa.select(Award, Accrual)
            .join(Accrual, Accrual.award_id == Award.id)
            .where(Award.line_id == UUID(line["line_id"]))
            .order_by(Award.id)
            .with_for_update(of=Accrual)
        )
        for award, accrual in session().execute(query):
            target = engine.reversed_to_date(
                award.amount_fen, paid_fen=line["paid_fen"], refunded_fen=line["refunded_fen"]
            )
            amount = target - (award.amount_fen - accrual.remaining_fen)
            if amount > 0:
                _take_back(award, accrual, amount_fen=amount, refund_id=refund_id)


def _take_back(award: Award, accrual: Accrual, *, amount_fen: int, refund_id: UUID) -> None:
    reversal = AwardReversal(
        id=new_id(), award_id=award.id, refund_id=refund_id, amount_fen=amount_fen, reversed_at=brand_now()
    )
    session().add(reversal)
    accrual.remaining_fen -= amount_fen
    if accrual.state == "released":
        ledger.take_back(award.beneficiary_id, amount_fen=amount_fen, source_id=reversal.id)
        return
    shelf = AccountName.FROZEN if accrual.state == "frozen" else AccountName.ESTIMATED
    expense = AccountName.COMMISSION_EXPENSE
    ledger.post([Entry(PostingKind.REVERSE, reversal.id, award.beneficiary_id, shelf, expense, amount_fen)])
    if accrual.remaining_fen == 0:
        accrual.state = "reversed"


def _json(value: dict[str, Any]) -> dict[str, Any]:
    return {name: item.hex if isinstance(item, UUID) else item for name, item in value.items()}
