"""What people and the background do in a story, each an operation by name whose arguments and answer are JSON.

They run in this process or in another one, which may be killed in the middle. Each is what an edge does: a unit of
work after the other, safe to repeat with the same key. Whoever was interrupted repeats it, as any client does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from flask import Flask

from fanyong.jobs import tending
from fanyong.payments import flows
from fanyong.payments import service as payments
from fanyong.payments.provider import PaymentFact, RefundFact
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.runtime import in_tenant
from tenants.commissions import service as commissions
from tenants.members import service as members
from tenants.members.models import Member
from tenants.orders import refunds
from tenants.orders import service as orders
from tenants.orders.errors import WrongOrderState
from tenants.payouts import service as payouts

MONEY_DUTIES = ("orders", "payments", "refunds", "transfers", "commissions", "releases", "seals")


def run(app: Flask, tenant: Tenant, name: str, arguments: dict[str, Any]) -> Any:
    """Do an operation inside a brand."""
    with app.app_context(), in_tenant(tenant):
        return OPERATIONS[name](**arguments)


def buy(*, member: str, lines: list[tuple[str, int]], key: str) -> tuple[str, str]:
    """Place an order and open the payment sheet; returns the order and the sheet's prepay id (empty when paid)."""
    with unit_of_work():
        buyer = session().get_one(Member, UUID(member))
        order_id = orders.place(buyer, lines=[(sku, n) for sku, n in lines], idempotency_key=key).id
    try:
        prepay_id = flows.start_payment(order_id)["package"].removeprefix("prepay_id=")
    except flows.AlreadyPaid:
        prepay_id = ""
    return order_id.hex, prepay_id


def hear(*, number: str, amount_fen: int, openid: str, mchid: str, appid: str) -> str:
    """Take the callback of a payment; returns the word for the record."""
    fact = PaymentFact(number, "paid", amount_fen=amount_fen, openid=openid, mchid=mchid, appid=appid)
    with unit_of_work():
        return payments.apply_payment(fact, mchid=mchid, appid=appid)


def hear_refund(*, number: str, amount_fen: int) -> str:
    """Take the callback of a refund; returns the word for the record."""
    with unit_of_work():
        return payments.apply_refund(RefundFact(number, "succeeded", amount_fen))


def bind(*, member: str, parent: str) -> bool:
    """Put a member under another one."""
    with unit_of_work():
        return members.bind(UUID(member), parent_id=UUID(parent), source="story")


def change_plan(*, name: str, values: dict[str, Any]) -> str:
    """Activate a commission plan; returns its version."""
    with unit_of_work():
        return commissions.activate_plan(name, values, actor="story").id.hex


def deliver(*, order: str) -> None:
    """Send the goods of an order; its buyer confirms the receipt."""
    # Somebody else may have sent them, and the buyer may have them already.
    with suppress(WrongOrderState), unit_of_work():
        orders.ship(UUID(order))
    with unit_of_work():
        orders.confirm_receipt(UUID(order), member_id=orders.get_order(UUID(order)).member_id)


def give_back(*, order: str, pieces: dict[str, int], key: str) -> str:
    """Ask for a refund of pieces by SKU; returns its id."""
    with unit_of_work():
        by_sku = {line.sku: line.id for line in orders.get_order(UUID(order)).lines}
        return refunds.request_refund(
            UUID(order),
            quantities={by_sku[sku]: count for sku, count in pieces.items()},
            reason="story",
            idempotency_key=key,
            actor="story",
        ).refund_id.hex


def withdraw(*, member: str, amount_fen: int, key: str) -> str:
    """Ask for a withdrawal; returns its id."""
    with unit_of_work():
        promoter = session().get_one(Member, UUID(member))
        return payouts.request_withdrawal(promoter, amount_fen=amount_fen, idempotency_key=key, real_name="张三").id.hex


def decide(*, withdrawal: str, approve: bool) -> None:
    """Approve or reject a withdrawal."""
    with unit_of_work():
        if approve:
            payouts.approve(UUID(withdrawal), actor="story")
        else:
            payouts.reject(UUID(withdrawal), reason="story", actor="story")


def tend(*, everything: bool = False) -> list[str]:
    """Do what a worker does until nothing is due; returns what went wrong.

    A story needs what moves money; the rest (reports, reconciliation, pages' figures) joins in when it is over.
    """
    present = tending._duties
    try:
        if not everything:
            tending._duties = {name: present[name] for name in MONEY_DUTIES}
        return tending.tend_bound_tenant()
    finally:
        tending._duties = present


OPERATIONS: dict[str, Callable[..., Any]] = {
    "buy": buy,
    "hear": hear,
    "hear_refund": hear_refund,
    "bind": bind,
    "change_plan": change_plan,
    "deliver": deliver,
    "give_back": give_back,
    "withdraw": withdraw,
    "decide": decide,
    "tend": tend,
}
