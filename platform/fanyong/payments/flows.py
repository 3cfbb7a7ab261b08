"""Conversations with the provider: note what we want, commit, call, apply the answer in a second transaction.

No call happens inside a transaction. What has no trustworthy answer stays as it is and is asked about later, with
the same number. A job that dies in between leaves a lease behind that runs out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.dialects.postgresql import insert

from fanyong.errors import FanyongError, NotFound, TemporarilyUnavailable
from fanyong.payments import service
from fanyong.payments.models import PaymentIntent, ProviderEvent, Refund, Transfer
from fanyong.payments.provider import (
    CallbackFact,
    PaymentFact,
    PaymentProvider,
    ProviderBusy,
    ProviderDeclined,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnknown,
    RefundFact,
    TransferFact,
    active_account,
    active_provider,
)
from fanyong.tenancy.clock import server_now
from fanyong.tenancy.context import current_tenant
from fanyong.tenancy.database import session, unit_of_work

#: How long a job may be busy with one object before another may try; longer than the gateway's time-outs.
LEASE = timedelta(seconds=30)
#: A payment page that nobody paid on is asked about after this time, in case its callback was lost.
FIRST_QUERY = timedelta(seconds=5)
#: Whether the tenders below have something to do.
PAYMENTS_DUE = "EXISTS (SELECT FROM payment_intent WHERE next_query_at <= clock_timestamp())"
REFUNDS_DUE = "EXISTS (SELECT FROM refund WHERE next_try_at <= clock_timestamp())"
TRANSFERS_DUE = "EXISTS (SELECT FROM transfer WHERE next_try_at <= clock_timestamp())"
_PAID_ALREADY = frozenset({"ORDERPAID", "OUT_TRADE_NO_USED"})
Record = TypeVar("Record", PaymentIntent, Refund, Transfer)
Answer = TypeVar("Answer", RefundFact, TransferFact)
_callback_url: list[str] = []


class AlreadyPaid(FanyongError):
    code = "already_paid"
    status = 409
    message = _l("This has been paid already.")


class PaymentClosed(FanyongError):
    code = "payment_closed"
    status = 409
    message = _l("The time to pay is over. Please order again.")


class PaymentRefused(FanyongError):
    code = "payment_refused"
    status = 502
    message = _l("WeChat Pay refused this payment (%(reason)s).")


def use_callback_url(url: str) -> None:
    """Set the address under which the provider reaches this deployment; called once when the app is made."""
    _callback_url[:] = [url.rstrip("/")]


def notify_url() -> str:
    """Return where the provider tells the bound brand what happened; the brand is in the path."""
    return f"{_callback_url[0]}/callbacks/wechat/{current_tenant().id.hex}"


def start_payment(reference_id: UUID) -> dict[str, str]:
    """Return the arguments of the payment sheet for a reference; asking again is safe.

    Raises NotFound, AlreadyPaid, PaymentClosed, PaymentRefused or TemporarilyUnavailable.
    """
    with unit_of_work():
        intent = service.intent_for(reference_id)
        if intent is None:
            raise NotFound
        if intent.state == "succeeded":
            raise AlreadyPaid
        if intent.state == "canceled":
            raise PaymentClosed
        provider = active_provider()
    try:
        prepay_id = provider.create_payment(
            number=intent.out_trade_no,
            description=intent.description,
            amount_fen=intent.amount_fen,
            openid=intent.openid,
            notify_url=notify_url(),
            expires_at=intent.expires_at,
        )
    except ProviderDeclined as error:
        return _payment_refused(intent, provider, error)
    except ProviderMisconfigured as error:
        raise PaymentRefused(reason=error.code) from error
    except (ProviderBusy, ProviderUnknown) as error:
        raise TemporarilyUnavailable from error
    with unit_of_work():
        fresh = service.intent_for(reference_id, lock=True)
        assert fresh is not None
        if fresh.state == "canceled":
            # It was closed while the provider was asked: a sheet opened now would collect money for nothing.
            raise PaymentClosed
        fresh.prepay_id = prepay_id
        if fresh.state == "requires_payment_method":
            fresh.state, fresh.next_query_at = "requires_action", server_now() + FIRST_QUERY
    return provider.payment_params(prepay_id)


def _payment_refused(intent: PaymentIntent, provider: PaymentProvider, error: ProviderDeclined) -> dict[str, str]:
    """Adopt the truth when the number was paid before; otherwise say that WeChat refused."""
    if error.code in _PAID_ALREADY:
        try:
            ask_about_payment(intent.out_trade_no, provider)
        except ProviderError as problem:
            raise TemporarilyUnavailable from problem
        with unit_of_work():
            fresh = service.intent_for(intent.reference_id, lock=True)
        if fresh is not None and fresh.state == "succeeded":
            raise AlreadyPaid from error
    raise PaymentRefused(reason=error.code) from error


def receive_callback(headers: Mapping[str, str], body: bytes) -> str:
    """Verify a callback, keep it once, apply it; returns a word for the record.

    Raises InvalidProviderCallback for what does not come from the bound brand's provider.
    """
    with unit_of_work():
        provider = active_provider()
        # Nothing is asked of the provider here: the keys are ours, and what they open is in the body.
        callback = provider.parse_callback(headers, body)
        is_new = session().scalar(
            insert(ProviderEvent)
            .values(
                provider_event_id=callback.event_id,
                type=callback.type,
                resource=_redacted(callback),
                outcome="",
            )
            .on_conflict_do_nothing(index_elements=[ProviderEvent.provider_event_id])
            .returning(ProviderEvent.provider_event_id)
        )
        if is_new is None:
            return "repeated"
        outcome = _apply(callback, provider)
        known = ProviderEvent.provider_event_id == callback.event_id
        session().execute(sa.update(ProviderEvent).where(known).values(outcome=outcome))
    return outcome


def ask_about_payment(number: str, provider: PaymentProvider) -> None:
    """Ask the provider what became of a payment, and apply the answer."""
    fact = provider.query_payment(number=number)
    with unit_of_work():
        service.apply_payment(fact, mchid=provider.mchid, appid=provider.appid)


def tend_payments() -> int:
    """Ask about one payment whose answer is overdue; returns 0 when there is none."""
    with unit_of_work():
        intent = _claim(PaymentIntent, PaymentIntent.next_query_at)
        if intent is None:
            return 0
        provider = active_provider()
    try:
        ask_about_payment(intent.out_trade_no, provider)
    except ProviderError:
        _postpone(PaymentIntent, intent.id)
    return 1


def tend_refunds() -> int:
    """Hand one refund to the provider, or ask about it; returns 0 when there is none."""
    with unit_of_work():
        refund = _claim(Refund, Refund.next_try_at)
        if refund is None:
            return 0
        intent = session().get_one(PaymentIntent, refund.intent_id)
        provider = active_provider()
    try:
        fact = _refund(refund, intent, provider)
    except ProviderDeclined as error:
        with unit_of_work():
            service.fail_refund(refund.out_refund_no, problem=error.code)
    except ProviderError as error:
        _postpone(Refund, refund.id, problem=error.code)
    else:
        with unit_of_work():
            service.apply_refund(fact)
    return 1


def tend_transfers() -> int:
    """Hand one approved transfer to the provider, or ask about it; returns 0 when there is none."""
    with unit_of_work():
        transfer = _claim(Transfer, Transfer.next_try_at)
        if transfer is None:
            return 0
        provider = active_provider()
    try:
        fact = _transfer(transfer, provider)
    except ProviderDeclined as error:
        with unit_of_work():
            service.fail_transfer(transfer.out_bill_no, problem=error.code)
    except ProviderError as error:
        _postpone(Transfer, transfer.id, problem=error.code)
    else:
        with unit_of_work():
            service.apply_transfer(fact)
    return 1


def close_at_provider(reference_id: UUID) -> bool:
    """Close a payment that is out of time; False when it turned out to be paid or there is no answer."""
    with unit_of_work():
        intent = service.intent_for(reference_id)
        account = active_account()
        if intent is None or intent.prepay_id is None or account is None:
            # The provider never heard of it, so there is nothing to close there.
            return intent is None or intent.state != "succeeded"
        provider = active_provider()
    try:
        ask_about_payment(intent.out_trade_no, provider)
        with unit_of_work():
            fresh = service.intent_for(reference_id, lock=True)
            if fresh is None or fresh.state in ("succeeded", "requires_merchant_action"):
                return False
            if fresh.state == "canceled":
                # The provider closed it of its own accord.
                return True
        provider.close_payment(number=intent.out_trade_no)
    except ProviderError:
        return False
    return True


def _refund(refund: Refund, intent: PaymentIntent, provider: PaymentProvider) -> RefundFact:
    if refund.state != "created":
        return _asked(provider.query_refund, number=refund.out_refund_no)
    if refund.try_count > 1:
        # An earlier try may have got through although its answer was lost: ask before repeating.
        fact = _asked(provider.query_refund, number=refund.out_refund_no)
        if fact.state != "missing":
            return fact
    return provider.refund(
        number=refund.out_refund_no,
        payment_number=intent.out_trade_no,
        amount_fen=refund.amount_fen,
        total_fen=intent.amount_fen,
        reason=refund.reason,
        notify_url=notify_url(),
    )


def _transfer(transfer: Transfer, provider: PaymentProvider) -> TransferFact:
    if transfer.state != "created":
        return _asked(provider.query_transfer, number=transfer.out_bill_no)
    if transfer.try_count > 1:
        # An earlier try may have got through although its answer was lost: ask before repeating.
        fact = _asked(provider.query_transfer, number=transfer.out_bill_no)
        if fact.state != "missing":
            return fact
    return provider.transfer(
        number=transfer.out_bill_no,
        openid=transfer.openid,
        amount_fen=transfer.amount_fen,
        remark=transfer.remark,
        user_name=transfer.user_name,
        notify_url=notify_url(),
    )


def _asked(query: Callable[..., Answer], *, number: str) -> Answer:
    """Ask about a number. A question that is refused says nothing about the money, so it is no refusal of the money."""
    try:
        return query(number=number)
    except ProviderDeclined as error:
        raise ProviderUnknown(error.code) from error


def _apply(callback: CallbackFact, provider: PaymentProvider) -> str:
    match callback.fact:
        case PaymentFact() as fact:
            return service.apply_payment(fact, mchid=provider.mchid, appid=provider.appid)
        case RefundFact() as fact:
            return service.apply_refund(fact)
        case TransferFact() as fact:
            return service.apply_transfer(fact)
        case None:
            return "not_used"


def _claim(model: type[Record], due: sa.orm.InstrumentedAttribute[object]) -> Record | None:
    """Take one object that is due, and keep others from it until the lease runs out."""
    now = server_now()
    record = session().scalar(
        sa.select(model).where(due <= now).order_by(due).limit(1).with_for_update(skip_locked=True)
    )
    if record is None:
        return None
    if isinstance(record, PaymentIntent):
        record.next_query_at, record.query_count = now + LEASE, record.query_count + 1
    else:
        record.next_try_at, record.try_count = now + LEASE, record.try_count + 1
    return record


def _postpone(model: type[Record], record_id: UUID, *, problem: str | None = None) -> None:
    """Come back later, with the same number; the problem is kept for an admin to see."""
    with unit_of_work():
        record = session().get_one(model, record_id, with_for_update=True, populate_existing=True)
        if isinstance(record, PaymentIntent):
            if record.next_query_at is not None:
                record.next_query_at = server_now() + service.next_pause(record.query_count)
        elif record.next_try_at is not None:
            record.problem = problem
            record.next_try_at = server_now() + service.next_pause(record.try_count)


def _redacted(callback: CallbackFact) -> dict[str, object]:
    """Return the resource without the payee's name, which nobody needs in an inbox."""
    return {name: value for name, value in callback.resource.items() if name != "user_name"}
