"""Held withdrawals: what is looked up in the brand's own books, and what a review makes of it."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import pytest

from fanyong.tenancy.database import session
from tenants.ledger.service import Figures
from tenants.payouts import errors, payees, policies, review
from tenants.payouts import service as payouts
from tenants.payouts.models import WatchEntry
from tests.money.parts import at_once
from tests.money.test_races import only_business
from tests.payouts.conftest import PAYEE, Desk


def screening(desk: Desk, **values: Any) -> None:
    with desk.work():
        policies.save_screening_rules(values, note="", actor="test")


def hits(desk: Desk, withdrawal_id: UUID) -> list[str]:
    row = desk.row(withdrawal_id)
    assert (row.state == "held") is bool(row.held_reasons)
    return [reason["rule"] for reason in row.held_reasons or ()]


def test_a_held_withdrawal_waits_for_a_review(desk: Desk) -> None:
    screening(desk, single_fen=5_000)
    desk.rules(auto_approve_below_fen=1_000_000)
    promoter = desk.earner("茉莉")
    assert desk.row(desk.ask(promoter, 4_999)).state == "approved"
    asked = desk.ask(promoter, 5_000)
    assert desk.row(asked).held_reasons == [{"rule": "single", "amount_fen": 5_000, "limit_fen": 5_000}]
    with desk.work(), pytest.raises(errors.WithdrawalHeld):
        payouts.approve(asked, actor="ann")
    with desk.work(), pytest.raises(errors.RejectNeedsReason):
        payouts.release_hold(asked, note=" ", actor="ann")
    with desk.work():
        payouts.release_hold(asked, note="known to us", actor="ann")
    row = desk.row(asked)
    assert (row.state, row.reviewed_by, row.review_note) == ("requested", "ann", "known to us")
    with desk.work(), pytest.raises(errors.WrongWithdrawalState):
        payouts.release_hold(asked, note="again", actor="bob")
    with desk.work():
        assert payouts.approve(asked, actor="bob").state == "approved"


def test_a_held_withdrawal_can_be_rejected(desk: Desk) -> None:
    screening(desk, single_fen=5_000)
    promoter = desk.earner("茉莉")
    desk.reject(desk.ask(promoter, 5_000))
    assert desk.figures(promoter) == Figures(available_fen=1_000_000)
    desk.check()


def test_amounts_and_counts_of_the_same_promoter_add_up(desk: Desk) -> None:
    screening(desk, day_fen=3_000, window_count=4)
    promoter = desk.earner("茉莉")
    found = [hits(desk, desk.ask(promoter, 1_000)) for _ in range(4)]
    assert found == [[], [], ["day"], ["day", "velocity"]]
    assert hits(desk, desk.ask(desk.earner("青松"), 1_000)) == []


def test_wishes_at_once_do_not_evade_the_count_of_a_window(desk: Desk) -> None:
    """Each looks its facts up before it has the books, but counts the others when it has them."""
    screening(desk, window_count=4, day_fen=4_000)
    promoter = desk.earner("茉莉")
    asked = only_business(at_once(*[partial(desk.ask, promoter, 1_000) for _ in range(8)]))
    found = sorted(hits(desk, UUID(str(one))) for one in asked)
    assert found == [[]] * 3 + [["day", "velocity"]] * 5


def test_promoters_at_once_do_not_evade_the_count_of_a_device(desk: Desk) -> None:
    screening(desk, device_promoters=2)
    people = [desk.earner(name) for name in ("茉莉", "青松", "白露", "山茶")]
    asked = only_business(at_once(*[partial(desk.ask, one, 1_000, device_id="phone") for one in people]))
    assert sorted(hits(desk, UUID(str(one))) for one in asked) == [[]] + [["shared_device"]] * 3


def test_a_withdrawal_right_after_a_release_is_seen(desk: Desk) -> None:
    screening(desk, minutes_since_release=10, since_release_from_fen=1_000)
    promoter = desk.earner("茉莉")
    assert hits(desk, desk.ask(promoter, 1_000)) == ["since_release"]
    desk.advance(601)
    assert hits(desk, desk.ask(promoter, 1_000)) == []


def test_one_card_or_device_for_several_promoters_is_seen(desk: Desk) -> None:
    desk.channel("payout_bank")
    screening(desk, account_promoters=2, device_promoters=3)
    names = ("茉莉", "青松", "白露")
    people = [desk.earner(name) for name in names]
    assert hits(desk, desk.ask(people[0], 1_000, device_id="phone")) == []
    assert hits(desk, desk.ask(people[1], 1_000, device_id="phone")) == []
    assert hits(desk, desk.ask(people[2], 1_000, device_id="phone")) == ["shared_device"]
    desk.payee(people[0])
    assert hits(desk, desk.ask(people[0], 1_000, channel="payout_bank")) == []
    desk.payee(people[1], name="李四", card_number="6222 0202 0011 2230")
    assert hits(desk, desk.ask(people[1], 1_000, channel="payout_bank")) == ["shared_account"]


def test_a_new_payee_account_is_seen(desk: Desk) -> None:
    desk.channel("payout_bank")
    screening(desk, new_account_hours=1, new_account_from_fen=1_000)
    promoter = desk.earner("茉莉")
    desk.advance(3_601)
    assert hits(desk, desk.ask(promoter, 1_000)) == []
    desk.payee(promoter)
    assert hits(desk, desk.ask(promoter, 999, channel="payout_bank")) == []
    assert hits(desk, desk.ask(promoter, 1_000, channel="payout_bank")) == ["new_account"]


def test_commissions_on_orders_of_the_same_card_go_round(desk: Desk) -> None:
    desk.channel("payout_bank")
    screening(desk, round_trip_from_fen=1_000, account_promoters=None, new_account_hours=None)
    promoter = desk.member("茉莉")
    buyers = [desk.member(name, under=promoter) for name in ("one", "two")]
    desk.product("a", price_fen=100_000)
    for buyer in buyers:
        desk.received(buyer, [("a", 1)])
    desk.settle()
    desk.make_due()
    desk.settle()
    assert hits(desk, desk.ask(promoter, 1_000)) == []
    desk.payee(promoter)
    desk.payee(buyers[0])
    asked = desk.ask(promoter, 1_000)
    assert desk.row(asked).held_reasons == [
        {"rule": "round_trip", "tied_fen": 10_000, "share_bp": 5_000, "buyers": 1},
    ]


def test_commissions_on_own_orders_and_in_return_go_round(desk: Desk) -> None:
    desk.plan("plan_ladder", {"bands": [{"from_fen": 0, "rate_bp": 1_000}], "self_purchase_bp": 1_000})
    screening(desk, round_trip_from_fen=1_000)
    promoter = desk.member("茉莉")
    desk.product("a", price_fen=100_000)
    desk.received(promoter, [("a", 1)])
    desk.settle()
    desk.make_due()
    desk.settle()
    assert hits(desk, desk.ask(promoter, 1_000)) == ["round_trip"]


def test_the_watch_list_holds_members_devices_and_accounts(desk: Desk) -> None:
    desk.channel("payout_bank")
    promoter = desk.earner("茉莉")
    desk.payee(promoter)
    for kind, value, how in [
        ("member", promoter.hex, {}),
        ("device", "phone", {"device_id": "phone"}),
        ("account", payees.account_fingerprint(PAYEE["card_number"]), {"channel": "payout_bank"}),
    ]:
        assert hits(desk, desk.ask(promoter, 1_000, **how)) == []
        with desk.work():
            entry = review.watch(kind, value, shown="x", note="police", actor="ann").id
            assert review.watch(kind, value, shown="x", note="again", actor="bob").id == entry
        assert hits(desk, desk.ask(promoter, 1_000, **how)) == ["watched"]
        with desk.work():
            review.unwatch(entry, actor="bob")
        with desk.work():
            kept = session().get_one(WatchEntry, entry)
            assert (kept.added_by, kept.removed_by) == ("ann", "bob")
            with pytest.raises(errors.RejectNeedsReason):
                review.watch(kind, value, shown="x", note="", actor="ann")


def test_rules_are_kept_version_by_version(desk: Desk) -> None:
    screening(desk, single_fen=5_000)
    screening(desk, single_fen=5_000)
    screening(desk, single_fen=None)
    with desk.work():
        assert [version.number for version in policies.history("screening")] == [2, 1]
        assert policies.screening_rules().single_fen is None
        with pytest.raises(errors.BadPolicy):
            policies.save_screening_rules({"window_count": 1}, note="", actor="test")
        with pytest.raises(errors.BadPolicy):
            policies.save_screening_rules({"window": 1}, note="", actor="test")
