"""The limits of a plan: who gets less, by how much, and what is told about it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from fanyong.values import AwardProposal, Caps, LineFacts, OrderFacts, Person
from tenants.commissions.engine import Result, Spending, limit_by_spending, settle


def uid(number: int) -> UUID:
    return UUID(int=number)


def facts_of(*paid_fen: int, people: int = 3) -> OrderFacts:
    lines = tuple(LineFacts(uid(index), f"sku{index}", "", 1, fen) for index, fen in enumerate(paid_fen))
    upline = tuple(Person(uid(100 + level), level, "gold") for level in range(1, people + 1))
    return OrderFacts(uid(1_000), datetime(2026, 11, 1, tzinfo=UTC), lines, Person(uid(100), 0, None), upline, 3)


def proposals_of(facts: OrderFacts, *rates_bp: int) -> list[AwardProposal]:
    return [
        AwardProposal(line.line_id, person.member_id, "share", person.level, "r", line.paid_fen, rate_bp)
        for line in facts.lines
        for person, rate_bp in zip(facts.upline, rates_bp, strict=False)
    ]


def amounts(result: Result) -> list[int]:
    return [award.amount_fen for award in result.awards]


def test_a_line_is_scaled_down_by_largest_remainder_and_the_limit_is_told() -> None:
    facts = facts_of(10_000)
    result = settle(facts, proposals_of(facts, 1_000, 500, 200), Caps(line_bp=1_001))
    assert amounts(result) == [589, 294, 118]
    assert result.awards[0].explanation["caps"] == [
        {"cap": "line_cap", "limit_fen": 1_001, "before_fen": 1_000, "after_fen": 589}
    ]
    assert (result.awards[0].explanation["cap"], result.awards[0].explanation["cap_fen"]) == ("line_cap", 1_001)


def test_line_and_order_limits_both_strike_and_both_are_told() -> None:
    facts = facts_of(10_000, 10_000)
    result = settle(facts, proposals_of(facts, 5_000), Caps(line_bp=4_000, order_fen=5_000))
    assert amounts(result) == [2_500, 2_500]
    assert [cap["cap"] for cap in result.awards[0].details["caps"]] == ["line_cap", "order_cap"]


def test_the_lower_limit_of_an_order_counts() -> None:
    facts = facts_of(10_000)
    for caps, expected in (
        (Caps(order_bp=500), 500),
        (Caps(order_fen=400), 400),
        (Caps(order_bp=500, order_fen=400), 400),
    ):
        assert settle(facts, proposals_of(facts, 1_000), caps).total_fen == expected


def test_a_limit_that_leaves_nothing_says_so() -> None:
    facts = facts_of(10_000)
    result = settle(facts, proposals_of(facts, 1_000), Caps(order_fen=0))
    assert (amounts(result), [w.reason for w in result.withheld]) == ([], ["order_cap"])
    result = settle(facts, proposals_of(facts, 1_000), Caps(line_bp=0))
    assert [w.reason for w in result.withheld] == ["line_cap"]


def test_an_amount_is_at_most_what_was_paid_for_the_line() -> None:
    facts = facts_of(300)
    proposal = AwardProposal(uid(0), uid(101), "bonus", 1, "r", 300, 0, fixed_fen=5_000)
    (award,) = settle(facts, [proposal]).awards
    assert (award.amount_fen, award.explanation["fixed_fen"]) == (300, 5_000)
    assert "caps" not in award.details
    # Beside another award it counts as 300, not as 5,000: 300 are shared by 300 to 30.
    share = AwardProposal(uid(0), uid(102), "share", 2, "r", 300, 1_000)
    assert amounts(settle(facts, [proposal, share])) == [273, 27]


def test_a_promoter_s_day_is_cut_award_by_award() -> None:
    facts = facts_of(10_000, 10_000)
    result = settle(facts, proposals_of(facts, 1_000, 500))
    caps = Caps(promoter_day_fen=1_500)
    limited = limit_by_spending(result, caps, Spending({uid(101): 200}))
    assert {(a.line_id.int, a.level): a.amount_fen for a in limited.awards} == {
        (0, 1): 1_000,
        (0, 2): 500,
        (1, 1): 300,
        (1, 2): 500,
    }
    assert limit_by_spending(result, caps, Spending()).total_fen == 2_500
    full = limit_by_spending(result, caps, Spending({uid(101): 9_999, uid(102): 0}))
    assert [(w.level, w.reason) for w in full.withheld] == [(1, "promoter_day_cap"), (1, "promoter_day_cap")]


def test_what_happens_when_the_budget_runs_out_is_a_setting() -> None:
    facts = facts_of(10_000)
    result = settle(facts, proposals_of(facts, 1_000, 500))
    spent = Spending(budget_fen=9_000)

    def limited(end: str) -> Result:
        return limit_by_spending(result, Caps(budget_fen=10_000, on_budget_end=end), spent)  # type: ignore[arg-type]

    assert (amounts(limited("stop")), [w.reason for w in limited("stop").withheld]) == ([], ["budget", "budget"])
    assert amounts(limited("cut")) == [667, 333]
    assert amounts(limited("warn")) == [1_000, 500]
    assert limited("warn").awards[0].explanation["cap"] == "budget_passed"
    assert limit_by_spending(result, Caps(budget_fen=10_500), spent) == result


@given(
    paid=st.lists(st.integers(0, 10**6), min_size=1, max_size=3),
    rates=st.lists(st.integers(0, 3_300), min_size=1, max_size=3),
    day=st.none() | st.integers(0, 10**5),
    budget=st.none() | st.integers(0, 10**6),
    spent_day=st.integers(0, 10**5),
    spent=st.integers(0, 10**6),
    end=st.sampled_from(["stop", "cut"]),
)
def test_no_limit_is_ever_passed(
    paid: list[int],
    rates: list[int],
    day: int | None,
    budget: int | None,
    spent_day: int,
    spent: int,
    end: str,
) -> None:
    facts = facts_of(*paid)
    result = settle(facts, proposals_of(facts, *rates))
    caps = Caps(promoter_day_fen=day, budget_fen=budget, on_budget_end=end)  # type: ignore[arg-type]
    limited = limit_by_spending(result, caps, Spending({uid(101): spent_day}, spent))
    before = {(a.line_id, a.beneficiary_id): a.amount_fen for a in result.awards}
    assert all(0 < a.amount_fen <= before[a.line_id, a.beneficiary_id] for a in limited.awards)
    assert len(limited.awards) + len(limited.withheld) == len(result.awards) + len(result.withheld)
    if budget is not None:
        assert limited.total_fen <= max(budget - spent, 0)
    if day is not None:
        for person in facts.upline:
            earned = sum(a.amount_fen for a in limited.awards if a.beneficiary_id == person.member_id)
            assert earned <= max(day - (spent_day if person.level == 1 else 0), 0)
