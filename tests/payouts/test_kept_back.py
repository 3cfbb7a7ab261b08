"""Nothing is paid to a promoter who was frozen, or came to owe something, after the request."""

from __future__ import annotations

from uuid import UUID

import pytest

from fanyong.errors import FanyongError
from tenants.ledger.service import Figures
from tenants.payouts import batches, errors, settling
from tenants.payouts import service as payouts
from tenants.promoters import service as promoters
from tests.payouts.conftest import Desk
from tests.payouts.test_batches import BANK, make, rows_of


def freeze(desk: Desk, member_id: UUID) -> None:
    with desk.work():
        promoters.freeze(member_id, reason="looks odd")


def unfreeze(desk: Desk, member_id: UUID) -> None:
    with desk.work():
        promoters.unfreeze(member_id)


def refused(desk: Desk, withdrawal_id: UUID, actor: str = "ann") -> FanyongError:
    with pytest.raises(FanyongError) as caught, desk.work():
        payouts.approve(withdrawal_id, actor=actor)
    return caught.value


def in_debt(desk: Desk, name: str = "茉莉", **how: str) -> tuple[UUID, UUID]:
    """Return a promoter who owes ¥60.00, and a withdrawal of ¥40.00 that was asked for before that."""
    desk.product(f"cup {name}", price_fen=100_000)
    promoter = desk.member(name)
    if how:
        desk.payee(promoter)
    order = desk.received(desk.member(f"{name} buys", under=promoter), [(f"cup {name}", 1)])
    desk.settle()
    desk.make_due()
    desk.settle()
    spent, asked = desk.ask(promoter, 6_000), desk.ask(promoter, 4_000, **how)
    desk.approve(spent)
    desk.apply(desk.transfer_fact(spent))
    if how:
        desk.approve(asked)
    desk.refunded(order, {f"cup {name}": 1})
    desk.settle()
    assert desk.figures(promoter).debt_fen == 10_000
    return promoter, asked


def test_a_frozen_promoters_withdrawal_waits_until_it_is_over(desk: Desk) -> None:
    desk.rules(two_people_from_fen=1_000)
    promoter = desk.earner("茉莉")
    asked = desk.ask(promoter, 1_000)
    freeze(desk, promoter)
    assert isinstance(refused(desk, asked), errors.PayeeFrozen)
    assert desk.row(asked).first_approved_by is None
    unfreeze(desk, promoter)
    with desk.work():
        payouts.approve(asked, actor="ann")
    freeze(desk, promoter)
    assert refused(desk, asked, "bob").code == "payee_frozen"
    desk.reject(asked)
    assert desk.figures(promoter) == Figures(available_fen=1_000_000)
    desk.check()


def test_a_debtors_withdrawal_is_rejected_and_repays_the_debt(desk: Desk) -> None:
    promoter, asked = in_debt(desk)
    refusal = refused(desk, asked)
    assert isinstance(refusal, errors.PayeeInDebt)
    assert "¥100.00" in refusal.text
    desk.reject(asked)
    assert desk.figures(promoter) == Figures(paid_fen=6_000, debt_fen=6_000)
    desk.check()


def test_what_was_approved_before_is_kept_out_of_the_banks_file(desk: Desk) -> None:
    desk.channel(BANK)
    frozen, free = desk.earner("青松"), desk.earner("白露")
    # Cards of their own: one for several promoters would hold the withdrawals.
    desk.payee(frozen, card_number="4111111111111111")
    desk.payee(free, card_number="4012888888881881")
    asked = {one: desk.ask(one, 1_000, channel=BANK) for one in (frozen, free)}
    for one in asked.values():
        desk.approve(one)
    debtor, owed = in_debt(desk, channel=BANK)
    freeze(desk, frozen)
    batch_id = make(desk)
    assert [row[1] for row in rows_of(desk, batch_id)] == [asked[free].hex]
    with desk.work(), pytest.raises(errors.NothingToPay):
        batches.make_batch(BANK, actor="ann")
    unfreeze(desk, frozen)
    assert [row[1] for row in rows_of(desk, make(desk))] == [asked[frozen].hex]
    # What never went to the bank can be given back, and repays the debt.
    with desk.work():
        settling.mark_failed(owed, reason="refunded", actor="ann")
    assert desk.figures(debtor) == Figures(paid_fen=6_000, debt_fen=6_000)
    desk.check()
