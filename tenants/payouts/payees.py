"""Where members want their money: encrypted, shown masked, found again by a fingerprint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from uuid import UUID

import sqlalchemy as sa
from pydantic import ValidationError

from fanyong.crypto import fingerprint
from fanyong.events import publish
from fanyong.ids import new_id
from fanyong.tenancy.clock import brand_now
from fanyong.tenancy.database import session
from tenants.members.models import Member
from tenants.payouts.channels import Channel
from tenants.payouts.errors import BadPayee, PayeeMissing
from tenants.payouts.models import PayeeAccount

SHOWN_DIGITS = 4


def current_payee(member_id: UUID, channel: str) -> PayeeAccount | None:
    """Return where a member wants money sent by a channel, or None."""
    return session().scalar(
        sa.select(PayeeAccount).where(
            PayeeAccount.member_id == member_id,
            PayeeAccount.channel == channel,
            PayeeAccount.retired_at.is_(None),
        )
    )


def payee_for(member: Member, channel: Channel) -> PayeeAccount | None:
    """Return the payee of a withdrawal, None where the channel needs none; raises PayeeMissing."""
    if channel.payee_model is None:
        return None
    found = current_payee(member.id, channel.name)
    if found is None:
        raise PayeeMissing
    return found


def save_payee(member: Member, channel: Channel, fields: Mapping[str, object]) -> PayeeAccount:
    """Store where a member wants money sent from now on; withdrawals that are under way keep their payee.

    The same again changes nothing. Raises BadPayee.
    """
    model = channel.payee_model
    try:
        if model is None:
            raise BadPayee(details=[{"path": "", "message": "this channel needs no payee"}])
        values = {name: str(value) for name, value in model.model_validate(dict(fields)).model_dump().items()}
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        details = [{"path": ".".join(map(str, problem["loc"])), "message": problem["msg"]} for problem in problems]
        raise BadPayee(details=details) from error
    # One change of a member's payee follows the other.
    session().get_one(Member, member.id, with_for_update=True, populate_existing=True)
    present, now = current_payee(member.id, channel.name), brand_now()
    if present is not None and fields_of(present) == values:
        return present
    if present is not None:
        present.retired_at = now
        session().flush()
    account = values.get(channel.traits.account_field, "")
    payee = PayeeAccount(
        id=new_id(),
        member_id=member.id,
        channel=channel.name,
        details=json.dumps(values, ensure_ascii=False),
        fingerprint=account_fingerprint(account),
        shown=f"{masked(account)} {masked_name(values.get(channel.traits.name_field, ''))}".strip(),
        created_at=now,
    )
    session().add(payee)
    publish("payee_account.saved", payee, object_id=payee.id, channel=channel.name)
    session().flush()
    return payee


def fields_of(payee: PayeeAccount) -> dict[str, str]:
    """Return the fields of a payee in clear, for whoever pays."""
    found: dict[str, str] = json.loads(payee.details)
    return found


def real_name_of(payee: PayeeAccount | None, channel: Channel) -> str | None:
    """Return the real name that a payee's account carries, or None."""
    return fields_of(payee).get(channel.traits.name_field) if payee is not None else None


def account_fingerprint(account: str) -> str:
    """Return what is the same for the same account, however it was typed."""
    return fingerprint("".join(account.split()).casefold())


def masked(account: str) -> str:
    """Return an account with its last digits alone: `**** 1234`; a short one shows nothing."""
    return f"**** {account[-SHOWN_DIGITS:]}" if len(account) >= 2 * SHOWN_DIGITS else "****" if account else ""


def masked_name(name: str) -> str:
    """Return a name with its first letter alone: `张*`."""
    return f"{name[0]}{'*' * min(2, len(name) - 1)}" if name else ""
