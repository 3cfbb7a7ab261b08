"""The port every payment provider fits: neutral facts in, typed errors out, no database inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError
from fanyong.payments.models import MerchantAccount
from fanyong.tenancy.database import session


class ProviderError(Exception):
    """Base of what a provider's call may end with."""

    def __init__(self, code: str, message: str = "") -> None:
        self.code = code
        super().__init__(f"{code}: {message}" if message else code)


class ProviderDeclined(ProviderError):
    """The provider said no, and nothing happened there."""


class ProviderBusy(ProviderError):
    """The provider did not take it now (throttled, balance too low): repeat later with the same number."""


class ProviderUnknown(ProviderError):
    """No trustworthy answer: it may have happened. Ask, or repeat with the same number."""


class ProviderBillInvalid(ProviderUnknown):
    """A day's bill does not add up, or is not the file that was announced: that day has to wait, others need not."""


class ProviderMisconfigured(ProviderError):
    """Keys, permissions or clock are wrong: an operator has to look."""


class InvalidProviderCallback(ProviderError):
    """A callback that does not come from this brand's provider, or is too old."""


class PaymentsNotReady(FanyongError):
    code = "payments_not_ready"
    status = 503
    message = _l("This shop cannot take payments yet.")


@dataclass(frozen=True, slots=True)
class PaymentFact:
    """What the provider says of a payment number; identities are compared with our own row before use."""

    number: str
    state: Literal["paid", "pending", "closed", "missing"]
    amount_fen: int = 0
    currency: str = "CNY"
    openid: str = ""
    mchid: str = ""
    appid: str = ""
    transaction_id: str = ""
    #: When it happened there, by the provider's clock; the day of its bill.
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefundFact:
    """What the provider says of a refund number."""

    number: str
    state: Literal["processing", "succeeded", "closed", "abnormal", "missing"]
    amount_fen: int = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TransferFact:
    """What the provider says of a transfer number."""

    number: str
    state: Literal["processing", "wait_user", "paid", "failed", "canceled", "missing"]
    amount_fen: int = 0
    package_info: str = ""
    reason: str = ""
    at: datetime | None = None


Fact = PaymentFact | RefundFact | TransferFact


@dataclass(frozen=True, slots=True)
class CallbackFact:
    """A verified callback: its event id, and the fact it carries (None for an event we do not use)."""

    event_id: str
    type: str
    fact: Fact | None
    resource: dict[str, object]


@dataclass(frozen=True, slots=True)
class BillRow:
    """One line of the provider's bills: what moved under one of our numbers."""

    kind: Literal["payment", "refund", "transfer"]
    number: str
    amount_fen: int
    #: Of a refund: our number of the payment that it belongs to, where the bill names it.
    payment_number: str = ""


class PaymentProvider(Protocol):
    """One brand's line to its provider. Every method may raise ProviderError."""

    mchid: str
    appid: str

    def create_payment(
        self,
        *,
        number: str,
        description: str,
        amount_fen: int,
        openid: str,
        notify_url: str,
        expires_at: datetime,
    ) -> str:
        """Ask for `amount_fen` from `openid`; returns the prepay id. Repeating the same number is safe."""

    def payment_params(self, prepay_id: str) -> dict[str, str]:
        """Return what the mini-program hands to its payment sheet."""

    def query_payment(self, *, number: str) -> PaymentFact:
        """Return what became of a payment number."""

    def close_payment(self, *, number: str) -> None:
        """Close an unpaid payment number."""

    def refund(
        self,
        *,
        number: str,
        payment_number: str,
        amount_fen: int,
        total_fen: int,
        reason: str,
        notify_url: str,
    ) -> RefundFact:
        """Give back `amount_fen` of a payment of `total_fen`."""

    def query_refund(self, *, number: str) -> RefundFact:
        """Return what became of a refund number."""

    def transfer(
        self,
        *,
        number: str,
        openid: str,
        amount_fen: int,
        remark: str,
        user_name: str | None,
        notify_url: str,
    ) -> TransferFact:
        """Send `amount_fen` to a member's wallet; the member confirms it in the app."""

    def query_transfer(self, *, number: str) -> TransferFact:
        """Return what became of a transfer number."""

    def parse_callback(self, headers: Mapping[str, str], body: bytes) -> CallbackFact:
        """Verify and decrypt a callback; raises InvalidProviderCallback."""

    def bill(self, day: date) -> list[BillRow]:
        """Return what moved on a day in Beijing, by the provider's trade bill and fund bill."""

    def open_id(self, code: str) -> str:
        """Return the openid behind a log-in code; raises ProviderDeclined for a bad one."""


ProviderFactory = Callable[[MerchantAccount], PaymentProvider]
_factory: list[ProviderFactory] = []


def use_provider_factory(factory: ProviderFactory) -> None:
    """Choose how merchant accounts become providers; called once when the app is made."""
    _factory[:] = [factory]


def active_account() -> MerchantAccount | None:
    """Return the merchant account the bound brand works with now."""
    return session().scalar(sa.select(MerchantAccount).where(MerchantAccount.active))


def active_provider() -> PaymentProvider:
    """Return the bound brand's provider; raises PaymentsNotReady when it has no usable account."""
    account = active_account()
    if account is None or not account.public_key_pem:
        raise PaymentsNotReady
    return _factory[0](account)
