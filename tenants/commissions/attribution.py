"""What is frozen into an order when it is paid, and how it is kept."""

from __future__ import annotations

from uuid import UUID

import msgspec

from fanyong.tenancy.database import session
from fanyong.values import OrderFacts
from tenants.commissions.models import Attribution

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(OrderFacts)


def encode_facts(facts: OrderFacts) -> str:
    """Return an order's facts as the JSON that is kept of them."""
    return _encoder.encode(facts).decode()


def decode_facts(text: str) -> OrderFacts:
    """Return an order's facts from the JSON that was kept; raises msgspec.DecodeError."""
    return _decoder.decode(text)


def attribution_of(order_id: UUID) -> Attribution | None:
    """Return what was frozen when an order was paid, or None before that."""
    return session().get(Attribution, order_id)


def facts_of(order_id: UUID) -> OrderFacts | None:
    """Return the frozen facts of an order, or None before it was paid."""
    found = attribution_of(order_id)
    return decode_facts(found.facts) if found else None
