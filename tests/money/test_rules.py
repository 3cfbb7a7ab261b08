"""The arithmetic of money as properties: splitting, reversing, and turning a plan's proposals into awards."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fanyong.values import AwardProposal, LineFacts, OrderFacts, Person
from tenants.commissions import engine
from tests.money import model

AMOUNTS = st.integers(0, 10**12)
WEIGHTS = st.lists(st.integers(0, 10**9), min_size=1, max_size=12).filter(any)
PAID_AT = datetime(2026, 11, 1, tzinfo=UTC)


def uid(number: int) -> UUID:
    return UUID(int=number)


@given(total=AMOUNTS, weights=WEIGHTS)
@example(total=1, weights=[1, 1, 1])
@example(total=100, weights=[0, 1, 0])
def test_a_split_adds_up_and_keeps_to_the_quota(total: int, weights: list[int]) -> None:
    parts = engine.allocate(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        exact, rest = divmod(total * weight, sum(weights))
        assert exact <= part <= exact + (1 if rest else 0)


@given(total=st.integers(0, 10**6), weights=st.lists(st.integers(0, 10**4), min_size=1, max_size=8).filter(any))
def test_a_split_is_the_plain_models(total: int, weights: list[int]) -> None:
    assert engine.allocate(total, weights) == model.spread(total, weights)


@given(total=AMOUNTS, weights=WEIGHTS)
def test_more_weight_never_gets_less(total: int, weights: list[int]) -> None:
    parts = engine.allocate(total, weights)
    pairs = sorted(zip(weights, parts, strict=True))
    for (low_weight, low), (high_weight, high) in pairwise(pairs):
        assert low_weight == high_weight or low <= high


@given(weights=st.lists(st.integers(1, 10**9), min_size=1, max_size=12), share=st.integers(0, 1_000))
def test_a_discount_never_exceeds_its_line(weights: list[int], share: int) -> None:
    discount = sum(weights) * share // 1_000
    assert all(part <= weight for part, weight in zip(engine.allocate(discount, weights), weights, strict=True))


def test_nothing_can_be_split_by_nothing() -> None:
    with pytest.raises(ValueError, match="nothing"):
        engine.allocate(1, [0, 0])


@given(
    paid=st.integers(1, 10**9),
    rate_bp=st.integers(0, 10_000),
    cuts=st.lists(st.integers(0, 10**9), max_size=8),
    data=st.data(),
)
def test_reversals_do_not_depend_on_how_refunds_are_cut(
    paid: int, rate_bp: int, cuts: list[int], data: st.DataObject
) -> None:
    amount = paid * rate_bp // 10_000
    stops = sorted({min(cut, paid) for cut in cuts} | {paid})
    taken, before = 0, 0
    for stop in stops:
        step = engine.reversed_to_date(amount, paid_fen=paid, refunded_fen=stop) - taken
        assert step >= 0, "a refund never gives a commission back"
        taken += step
        assert taken <= amount
        assert taken * paid <= amount * stop, "never more than the refunded part"
        before = stop
    assert before == paid
    assert taken == amount, "a full refund takes back all of it"


def test_a_line_that_cost_nothing_reverses_nothing() -> None:
    assert engine.reversed_to_date(0, paid_fen=0, refunded_fen=0) == 0


# From proposals to awards


@st.composite
def orders(draw: st.DrawFn) -> OrderFacts:
    """An order with lines and an upline of up to three, some of them frozen or no promoters."""
    tiers = st.sampled_from([None, "bronze", "gold"])
    people = [
        Person(uid(100 + level), level, draw(tiers), frozen=draw(st.booleans()))
        for level in range(draw(st.integers(1, 4)))
    ]
    lines = tuple(
        LineFacts(uid(index), f"sku{index}", "", 1, draw(st.integers(0, 10**7)))
        for index in range(1, draw(st.integers(1, 4)) + 1)
    )
    return OrderFacts(uid(1), PAID_AT, lines, people[0], tuple(people[1:]), draw(st.integers(1, 3)))


@st.composite
def proposed(draw: st.DrawFn) -> tuple[OrderFacts, list[AwardProposal]]:
    """An order and what some plan, wise or not, proposes for it."""
    facts = draw(orders())
    people = [facts.buyer, *facts.upline]
    proposals = []
    for number in range(draw(st.integers(0, 10))):
        line, person = draw(st.sampled_from(facts.lines)), draw(st.sampled_from(people))
        proposals.append(
            AwardProposal(
                line.line_id,
                person.member_id,
                "share" if person.level else "self",
                person.level,
                f"rule{number}",
                base_fen=draw(st.integers(0, line.paid_fen)),
                rate_bp=draw(st.integers(0, 10_000)),
            )
        )
    return facts, proposals


@given(proposed())
def test_a_line_never_awards_more_than_was_paid_for_it(given_: tuple[OrderFacts, list[AwardProposal]]) -> None:
    facts, proposals = given_
    result = engine.settle(facts, proposals)
    for line in facts.lines:
        of_line = [award for award in result.awards if award.line_id == line.line_id]
        assert sum(award.amount_fen for award in of_line) <= line.paid_fen
    for award in result.awards:
        exact = award.base_fen * award.rate_bp
        assert 0 < award.amount_fen <= exact // 10_000, "floored, never above what the rule says"
        assert award.explanation["amount_fen"] == award.amount_fen
        assert award.explanation["exact_fen_times_10000"] == exact


@given(proposed())
def test_awards_are_exactly_floored_unless_the_cap_strikes(given_: tuple[OrderFacts, list[AwardProposal]]) -> None:
    facts, proposals = given_
    result = engine.settle(facts, proposals)
    for line in facts.lines:
        of_line = [award for award in result.awards if award.line_id == line.line_id]
        capped = any("cap" in award.explanation for award in of_line)
        if capped:
            assert sum(award.amount_fen for award in of_line) == line.paid_fen
        else:
            assert all(a.amount_fen == a.base_fen * a.rate_bp // 10_000 for a in of_line)


@given(proposed())
def test_whoever_gets_nothing_is_told_why(given_: tuple[OrderFacts, list[AwardProposal]]) -> None:
    facts, proposals = given_
    result = engine.settle(facts, proposals)
    people = {person.member_id: person for person in (facts.buyer, *facts.upline)}
    awarded = {award.rule for award in result.awards}
    reasons = {item.rule: item.reason for item in result.withheld}
    for proposal in proposals:
        person = people[proposal.beneficiary_id]
        if person.tier is None:
            expected = "not_promoter"
        elif person.frozen:
            expected = "frozen"
        elif person.level > facts.levels_allowed:
            expected = "level_not_allowed"
        elif proposal.base_fen * proposal.rate_bp < 10_000:
            expected = "zero"
        else:
            # The cap may leave nothing of a very small award, and that is not a reason of its own.
            assert proposal.rule not in reasons
            continue
        assert reasons[proposal.rule] == expected
        assert proposal.rule not in awarded


FACTS = OrderFacts(
    uid(1),
    PAID_AT,
    (LineFacts(uid(1), "a", "", 1, 1_000),),
    Person(uid(100), 0, "t"),
    (Person(uid(101), 1, "t"),),
    1,
)
GOOD = AwardProposal(uid(1), uid(101), "share", 1, "rule", base_fen=1_000, rate_bp=1_000)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"line_id": uid(9)},
        {"beneficiary_id": uid(9)},
        {"level": 2},
        {"level": True},
        {"kind": "self"},
        {"kind": "gift"},
        {"rate_bp": -1},
        {"rate_bp": 10_001},
        {"rate_bp": 10.5},
        {"rate_bp": "1000"},
        {"rate_bp": None},
        {"base_fen": -1},
        {"base_fen": 1_001},
        {"base_fen": 10.0},
        {"base_fen": True},
        {"rule": None},
        {"rule": ""},
        {"rule": "r" * 201},
        {"rule": "a\0b"},
        {"because": 7},
        {"line_id": [1]},
    ],
    ids=str,
)
def test_a_plan_that_talks_nonsense_is_refused(nonsense: dict[str, Any]) -> None:
    assert engine.settle(FACTS, [GOOD]).awards
    with pytest.raises(engine.ImpossibleProposal):
        engine.settle(FACTS, [replace(GOOD, **nonsense)])


def test_the_buyer_earns_only_as_the_buyer() -> None:
    own = replace(GOOD, beneficiary_id=uid(100), level=0, kind="self")
    assert engine.settle(FACTS, [own]).awards[0].kind == "self"
    with pytest.raises(engine.ImpossibleProposal):
        engine.settle(FACTS, [replace(own, kind="share")])


def test_the_same_award_twice_is_refused() -> None:
    # The books would keep one of the two, and nobody could say which.
    with pytest.raises(engine.ImpossibleProposal):
        engine.settle(FACTS, [GOOD, replace(GOOD, rate_bp=2_000)])


def test_a_cap_is_explained() -> None:
    awards = engine.settle(FACTS, [replace(GOOD, rate_bp=9_000), replace(GOOD, rule="b", rate_bp=3_000)]).awards
    assert [a.amount_fen for a in awards] == [750, 250]
    assert {(a.explanation["cap"], a.explanation["cap_fen"]) for a in awards} == {("line_paid", 1_000)}
