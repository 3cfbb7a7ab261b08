"""The rules of payment objects: making them, and applying what the provider says to them.

Nothing here calls the provider: `flows` does, outside any transaction. Every `apply_*` locks its row, so a
callback and a query that arrive together change it once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError
from fanyong.events import publish
from fanyong.ids import new_id
from fanyong.jobs.wake import request_wake
from fanyong.payments.models import PaymentIntent, Refund, Transfer
from fanyong.payments.provider import PaymentFact, RefundFact, TransferFact
from fanyong.tenancy.clock import brand_now, server_now
from fanyong.tenancy.database import session

#: Pauses between questions to the provider about something unfinished, in seconds; the last one repeats.
QUERY_PAUSES = (5, 10, 20, 60, 300, 900, 3_600)
FINAL_TRANSFER_STATES = ("paid", "failed", "canceled")
Row = TypeVar("Row")


class RefundTooLarge(FanyongError):
    code = "refund_too_large"
    status = 422
    message = _l("This is more than what is left of the payment.")


class RefundKnown(FanyongError):
    code = "refund_known"
    status = 409
    message = _l("The refund “%(number)s” is in the books already.")


def next_pause(count: int) -> timedelta:
    """Return how long to wait before asking the provider the `count`-th time."""
    return timedelta(seconds=QUERY_PAUSES[min(count, len(QUERY_PAUSES) - 1)])


def create_intent(
    *, reference_id: UUID, amount_fen: int, description: str, openid: str, expires_at: datetime
) -> PaymentIntent:
    """Write the wish to collect `amount_fen`; its number is fixed here."""
    intent_id = new_id()
    intent = PaymentIntent(
        id=intent_id,
        reference_id=reference_id,
        amount_fen=amount_fen,
        description=description[:127],
        openid=openid,
        state="requires_payment_method",
        out_trade_no=intent_id.hex,
        expires_at=expires_at,
        created_at=brand_now(),
    )
    session().add(intent)
    publish("payment_intent.created", intent, object_id=intent.id, amount_fen=amount_fen)
    return intent


def intent_for(reference_id: UUID, *, lock: bool = False) -> PaymentIntent | None:
    """Return the intent of a reference (an order's id)."""
    query = sa.select(PaymentIntent).where(PaymentIntent.reference_id == reference_id)
    return session().scalar(_locked(query) if lock else query)


def create_refund(intent: PaymentIntent, *, amount_fen: int, reason: str) -> Refund:
    """Write a refund of part or all of a paid intent; a job hands it to the provider after the commit.

    Raises RefundTooLarge when refunds that have not failed would exceed the payment.
    """
    _check_refundable(intent, amount_fen)
    refund_id = new_id()
    refund = Refund(
        id=refund_id,
        intent_id=intent.id,
        out_refund_no=refund_id.hex,
        amount_fen=amount_fen,
        reason=reason[:80],
        state="created",
        created_at=brand_now(),
        next_try_at=server_now(),
    )
    session().add(refund)
    publish("refund.created", refund, object_id=refund.id, amount_fen=amount_fen)
    request_wake()
    return refund


def record_refund(
    intent: PaymentIntent, *, amount_fen: int, reason: str, number: str | None, provider_at: datetime | None
) -> Refund:
    """Write a refund whose money is back already: at the provider, under its `number`, or elsewhere without one.

    Nothing is handed to the provider. `provider_at` (default: now) is the day of the bill it stands in; a refund that
    happened elsewhere stands in none. Raises RefundTooLarge, or RefundKnown for a number that is in the books.
    """
    _check_refundable(intent, amount_fen)
    if number and session().scalar(sa.select(sa.exists().where(Refund.out_refund_no == number))):
        raise RefundKnown(number=number)
    refund_id, now = new_id(), brand_now()
    refund = Refund(
        id=refund_id,
        intent_id=intent.id,
        out_refund_no=number or refund_id.hex,
        amount_fen=amount_fen,
        reason=reason[:80],
        state="succeeded",
        created_at=now,
        succeeded_at=now,
        provider_at=(provider_at or now) if number else None,
    )
    session().add(refund)
    session().flush()
    publish("refund.recorded", refund, object_id=refund.id, amount_fen=amount_fen)
    return refund


def create_transfer(
    *, reference_id: UUID, openid: str, amount_fen: int, remark: str, user_name: str | None
) -> Transfer:
    """Write a transfer that waits for its approval; the number is fixed here and never changes."""
    transfer_id = new_id()
    transfer = Transfer(
        id=transfer_id,
        reference_id=reference_id,
        out_bill_no=transfer_id.hex,
        openid=openid,
        amount_fen=amount_fen,
        remark=remark[:32],
        user_name=user_name,
        state="held",
        created_at=brand_now(),
    )
    session().add(transfer)
    return transfer


def release_transfer(transfer: Transfer) -> None:
    """Let a job hand an approved transfer to the provider."""
    if transfer.state == "held":
        transfer.state = "created"
        transfer.next_try_at = server_now()
        publish("transfer.created", transfer, object_id=transfer.id, amount_fen=transfer.amount_fen)
        request_wake()


def apply_payment(fact: PaymentFact, *, mchid: str, appid: str) -> str:
    """Apply what the provider says of a payment; returns a word for the record."""
    intent = session().scalar(_locked(sa.select(PaymentIntent).where(PaymentIntent.out_trade_no == fact.number)))
    if intent is None:
        return "unknown_number"
    if intent.state == "succeeded":
        return "already"
    if fact.state != "paid":
        return _apply_unpaid(intent, fact)
    problem = _mismatch(intent, fact, mchid=mchid, appid=appid)
    if problem:
        intent.state, intent.problem, intent.next_query_at = "requires_merchant_action", problem, None
        publish("payment_intent.requires_merchant_action", intent, object_id=intent.id, problem=problem)
        return problem
    # Asked for first: a question in between would write the half-changed intent.
    now = brand_now()
    intent.state, intent.problem, intent.next_query_at = "succeeded", None, None
    intent.transaction_id, intent.succeeded_at = fact.transaction_id, now
    intent.provider_at = fact.at or intent.succeeded_at
    publish("payment_intent.succeeded", intent, object_id=intent.id, amount_fen=intent.amount_fen)
    request_wake()
    return "applied"


def _apply_unpaid(intent: PaymentIntent, fact: PaymentFact) -> str:
    if intent.state == "canceled":
        # There is nothing left to ask about.
        return "already"
    if fact.state == "closed":
        cancel_intent(intent)
        return "applied"
    intent.query_count += 1
    intent.next_query_at = server_now() + next_pause(intent.query_count)
    return "pending"


def _mismatch(intent: PaymentIntent, fact: PaymentFact, *, mchid: str, appid: str) -> str | None:
    """Name the first thing that does not match: a client's word is never proof, and neither is another's payment."""
    if fact.amount_fen != intent.amount_fen or fact.currency != "CNY":
        return "amount_differs"
    if fact.openid != intent.openid:
        return "payer_differs"
    if fact.mchid != mchid or fact.appid != appid:
        return "merchant_differs"
    return None


def cancel_intent(intent: PaymentIntent) -> None:
    """Mark an unpaid intent as canceled; a late payment still wins and is then refunded by its owner."""
    intent.state, intent.next_query_at = "canceled", None
    publish("payment_intent.canceled", intent, object_id=intent.id)


def apply_refund(fact: RefundFact) -> str:
    """Apply what the provider says of a refund; returns a word for the record."""
    refund = session().scalar(_locked(sa.select(Refund).where(Refund.out_refund_no == fact.number)))
    if refund is None:
        return "unknown_number"
    if refund.state in ("succeeded", "failed"):
        return "already"
    if fact.state == "missing":
        # It never arrived there: repeat it with the same number.
        refund.state, refund.next_try_at = "created", server_now()
        return "pending"
    if fact.state == "processing":
        refund.state, refund.problem = "processing", None
        refund.next_try_at = server_now() + next_pause(refund.try_count)
        return "pending"
    if fact.state == "succeeded" and fact.amount_fen != refund.amount_fen:
        return _finish_refund(refund, state="requires_action", problem="amount_differs")
    if fact.state == "succeeded":
        refund.provider_at = fact.at or brand_now()
        return _finish_refund(refund, state="succeeded", problem=None)
    if fact.state == "abnormal":
        return _finish_refund(refund, state="requires_action", problem="abnormal")
    return _finish_refund(refund, state="failed", problem="closed")


def _finish_refund(refund: Refund, *, state: str, problem: str | None) -> str:
    refund.state, refund.problem, refund.next_try_at = state, problem, None
    if state == "succeeded":
        refund.succeeded_at = brand_now()
    publish(f"refund.{state}", refund, object_id=refund.id, amount_fen=refund.amount_fen)
    request_wake()
    return "applied"


def fail_refund(number: str, *, problem: str) -> None:
    """Mark a refund that the provider refused; nothing was given back."""
    refund = session().scalar(_locked(sa.select(Refund).where(Refund.out_refund_no == number)))
    if refund is not None and refund.state in ("created", "processing"):
        _finish_refund(refund, state="failed", problem=problem)


def _check_refundable(intent: PaymentIntent, amount_fen: int) -> None:
    """Raise RefundTooLarge unless so much is left of a payment; locks it, so that two refunds cannot share what is."""
    locked = session().scalar(_locked(sa.select(PaymentIntent).where(PaymentIntent.id == intent.id)))
    assert locked is not None
    given = session().scalar(
        sa.select(sa.func.coalesce(sa.func.sum(Refund.amount_fen), 0)).where(
            Refund.intent_id == intent.id, Refund.state != "failed"
        )
    )
    if locked.state != "succeeded" or amount_fen <= 0 or int(given or 0) + amount_fen > locked.amount_fen:
        raise RefundTooLarge


def apply_transfer(fact: TransferFact) -> str:
    """Apply what the provider says of a transfer; returns a word for the record."""
    transfer = session().scalar(_locked(sa.select(Transfer).where(Transfer.out_bill_no == fact.number)))
    if transfer is None:
        return "unknown_number"
    if transfer.state in FINAL_TRANSFER_STATES:
        return "already"
    if fact.state == "missing":
        transfer.state, transfer.next_try_at = "created", server_now()
        return "pending"
    if fact.state in ("processing", "wait_user"):
        return _apply_open_transfer(transfer, fact)
    if fact.state == "paid" and fact.amount_fen != transfer.amount_fen:
        # Never happens with an honest provider; hold it for a person instead of posting either figure.
        transfer.problem, transfer.next_try_at = "amount_differs", None
        return "amount_differs"
    transfer.state, transfer.problem, transfer.next_try_at = fact.state, fact.reason or None, None
    transfer.finished_at = brand_now()
    transfer.provider_at = fact.at or transfer.finished_at
    publish(f"transfer.{fact.state}", transfer, object_id=transfer.id, amount_fen=transfer.amount_fen)
    request_wake()
    return "applied"


def _apply_open_transfer(transfer: Transfer, fact: TransferFact) -> str:
    waits = fact.state == "wait_user"
    if waits and transfer.state != "requires_action":
        transfer.state = "requires_action"
        publish("transfer.requires_action", transfer, object_id=transfer.id)
    elif not waits:
        transfer.state = "processing"
    transfer.package_info, transfer.problem = fact.package_info or transfer.package_info, None
    transfer.next_try_at = server_now() + next_pause(transfer.try_count)
    return "pending"


def fail_transfer(number: str, *, problem: str) -> None:
    """Mark a transfer that the provider refused at once; the money goes back to the member's balance."""
    apply_transfer(TransferFact(number=number, state="failed", reason=problem))


def _locked(query: sa.Select[Row]) -> sa.Select[Row]:
    """Lock the rows of `query`, and read them afresh even when the session knows them already."""
    return query.with_for_update().execution_options(populate_existing=True)
