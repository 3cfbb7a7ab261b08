"""Debts: who owes what, and giving one up exactly once."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import pytest

from fanyong.errors import IdempotencyMismatch, NotFound
from fanyong.ids import new_id
from fanyong.tenancy.database import session
from tenants.ledger.service import Figures
from tenants.payouts import debts, errors
from tests.money.parts import at_once
from tests.money.test_races import only_business
from tests.payouts.conftest import Desk


@pytest.fixture
def debtor(desk: Desk) -> UUID:
    """A promoter whose commission of ¥100.00 was paid out before its order was refunded."""
    desk.product("a", price_fen=100_000)
    promoter = desk.member("茉莉")
    order_id = desk.received(desk.member("买家", under=promoter), [("a", 1)])
    desk.settle()
    desk.make_due()
    desk.settle()
    asked = desk.ask(promoter, 10_000)
    desk.approve(asked)
    desk.apply(desk.transfer_fact(asked))
    desk.refunded(order_id, {"a": 1})
    desk.settle()
    assert desk.figures(promoter) == Figures(paid_fen=10_000, debt_fen=10_000)
    return promoter


def give_up(desk: Desk, member_id: UUID, amount_fen: int, reason: str = "goodwill", *, key: str | None = None) -> UUID:
    with desk.work():
        return debts.write_off(
            member_id, amount_fen=amount_fen, reason=reason, idempotency_key=key or desk.key(), actor="ann"
        ).id


def owed(desk: Desk) -> list[tuple[str, int]]:
    with desk.work():
        return [(member.nickname, fen) for member, fen in session().execute(debts.debtors())]


def test_a_debt_is_given_up_in_parts(desk: Desk, debtor: UUID) -> None:
    assert owed(desk) == [("茉莉", 10_000)]
    give_up(desk, debtor, 4_000)
    assert owed(desk) == [("茉莉", 6_000)]
    with pytest.raises(errors.NoDebt) as refused:
        give_up(desk, debtor, 6_001)
    assert "¥60.00" in refused.value.text
    give_up(desk, debtor, 6_000)
    assert owed(desk) == []
    assert desk.figures(debtor) == Figures(paid_fen=10_000)
    with desk.work():
        rows = session().execute(debts.write_offs()).all()
        assert [(row.amount_fen, row.reason, row.written_off_by) for row, _member in rows] == [
            (6_000, "goodwill", "ann"),
            (4_000, "goodwill", "ann"),
        ]
    desk.check()


def test_new_money_repays_what_is_left_first(desk: Desk, debtor: UUID) -> None:
    give_up(desk, debtor, 7_000)
    desk.received(desk.member("another", under=debtor), [("a", 1)])
    desk.settle()
    desk.make_due()
    desk.settle()
    assert desk.figures(debtor) == Figures(available_fen=7_000, paid_fen=10_000)
    desk.check()


def test_the_same_debt_given_up_by_six_at_once_is_given_up_once(desk: Desk, debtor: UUID) -> None:
    done = only_business(at_once(*[partial(give_up, desk, debtor, 10_000) for _ in range(6)]), errors.NoDebt)
    assert len(done) == 1
    assert desk.figures(debtor) == Figures(paid_fen=10_000)
    desk.check()


def test_the_same_form_sent_by_six_at_once_gives_a_part_up_once(desk: Desk, debtor: UUID) -> None:
    done = only_business(at_once(*[partial(give_up, desk, debtor, 1_000, key="form") for _ in range(6)]))
    assert (len(done), len(set(done))) == (6, 1)
    assert owed(desk) == [("茉莉", 9_000)]
    with pytest.raises(IdempotencyMismatch):
        give_up(desk, debtor, 2_000, key="form")
    give_up(desk, debtor, 1_000, key="another form")
    assert owed(desk) == [("茉莉", 8_000)]
    desk.check()


@pytest.mark.parametrize(
    ("amount_fen", "reason", "error"),
    [(0, "x", errors.NoDebt), (-5, "x", errors.NoDebt), (1, "  ", errors.RejectNeedsReason)],
)
def test_what_cannot_be_given_up(
    desk: Desk, debtor: UUID, amount_fen: int, reason: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        give_up(desk, debtor, amount_fen, reason)
    with pytest.raises(NotFound):
        give_up(desk, new_id(), 1)


def test_a_withdrawal_waits_for_the_debt(desk: Desk, debtor: UUID) -> None:
    with pytest.raises(errors.WithdrawalBlockedByDebt) as refused:
        desk.ask(debtor, 1_000)
    assert "¥100.00" in refused.value.text
