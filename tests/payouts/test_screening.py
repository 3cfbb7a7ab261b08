"""The rules against money laundering: each is met exactly from its figure on, and more of it never helps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.payouts.screening import (
    RULES,
    WORDS,
    BuyerShare,
    Earlier,
    ScreeningRules,
    WithdrawalFacts,
    screen,
    sentence,
)

#: Noon in Beijing.
AT = datetime(2026, 11, 22, 4, tzinfo=UTC)
SOMEBODY = UUID(int=7)
OFF = ScreeningRules(
    single_fen=None,
    day_fen=None,
    month_fen=None,
    window_count=None,
    minutes_since_release=None,
    account_promoters=None,
    device_promoters=None,
    round_trip_bp=None,
    new_account_hours=None,
    watch_list=False,
)
QUIET = WithdrawalFacts(amount_fen=5_000, at=AT, member_since=AT - timedelta(days=300))


def rules(**values: Any) -> ScreeningRules:
    return OFF.model_copy(update=values)


def names(found: Any) -> list[str]:
    return [hit.rule for hit in found]


def earlier(*ages: tuple[timedelta, int]) -> tuple[Earlier, ...]:
    return tuple(Earlier(AT - age, fen) for age, fen in ages)


HOUR = timedelta(hours=1)
MET: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # What the rule says, facts that just do not meet it, facts that just do.
    ({"single_fen": 10_000}, {"amount_fen": 9_999}, {"amount_fen": 10_000}),
    ({"day_fen": 10_000}, {"earlier": earlier((HOUR, 4_999))}, {"earlier": earlier((HOUR, 5_000))}),
    ({"day_fen": 10_000}, {"earlier": earlier((13 * HOUR, 50_000))}, {"earlier": earlier((11 * HOUR, 50_000))}),
    (
        {"month_fen": 10_000},
        {"earlier": earlier((22 * 24 * HOUR, 9_000))},
        {"earlier": earlier((21 * 24 * HOUR, 9_000))},
    ),
    (
        {"window_count": 3, "window_hours": 2},
        {"earlier": earlier((HOUR, 1), (2 * HOUR, 1))},
        {"earlier": earlier((HOUR, 1), (2 * HOUR - timedelta(seconds=1), 1))},
    ),
    (
        {"minutes_since_release": 10, "since_release_from_fen": 5_000},
        {"last_release_at": AT - timedelta(minutes=10)},
        {"last_release_at": AT - timedelta(minutes=9, seconds=59)},
    ),
    (
        {"minutes_since_release": 10, "since_release_from_fen": 5_001},
        {"last_release_at": AT},
        {"last_release_at": AT, "amount_fen": 5_001},
    ),
    ({"account_promoters": 2}, {"account_promoters": 1}, {"account_promoters": 2}),
    ({"device_promoters": 3}, {"device_promoters": 2}, {"device_promoters": 3}),
    (
        {"round_trip_bp": 5_000, "round_trip_from_fen": 100},
        {"commission_fen": 10_001, "tied_buyers": (BuyerShare(SOMEBODY, 5_000, same_account=True),)},
        {"commission_fen": 10_000, "tied_buyers": (BuyerShare(SOMEBODY, 5_000, same_account=True),)},
    ),
    (
        {"round_trip_bp": 0, "round_trip_from_fen": 100},
        {"commission_fen": 99, "tied_buyers": (BuyerShare(SOMEBODY, 99, earns_back=True),)},
        {"commission_fen": 100, "tied_buyers": (BuyerShare(SOMEBODY, 100, earns_back=True),)},
    ),
    (
        {"new_account_hours": 24, "new_account_from_fen": 5_000},
        {"account_since": AT - 24 * HOUR},
        {"account_since": AT - 23 * HOUR},
    ),
    (
        {"new_account_hours": 24, "new_account_from_fen": 5_000},
        {"amount_fen": 4_999, "member_since": AT},
        {"member_since": AT},
    ),
    ({"watch_list": True}, {"watched": ()}, {"watched": ("device",)}),
]


@pytest.mark.parametrize(("values", "below", "met"), MET)
def test_each_rule_is_met_from_its_figure_on(values: dict[str, Any], below: Any, met: Any) -> None:
    assert screen(rules(**values), replace(QUIET, **below)) == ()
    (hit,) = screen(rules(**values), replace(QUIET, **met))
    # Nothing is met while the rule is off.
    assert screen(OFF, replace(QUIET, **met)) == ()
    text = sentence(hit.stored())
    assert "%(" not in text
    assert text != hit.rule


def test_every_rule_was_tried_and_has_words() -> None:
    tried = {hit.rule for values, _below, met in MET for hit in screen(rules(**values), replace(QUIET, **met))}
    assert tried == set(WORDS)
    assert len(RULES) == len(WORDS)


def test_an_everyday_withdrawal_meets_no_default_rule() -> None:
    assert screen(ScreeningRules(), QUIET) == ()


def test_several_hits_are_all_told() -> None:
    facts = replace(QUIET, amount_fen=2_000_000, watched=("account", "member"), account_promoters=5)
    assert names(screen(ScreeningRules(), facts)) == ["single", "day", "shared_account", "watched"]


facts_of_any_kind = st.builds(
    WithdrawalFacts,
    amount_fen=st.integers(1, 10**9),
    at=st.just(AT),
    earlier=st.lists(
        st.builds(Earlier, st.integers(0, 800).map(lambda hours: AT - hours * HOUR), st.integers(1, 10**8)), max_size=30
    ).map(tuple),
    last_release_at=st.none() | st.integers(0, 10**5).map(lambda minutes: AT - timedelta(minutes=minutes)),
    member_since=st.integers(0, 10**5).map(lambda minutes: AT - timedelta(minutes=minutes)),
    account_since=st.none() | st.integers(0, 10**5).map(lambda minutes: AT - timedelta(minutes=minutes)),
    account_promoters=st.integers(1, 5),
    device_promoters=st.integers(1, 5),
    commission_fen=st.integers(0, 10**7),
    tied_buyers=st.lists(st.builds(BuyerShare, st.just(SOMEBODY), st.integers(0, 10**6)), max_size=4).map(tuple),
    watched=st.sampled_from([(), ("member",), ("account", "device")]),
)


@given(facts_of_any_kind, st.integers(1, 10**9), st.integers(1, 10**8))
def test_more_money_never_meets_fewer_rules(facts: WithdrawalFacts, more: int, before: int) -> None:
    larger = replace(facts, amount_fen=facts.amount_fen + more)
    busier = replace(facts, earlier=(*facts.earlier, Earlier(AT, before)))
    hits = set(names(screen(ScreeningRules(), facts)))
    assert hits <= set(names(screen(ScreeningRules(), larger)))
    assert hits <= set(names(screen(ScreeningRules(), busier)))


@given(facts_of_any_kind)
def test_hits_can_be_kept_and_read(facts: WithdrawalFacts) -> None:
    for hit in screen(ScreeningRules(), facts):
        assert all(isinstance(value, (int, str)) for value in hit.stored().values())
        assert "%(" not in sentence(hit.stored())


def test_an_unknown_hit_is_shown_as_it_is() -> None:
    assert sentence({"rule": "of-tomorrow"}) == "of-tomorrow"
