"""A brand's till with promoters who have something to withdraw."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from fanyong.tenancy import settings
from fanyong.tenancy.database import session
from tenants.members.models import Member
from tenants.payouts import channels, payees
from tenants.payouts import service as payouts
from tenants.payouts.models import Withdrawal
from tenants.payouts.rules import WithdrawalRules
from tests.conftest import Brand
from tests.money.parts import Till, open_till

PAYEE = {"name": "张三", "card_number": "6222020200112230", "bank": "工商银行"}
#: No limit, no second person: for tests in which those are not what it is about.
FREE = WithdrawalRules(
    maximum_fen=100_000_000,
    payee_day_fen=100_000_000,
    payee_day_count=1_000,
    brand_day_fen=1_000_000_000,
    two_people_from_fen=100_000_000,
)


class Desk(Till):
    """A till whose promoters have earned something, and whose staff looks after payouts."""

    def rules(self, **values: Any) -> None:
        """Change what withdrawals have to keep to."""
        with self.work():
            settings.save(FREE.model_copy(update=values), actor="test")

    def channel(self, name: str, **values: Any) -> None:
        """Open a payout channel."""
        with self.work():
            channels.save_channel(name, values, active=True, actor="test")

    def payee(self, member_id: UUID, channel: str = "payout_bank", **changes: str) -> UUID:
        """Store where a promoter wants money sent."""
        with self.work():
            member = session().get_one(Member, member_id)
            fields = {**PAYEE, **changes} if channel == "payout_bank" else {"name": "张三", "account": "z3", **changes}
            return payees.save_payee(member, channels.get_channel(channel), fields).id

    def earner(self, name: str, amount_fen: int = 1_000_000) -> UUID:
        """Return a promoter with an amount to withdraw, earned on one order at ten percent."""
        promoter = self.member(name)
        buyer = self.member(f"{name} buys", under=promoter)
        self.product(f"sku {name}", price_fen=amount_fen * 10)
        self.received(buyer, [(f"sku {name}", 1)])
        self.settle()
        self.make_due()
        self.settle()
        assert self.figures(promoter).available_fen == amount_fen
        return promoter

    def ask(self, member_id: UUID, amount_fen: int, *, key: str | None = None, **how: Any) -> UUID:
        """Ask for a withdrawal."""
        with self.work():
            member = session().get_one(Member, member_id)
            asked = payouts.request_withdrawal(
                member, amount_fen=amount_fen, idempotency_key=key or self.key(), **{"real_name": "张三", **how}
            )
            return asked.id

    def row(self, withdrawal_id: UUID) -> Withdrawal:
        """Return a withdrawal as it is now."""
        with self.work():
            return payouts.get_withdrawal(withdrawal_id)[0]


@pytest.fixture
def desk(app: Flask, brand: Brand) -> Desk:
    """A fresh brand that pays ten percent at once and knows no limits."""
    till = open_till(app, brand.tenant)
    made = Desk(till.app, till.tenant, till.mchid, till.appid)
    made.window(0)
    made.plan()
    made.rules()
    return made
