"""Becoming a promoter: by application, invitation, share or purchase."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from fanyong.errors import NotFound
from fanyong.tenancy import settings
from tenants.members import service as members
from tenants.promoters import applications, invitations
from tenants.promoters import service as promoters
from tenants.promoters.applications import (
    ApplicationForm,
    BadAnswers,
    BadForm,
    DecidedAlready,
    HasTier,
    NotByApplication,
    Question,
    RejectionNeedsReason,
    checked_answers,
)
from tenants.promoters.invitations import BadInvitationPeriod, InvitationNotUsable, NoSuchTier
from tests.money.parts import DAY, Till

ANSWERS = {"name": "林一", "phone": "13800000000"}
ROLES = {"promoter_by": "anyone", "dealer_by": "application", "agent_by": "invitation"}


def tier_of(till: Till, member_id: UUID) -> str | None:
    with till.work():
        found = promoters.get_promoter(member_id)
        return found.tier if found else None


def apply(till: Till, member_id: UUID, *, tier: str | None = None) -> UUID:
    with till.work():
        return applications.apply(member_id, tier=tier, answers=ANSWERS).id


def test_whoever_is_accepted_becomes_a_promoter(till: Till) -> None:
    till.tiers("tiers_flat", {"join": "application"})
    member = till.member("m")
    assert tier_of(till, member) is None
    application = apply(till, member)
    assert tier_of(till, member) is None
    with till.work():
        applications.approve(application, actor="owner")
    assert tier_of(till, member) == "promoter"
    with till.work():
        found = applications.latest(member)
        assert found is not None
        assert (found.state, found.decided_by) == ("approved", "owner")
        assert found.answers == [
            {"key": "name", "label": "姓名", "value": "林一"},
            {"key": "phone", "label": "手机号", "value": "13800000000"},
        ]
    with till.work(), pytest.raises(HasTier):
        applications.apply(member, tier=None, answers=ANSWERS)
    with till.work(), pytest.raises(DecidedAlready):
        applications.reject(application, reason="late", actor="owner")


def test_whoever_is_turned_down_reads_why_and_may_apply_again(till: Till) -> None:
    till.tiers("tiers_flat", {"join": "application"})
    member = till.member("m")
    first = apply(till, member)
    with till.work(), pytest.raises(RejectionNeedsReason):
        applications.reject(first, reason=" ", actor="owner")
    with till.work():
        applications.reject(first, reason="资料不全", actor="owner")
    assert tier_of(till, member) is None
    second = apply(till, member)
    assert second != first
    assert apply(till, member) == second, "an open one gets the new answers"
    with till.work(), pytest.raises(NotFound):
        applications.approve(member, actor="owner")


def test_a_role_is_applied_for_by_name(till: Till) -> None:
    till.tiers("tiers_roles", ROLES)
    member = till.member("m")
    assert tier_of(till, member) == "promoter"
    with till.work():
        assert list(applications.open_tiers()) == ["dealer"]
    with till.work(), pytest.raises(NotByApplication):
        applications.apply(member, tier="agent", answers=ANSWERS)
    application = apply(till, member, tier="dealer")
    with till.work():
        applications.approve(application, actor="owner")
    assert tier_of(till, member) == "dealer"


def test_what_was_opened_waits_for_the_conditions(till: Till) -> None:
    till.product("a", price_fen=1_000)
    row = {"tier": "dealer", "stage": "rise", "metric": "own_fen", "amount_fen": 1_000}
    till.tiers("tiers_roles", {**ROLES, "count_when": "paid", "conditions": [row]})
    member = till.member("m")
    application = apply(till, member, tier="dealer")
    with till.work():
        applications.approve(application, actor="owner")
    assert tier_of(till, member) == "promoter"
    till.paid(member)
    assert tier_of(till, member) == "dealer"


def test_a_grant_lets_in_once_and_does_not_hold_a_tier_for_ever(till: Till) -> None:
    keep = {"tier": "dealer", "stage": "keep", "metric": "own_fen", "amount_fen": 1, "period": "days", "days": 5}
    till.tiers("tiers_roles", {**ROLES, "conditions": [keep]})
    member = till.member("m")
    application = apply(till, member, tier="dealer")
    with till.work():
        applications.approve(application, actor="owner")
    assert tier_of(till, member) == "dealer"
    till.advance(6 * DAY)
    with till.work():
        promoters.look_again(member, because="night")
    assert tier_of(till, member) == "promoter"
    with till.work():
        promoters.look_again(member, because="night")
    assert tier_of(till, member) == "promoter"


def test_nobody_applies_where_everybody_is_let_in(till: Till) -> None:
    member = till.member("m")
    with till.work(), pytest.raises(NotByApplication):
        applications.apply(member, tier=None, answers=ANSWERS)


QUESTIONS = [
    Question(key="name", label="姓名"),
    Question(key="age", label="年龄", kind="number", required=False),
    Question(key="city", label="城市", kind="choice", choices="苏州, 杭州、上海"),
]


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        ({"name": "林一", "city": "苏州"}, []),
        ({"name": "林一", "city": "上海", "age": "30"}, []),
        ({"city": "苏州"}, ["answers.name"]),
        ({"name": "  ", "city": "苏州"}, ["answers.name"]),
        ({"name": "林一", "city": "北京"}, ["answers.city"]),
        ({"name": "林一", "city": "苏州", "age": "old"}, ["answers.age"]),
        ({"name": "林一", "city": "苏州", "age": "1e9"}, ["answers.age"]),
        ({"name": "x" * 1_001, "city": "苏州"}, ["answers.name"]),
        ({"name": "林一", "city": "苏州", "spouse": "x"}, ["answers.spouse"]),
    ],
)
def test_answers_are_held_to_the_form(till: Till, answers: dict[str, str], wrong: list[str]) -> None:
    with till.work():
        if not wrong:
            assert [a["value"] for a in checked_answers(QUESTIONS, answers)] == [
                answers[q.key] for q in QUESTIONS if q.key in answers
            ]
            return
        with pytest.raises(BadAnswers) as refused:
            checked_answers(QUESTIONS, answers)
        assert [problem["path"] for problem in refused.value.details] == wrong


@pytest.mark.parametrize(
    "questions",
    [
        [{"key": "a", "label": "A"}, {"key": "a", "label": "B"}],
        [{"key": "a", "label": "A", "kind": "choice"}],
        [{"key": "a", "label": "A", "kind": "choice", "choices": " , "}],
    ],
)
def test_a_form_that_cannot_be_asked_is_refused(till: Till, questions: list[dict[str, Any]]) -> None:
    with till.work():
        form = ApplicationForm.model_validate({"questions": questions})
        with pytest.raises(BadForm):
            applications.save_form(form, actor="test")
        assert settings.load(ApplicationForm) == ApplicationForm()


def test_an_invitation_lets_one_member_in_once(till: Till) -> None:
    till.tiers("tiers_roles", {**ROLES, "promoter_by": "invitation"})
    one, other = till.member("one"), till.member("other")
    with till.work():
        code = invitations.invite(tier="agent", days=7, note="朋友", actor="owner").code
    with till.work():
        invitations.accept(one, code=code)
        invitations.accept(one, code=code)
    assert tier_of(till, one) == "agent"
    with till.work(), pytest.raises(InvitationNotUsable):
        invitations.accept(other, code=code)
    with till.work(), pytest.raises(InvitationNotUsable):
        invitations.revoke(code)
    with till.work(), pytest.raises(NotFound):
        invitations.accept(other, code="nonsense")
    assert tier_of(till, other) is None


def test_an_invitation_ends(till: Till) -> None:
    till.tiers("tiers_flat", {"join": "invitation"})
    member = till.member("m")
    with till.work():
        late = invitations.invite(tier="promoter", days=7, note="", actor="owner").code
        withdrawn = invitations.invite(tier="promoter", days=30, note="", actor="owner").code
        invitations.revoke(withdrawn)
    till.advance(7 * DAY)
    for code in (late, withdrawn):
        with till.work(), pytest.raises(InvitationNotUsable):
            invitations.accept(member, code=code)
    with till.work(), pytest.raises(NoSuchTier):
        invitations.invite(tier="gold", days=7, note="", actor="owner")
    with till.work(), pytest.raises(BadInvitationPeriod):
        invitations.invite(tier="promoter", days=366, note="", actor="owner")
    assert tier_of(till, member) is None


def test_of_two_who_use_one_invitation_at_once_one_gets_in(till: Till) -> None:
    till.tiers("tiers_flat", {"join": "invitation"})
    people = [till.member(f"m{n}") for n in range(4)]
    with till.work():
        code = invitations.invite(tier="promoter", days=7, note="", actor="owner").code

    def accept(member_id: UUID) -> bool:
        try:
            with till.work():
                invitations.accept(member_id, code=code)
        except InvitationNotUsable:
            return False
        return True

    with ThreadPoolExecutor(len(people)) as pool:
        assert sum(pool.map(accept, people)) == 1
    assert [tier_of(till, one) for one in people].count("promoter") == 1


def test_a_promoters_share_invites_and_a_members_does_not(till: Till) -> None:
    till.tiers("tiers_flat", {"join": "invitation"})
    stranger, promoter = till.member("stranger"), till.member("promoter")
    with till.work():
        code = invitations.invite(tier="promoter", days=7, note="", actor="owner").code
        invitations.accept(promoter, code=code)
    brought, other = till.member("brought"), till.member("other")
    with till.work():
        assert members.bind(brought, parent_id=promoter, source="test")
        assert members.bind(other, parent_id=stranger, source="test")
        promoters.look_again(brought, because="invited")
        promoters.look_again(other, because="invited")
    assert tier_of(till, brought) == "promoter"
    assert tier_of(till, other) is None


def test_a_purchase_of_the_amount_makes_a_promoter(till: Till) -> None:
    till.product("a", price_fen=1_000)
    till.tiers("tiers_ladder", {"join": "after_purchase", "join_purchase_fen": 2_000})
    member = till.member("m")
    till.paid(member)
    assert tier_of(till, member) is None
    till.paid(member)
    assert tier_of(till, member) == "bronze"
