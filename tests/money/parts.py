"""A till: one brand's money driven through its services, each step a unit of work with a session of its own."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Barrier
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import sqlalchemy as sa
from flask import Flask

from fanyong.compliance import service as compliance
from fanyong.jobs.tending import tend_bound_tenant
from fanyong.payments import flows
from fanyong.payments import service as payments
from fanyong.payments.models import PaymentIntent, Refund, Transfer
from fanyong.payments.provider import (
    PaymentFact,
    PaymentProvider,
    RefundFact,
    TransferFact,
    active_account,
    active_provider,
)
from fanyong.tenancy import migrate, settings
from fanyong.tenancy.clock import TestClock, set_test_clock
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.runtime import in_tenant
from fanyong.wechat.simulator.client import SimulatorClient
from tenants.catalog import service as catalog
from tenants.commissions import processing
from tenants.commissions import service as commissions
from tenants.invariants.service import check_books
from tenants.ledger import service as ledger
from tenants.ledger.service import Figures
from tenants.members import service as members
from tenants.members.models import Member
from tenants.orders import refunds
from tenants.orders import service as orders
from tenants.orders.models import Order
from tenants.payouts import service as payouts
from tenants.promoters import service as promoters
from tenants.settlement.triggers import Settlement
from tenants.wiring import SETUP_TABLES, start_with_flat_tiers
from tests.brands import empty

DAY = 86_400
#: Long enough never to decide a test on a busy machine; whoever waits that long has failed.
PATIENCE = 60
ONE_LEVEL: dict[str, Any] = {"rates": [{"level": 1, "rate_bp": 1_000}]}
T = TypeVar("T")


@dataclass
class Till:
    """One brand, as its buyers, its promoters, its staff and its provider see it."""

    app: Flask
    tenant: Tenant
    mchid: str
    appid: str
    offset_seconds: int = 0
    _keys: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def work(self) -> Iterator[None]:
        """Open a unit of work of this brand with a session of its own."""
        with self.app.app_context(), in_tenant(self.tenant), unit_of_work():
            yield

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Bind the brand without a unit of work, for code that opens its own."""
        with self.app.app_context(), in_tenant(self.tenant):
            yield

    @contextmanager
    def owner(self) -> Iterator[psycopg.Connection]:
        """Open a connection that may do anything to this brand's tables."""
        with psycopg.connect(migrate.driver_dsn(self.app.extensions["settings"].database_url)) as connection:
            connection.execute(f"SET search_path TO {self.tenant.schema}".encode())
            yield connection

    def key(self) -> str:
        """Return an idempotency key that was not used before."""
        return f"key-{next(self._keys)}"

    # Setting up

    def plan(self, name: str = "plan_levels", values: dict[str, Any] | None = None) -> UUID:
        """Activate a commission plan; one level of ten percent by default."""
        with self.work():
            return commissions.activate_plan(name, ONE_LEVEL if values is None else values, actor="test").id

    def tiers(self, name: str, values: dict[str, Any]) -> UUID:
        """Activate a tier structure."""
        with self.work():
            return promoters.activate_structure(name, values, actor="test").id

    def allow_two_levels(self) -> None:
        """Accept the notice about the second level."""
        with self.work():
            compliance.accept_notice(actor="test")

    def window(self, days: int) -> None:
        """Set how many days after the receipt commissions are released."""
        with self.work():
            settings.save(Settlement(window_days=days), actor="test")

    def product(self, sku: str, *, price_fen: int = 10_000, stock: int = 1_000, category: str = "") -> None:
        """Put a product on sale."""
        with self.work():
            catalog.save_product(None, sku=sku, name=sku, price_fen=price_fen, stock=stock, category=category)

    def stock(self, sku: str) -> int:
        """Return how much of a product is left."""
        with self.work():
            return catalog.by_sku([sku])[sku].stock

    def member(self, name: str, *, under: UUID | None = None, openid: str = "") -> UUID:
        """Register a member, as the first log-in does."""
        with self.work():
            member, _ = members.register(openid or f"openid-{name}", nickname=name)
            promoters.enroll(member.id)
            if under is not None:
                assert members.bind(member.id, parent_id=under, source="test")
            return member.id

    def shopper(self, simulator: SimulatorClient, name: str, *, under: UUID | None = None) -> UUID:
        """Register a member whom the simulator knows too."""
        _code, openid = simulator.login(appid=self.appid, user=name)
        return self.member(name, under=under, openid=openid)

    # Orders

    def order(
        self,
        member_id: UUID,
        lines: Sequence[tuple[str, int]] = (("a", 1),),
        *,
        coupon: str | None = None,
        shipping: str | None = None,
        key: str | None = None,
    ) -> UUID:
        """Place an order."""
        with self.work():
            member = session().get_one(Member, member_id)
            return orders.place(
                member,
                lines=list(lines),
                idempotency_key=key or self.key(),
                coupon_code=coupon,
                shipping_code=shipping,
            ).id

    def order_row(self, order_id: UUID) -> Order:
        """Return an order as it is now."""
        with self.work():
            return orders.get_order(order_id)

    def intent(self, order_id: UUID) -> PaymentIntent:
        """Return an order's payment as it is now."""
        with self.work():
            intent = payments.intent_for(order_id)
            assert intent is not None
            return intent

    def payment_fact(self, order_id: UUID, **changes: Any) -> PaymentFact:
        """Return what an honest provider says of a paid order, but for `changes`."""
        intent = self.intent(order_id)
        values: dict[str, Any] = {
            "number": intent.out_trade_no,
            "state": "paid",
            "amount_fen": intent.amount_fen,
            "openid": intent.openid,
            "mchid": self.mchid,
            "appid": self.appid,
            "transaction_id": f"42{intent.out_trade_no}",
        }
        return PaymentFact(**(values | changes))

    def apply(self, fact: PaymentFact | RefundFact | TransferFact) -> str:
        """Apply what the provider says."""
        with self.work():
            match fact:
                case PaymentFact():
                    return payments.apply_payment(fact, mchid=self.mchid, appid=self.appid)
                case RefundFact():
                    return payments.apply_refund(fact)
                case TransferFact():
                    return payments.apply_transfer(fact)

    def paid(self, member_id: UUID, lines: Sequence[tuple[str, int]] = (("a", 1),), **how: Any) -> UUID:
        """Place an order and let its payment arrive."""
        order_id = self.order(member_id, lines, **how)
        assert self.apply(self.payment_fact(order_id)) == "applied"
        return order_id

    def received(self, member_id: UUID, lines: Sequence[tuple[str, int]] = (("a", 1),), **how: Any) -> UUID:
        """Bring an order all the way to its receipt."""
        order_id = self.paid(member_id, lines, **how)
        self.ship(order_id)
        self.receive(order_id)
        return order_id

    def ship(self, order_id: UUID) -> None:
        """Send the goods."""
        with self.work():
            orders.ship(order_id)

    def receive(self, order_id: UUID) -> None:
        """Confirm the receipt as the buyer."""
        with self.work():
            orders.confirm_receipt(order_id, member_id=orders.get_order(order_id).member_id)

    def close(self, order_id: UUID) -> bool:
        """Close an unpaid order."""
        with self.work():
            return orders.close_unpaid(order_id)

    def refund(
        self, order_id: UUID, quantities: Mapping[str, int], *, freight_fen: int = 0, key: str | None = None
    ) -> UUID:
        """Ask for a refund of pieces by SKU."""
        with self.work():
            by_sku = {line.sku: line.id for line in orders.get_order(order_id).lines}
            return refunds.request_refund(
                order_id,
                quantities={by_sku[sku]: n for sku, n in quantities.items()},
                freight_fen=freight_fen,
                reason="test",
                idempotency_key=key or self.key(),
                actor="test",
            ).refund_id

    def refund_row(self, refund_id: UUID) -> Refund:
        """Return a refund as it is now."""
        with self.work():
            return session().get_one(Refund, refund_id)

    def refund_fact(self, refund_id: UUID, **changes: Any) -> RefundFact:
        """Return what an honest provider says of a refund that went through, but for `changes`."""
        refund = self.refund_row(refund_id)
        values: dict[str, Any] = {
            "number": refund.out_refund_no,
            "state": "succeeded",
            "amount_fen": refund.amount_fen,
        }
        return RefundFact(**(values | changes))

    def refunded(self, order_id: UUID, quantities: Mapping[str, int], *, freight_fen: int = 0) -> UUID:
        """Ask for a refund and let it go through."""
        refund_id = self.refund(order_id, quantities, freight_fen=freight_fen)
        assert self.apply(self.refund_fact(refund_id)) == "applied"
        return refund_id

    # Withdrawals

    def withdraw(self, member_id: UUID, amount_fen: int, *, key: str | None = None) -> UUID:
        """Ask for a withdrawal."""
        with self.work():
            member = session().get_one(Member, member_id)
            return payouts.request_withdrawal(
                member, amount_fen=amount_fen, idempotency_key=key or self.key(), real_name="张三"
            ).id

    def approve(self, withdrawal_id: UUID) -> None:
        """Approve a withdrawal."""
        with self.work():
            payouts.approve(withdrawal_id, actor="test")

    def reject(self, withdrawal_id: UUID) -> None:
        """Reject a withdrawal."""
        with self.work():
            payouts.reject(withdrawal_id, reason="test", actor="test")

    def transfer_row(self, withdrawal_id: UUID) -> Transfer:
        """Return a withdrawal's transfer as it is now."""
        with self.work():
            return payouts.transfer_of(withdrawal_id)

    def withdrawal_state(self, withdrawal_id: UUID) -> str:
        """Return how far a withdrawal has come."""
        with self.work():
            return payouts.get_withdrawal(withdrawal_id)[0].state

    def transfer_fact(self, withdrawal_id: UUID, **changes: Any) -> TransferFact:
        """Return what an honest provider says of a transfer that arrived, but for `changes`."""
        transfer = self.transfer_row(withdrawal_id)
        values: dict[str, Any] = {
            "number": transfer.out_bill_no,
            "state": "paid",
            "amount_fen": transfer.amount_fen,
        }
        return TransferFact(**(values | changes))

    # Time and the background

    def advance(self, seconds: int) -> None:
        """Move the brand's clock forward."""
        self.offset_seconds += seconds
        with self.work():
            set_test_clock(offset_seconds=self.offset_seconds, actor="test")

    def process(self) -> int:
        """Work the commission inbox off; returns how many rows."""
        return self._until_done(processing.process_portion)

    def release(self) -> int:
        """Release what is due; returns how many commissions."""
        return self._until_done(processing.release_due)

    def settle(self) -> None:
        """Work the inbox off and release what is due, without talking to the provider."""
        self.process()
        self.release()

    def tend(self) -> None:
        """Do all that the background does, until nothing is left that is due."""
        with self.inside():
            assert tend_bound_tenant() == []

    def tend_only_payments(self) -> None:
        """Ask about payments and nothing else."""
        self._until_done(flows.tend_payments)

    def make_due(self) -> None:
        """Make every question to the provider due now, so that no test waits for a pause to pass."""
        with self.work():
            for model, column in ((PaymentIntent, "next_query_at"), (Refund, "next_try_at"), (Transfer, "next_try_at")):
                due = getattr(model, column)
                session().execute(
                    sa.update(model)
                    .where(due.is_not(None))
                    .values({column: sa.func.clock_timestamp() - timedelta(seconds=1)})
                    .execution_options(synchronize_session=False)
                )

    def _until_done(self, tender: Callable[[], int]) -> int:
        total = 0
        while True:
            with self.inside():
                done = tender()
            total += done
            if not done:
                return total

    # What there is to see

    def figures(self, member_id: UUID) -> Figures:
        """Return a promoter's accounts."""
        with self.work():
            return ledger.figures_of(member_id)

    def check(self) -> None:
        """Fail when an invariant of the books does not hold."""
        with self.work():
            report = check_books()
        assert report.ok, "\n".join(report.problems)

    def end_state(self) -> dict[str, Any]:
        """Return what matters at the end of a scene, without ids: to compare two runs of it."""
        with self.work():
            nicknames = {m.id: m.nickname for m in session().scalars(sa.select(Member))}
            accounts = ledger.figures(nicknames)
            awards = commissions.awards_of_orders(session().scalars(sa.select(Order.id)))
            return {
                "accounts": {nicknames[member_id]: f for member_id, f in accounts.items()},
                "awards": sorted((nicknames[a.beneficiary_id], a.rule, a.base_fen, a.amount_fen) for a in awards),
                "orders": sorted((o.total_fen, o.state, o.refunded_fen) for o in session().scalars(sa.select(Order))),
                "refunds": sorted((r.amount_fen, r.state) for r in session().scalars(sa.select(Refund))),
                "transfers": sorted((t.amount_fen, t.state) for t in session().scalars(sa.select(Transfer))),
                "open_work": commissions.open_work(),
            }

    def counts(self) -> dict[str, int]:
        """Return how many rows each table has: to see that something changed nothing at all."""
        with self.owner() as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [self.tenant.schema]
            ).fetchall()
            query = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM \"{name}\"" for (name,) in tables)
            return dict(connection.execute(query.encode()).fetchall())

    def provider(self) -> PaymentProvider:
        """Return the brand's line to its provider."""
        with self.work():
            return active_provider()

    def open_sheet(self, order_id: UUID) -> str:
        """Open the payment sheet; returns the prepay id."""
        with self.inside():
            return flows.start_payment(order_id)["package"].removeprefix("prepay_id=")

    def pay_at_wechat(self, simulator: SimulatorClient, order_id: UUID, **how: Any) -> None:
        """Open the payment sheet and tap pay."""
        simulator.pay(self.open_sheet(order_id), **how)

    def bought(self, simulator: SimulatorClient, order_id: UUID) -> UUID:
        """Pay an order at WeChat and wait until the callback has come."""
        self.pay_at_wechat(simulator, order_id)
        self.wait_for_order(order_id, "paid")
        return order_id

    def wait_for_order(self, order_id: UUID, state: str) -> None:
        """Wait until an order is in a state."""
        eventually(lambda: self.order_row(order_id).state == state, what=f"order {state}")


def open_till(app: Flask, tenant: Tenant) -> Till:
    """Return the till of a brand that has its sandbox."""
    with app.app_context(), in_tenant(tenant), unit_of_work():
        account = active_account()
        assert account is not None
        return Till(app, tenant, account.mchid, account.appid)


def wipe(app: Flask, tenant: Tenant) -> None:
    """Leave of a brand what it was born with, for the next test: cheaper than another brand."""
    with psycopg.connect(migrate.driver_dsn(app.extensions["settings"].database_url)) as connection:
        connection.execute(f"SET search_path TO {tenant.schema}".encode())
        empty(connection, tenant.schema)
    with app.app_context(), in_tenant(tenant), unit_of_work():
        start_with_flat_tiers()


def forget(till: Till) -> None:
    """Delete what was earned, set the clock back, and keep how the brand is set up."""
    with till.owner() as connection:
        empty(connection, till.tenant.schema, keep=SETUP_TABLES - {"plugin_change", "plugin_activation"})
        connection.execute("DELETE FROM brand_setting WHERE key = %s", [TestClock.key])
    till.offset_seconds = 0


def at_once(*actions: Callable[[], T]) -> list[T | Exception]:
    """Start the actions at the same moment, each in a thread of its own; return their results or errors."""
    barrier = Barrier(len(actions))

    def run(action: Callable[[], T]) -> T | Exception:
        barrier.wait(PATIENCE)
        try:
            return action()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def eventually(condition: Callable[[], bool], *, what: str) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)
