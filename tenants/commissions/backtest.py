"""Back-tests: what the orders of a time past would have cost under a version of the plan, and who would have gained.

A run goes through the frozen facts of paid orders in portions, each one transaction with its figures and its cursor, so
that it goes on after a crash where it stood. Plain rows and the compiled plan do the work; no object of an order is
loaded. A plan with limits over several orders (a promoter's day, a budget) is held to them in the order of the
payments, beginning with nothing spent; refunds give no room back here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.dialects.postgresql import insert

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
from tenants.commissions.engine import Result
from tenants.commissions.models import Award
from tenants.commissions.plans import ReadyPlan, prepare
from tenants.commissions.spending import ALL_TIME, Counters, is_limited
from tenants.members.models import Member

ORDERS_A_PORTION = 2_000
MAX_RUNNING = 3
#: Rules beyond these, the first ones met, are counted together.
MAX_RULES = 500
OTHER_RULES = "…"
CAP_REASONS = frozenset({"line_cap", "order_cap", "promoter_day_cap", "budget"})
#: Days whose limits are kept between portions: orders come nearly in the order of their payments.
DAYS_KEPT = 3


class TooManyBacktests(FanyongError):
    code = "too_many_backtests"
    status = 409
    message = _l("%(count)d back-tests are running. Please wait for one of them, or cancel it.")


class BadPeriod(FanyongError):
    code = "bad_period"
    status = 422
    message = _l("The first day has to come before the last one.")


@dataclass(slots=True)
class Portion:
    """What a portion of orders comes to: by figure, by rule, by reason, and by promoter (now, then)."""

    orders: int = 0
    lines: int = 0
    paid_fen: int = 0
    now_fen: int = 0
    then_fen: int = 0
    changed: int = 0
    capped: int = 0
    failed: int = 0
    failure: str = ""
    rules: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    withheld: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    promoters: dict[UUID, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))


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
        facts = paid_orders(run.starts_at, run.ends_at, after=run.cursor, limit=ORDERS_A_PORTION, by_payment=limited)
        if facts:
            counters = _counters_of(run.totals) if limited else None
            awarded = _awarded([each.order_id for each in facts])
            _add(run, work_out(plan, _as_allowed(facts, run.totals), awarded, counters))
            run.cursor = facts[-1].order_id
            if counters is not None:
                run.totals = {**run.totals, "spent": _spent_to_keep(counters)}
        if len(facts) < ORDERS_A_PORTION:
            _finish(run, "done")
        return len(facts) or 1


def work_out(
    plan: ReadyPlan,
    orders: Sequence[OrderFacts],
    awarded: Mapping[UUID, Mapping[UUID, int]],
    counters: Counters | None = None,
) -> Portion:
    """Return what a plan makes of orders beside what was awarded for them: by order, then promoter, in fen.

    `counters` are needed for a plan with limits over several orders, whose orders come as they were paid.
    """
    portion = Portion(orders=len(orders))
    for facts in orders:
        now = awarded.get(facts.order_id, {})
        then = _settled(plan, facts, portion, counters)
        portion.lines += len(facts.lines)
        portion.paid_fen += facts.paid_goods_fen
        portion.now_fen += sum(now.values())
        portion.then_fen += sum(then.values())
        portion.changed += then != now
        for member_id, amount in now.items():
            portion.promoters[member_id][0] += amount
        for member_id, amount in then.items():
            portion.promoters[member_id][1] += amount
    return portion


def paid_orders(
    starts_at: datetime, ends_at: datetime, *, after: UUID | None, limit: int, by_payment: bool = False
) -> list[OrderFacts]:
    """Return what was frozen of orders paid in a time, after one of them: by their ids, or as they were paid.

    This and `count_orders` alone know where frozen facts are kept.
    """
    parameters = {"after": after or UUID(int=0), "limit": limit, "from": starts_at, "to": ends_at}
    query = _FACTS_BY_PAYMENT if by_payment else _FACTS
    return [decode_facts(text) for text in session().execute(query, parameters).scalars()]


def count_orders(starts_at: datetime, ends_at: datetime) -> int:
    """Return how many orders were paid in a time."""
    return int(session().execute(_COUNT, {"from": starts_at, "to": ends_at}).scalar_one())


_PAID = "frozen_at >= :from AND frozen_at < :to"
_FACTS = sa.text(f"SELECT facts FROM attribution WHERE order_id > :after AND {_PAID} ORDER BY order_id LIMIT :limit")
# There is no index for this order: it is asked for by the few plans that need it, and never while money is posted.
_FACTS_BY_PAYMENT = sa.text(
    f"""
    SELECT facts FROM attribution
     WHERE {_PAID} AND (frozen_at, order_id)
           > (coalesce((SELECT frozen_at FROM attribution WHERE order_id = :after), '-infinity'), :after)
     ORDER BY frozen_at, order_id LIMIT :limit
    """
)
_COUNT = sa.text(f"SELECT count(*) FROM attribution WHERE {_PAID}")


def _settled(plan: ReadyPlan, facts: OrderFacts, portion: Portion, counters: Counters | None) -> dict[UUID, int]:
    """Return what a plan gives whom for an order, and count by what rule and why not; a failure gives nothing."""
    try:
        result: Result = plan.ask(facts)
    except PluginFailed as failure:
        portion.failed += 1
        portion.failure = portion.failure or str(failure)[:500]
        return {}
    if counters is not None:
        result, _standing = counters.hold(facts, result, caps=plan.caps, version_id=plan.version_id)
    then: dict[UUID, int] = defaultdict(int)
    capped = False
    for award in result.awards:
        then[award.beneficiary_id] += award.amount_fen
        told = portion.rules[award.rule]
        told[0] += 1
        told[1] += award.amount_fen
        capped = capped or "caps" in award.details
    for item in result.withheld:
        portion.withheld[item.reason] += 1
        capped = capped or item.reason in CAP_REASONS
    portion.capped += capped
    return dict(then)


def _counters_of(totals: Mapping[str, Any]) -> Counters:
    return Counters({(UUID(scope), period): fen for scope, period, fen in totals.get("spent", ())})


def _spent_to_keep(counters: Counters) -> list[list[Any]]:
    """Return what was spent, without the days and months that no order to come is of."""
    spent = counters.spent
    kept = {
        period
        for kind in "dm"
        for period in sorted({period for _scope, period in spent if period.startswith(f"{kind}:")})[-DAYS_KEPT:]
    }
    return [[scope.hex, period, fen] for (scope, period), fen in spent.items() if period in kept or period == ALL_TIME]


def _as_allowed(orders: Sequence[OrderFacts], totals: Mapping[str, Any]) -> list[OrderFacts]:
    """Return orders as they would be frozen with what the brand may reward since the back-test was asked for."""
    levels, team = totals["levels_allowed"], totals["team_allowed"]
    return [
        facts
        if (facts.levels_allowed, facts.team_allowed) == (levels, team)
        else replace(facts, levels_allowed=levels, team_allowed=team)
        for facts in orders
    ]


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
    rows = [
        {"run_id": run.id, "member_id": member_id, "now_fen": now, "then_fen": then}
        for member_id, (now, then) in sorted(portion.promoters.items())
    ]
    if rows:
        session().execute(_ADD_PROMOTERS, rows)


_INSERT = insert(BacktestPromoter.__table__)  # type: ignore[arg-type]
_ADD_PROMOTERS = _INSERT.on_conflict_do_update(
    index_elements=["run_id", "member_id"],
    set_={
        "now_fen": BacktestPromoter.now_fen + _INSERT.excluded.now_fen,
        "then_fen": BacktestPromoter.then_fen + _INSERT.excluded.then_fen,
    },
)


def _snapshot(run: BacktestRun) -> PluginActivation:
    """Return the version as it was when the back-test was asked for; never written."""
    return PluginActivation(
        id=run.activation_id, kind="commission_plan", number=0, plugin=run.plugin, settings=run.settings
    )


def _finish(run: BacktestRun, state: str, *, problem: str | None = None) -> None:
    run.state, run.problem, run.finished_at = state, problem, brand_now()
