"""What people do with orders in these tests, on top of the till."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fanyong.tenancy import settings
from tenants.catalog import service as catalog
from tenants.commissions import service as commissions
from tenants.orders import exchanges, holds, refunds
from tenants.orders import service as orders
from tenants.orders.models import OrderExchange, OrderLine
from tenants.settlement.triggers import Settlement
from tests.money.parts import Till


def settle_by(till: Till, **rule: Any) -> None:
    """Choose when commissions are released."""
    with till.work():
        settings.save(Settlement.model_validate(rule), actor="test")


def line_of(till: Till, order_id: UUID, sku: str) -> OrderLine:
    """Return a line as it is now."""
    return next(line for line in till.order_row(order_id).lines if line.sku == sku)


def ask_back(
    till: Till,
    order_id: UUID,
    *,
    pieces: Mapping[str, int] | None = None,
    amounts: Mapping[str, int] | None = None,
    freight_fen: int = 0,
    key: str | None = None,
) -> UUID:
    """Ask for a refund of pieces and amounts by SKU."""
    with till.work():
        ids = {line.sku: line.id for line in orders.get_order(order_id).lines}
        return refunds.request_refund(
            order_id,
            quantities={ids[sku]: n for sku, n in (pieces or {}).items()},
            amounts={ids[sku]: fen for sku, fen in (amounts or {}).items()},
            freight_fen=freight_fen,
            reason="test",
            idempotency_key=key or till.key(),
            actor="test",
        ).refund_id


def give_back(till: Till, order_id: UUID, **what: Any) -> UUID:
    """Refund, and let it go through."""
    refund_id = ask_back(till, order_id, **what)
    assert till.apply(till.refund_fact(refund_id)) == "applied"
    return refund_id


def record(till: Till, order_id: UUID, amounts: Mapping[str, int], **how: Any) -> UUID:
    """Book a refund that happened already."""
    with till.work():
        ids = {line.sku: line.id for line in orders.get_order(order_id).lines}
        values: dict[str, Any] = {"reason": "dispute", "idempotency_key": till.key(), "actor": "test"}
        return refunds.record_refund(
            order_id, amounts={ids[sku]: fen for sku, fen in amounts.items()}, **(values | how)
        ).refund_id


def swap(till: Till, order_id: UUID, sku: str, for_sku: str, **how: Any) -> OrderExchange:
    """Exchange a piece of a line for a piece of a product."""
    with till.work():
        line = next(line for line in orders.get_order(order_id).lines if line.sku == sku)
        values: dict[str, Any] = {
            "quantity": 1,
            "replacement_quantity": 1,
            "reason": "too small",
            "idempotency_key": till.key(),
            "actor": "test",
        }
        return exchanges.exchange(order_id, line_id=line.id, sku=for_sku, **(values | how))


def hold(till: Till, *, order_id: UUID | None = None, member_id: UUID | None = None) -> None:
    """Hold the commissions of an order or a promoter."""
    with till.work():
        if order_id is not None:
            holds.hold_order(order_id, reason="looks odd", actor="test")
        elif member_id is not None:
            holds.hold_promoter(member_id, reason="looks odd", actor="test")


def let_go(till: Till, *, order_id: UUID | None = None, member_id: UUID | None = None) -> None:
    """Let the commissions of an order or a promoter go."""
    with till.work():
        if order_id is not None:
            holds.let_order_go(order_id, reason="checked", actor="test")
        elif member_id is not None:
            holds.let_promoter_go(member_id, reason="checked", actor="test")


def change_product(till: Till, sku: str, **values: Any) -> None:
    """Change some values of a product."""
    with till.work():
        product = catalog.by_sku([sku])[sku]
        names = ("sku", "name", "price_fen", "stock", "category", "product_code", "cost_fen", "tax_bp")
        present = {name: getattr(product, name) for name in (*names, "commission_base_fen")}
        catalog.save_product(product, **(present | values))


def reversed_fen(till: Till, order_id: UUID) -> int:
    """Return what refunds took back of an order's commissions."""
    with till.work():
        awards = commissions.awards_of_orders([order_id])
        return sum(commissions.reversals_of([award.id for award in awards]).values())
