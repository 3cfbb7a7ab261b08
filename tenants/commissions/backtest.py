"""Back-tests: what the orders of a time past would have cost under a version of the plan, and who would have gained.

A run goes through the frozen facts of paid orders in portions, each one transaction with its figures and its cursor, so
that it goes on after a crash where it stood. Plain rows and the compiled plan do the work; no object of an order is
loaded. Orders come in the order of their payments, so that a plan with limits over several orders (a promoter's day, a
budget) is held to them as it would have been, beginning with nothing spent; refunds give no room back here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.compliance import service as compliance
from fanyong.errors import FanyongError, NotFound
from fanyong.jobs.wake import request_wake
from fanyong.pluginhost import service as plugins
from fanyong.pluginhost.models import PluginActivation
from fanyong.pluginhost.registry import PluginFailed
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session, unit_of_work
from fanyong.values import OrderFacts
from tenants.commissions.attribution import decode_facts
from tenants.commissions.backtest_models import BacktestPromoter, BacktestRun
from tenants.commissions.backtest_portion import Portion, as_allowed, counters_of, spent_to_keep, work_out
from tenants.commissions.models import Award
from tenants.commissions.plans import prepare
from tenants.commissions.spending import is_limited
from tenants.members.models import Member

ORDERS_A_PORTION = 2_000
#: Whether `run_portion` has something to do.
BACKTEST_RUNNING = "EXISTS (SELECT FROM backtest_run WHERE state = 'running')"
MAX_RUNNING = 3
#: Rules beyond these, the first ones met, are counted together.
MAX_RULES = 500
OTHER_RULES = "…"


class TooManyBacktests(FanyongError):
    code = "too_many_backtests"
    status = 409
    message = _l("%(count)d back-tests are running. Please wait for one of them, or cancel it.")


class BadPeriod(FanyongError):
    code = "bad_period"
    status = 422
    message = _l("The first day has to come before the last one.")


def start(row: PluginActivation, *, starts_at: datetime, ends_at: datetime, actor: str) -> BacktestRun:
    """Ask for a back-test of a version's settings, as they are now, over orders paid from `starts_at` to `ends_at`.

    Levels and team rewards count as they are allowed now. Raises BadPeriod, TooManyBacktests, or PluginFailed for
    settings that the plugin cannot be asked with.
    """
    if starts_at >= ends_at:
        raise BadPeriod
    running = session().scalar(sa.select(sa.func.count()).where(BacktestRun.state == "running")) or 0
    if running >= MAX_RUNNING:
        raise TooManyBacktests(count=running)
    prepare(plugins.compiled(row))
    run = BacktestRun(
        activation_id=row.id,
        plugin=row.plugin,
        settings=row.settings,
        starts_at=starts_at,
        ends_at=ends_at,
        totals={"levels_allowed": compliance.levels_allowed(), "team_allowed": compliance.team_allowed()},
        requested_at=brand_now(),
        requested_by=actor,
    )
    session().add(run)
    session().flush()
    request_wake()
    return run


def cancel(run_id: UUID) -> BacktestRun:
    """Stop a run where it stands; what it has worked out stays. Raises NotFound."""
    run = get_run(run_id, lock=True)
    if run.state == "running":
        run.state, run.finished_at = "canceled", brand_now()
    return run


def get_run(run_id: UUID, *, lock: bool = False) -> BacktestRun:
    """Return a run; raises NotFound."""
    run = session().get(BacktestRun, run_id, with_for_update=lock, populate_existing=lock)
    if run is None:
        raise NotFound
    return run


def runs() -> sa.Select[BacktestRun, PluginActivation]:
    """Return the query of all runs with their versions, newest first."""
    return (
        sa.select(BacktestRun, PluginActivation)
        .join(PluginActivation, PluginActivation.id == BacktestRun.activation_id)
        .order_by(BacktestRun.id.desc())
    )


def promoters_of(run_id: UUID, *, losers_first: bool = False) -> sa.Select[Member, int, int]:
    """Return the query of promoters with what they got and would have got, in fen, the largest change first."""
    change = BacktestPromoter.then_fen - BacktestPromoter.now_fen
    return (
        sa.select(Member, BacktestPromoter.now_fen, BacktestPromoter.then_fen)
        .join(Member, Member.id == BacktestPromoter.member_id)
        .where(BacktestPromoter.run_id == run_id)
        .order_by(change.asc() if losers_first else change.desc(), BacktestPromoter.member_id)
    )


def top(run_id: UUID, *, losers: bool, limit: int) -> Sequence[tuple[Member, int, int]]:
    """Return the promoters who would have gained, or lost, most; only those who would at all."""
    change = BacktestPromoter.then_fen - BacktestPromoter.now_fen
    query = promoters_of(run_id, losers_first=losers).where(change < 0 if losers else change > 0).limit(limit)
    return [(row[0], row[1], row[2]) for row in session().execute(query)]


def run_portion() -> int:
    """Take the oldest running back-test one portion further; the tender. Returns how many orders it did."""
    with unit_of_work():
        query = sa.select(BacktestRun).where(BacktestRun.state == "running").order_by(BacktestRun.id).limit(1)
        run = session().scalars(query.with_for_update(skip_locked=True)).first()
        if run is None:
            return 0
        if run.orders_total is None:
            run.orders_total = count_orders(run.starts_at, run.ends_at)
        try:
            plan = prepare(plugins.compiled(_snapshot(run)))
        except PluginFailed as failure:
            _finish(run, "failed", problem=str(failure)[:500])
            return 1
        limited = is_limited(plan.caps)
        facts = paid_orders(run.starts_at, run.ends_at, after=run.cursor, limit=ORDERS_A_PORTION)
        if facts:
            counters = counters_of(run.totals) if limited else None
            awarded = _awarded([each.order_id for each in facts])
            _add(run, work_out(plan, as_allowed(facts, run.totals), awarded, counters))
            run.cursor = facts[-1].order_id
            if counters is not None:
                run.totals = {**run.totals, "spent": spent_to_keep(counters)}
        if len(facts) < ORDERS_A_PORTION:
            _finish(run, "done")
        return len(facts) or 1


def paid_orders(starts_at: datetime, ends_at: datetime, *, after: UUID | None, limit: int) -> list[OrderFacts]:
    """Return what was frozen of orders paid in a time, after one of them, in the order of their payments.

    This and `count_orders` alone know where frozen facts are kept.
    """
    parameters = {"after": after or UUID(int=0), "limit": limit, "from": starts_at, "to": ends_at}
    return [decode_facts(text) for text in session().execute(_FACTS, parameters).scalars()]


def count_orders(starts_at: datetime, ends_at: datetime) -> int:
    """Return how many orders were paid in a time."""
    return int(session().execute(_COUNT, {"from": starts_at, "to": ends_at}).scalar_one())


_PAID = "frozen_at >= :from AND frozen_at < :to"
_FACTS = sa.text(
    f"""
    SELECT facts FROM attribution
     WHERE {_PAID} AND (frozen_at, order_id)
           > (coalesce((SELECT frozen_at FROM attribution WHERE order_id = :after), '-infinity'), :after)
     ORDER BY frozen_at, order_id LIMIT :limit
    """
)
_COUNT = sa.text(f"SELECT count(*) FROM attribution WHERE {_PAID}")


#: One statement for all promoters of a portion: row by row it took as long as everything else together.
_ADD_PROMOTERS = sa.text(
    """
    INSERT INTO backtest_promoter AS p (run_id, member_id, now_fen, then_fen)
    SELECT CAST(:run AS uuid), * FROM unnest(CAST(:members AS uuid[]), CAST(:now AS bigint[]), CAST(:then AS bigint[]))
    ON CONFLICT (run_id, member_id) DO UPDATE
       SET now_fen = p.now_fen + excluded.now_fen, then_fen = p.then_fen + excluded.then_fen
    """
)


def _awarded(order_ids: Sequence[UUID]) -> dict[UUID, dict[UUID, int]]:
    query = (
        sa.select(Award.order_id, Award.beneficiary_id, sa.cast(sa.func.sum(Award.amount_fen), sa.BigInteger))
        .where(Award.order_id == sa.func.any(sa.literal(list(order_ids), sa.ARRAY(sa.Uuid()))))
        .group_by(Award.order_id, Award.beneficiary_id)
    )
    found: dict[UUID, dict[UUID, int]] = defaultdict(dict)
    for order_id, member_id, amount in session().execute(query):
        found[order_id][member_id] = amount
    return found


def _add(run: BacktestRun, portion: Portion) -> None:
    """Add a portion to the figures of a run."""
    totals = dict(run.totals)
    for name in ("lines", "paid_fen", "now_fen", "then_fen", "changed", "capped", "failed"):
        totals[name] = totals.get(name, 0) + getattr(portion, name)
    totals["failure"] = totals.get("failure") or portion.failure
    rules = {name: list(told) for name, told in totals.get("rules", {}).items()}
    for name, (count, amount) in portion.rules.items():
        known = rules.setdefault(name if name in rules or len(rules) < MAX_RULES else OTHER_RULES, [0, 0])
        known[0] += count
        known[1] += amount
    withheld = dict(totals.get("withheld", {}))
    for reason, count in portion.withheld.items():
        withheld[reason] = withheld.get(reason, 0) + count
    run.totals = {**totals, "rules": rules, "withheld": withheld}
    run.orders_done += portion.orders
    changes = sorted(portion.promoters.items())
    values = {
        "run": run.id,
        "members": [member_id for member_id, _change in changes],
        "now": [now for _member_id, (now, _then) in changes],
        "then": [then for _member_id, (_now, then) in changes],
    }
    session().execute(_ADD_PROMOTERS, values)


def _snapshot(run: BacktestRun) -> PluginActivation:
    """Return the version as it was when the back-test was asked for; never written."""
    return PluginActivation(
        id=run.activation_id, kind="commission_plan", number=0, plugin=run.plugin, settings=run.settings
    )


def _finish(run: BacktestRun, state: str, *, problem: str | None = None) -> None:
    run.state, run.problem, run.finished_at = state, problem, brand_now()
