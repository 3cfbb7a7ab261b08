"""Closing orders that nobody paid for, and receiving those that nobody confirms: the tenders of this feature."""

from __future__ import annotations

from fanyong.payments import flows
from fanyong.tenancy.database import unit_of_work
from tenants.orders import service

#: Whether `close_overdue` has something to do.
ORDERS_OVERDUE = """
    EXISTS (SELECT FROM "order" o WHERE o.state = 'created' AND o.expires_at <= clock.brand_now
               AND NOT EXISTS (SELECT FROM payment_intent i
                                WHERE i.reference_id = o.id AND i.state = 'requires_merchant_action'))"""
#: Whether `receive_unconfirmed` has something to do.
ORDERS_UNCONFIRMED = """
    EXISTS (SELECT FROM "order" WHERE state = 'shipped' AND auto_receive_at <= clock.brand_now)"""


def close_overdue() -> int:
    """Close unpaid orders whose time is over, at the provider first; returns how many."""
    with unit_of_work():
        overdue = service.overdue_orders()
    closed = 0
    for order_id in overdue:
        if flows.close_at_provider(order_id):
            with unit_of_work():
                closed += service.close_unpaid(order_id)
    return closed


def receive_unconfirmed() -> int:
    """Count shipped orders as received whose buyers have let the time pass; returns how many."""
    with unit_of_work():
        waiting = service.unconfirmed_orders()
    received = 0
    for order_id in waiting:
        with unit_of_work():
            received += service.receive_overdue(order_id)
    return received
