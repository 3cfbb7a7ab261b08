"""Month-end rewards in the console, and what promoters and statements show of them."""

from __future__ import annotations

from uuid import UUID

import pytest
import sqlalchemy as sa

from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from fanyong.tenancy.months import month_of
from tenants.commissions.models import Award
from tenants.ledger import service as ledger
from tenants.periods import tasks
from tenants.promoters import sales
from tenants.statements.postings import references
from tests.console.parts import Browser, audited
from tests.money.parts import DAY, Till

POOL = {
    "rates": [{"level": 1, "rate_bp": 1_000}],
    "pool": {"rate_bp": 500, "tiers": [{"weight": 1}], "minimum_fen": 1},
}


@pytest.fixture
def month(till: Till) -> str:
    """A month that is over, in which somebody sold for ¥100.00."""
    till.product("a")
    till.plan("plan_rules", POOL)
    till.paid(till.member("青松", under=till.member("茉莉")))
    with till.work():
        found = month_of(brand_now())
    till.advance(31 * DAY)
    work(till)
    return found


def work(till: Till) -> None:
    till.process()
    for tender in (sales.roll_up_teams, tasks.run_portion):
        with till.inside():
            while tender():
                pass
    till.release()


def earner(till: Till) -> UUID:
    with till.work():
        return session().scalars(sa.select(Award.beneficiary_id)).first() or UUID(int=0)


def test_a_month_is_looked_at_and_posted(owner: Browser, till: Till, month: str) -> None:
    assert month in owner.get("/rewards")
    page = owner.get(f"/rewards/{month}")
    assert "Post ¥5.00" in page
    assert f"dividend pool of {month}" in page
    rows = owner.table(f"/rewards/{month}?format=csv")
    assert [row[0] for row in rows[1:]] == ["茉莉"]
    assert [row[3] for row in rows[1:]] == ["5.00"]
    assert owner.table("/rewards?format=csv")[1][0] == month
    assert "being posted" in owner.post(f"/rewards/{month}/post")
    work(till)
    assert "1 of 1 rewards are in the books" in owner.get(f"/rewards/{month}")
    assert owner.refused(f"/rewards/{month}/post", status=409)
    assert audited(till)[-1] == "rewards.posted"
    member = earner(till)
    assert f"month {month}" in owner.get(f"/promoters/{member}?view=awards")
    page = owner.get("/books/postings?q=茉莉")
    assert page.count(f'href="/console/rewards/{month}"') >= 3, "award, receipt and release tell the month"
    till.check()


def test_a_month_is_discarded_with_a_reason_and_worked_out_again(owner: Browser, till: Till, month: str) -> None:
    owner.refused(f"/rewards/{month}/discard", {"reason": " "}, status=422)
    assert "the pool was wrong" in owner.post(f"/rewards/{month}/discard", {"reason": "the pool was wrong"})
    assert "Being worked out" in owner.post(f"/rewards/{month}/again")
    work(till)
    assert "Post ¥5.00" in owner.get(f"/rewards/{month}")
    assert audited(till)[-2:] == ["rewards.discarded", "rewards.worked_out_again"]
    owner.get("/rewards/2020-01", status=404)
    owner.get("/rewards/nonsense", status=404)


def test_how_long_rewards_wait_is_set_on_the_page(owner: Browser, till: Till, month: str) -> None:
    owner.refused("/rewards/settings", {"release_days": "366"})
    assert 'value="10"' in owner.post("/rewards/settings", {"release_days": "10"})
    owner.post(f"/rewards/{month}/post")
    work(till)
    assert till.figures(earner(till)).frozen_fen == 500
    till.check()


def test_a_release_tells_the_orders_behind_it(till: Till) -> None:
    till.product("a")
    till.plan()
    till.window(0)
    buyer = till.member("青松", under=till.member("茉莉"))
    order = till.received(buyer)
    till.settle()
    member = earner(till)
    with till.work():
        postings = session().scalars(ledger.statement(member)).all()
        found = references([posting.source_id for posting in postings])
        assert {found[posting.source_id].id for posting in postings} == {order}
        assert len(found) == 3


def test_a_budget_that_ran_out_is_told_on_the_first_page_and_the_plans(owner: Browser, till: Till) -> None:
    till.product("a")
    till.plan("plan_rules", {"rates": POOL["rates"], "limits": {"budget_fen": 1_500}})
    buyer = till.member("青松", under=till.member("茉莉"))
    till.paid(buyer)
    till.process()
    assert "has run out" not in owner.get("/")
    till.paid(buyer)
    till.process()
    for path in ("/", "/plan"):
        page = owner.get(path)
        assert "The budget of the commission plan has run out" in page
        assert "¥15.00 of commissions" in page
