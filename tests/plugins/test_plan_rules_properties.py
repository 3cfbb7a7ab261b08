"""`plan_rules`: every rule against somebody who looks at every row, and what holds whatever the settings are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanyong.values import AwardProposal, Caps, LineFacts, OrderFacts, Person, Proposal, Tier
from plugins.plan_rules import PlanRules, Settings
from tenants.commissions import engine
from tests.plugins import slow_rules
from tests.plugins.facts import CATEGORIES, PAID_AT, SKUS, uid

PLAN = PlanRules()
TIERS = ("bronze", "silver", "gold")
KNOWN = tuple(Tier(key, key, rank) for rank, key in enumerate(TIERS))
PRODUCTS = ("p1", "p2")
BEIJING = timezone(timedelta(hours=8))
RATE = st.integers(0, 3_000)
TIER = st.sampled_from(["", *TIERS])
GOODS = st.sampled_from(
    [
        ("brand", ""),
        *(("sku", sku) for sku in SKUS),
        *(("product", product) for product in PRODUCTS),
        *(("category", category) for category in CATEGORIES),
    ]
)
MONEY = st.one_of(st.fixed_dictionaries({"rate_bp": RATE}), st.fixed_dictionaries({"fixed_fen": st.integers(0, 10**5)}))


def unique(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """Keep the first row of those that would be refused as repeated."""
    return list({tuple(row.get(name) for name in names): row for row in reversed(rows)}.values())


@st.composite
def rate_rows(draw: st.DrawFn) -> dict[str, Any]:
    scope, target = draw(GOODS)
    orders = draw(st.sampled_from(["all", "first", "repeat"]))
    return {
        "scope": scope,
        "target": target,
        "level": draw(st.integers(1, 3)),
        "tier": draw(TIER),
        "orders": orders,
        **draw(MONEY),
    }


@st.composite
def ladders(draw: st.DrawFn, *, together: str) -> dict[str, Any]:
    bands = []
    for tier in draw(st.sets(TIER, max_size=2)):
        starts = sorted(draw(st.sets(st.integers(0, 10**6), max_size=4)))
        rates = sorted(draw(st.lists(RATE, min_size=len(starts), max_size=len(starts))))
        bands += [{"from_fen": s, "tier": tier, "rate_bp": r} for s, r in zip(starts, rates, strict=True)]
    return {"bands": bands, "together": together}


@st.composite
def campaigns(draw: st.DrawFn) -> dict[str, Any]:
    scope, target = draw(GOODS)
    starts = PAID_AT.astimezone(BEIJING) + timedelta(hours=draw(st.integers(-3, 1)))
    return {
        "name": draw(st.sampled_from(["11.11", "birthday"])),
        "starts_at": starts.isoformat(),
        "ends_at": (starts + timedelta(hours=draw(st.integers(1, 3)))).isoformat(),
        "together": draw(st.sampled_from(["instead", "extra"])),
        "scope": scope,
        "target": target,
        "level": draw(st.integers(1, 3)),
        "tier": draw(TIER),
        **draw(MONEY),
    }


@st.composite
def own_rows(draw: st.DrawFn) -> dict[str, Any]:
    scope, target = draw(GOODS)
    return {"scope": scope, "target": target, "tier": draw(TIER), **draw(MONEY)}


GENERATION = st.fixed_dictionaries({"generation": st.integers(1, 3), "tier": TIER, "rate_bp": RATE})


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    """Settings with something of everything, no row twice, and at most one ladder instead of the brand's rate."""
    order_ladder, month_ladder = draw(st.sampled_from([("instead", "extra"), ("extra", "instead"), ("extra", "extra")]))
    new_member = draw(st.sampled_from(["new_member_bp", "new_member_fen"]))
    return {
        "base": draw(st.sampled_from(["paid", "paid_less_tax", "margin", "fixed_base"])),
        "rates": unique(draw(st.lists(rate_rows(), max_size=8)), "scope", "target", "level", "tier", "orders"),
        "order_ladder": draw(ladders(together=order_ladder)),
        "month_ladder": draw(ladders(together=month_ladder)),
        "own_purchases": {
            "mode": draw(st.sampled_from(["none", "rebate", "discount"])),
            "rates": unique(draw(st.lists(own_rows(), max_size=4)), "scope", "target", "tier"),
            "pay_upline": draw(st.booleans()),
        },
        "campaigns": unique(draw(st.lists(campaigns(), max_size=4)), "name", "scope", "target", "level", "tier"),
        "bonuses": {
            "leaders": unique(
                draw(st.lists(st.tuples(TIER, MONEY).map(lambda p: {"tier": p[0], **p[1]}), max_size=2)), "tier"
            ),
            "leader_depth": draw(st.integers(1, 5)),
            new_member: draw(st.none() | st.integers(0, 3_000)),
            "new_member_from_fen": draw(st.sampled_from([0, 10_000])),
        },
        "team": {
            "differential": [
                {"tier": tier, "rate_bp": rate}
                for tier, rate in zip(TIERS, sorted(draw(st.lists(RATE, min_size=3, max_size=3))), strict=True)
            ]
            if draw(st.booleans())
            else [],
            "same_rank": unique(draw(st.lists(GENERATION, max_size=2)), "generation", "tier"),
            "management": unique(draw(st.lists(GENERATION, max_size=3)), "generation", "tier"),
            "depth": draw(st.integers(1, 6)),
        },
        "regions": {
            "rates": unique(
                draw(
                    st.lists(
                        st.fixed_dictionaries(
                            {"size": st.sampled_from(["province", "city", "district"]), "rate_bp": RATE}
                        ),
                        max_size=3,
                    )
                ),
                "size",
            ),
            "who": draw(st.sampled_from(["all", "nearest"])),
        },
    }


@st.composite
def orders(draw: st.DrawFn) -> OrderFacts:
    """An order of up to three lines, an upline of up to six and agents of the region."""
    tier = st.sampled_from([None, *TIERS])
    people = [
        Person(uid(100 + level), level, draw(tier), draw(st.booleans()), 0, draw(st.integers(0, 10**6)))
        for level in range(draw(st.integers(1, 7)))
    ]
    lines = tuple(
        LineFacts(
            uid(index),
            draw(st.sampled_from(SKUS)),
            draw(st.sampled_from(["", *CATEGORIES])),
            draw(st.integers(1, 5)),
            draw(st.integers(0, 10**6)),
            draw(st.sampled_from(["", *PRODUCTS])),
            draw(st.none() | st.integers(0, 10**6)),
            draw(st.sampled_from([0, 600, 1_300])),
            draw(st.none() | st.integers(0, 10**5)),
            draw(st.just(0) | st.integers(1, 10**6)),
            draw(st.just(0) | st.integers(1, 5_000)),
        )
        for index in range(draw(st.integers(1, 3)))
    )
    codes = draw(st.lists(st.sampled_from(["110105", "110100", "110000", "110106"]), max_size=3))
    agents = tuple(
        Person(uid(200 + index), 0, draw(tier), draw(st.booleans()), region=code) for index, code in enumerate(codes)
    )
    return OrderFacts(
        uid(1_000),
        PAID_AT,
        lines,
        people[0],
        tuple(people[1:]),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
        "110105",
        agents,
        draw(st.booleans()),
    )


def offered(proposals: list[Proposal]) -> list[AwardProposal]:
    """Return whom the plan wants to pay, without those it says it does not."""
    return [item for item in proposals if isinstance(item, AwardProposal)]


def compiled(given_: dict[str, Any], facts: OrderFacts) -> list[Proposal]:
    return list(PLAN.compile_plan(Settings.model_validate(given_))(facts))


@given(values=values(), facts=orders())
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
def test_every_rule_is_the_slow_calculator_s(values: dict[str, Any], facts: OrderFacts) -> None:
    found = [
        (p.line_id, p.beneficiary_id, p.kind, p.level, p.base_fen, p.rate_bp, p.fixed_fen)
        for p in offered(compiled(values, facts))
    ]
    assert sorted(map(str, found)) == sorted(map(str, slow_rules.awards(values, facts)))


@given(values=values(), facts=orders(), caps=st.tuples(*[st.none() | st.integers(0, 10_000)] * 3))
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_proposed_the_core_keeps_to_what_was_paid_and_to_the_limits(
    values: dict[str, Any], facts: OrderFacts, caps: tuple[int | None, int | None, int | None]
) -> None:
    limits = Caps(line_bp=caps[0], order_bp=caps[1], order_fen=caps[2])
    result = engine.settle(facts, compiled(values, facts), limits)
    for line in facts.lines:
        of_line = sum(award.amount_fen for award in result.awards if award.line_id == line.line_id)
        most = line.paid_fen if limits.line_bp is None else line.paid_fen * limits.line_bp // 10_000
        assert of_line <= most <= line.paid_fen
    if limits.order_bp is not None:
        assert result.total_fen <= facts.paid_goods_fen * limits.order_bp // 10_000
    if limits.order_fen is not None:
        assert result.total_fen <= limits.order_fen
    assert all(award.amount_fen > 0 for award in result.awards)
    names = {(award.line_id, award.beneficiary_id, award.rule) for award in result.awards}
    assert len(names) == len(result.awards)


@given(values=values(), facts=orders())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_traits_tell_no_less_than_what_is_paid(values: dict[str, Any], facts: OrderFacts) -> None:
    traits = PLAN.plan_traits(Settings.model_validate(values))
    assert PLAN.plan_levels(Settings.model_validate(values)) == traits.levels
    assert not traits.head_count
    for proposal in offered(compiled(values, facts)):
        worth = proposal.fixed_fen or proposal.rate_bp
        if not worth:
            continue
        assert proposal.level <= traits.upline_depth
        if proposal.kind == "team":
            assert traits.team_rewards
        elif proposal.kind in ("share", "bonus"):
            assert proposal.level <= traits.levels or traits.team_rewards


@given(values=values(), facts=orders())
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
def test_compile_plan_answers_like_propose_awards_again_and_again(values: dict[str, Any], facts: OrderFacts) -> None:
    plan = PLAN.compile_plan(Settings.model_validate(values))
    assert plan(facts) == plan(facts) == PLAN.propose_awards(Settings.model_validate(values), facts)


@given(values=values(), facts=orders(), more=st.integers(0, 10**6))
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_selling_more_never_lowers_a_band(values: dict[str, Any], facts: OrderFacts, more: int) -> None:
    if not facts.upline:
        return
    only = {"rates": [], "month_ladder": values["month_ladder"]}
    higher = replace(facts.upline[0], month_fen=facts.upline[0].month_fen + more)
    before = sum(p.rate_bp for p in offered(compiled(only, facts)))
    after = sum(p.rate_bp for p in offered(compiled(only, replace(facts, upline=(higher, *facts.upline[1:])))))
    assert after >= before
