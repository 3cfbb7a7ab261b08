"""Applications, invitations, region agents and dry runs, as the brand's people see them."""

from __future__ import annotations

from uuid import UUID

from fanyong.tenancy.database import session
from tenants.promoters import applications, invitations, trials
from tenants.promoters import service as promoters
from tests.console.parts import Browser, Busy, audited
from tests.money.parts import Till

ANSWERS = {"name": "林一", "phone": "13800000000"}
LADDER = {
    "plugin": "tiers_ladder",
    "join": "anyone",
    "count_when": "paid",
    "fall_to": "one_step",
    "tiers-0-key": "low",
    "tiers-0-name": "低",
    "tiers-1-key": "high",
    "tiers-1-name": "高",
    "conditions-0-tier": "high",
    "conditions-0-stage": "rise",
    "conditions-0-way": "1",
    "conditions-0-metric": "shared_fen",
    "conditions-0-period": "ever",
    "conditions-0-amount_fen": "100",
}


def tier_of(till: Till, member_id: UUID) -> str | None:
    with till.work():
        found = promoters.get_promoter(member_id)
        return found.tier if found else None


def applied(till: Till, name: str) -> tuple[UUID, UUID]:
    member = till.member(name)
    with till.work():
        return member, applications.apply(member, tier=None, answers=ANSWERS).id


def test_applications_are_decided_with_a_word(owner: Browser, till: Till) -> None:
    assert "need no application" in owner.get("/applications")
    till.tiers("tiers_flat", {"join": "application"})
    assert "Nobody has applied yet." in owner.get("/applications")
    good, first = applied(till, "茉莉")
    bad, second = applied(till, "青松")
    page = owner.get("/applications")
    assert "13800000000" in page
    assert "To be decided" in page
    assert "Please give a reason; the member reads it." in owner.refused(f"/applications/{second}/reject")
    assert "Accepted" in owner.post(f"/applications/{first}/approve")
    assert "资料不全" in owner.post(f"/applications/{second}/reject", {"reason": "资料不全"})
    assert (tier_of(till, good), tier_of(till, bad)) == ("promoter", None)
    assert "decided already" in owner.refused(f"/applications/{first}/approve", status=409)
    assert "茉莉" not in owner.get("/applications?state=rejected")
    assert "No application matches." in owner.get("/applications?q=nobody")
    rows = owner.table("/applications?format=csv")
    assert [row[1] for row in rows[1:]] == ["青松", "茉莉"]
    assert rows[2][4] == "姓名: 林一; 手机号: 13800000000"
    assert audited(till)[-2:] == ["application.approved", "application.rejected"]


def test_the_brand_builds_its_form(owner: Browser, till: Till) -> None:
    page = owner.get("/applications/form")
    assert "手机号" in page
    assert "need no application" in page
    form = {"intro": "欢迎", "questions-0-key": "city", "questions-0-label": "城市", "questions-0-kind": "choice"}
    assert "needs a list" in owner.refused("/applications/form", form)
    assert "The form is saved." in owner.post("/applications/form", {**form, "questions-0-choices": "苏州,杭州"})
    with till.work():
        (question,) = applications.form().questions
        assert (question.key, question.options) == ("city", ["苏州", "杭州"])
    assert audited(till)[-1] == "settings.changed"


def test_invitations_are_made_followed_and_withdrawn(owner: Browser, till: Till) -> None:
    assert "There are no invitations yet." in owner.get("/invitations")
    till.tiers("tiers_flat", {"join": "invitation"})
    assert "Please fill this in." in owner.refused("/invitations", {"days": "3"})
    owner.post("/invitations", {"tier": "promoter", "days": "3", "note": "给茉莉"})
    owner.post("/invitations", {"tier": "promoter", "days": "3"})
    with till.work():
        codes = {row.note: row.code for row, _ in session().execute(invitations.invitations())}
    member = till.member("茉莉")
    with till.work():
        invitations.accept(member, code=codes["给茉莉"])
    assert tier_of(till, member) == "promoter"
    assert "茉莉" in owner.get("/invitations")
    assert "Withdrawn" in owner.post(f"/invitations/{codes['']}/revoke")
    assert "was used" in owner.refused(f"/invitations/{codes['给茉莉']}/revoke", status=409)
    assert audited(till)[-3:] == ["invitation.made", "invitation.made", "invitation.revoked"]


def test_region_agents_are_appointed_on_the_promoters_page(owner: Browser, busy: Busy) -> None:
    assert "There are no region agents yet." in owner.get("/regions")
    page = f"/promoters/{busy.promoter}"
    assert "is no region" in owner.refused(f"{page}/appoint", {"region": "99"})
    assert "Please choose a day." in owner.refused(f"{page}/appoint", {"region": "320500", "until": "soon"})
    assert "320500 江苏省" in owner.post(f"{page}/appoint", {"region": "320500"})
    owner.post(f"{page}/appoint", {"region": "310000", "until": "2099-12-31"})
    assert "already" in owner.refused(f"{page}/appoint", {"region": "320500"}, status=409)
    assert "320500" in owner.get(page)
    listed = owner.get("/regions")
    assert "City" in listed
    assert "Province" in listed
    assert "No agent matches." in owner.get("/regions?q=44")
    rows = owner.table("/regions?format=csv")
    assert [row[:3] for row in rows[1:]] == [["310000", "Province", "茉莉"], ["320500", "City", "茉莉"]]
    agent = listed.partition("/console/regions/")[2].partition("/end")[0]
    assert "The appointment has ended." in owner.post(f"/regions/{agent}/end")
    assert len(owner.table("/regions?format=csv")) == 2
    assert len(owner.table("/regions?format=csv&state=all")) == 3
    assert audited(busy.till)[-3:] == ["agent.appointed", "agent.appointed", "agent.ended"]


def test_who_would_move_is_told_before_anybody_does(owner: Browser, busy: Busy) -> None:
    assert "Nothing was tried yet." in owner.get("/tiers/trials")
    page = owner.post("/tiers/trials", LADDER)
    assert 'hx-trigger="every 2s"' in page
    with busy.till.inside():
        while trials.run_portion():
            pass
    with busy.till.work():
        trial = trials.latest_trials()[0]
    page = owner.get(f"/tiers/trials/{trial.id}")
    assert "2 of 2 promoters looked at, 2 would move" in page
    assert "hx-trigger" not in page.partition('id="figures"')[2]
    rows = owner.table(f"/tiers/trials/{trial.id}?format=csv")
    assert {row[1]: row[2:] for row in rows[1:]} == {"茉莉": ["推广员", "高"], "青松": ["推广员", "低"]}
    assert tier_of(busy.till, busy.promoter) == "promoter"
    assert "would move" in owner.get("/tiers/trials")
    assert audited(busy.till)[-1] == "tiers.tried"


def test_the_tiers_in_force_are_tried_too_and_a_trial_is_stopped(owner: Browser, busy: Busy) -> None:
    owner.post("/tiers/trials/current")
    with busy.till.work():
        trial = trials.latest_trials()[0].id
    assert "Canceled" in owner.post(f"/tiers/trials/{trial}/cancel")
    owner.post("/tiers/trials/current", {"number": "1"})
    owner.refused("/tiers/trials/current", {"number": "77"}, status=404)


def test_settings_that_cannot_work_are_not_tried(owner: Browser, till: Till) -> None:
    page = owner.refused("/tiers/trials", {**LADDER, "conditions-0-tier": "nowhere"})
    assert "There is no tier “nowhere”." in page
    assert "There is no plugin" in owner.refused("/tiers/trials", {"plugin": "nonsense"})
    with till.work():
        assert trials.latest_trials() == []


def test_the_promoters_page_tells_the_team_and_the_next_tier(owner: Browser, busy: Busy) -> None:
    owner.post("/tiers", {**LADDER, "conditions-0-amount_fen": "9999"})
    busy.till.tend()
    page = owner.get(f"/promoters/{busy.promoter}?view=team")
    assert "青松" in page
    assert "Next tier: 高" in page
    assert "¥400.00 / ¥9,999.00" in page
    assert "Sales of the team today" in page
    assert "There is nobody on this level." in owner.get(f"/promoters/{busy.promoter}?view=team&level=2")
    assert "There is nobody on this level." in owner.get(f"/promoters/{busy.promoter}?view=team&level=deeper")
    assert "Nobody matches." in owner.get(f"/promoters/{busy.promoter}?view=team&q=nobody")
    owner.get(f"/promoters/{busy.promoter}?view=team&after=nonsense&level=9")
    assert "The figures that decided" in owner.get(f"/promoters/{busy.promoter}?view=tiers")
    assert "青松" in owner.get("/promoters?state=low")
    assert "No promoter matches." in owner.get("/promoters?state=high")
