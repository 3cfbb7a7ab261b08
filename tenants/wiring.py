"""How the features of a shop hang together: who reacts to which event, and what the background does for each."""

from __future__ import annotations

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.events import Handler
from fanyong.jobs.tending import Duty
from fanyong.pluginhost.service import VERSIONS_DUE, promote_all_due
from fanyong.superadmin import probes
from fanyong.tenancy.database import session
from tenants.commissions import backtest, processing, releasing
from tenants.commissions import service as commissions
from tenants.commissions.earned import earned_fen
from tenants.invariants.service import check_books
from tenants.ledger import sealing
from tenants.ledger import service as ledger
from tenants.members.models import Member
from tenants.orders import refunds
from tenants.orders import service as orders
from tenants.orders import tasks as order_tasks
from tenants.orders.models import Order
from tenants.payouts import service as payouts
from tenants.periods import tasks as period_tasks
from tenants.promoters import facts, sales, team, trials
from tenants.promoters import jobs as promoter_jobs
from tenants.promoters import service as promoters
from tenants.promoters.models import Promoter
from tenants.reconciliation import service as reconciliation
from tenants.reconciliation import tasks as reconciliation_tasks

SUBSCRIPTIONS: tuple[tuple[str, Handler], ...] = (
    ("payment_intent.succeeded", orders.on_payment_succeeded),
    ("refund.succeeded", refunds.on_refund_succeeded),
    ("refund.failed", refunds.on_refund_failed),
    ("transfer.paid", payouts.on_transfer_paid),
    ("transfer.failed", payouts.on_transfer_ended_unpaid),
    ("transfer.canceled", payouts.on_transfer_ended_unpaid),
)

#: What the background does for a brand, in this order; what follows behind the books takes turns with them.
DUTIES: dict[str, Duty] = {
    "commissions": Duty(processing.process_portion, commissions.WORK_DUE),
    "releases": Duty(processing.release_due, releasing.RELEASES_DUE),
    "versions": Duty(promote_all_due, VERSIONS_DUE),
    "tiers": Duty(promoters.reevaluate_stale, promoters.TIERS_STALE),
    "orders": Duty(order_tasks.close_overdue, order_tasks.ORDERS_OVERDUE),
    "receipts": Duty(order_tasks.receive_unconfirmed, order_tasks.ORDERS_UNCONFIRMED),
    "sales": Duty(sales.roll_up_teams, sales.TEAMS_BEHIND, behind=True),
    "teams": Duty(team.count_teams, team.MEMBERS_UNCOUNTED, behind=True),
    "tier_looks": Duty(promoter_jobs.look_where_asked, promoter_jobs.LOOKS_ASKED, behind=True),
    "tier_nights": Duty(promoter_jobs.look_every_night, promoter_jobs.NIGHT_TO_DO, behind=True),
    "tier_trials": Duty(trials.run_portion, trials.TRIAL_RUNNING, behind=True),
    "backtests": Duty(backtest.run_portion, backtest.BACKTEST_RUNNING, behind=True),
    "periods": Duty(period_tasks.run_portion, period_tasks.MONTHS_TO_DO, behind=True),
    "reconciliation": Duty(reconciliation_tasks.reconcile_next_day, reconciliation.DAY_TO_COMPARE, behind=True),
    "seals": Duty(sealing.seal_books, sealing.POSTINGS_UNSEALED, behind=True),
}


def start_with_flat_tiers() -> None:
    """Make every member of a new brand a promoter of one tier; the owner changes it at will."""
    promoters.activate_structure("tiers_flat", {}, actor="platform")


STARTERS = (start_with_flat_tiers,)

#: What a brand keeps when it goes live: how it is set up, not what was tried.
SETUP_TABLES = frozenset(
    {
        "admin_action",
        "admin_user",
        "brand_setting",
        "coupon",
        "merchant_account",
        "payout_policy",
        "plugin_activation",
        "plugin_change",
        "product",
        "shipping_method",
    }
)


def brand_figures() -> list[probes.Figure]:
    """Return what platform staff see of a brand at a glance."""
    books = ledger.totals()
    paid = Order.paid_at.is_not(None)
    orders_paid, turnover = (
        session()
        .execute(
            sa.select(sa.func.count(), sa.cast(sa.func.coalesce(sa.func.sum(Order.total_fen), 0), sa.BigInteger)).where(
                paid
            )
        )
        .one()
    )
    members_count = session().scalar(sa.select(sa.func.count()).select_from(Member)) or 0
    ranked = sa.select(sa.func.count()).select_from(Promoter).where(Promoter.tier.is_not(None))
    return [
        probes.Figure(_l("Paid orders"), orders_paid),
        probes.Figure(_l("Turnover"), turnover, "fen"),
        probes.Figure(_l("Members"), members_count),
        probes.Figure(_l("Promoters"), session().scalar(ranked) or 0),
        probes.Figure(_l("Commissions pending"), books.pending_fen, "fen"),
        probes.Figure(_l("Commissions available"), books.available_fen, "fen"),
        probes.Figure(_l("Paid to promoters"), books.paid_fen, "fen"),
        probes.Figure(_l("Commission work waiting"), commissions.open_work()),
    ]


def ledger_problems() -> list[str]:
    """Return what is wrong with a brand's books."""
    return check_books().problems


def register_probes() -> None:
    """Tell the superadmin console, and the tier structures, what only the features know."""
    facts.register_earned(earned_fen)
    probes.register_figures("shop", brand_figures)
    probes.register_ledger_check("shop", ledger_problems)
