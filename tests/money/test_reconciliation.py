"""A day of ours against the provider's bills, and the step from the sandbox to real money."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from fanyong.errors import InvalidRequest, NotFound
from fanyong.identity.models import AdminUser
from fanyong.ids import new_id
from fanyong.payments import golive
from fanyong.payments.models import MerchantAccount
from fanyong.payments.provider import BillRow, ProviderBillInvalid, ProviderUnknown, active_account
from fanyong.tenancy import migrate
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.wechat.keys import make_apiv3_key, make_cert_serial, make_rsa_key_pair
from fanyong.wechat.provider import WeChatProvider
from fanyong.wechat.simulator.client import SimulatorClient
from fanyong.wechat.times import BEIJING
from tenants.invariants.service import check_books
from tenants.ledger.service import Figures
from tenants.promotions import service as promotions
from tenants.reconciliation import differences, service, tasks
from tenants.reconciliation.comparing import Ours, bill_sums, compare
from tenants.reconciliation.models import Difference, ReconciledDay
from tenants.wiring import SETUP_TABLES
from tests.money.parts import DAY, Till, eventually

KINDS = st.sampled_from(["payment", "refund", "transfer"])
NUMBERS = st.integers(0, 6).map(str)


@given(
    here=st.dictionaries(st.tuples(KINDS, NUMBERS), st.tuples(st.integers(1, 3), st.booleans(), st.booleans())),
    there=st.lists(st.tuples(KINDS, NUMBERS, st.integers(-3, 3))),
)
def test_every_difference_is_found_and_named_and_explains_the_sums(
    here: dict[tuple[str, str], tuple[int, bool, bool]], there: list[tuple[str, str, int]]
) -> None:
    known = {key: Ours(*key, *values) for key, values in here.items()}  # type: ignore[arg-type]
    today = [ours for ours in known.values() if ours.settled and ours.on_day]
    bill = [BillRow(*row) for row in there]  # type: ignore[arg-type]
    moved = bill_sums(bill)
    found = compare(today, bill, known={key: ours for key, ours in known.items() if key in moved})
    expected = {}
    for key in known.keys() | moved.keys():
        ours, fen = known.get(key), moved.get(key)  # type: ignore[arg-type]
        if ours is not None and ours.settled and ours.on_day:
            if fen is None:
                expected[key] = ("missing_there", ours.amount_fen, 0)
            elif fen != ours.amount_fen:
                expected[key] = ("amount_differs", ours.amount_fen, fen)
        elif fen:
            problem = "missing_here" if ours is None else "day_differs" if ours.settled else "state_differs"
            expected[key] = (problem, ours.amount_fen if ours else 0, fen)
    assert {(f.kind, f.number): (f.problem, f.here_fen, f.there_fen) for f in found} == expected
    assert len(found) == len(expected)
    difference_fen = sum(moved.values()) - sum(ours.amount_fen for ours in today)
    assert sum(f.gap_fen for f in found) == difference_fen, "nothing is left unexplained"


@pytest.fixture
def shop(new_till: Callable[[], Till], simulator: SimulatorClient) -> Till:
    """A brand of one's own, at noon in Beijing, so that no test meets midnight."""
    till = new_till()
    with till.work():
        now = brand_now().astimezone(BEIJING)
    noon = (now + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
    move_clocks(till, simulator, int((noon - now).total_seconds()))
    till.product("a", price_fen=10_000)
    till.plan()
    till.window(0)
    return till


def move_clocks(till: Till, simulator: SimulatorClient, seconds: int) -> None:
    """Move the brand's clock and its merchant's."""
    till.advance(seconds)
    simulator.set_clock(till.mchid, offset_seconds=till.offset_seconds)


def a_day(till: Till, simulator: SimulatorClient) -> date:
    """Two payments, a refund and a transfer, all of them done; then it is noon of the next day."""
    promoter = till.shopper(simulator, "promoter")
    buyer = till.shopper(simulator, "buyer", under=promoter)
    orders = [till.bought(simulator, till.order(buyer, [("a", n)])) for n in (1, 2)]
    till.ship(orders[0])
    till.receive(orders[0])
    till.refund(orders[1], {"a": 1})
    till.tend()
    asked = till.withdraw(promoter, 700)
    till.approve(asked)
    till.tend()
    simulator.transfer(till.mchid, till.transfer_row(asked).out_bill_no, action="confirm")
    eventually(lambda: till.withdrawal_state(asked) == "paid", what="the transfer's callback")
    eventually(lambda: till.order_row(orders[1]).refunded_fen == 10_000, what="the refund's callback")
    till.make_due()
    till.tend()
    with till.work():
        day = brand_now().astimezone(BEIJING).date()
    with till.inside(), pytest.raises(InvalidRequest):
        tasks.reconcile(day)
    move_clocks(till, simulator, DAY)
    return day


def open_differences(till: Till) -> dict[tuple[str, str], tuple[str, int, int]]:
    """Return what is open, by kind and number."""
    with till.work():
        rows = session().scalars(differences.differences()).all()
        return {(d.kind, d.number): (d.problem, d.here_fen, d.there_fen) for d in rows}


def unexplained(till: Till) -> list[str]:
    """Return what the eighth invariant finds."""
    with till.work():
        return service.unexplained()


def numbers(till: Till) -> dict[str, list[str]]:
    """Return our numbers by kind, the oldest first."""
    with till.owner() as connection:
        return {
            kind: [str(row[0]) for row in connection.execute(query.encode()).fetchall()]
            for kind, query in {
                "payment": "SELECT out_trade_no FROM payment_intent ORDER BY id",
                "refund": "SELECT out_refund_no FROM refund ORDER BY id",
                "transfer": "SELECT out_bill_no FROM transfer ORDER BY id",
            }.items()
        }


def test_a_day_that_went_well_has_no_differences(shop: Till, simulator: SimulatorClient) -> None:
    day = a_day(shop, simulator)
    shop.tend()
    with shop.work():
        compared = session().get_one(ReconciledDay, day)
    assert (compared.payments, compared.refunds, compared.transfers, compared.differences) == (2, 1, 1, 0)
    with shop.inside():
        assert tasks.reconcile(day) == []
        assert tasks.reconcile_next_day() == 0, "each day once"
    # A day on which nothing happened is a day without differences, too.
    move_clocks(shop, simulator, DAY)
    with shop.inside():
        assert tasks.reconcile(day + timedelta(days=1)) == []


def test_what_was_tampered_with_is_found_and_named(shop: Till, simulator: SimulatorClient) -> None:
    day = a_day(shop, simulator)
    ours = numbers(shop)
    first, second = ours["payment"]
    (refund,), (transfer,) = ours["refund"], ours["transfer"]
    with shop.owner() as connection:
        connection.execute("UPDATE payment_intent SET amount_fen = 9999 WHERE out_trade_no = %s", [first])
        connection.execute("UPDATE payment_intent SET state = 'canceled' WHERE out_trade_no = %s", [second])
        connection.execute("UPDATE refund SET out_refund_no = 'nobodys' WHERE out_refund_no = %s", [refund])
        connection.execute("UPDATE transfer SET amount_fen = 701 WHERE out_bill_no = %s", [transfer])
    expected = {
        ("payment", first): ("amount_differs", 9_999, 10_000),
        ("payment", second): ("state_differs", 20_000, 20_000),
        ("refund", refund): ("missing_here", 0, 10_000),
        ("refund", "nobodys"): ("missing_there", 10_000, 0),
        ("transfer", transfer): ("amount_differs", 701, 700),
    }
    shop.tend()
    assert open_differences(shop) == expected
    with shop.work():
        checked = check_books()
    assert (checked.figures["differences"], checked.figures["oldest_difference_days"]) == (5, 0)
    assert not [problem for problem in checked.problems if problem.startswith("8 ")], "open ones are figures"
    with shop.work():
        before = set(session().scalars(sa.select(Difference.id)))
    with shop.inside():
        found = tasks.reconcile(day)
    assert {(f.kind, f.number): (f.problem, f.here_fen, f.there_fen) for f in found} == expected
    assert open_differences(shop) == expected, "twice is the same as once"
    assert unexplained(shop) == []
    with shop.work():
        assert set(session().scalars(sa.select(Difference.id))) == before

    # One is closed with a note and stays closed; the rest is mended, and found no longer.
    with shop.work():
        closed = session().scalars(sa.select(Difference).where(Difference.number == transfer)).one().id
        differences.close(closed, note="typed by hand", actor="test")
    with shop.owner() as connection:
        connection.execute("UPDATE payment_intent SET amount_fen = 10000 WHERE out_trade_no = %s", [first])
        connection.execute("UPDATE payment_intent SET state = 'succeeded' WHERE out_trade_no = %s", [second])
        connection.execute("UPDATE refund SET out_refund_no = %s WHERE out_refund_no = 'nobodys'", [refund])
    with shop.inside():
        assert len(tasks.reconcile(day)) == 1
    assert open_differences(shop) == {}
    with shop.work():
        assert session().get_one(Difference, closed).note == "typed by hand"
    with shop.owner() as connection:
        connection.execute("UPDATE transfer SET amount_fen = 702 WHERE out_bill_no = %s", [transfer])
        connection.execute("UPDATE payment_intent SET amount_fen = 9999 WHERE out_trade_no = %s", [first])
    with shop.inside():
        tasks.reconcile(day)
    assert open_differences(shop) == {
        ("transfer", transfer): ("amount_differs", 702, 700),
        ("payment", first): ("amount_differs", 9_999, 10_000),
    }, "something new opens it again"


def test_one_bill_that_does_not_add_up_keeps_no_later_day_waiting(
    shop: Till, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = a_day(shop, simulator)
    asked: list[date] = []
    honest = WeChatProvider.bill

    def bill(provider: WeChatProvider, day: date) -> list[BillRow]:
        asked.append(day)
        if day == bad and mended is False:
            raise ProviderBillInvalid("invalid_bill", "the bill's paid add up to 1, its summary says 2")
        return honest(provider, day)

    mended = False
    monkeypatch.setattr(WeChatProvider, "bill", bill)
    move_clocks(shop, simulator, DAY)
    shop.tend()
    assert asked == [bad, bad + timedelta(days=1)], "each once: the bad one has to wait"
    shop.tend()
    assert len(asked) == 2, "not before its pause is over"
    with shop.work():
        day = session().get_one(ReconciledDay, bad)
        assert (day.compared_at, day.try_count) == (None, 1)
        assert "add up to 1" in day.problem
    for pause in service.RETRY_PAUSES[1:]:
        move_clocks(shop, simulator, int(pause.total_seconds()))
        shop.tend()
    with shop.work():
        assert session().get_one(ReconciledDay, bad).try_count > 2
    mended = True
    move_clocks(shop, simulator, int(service.RETRY_PAUSES[-1].total_seconds()))
    shop.tend()
    with shop.work():
        day = session().get_one(ReconciledDay, bad)
        assert (day.problem, day.try_count, day.next_run_at) == ("", 0, None)
        assert (day.transfers_fen, day.bill_transfers_fen) == (700, 700)


def test_a_provider_that_is_away_is_asked_once_a_tick(
    shop: Till, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_day(shop, simulator)
    move_clocks(shop, simulator, DAY)
    asked: list[date] = []

    def bill(_provider: WeChatProvider, day: date) -> list[BillRow]:
        asked.append(day)
        raise ProviderUnknown("no_answer")

    monkeypatch.setattr(WeChatProvider, "bill", bill)
    with shop.inside():
        assert tasks.reconcile_next_day() == 0
    assert len(asked) == 1


def test_what_stands_on_both_sides_of_midnight_closes_itself(shop: Till, simulator: SimulatorClient) -> None:
    """Our books have the transfer a second before midnight, the fund bill a second after it."""
    bill_day = a_day(shop, simulator)
    our_day = bill_day - timedelta(days=1)
    (number,) = numbers(shop)["transfer"]
    with shop.owner() as connection:
        connection.execute("UPDATE transfer SET provider_at = provider_at - interval '1 day'")
    with shop.inside():
        tasks.reconcile(our_day)
    assert open_differences(shop) == {("transfer", number): ("missing_there", 700, 0)}
    with shop.inside():
        found = tasks.reconcile(bill_day)
    assert [(f.problem, f.here_fen, f.there_fen) for f in found] == [("day_differs", 700, 700)]
    assert open_differences(shop) == {}
    assert unexplained(shop) == []
    with shop.inside():
        assert len(tasks.reconcile(our_day)) == len(tasks.reconcile(bill_day)) == 1
    assert open_differences(shop) == {}, "it stays closed"


def test_a_day_with_an_open_difference_is_compared_again_by_itself(shop: Till, simulator: SimulatorClient) -> None:
    day = a_day(shop, simulator)
    (number,) = numbers(shop)["transfer"]
    with shop.owner() as connection:
        connection.execute("UPDATE transfer SET state = 'processing'")
    shop.tend()
    assert open_differences(shop) == {("transfer", number): ("state_differs", 700, 700)}
    with shop.owner() as connection:
        connection.execute("UPDATE transfer SET state = 'paid'")
    move_clocks(shop, simulator, DAY)
    shop.tend()
    assert open_differences(shop) == {}
    with shop.work():
        closed = session().scalars(sa.select(Difference)).one()
        assert (closed.state, closed.closed_by, closed.note) == ("closed", differences.RUN, differences.GONE)
        assert session().get_one(ReconciledDay, day).next_run_at is None
    assert unexplained(shop) == []


def test_paid_transfers_that_changed_after_the_comparison_are_told(shop: Till, simulator: SimulatorClient) -> None:
    day = a_day(shop, simulator)
    shop.tend()
    assert unexplained(shop) == []
    with shop.owner() as connection:
        connection.execute("UPDATE transfer SET amount_fen = 701")
    assert unexplained(shop) == [f"transfers of {day}: compared when they came to 700, now 701"]
    with shop.owner() as connection:
        connection.execute("UPDATE transfer SET amount_fen = 700")
        connection.execute("UPDATE reconciled_day SET bill_transfers_fen = 699 WHERE day = %s", [day])
    assert unexplained(shop) == [f"transfers of {day}: here 700, in the bill 699, explained 0"]


def test_a_difference_is_a_task(shop: Till, simulator: SimulatorClient) -> None:
    a_day(shop, simulator)
    with shop.owner() as connection:
        connection.execute("UPDATE transfer SET amount_fen = 701")
    shop.tend()
    with shop.work():
        task = session().scalars(sa.select(Difference)).one()
        email = session().scalars(sa.select(AdminUser.email)).one()
        assert task.state == "open"
        with pytest.raises(InvalidRequest):
            differences.assign(task.id, email="nobody@example.com")
        differences.assign(task.id, email=email)
        assert (task.state, task.assignee) == ("assigned", email)
        with pytest.raises(InvalidRequest):
            differences.close(task.id, note="  ", actor="admin:me")
    shop.advance(4 * DAY)
    with shop.work():
        assert differences.unclosed_by_age() == [0, 1, 0]
        assert session().scalars(differences.differences(assignee=email, kind="transfer", state="assigned")).all()
        assert not session().scalars(differences.differences(state="open")).all()
        differences.close(task.id, note="paid by hand", actor="admin:me")
    with shop.work():
        done = session().get_one(Difference, task.id)
        assert (done.state, done.closed_by, done.note) == ("closed", "admin:me", "paid by hand")
        with pytest.raises(differences.DifferenceClosed):
            differences.close(task.id, note="again", actor="admin:me")
        with pytest.raises(NotFound):
            differences.assign(new_id(), email=email)
        assert differences.behind([done])


def test_the_next_day_is_found_through_indexes(till: Till) -> None:
    """A brand with years of payments pays for the days that were not compared, not for the payments."""
    with till.work():
        ready = service.last_ready_day()
        session().execute(sa.text("SET LOCAL enable_seqscan = off"))
        values = {"ready": ready, "now": brand_now()}
        plan = "\n".join(session().scalars(sa.text(f"EXPLAIN {service._NEXT_DAY.text}"), values))
    for name in ("payment_intent", "refund", "transfer"):
        assert f"ix_{name}_provider_at" in plan, plan
        assert f"Seq Scan on {name}" not in plan


def test_days_whose_bills_are_gone_keep_no_later_day_waiting(shop: Till, simulator: SimulatorClient) -> None:
    a_day(shop, simulator)
    move_clocks(shop, simulator, 200 * DAY)
    with shop.inside():
        assert tasks.reconcile_next_day() == 1
        assert tasks.reconcile_next_day() == 0
    with shop.work():
        newest = session().scalars(service.days()).first()
        assert newest is not None
        assert newest.day == service.last_ready_day()


@pytest.mark.parametrize(
    ("clock", "days_back"),
    [("2026-11-02T09:59:59", 2), ("2026-11-02T10:00:00", 1), ("2026-11-02T00:00:00", 2), ("2026-11-01T23:59:59", 1)],
)
def test_a_bill_is_ready_at_ten_in_beijing(
    till: Till, monkeypatch: pytest.MonkeyPatch, clock: str, days_back: int
) -> None:
    now = datetime.fromisoformat(clock).replace(tzinfo=BEIJING)
    monkeypatch.setattr(service, "brand_now", lambda: now)
    with till.work():
        assert service.last_ready_day() == now.date() - timedelta(days=days_back)


# Going live


def live_keys() -> dict[str, str]:
    """Keys as a brand copies them from WeChat's pages."""
    private, public = make_rsa_key_pair()
    return {
        "appid": "wx0123456789abcdef",
        "app_secret": "s" * 32,
        "mchid": "1900000001",
        "private_key_pem": private,
        "cert_serial_no": make_cert_serial(),
        "apiv3_key": make_apiv3_key(),
        "public_key_pem": public,
        "public_key_id": "PUB_KEY_ID_0119000000012026",
    }


def go_live(till: Till) -> None:
    """Take the step."""
    with till.inside():
        golive.go_live(migrate.driver_dsn(till.app.extensions["settings"].database_url), keep_tables=SETUP_TABLES)


def test_going_live_deletes_what_was_tried_and_keeps_the_set_up(shop: Till, simulator: SimulatorClient) -> None:
    with shop.work():
        promotions.save_coupon("WELCOME", amount_fen=100)
    a_day(shop, simulator)
    order_id = shop.order(shop.shopper(simulator, "late"))
    shop.open_sheet(order_id)
    number = shop.intent(order_id).out_trade_no
    before = shop.counts()
    with pytest.raises(golive.NoLiveKeys):
        go_live(shop)
    assert shop.counts() == before
    with shop.work():
        golive.save_live_keys(live_keys())
    go_live(shop)

    after = shop.counts()
    assert {name for name, count in after.items() if count} <= SETUP_TABLES
    assert before["posting"] > 0
    for table in ("product", "coupon", "plugin_activation", "admin_user"):
        assert after[table] == before[table] > 0
    with shop.work():
        account = active_account()
        assert account is not None
        assert (account.mode, account.mchid) == ("live", "1900000001")
        assert session().scalars(sa.select(MerchantAccount.mode)).all() == ["live"]
        assert abs((brand_now() - datetime.now(BEIJING)).total_seconds()) < 3_600, "real time again"
    # What the sandbox's WeChat still sends is a stranger's now.
    assert simulator.forge(shop.mchid, kind="amount_changed", number=number) == 401
    assert shop.counts() == after

    with pytest.raises(golive.AlreadyLive):
        go_live(shop)
    assert shop.counts() == after
    # The brand works, and its books begin at nothing.
    promoter = shop.member("promoter")
    assert shop.figures(promoter) == Figures()
    shop.check()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("appid", ""),
        ("app_secret", "   "),
        ("mchid", "19000x0001"),
        ("mchid", "1"),
        ("apiv3_key", "short"),
        ("apiv3_key", "é" * 32),
        ("private_key_pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"),
        ("private_key_pem", "rubbish"),
        ("public_key_pem", "rubbish"),
    ],
)
def test_keys_that_cannot_be_right_are_named(till: Till, field: str, value: str) -> None:
    with pytest.raises(golive.BadMerchantKeys) as refused, till.work():
        golive.save_live_keys(live_keys() | {field: value})
    assert refused.value.params == {"field": field}
    with till.work():
        assert not golive.has_live_keys()


def test_the_command_compares_every_brand_although_one_provider_is_away(
    app: Flask, shop: Till, new_till: Callable[[], Till], simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, other = a_day(shop, simulator), new_till()
    bill = WeChatProvider.bill
    asked = []

    def away_for_the_first(provider: WeChatProvider, day: date) -> list[BillRow]:
        asked.append(provider.mchid)
        if len(asked) == 1:
            raise ProviderUnknown("timeout", "nobody answers")
        return list(bill(provider, day))

    monkeypatch.setattr(WeChatProvider, "bill", away_for_the_first)
    monkeypatch.setattr("tenants.cli.live_tenants", lambda: [shop.tenant, other.tenant])
    move_clocks(other, simulator, 3 * DAY)
    result = app.test_cli_runner().invoke(args=["ledger", "reconcile", "--day", f"{day}"])
    assert (result.exit_code, asked) == (1, [shop.mchid, other.mchid])
    assert f"{shop.tenant.slug}: not compared (timeout: nobody answers)" in result.output
    assert f"{other.tenant.slug}: 0 differences" in result.output
    assert f"0 differences; not compared: {shop.tenant.slug}" in result.output
