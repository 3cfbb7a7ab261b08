"""What the mini-program does in one step and the features in several: logging in, and ordering through a share."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flask_babel import gettext as _

from fanyong.errors import TemporarilyUnavailable
from fanyong.payments.provider import ProviderDeclined, ProviderError, active_provider
from fanyong.tenancy.database import session, unit_of_work
from tenants.api.errors import BadLoginCode
from tenants.members import service as members
from tenants.members.models import Member
from tenants.orders import service as orders
from tenants.orders.models import Order
from tenants.payouts import service as payouts
from tenants.payouts.models import Withdrawal
from tenants.promoters import service as promoters
from tenants.promoters.models import Promoter
from tenants.referrals import service as referrals
from tenants.referrals.service import UnknownShare

ShareOutcome = Literal["bound", "kept", "unknown"]
#: Control characters, surrogates, and the marks that turn the direction of a text and with it what people read.
_HIDDEN = {"Cc", "Cs", "Zl", "Zp"}
_TURNING = set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Who logged in, and what became of the share they came through."""

    member: Member
    promoter: Promoter
    is_new: bool
    share: ShareOutcome | None


@dataclass(frozen=True, slots=True)
class Placed:
    """An order, whether this request made it, and what became of the share that came with it."""

    order: Order
    is_new: bool
    share: ShareOutcome | None


def find_openid(code: str) -> str:
    """Return the openid behind a log-in code; it ends the present transaction before it waits for WeChat.

    Raises BadLoginCode, PaymentsNotReady or TemporarilyUnavailable.
    """
    with unit_of_work():
        provider = active_provider()
    try:
        return provider.open_id(code)
    except ProviderDeclined as error:
        raise BadLoginCode from error
    except ProviderError as error:
        raise TemporarilyUnavailable from error


def log_in(openid: str, *, nickname: str | None, share_token: str | None) -> LoggedIn:
    """Register a member on the first log-in, make them a promoter if the brand's tiers say so, and bind their upline.

    A share link that is not known does not keep anybody out of the shop: the outcome says so.
    """
    shown = clean_nickname(nickname or "")
    member, is_new = members.register(openid, nickname=shown or _("WeChat user %(tail)s", tail=openid[-4:]))
    if shown:
        member.nickname = shown
    promoter = promoters.enroll(member.id)
    return LoggedIn(member, promoter, is_new, come_through(member, share_token))


def come_through(member: Member, share_token: str | None) -> ShareOutcome | None:
    """Bind a member to the one whose share they came through, and say what became of it."""
    if not share_token:
        return None
    try:
        bound = referrals.arrive(member.id, token=share_token)
    except UnknownShare:
        return "unknown"
    if bound:
        # A brand may let in whoever a promoter brings.
        promoters.look_again(member.id, because="invited")
    return "bound" if bound else "kept"


def place_order(
    member: Member,
    *,
    lines: Sequence[tuple[str, int]],
    coupon_code: str | None,
    shipping_method: str | None,
    region: str,
    share_token: str | None,
    idempotency_key: str,
) -> Placed:
    """Bind the buyer's upline, then place the order; the same key again returns the same order.

    Raises what `orders.place` raises.
    """
    share = come_through(member, share_token)
    mine = orders.orders_of(member.id).where(Order.idempotency_key == idempotency_key)
    is_new = session().scalar(mine) is None
    order = orders.place(
        member,
        lines=lines,
        idempotency_key=idempotency_key,
        coupon_code=coupon_code,
        shipping_code=shipping_method,
        region=region,
    )
    return Placed(order, is_new, share)


def request_withdrawal(
    member: Member,
    *,
    amount_fen: int,
    real_name: str | None,
    channel: str,
    device_id: str | None,
    idempotency_key: str,
) -> tuple[Withdrawal, bool]:
    """Ask for a withdrawal and tell whether this request made it; the same key again returns the same one.

    Raises what `payouts.request_withdrawal` raises.
    """
    mine = payouts.withdrawals(member_id=member.id).where(Withdrawal.idempotency_key == idempotency_key)
    is_new = session().execute(mine).first() is None
    withdrawal = payouts.request_withdrawal(
        member,
        amount_fen=amount_fen,
        idempotency_key=idempotency_key,
        real_name=real_name,
        channel=channel,
        device_id=device_id,
    )
    return withdrawal, is_new


def clean_nickname(text: str) -> str:
    """Return a nickname without what cannot be seen and what turns the text around it."""
    kept = (c for c in text if unicodedata.category(c) not in _HIDDEN and c not in _TURNING)
    return " ".join("".join(kept).split())
