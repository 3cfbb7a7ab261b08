"""Each duty's question says yes when there is something to do, and no once it is done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from fanyong.jobs import tending
from fanyong.payments.models import PaymentIntent
from fanyong.pluginhost import versions
from fanyong.pluginhost.models import PluginActivation
from fanyong.tenancy import settings
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.wechat.simulator.client import SimulatorClient
from tenants.commissions import backtest
from tenants.promoters import trials
from tenants.promoters.models import Promoter
from tenants.promoters.standing import ask_to_look
from tenants.reconciliation.models import ReconciledDay
from tenants.settlement import service as holds
from tenants.settlement.triggers import Settlement
from tests.conftest import Brand
from tests.money.parts import DAY, Till, open_till, wipe

#: A structure that looks at the calendar.
MONTHLY = {
    "tiers": [{"key": "low", "name": "低"}, {"key": "high", "name": "高"}],
    "conditions": [{"tier": "high", "stage": "rise", "metric": "shared_orders", "count": 2, "period": "this_month"}],
}


@pytest.fixture(scope="module")
def shared_brand(new_brand: Callable[..., Brand]) -> Brand:
    """One brand for all of these tests."""
    return new_brand()


@pytest.fixture
def till(app: Flask, shared_brand: Brand) -> Till:
    """The till of a brand that has nothing to do."""
    wipe(app, shared_brand.tenant)
    till = open_till(app, shared_brand.tenant)
    till.plan()
    till.product("a")
    till.window(0)
    till.tend()
    assert due(till) == set()
    return till


def due(till: Till) -> set[str]:
    """Return which duties say that there is something to do."""
    with till.inside():
        return set(tending.due_duties())


def do(till: Till, name: str) -> int:
    """Do what one duty finds until it finds nothing; returns how much."""
    return till._until_done(tending._duties[name].tender)


def sold(till: Till) -> None:
    """Let somebody buy through a promoter, and the goods arrive."""
    till.received(till.member("buyer", under=till.member("promoter")))


def place(till: Till) -> None:
    till.order(till.member("buyer"))
    till.advance(DAY)


def ship(till: Till) -> None:
    with till.work():
        settings.save(Settlement(window_days=0, auto_receive_days=7), actor="test")
    till.ship(till.paid(till.member("buyer")))
    assert "receipts" not in due(till)
    till.advance(7 * DAY)


def earn(till: Till) -> None:
    sold(till)
    till.process()


def schedule(till: Till) -> None:
    with till.work():
        draft = versions.create_draft(
            "commission_plan", "plan_levels", {"rates": [{"level": 1, "rate_bp": 500}]}, actor="test"
        )
        versions.schedule(draft.kind, draft.number, effective_at=brand_now() + timedelta(hours=1), actor="test")
    assert "versions" not in due(till)
    till.advance(DAY)


def another_structure(till: Till) -> None:
    till.member("promoter")
    assert "tiers" not in due(till)
    till.tiers("tiers_ladder", MONTHLY)


def one_of_an_older_structure(till: Till) -> None:
    for name in ("first", "second", "third"):
        till.member(name)
    with till.owner() as connection:
        connection.execute(
            "UPDATE promoter SET evaluated_with = gen_random_uuid()"
            " WHERE member_id = (SELECT id FROM member ORDER BY id OFFSET 1 LIMIT 1)"
        )


def bind(till: Till) -> None:
    till.member("below", under=till.member("above"))


def look(till: Till) -> None:
    member_id = till.member("promoter")
    with till.work():
        ask_to_look([member_id], because="test")


def another_day(till: Till) -> None:
    till.tiers("tiers_ladder", MONTHLY)
    till.member("promoter")
    till.tend()
    assert "tier_nights" not in due(till)
    till.advance(DAY)


def try_a_structure(till: Till) -> None:
    till.member("promoter")
    with till.work():
        trials.start("tiers_flat", {}, actor="test")


def try_a_plan(till: Till) -> None:
    sold(till)
    with till.work():
        row = session().scalars(sa.select(PluginActivation).where(PluginActivation.kind == "commission_plan")).one()
        now = brand_now()
        backtest.start(row, starts_at=now - timedelta(days=1), ends_at=now, actor="test")


def another_month(till: Till) -> None:
    sold(till)
    till.tend()
    assert "periods" not in due(till)
    till.advance(31 * DAY)
    till.tend()
    assert "periods" not in due(till)
    till.advance(31 * DAY)


def ask_about_a_payment(till: Till) -> None:
    till.order(till.member("buyer"))
    with till.work():
        soon = sa.func.clock_timestamp() + timedelta(seconds=30)
        session().execute(sa.update(PaymentIntent).values(next_query_at=soon))
    assert "payments" not in due(till)
    till.make_due()


def give_back(till: Till) -> None:
    till.refund(till.paid(till.member("buyer")), {"a": 1})


def pay_out(till: Till) -> None:
    seller = till.member("promoter")
    till.received(till.member("buyer", under=seller))
    till.settle()
    till.approve(till.withdraw(seller, 1_000))


def lose_the_sandbox(till: Till) -> None:
    with till.owner() as connection:
        connection.execute("DELETE FROM merchant_account")


@pytest.mark.parametrize(
    ("name", "make_work"),
    [
        ("commissions", sold),
        ("releases", earn),
        ("versions", schedule),
        ("tiers", another_structure),
        ("tiers", one_of_an_older_structure),
        ("orders", place),
        ("receipts", ship),
        ("sales", sold),
        ("teams", bind),
        ("tier_looks", look),
        ("tier_nights", another_day),
        ("tier_trials", try_a_structure),
        ("backtests", try_a_plan),
        ("periods", another_month),
        ("seals", earn),
        ("payments", ask_about_a_payment),
        ("refunds", give_back),
        ("transfers", pay_out),
        ("sandbox", lose_the_sandbox),
    ],
)
def test_a_question_says_yes_until_it_is_done(till: Till, name: str, make_work: Callable[[Till], None]) -> None:
    make_work(till)
    assert name in due(till)
    assert do(till, name) > 0
    assert name not in due(till)


def test_a_day_with_movements_is_compared_however_old(till: Till, simulator: SimulatorClient) -> None:
    till.member("nobody")
    till.advance(2 * DAY)
    simulator.set_clock(till.mchid, offset_seconds=till.offset_seconds)
    assert "reconciliation" in due(till)
    assert do(till, "reconciliation") == 1
    assert "reconciliation" not in due(till)
    with till.owner() as connection:
        # Found out late: a payment of a day that nobody looked at.
        till.paid(till.member("buyer"))
        connection.execute("UPDATE payment_intent SET provider_at = provider_at - interval '9 days'")
        connection.commit()
        assert "reconciliation" in due(till)
        assert do(till, "reconciliation") == 1
        assert "reconciliation" not in due(till)
        connection.execute("UPDATE reconciled_day SET next_run_at = clock_timestamp()")
    assert "reconciliation" in due(till)
    with till.work():
        session().execute(sa.update(ReconciledDay).values(next_run_at=None))
    assert "reconciliation" not in due(till)


def test_a_structure_without_a_calendar_is_asked_about_its_nights_once_a_day(till: Till) -> None:
    till.member("promoter")
    for _ in range(2):
        assert "tier_nights" in due(till)
        assert do(till, "tier_nights") == 0
        assert "tier_nights" not in due(till)
        till.advance(DAY)
    assert do(till, "tier_nights") == 0
    till.tiers("tiers_ladder", MONTHLY)
    assert "tier_nights" in due(till), "another structure may depend on the calendar"
    with till.work():
        assert session().scalars(sa.select(Promoter.checked_on)).one() is None


def test_what_is_kept_back_on_purpose_is_not_due(till: Till) -> None:
    seller = till.member("promoter")
    till.received(till.member("buyer", under=seller))
    till.process()
    with till.work():
        holds.place(reason="test", actor="test", member_id=seller)
    assert "releases" not in due(till)
    with till.work():
        holds.lift(reason="test", actor="test", member_id=seller)
    assert "releases" in due(till)
    order_id = till.order(till.member("other"))
    assert till.apply(till.payment_fact(order_id, amount_fen=1)) == "amount_differs"
    till.advance(DAY)
    assert "orders" not in due(till)


def test_every_duty_has_a_question(app: Flask) -> None:
    assert [name for name, duty in tending._duties.items() if not duty.question] == []


def test_commissions_come_first_and_no_money_stays_behind(app: Flask) -> None:
    assert next(iter(tending._duties)) == "commissions"
    behind = {name for name, duty in tending._duties.items() if duty.behind}
    assert behind.isdisjoint({"commissions", "releases", "orders", "receipts", "payments", "refunds", "transfers"})
