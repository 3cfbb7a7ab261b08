"""Fetching bills and comparing them: outside a transaction first, then inside one."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from fanyong.payments.provider import (
    ProviderBillInvalid,
    ProviderDeclined,
    ProviderError,
    active_account,
    active_provider,
)
from fanyong.tenancy.database import unit_of_work
from tenants.reconciliation import differences, service
from tenants.reconciliation.comparing import Found


def reconcile(day: date) -> list[Found]:
    """Compare one day with the provider's bills; raises InvalidRequest, PaymentsNotReady or ProviderError.

    A day whose bills did not come, or do not add up, remembers it and is tried again later.
    """
    with unit_of_work():
        service.check_day(day)
        provider = active_provider()
    try:
        bill = provider.bill(day)
    except ProviderError as error:
        with unit_of_work():
            service.store_failure(day, str(error))
        raise
    with unit_of_work():
        return service.store(day, bill)


def order_of_refund(difference_id: UUID) -> UUID:
    """Return the order whose refund stands in a day's bill and not in our books.

    The bill is fetched again, because it alone says which payment was refunded. Raises NotFound, PaymentsNotReady or
    ProviderError.
    """
    with unit_of_work():
        difference = differences.refund_to_record(difference_id)
        day, number = difference.day, difference.number
        provider = active_provider()
    bill = provider.bill(day)
    payments = [row.payment_number for row in bill if (row.kind, row.number) == ("refund", number)]
    with unit_of_work():
        return differences.order_of_payment(next(iter(payments), ""))


def reconcile_next_day() -> int:
    """Compare one day whose bill is ready, once; a provider that is away is asked again at the next tick."""
    with unit_of_work():
        day = service.next_day()
        if day is None or active_account() is None:
            return 0
    try:
        reconcile(day)
    except (ProviderBillInvalid, ProviderDeclined):
        # That is this day's trouble alone: the others go on.
        return 1
    except ProviderError:
        return 0
    return 1
