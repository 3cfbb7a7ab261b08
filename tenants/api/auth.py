"""Who asks: a member of the bound brand, by the token of a log-in."""

from __future__ import annotations

from uuid import UUID

from flask import current_app, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from fanyong.errors import NotLoggedIn
from fanyong.ids import parse_id
from fanyong.tenancy.context import current_tenant
from tenants.api.errors import BadToken
from tenants.members import service as members
from tenants.members.models import Member

TOKEN_SECONDS = 30 * 86_400
_SCHEME = "bearer"


def make_token(member_id: UUID) -> str:
    """Return a token that proves for 30 days, to this brand alone, which member asks."""
    return _serializer().dumps(member_id.hex)


def authenticate() -> None:
    """Find out which member asks; raises NotLoggedIn without a token, BadToken for one that proves nothing here."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != _SCHEME or not token.strip():
        raise NotLoggedIn
    try:
        member_hex = _serializer().loads(token.strip(), max_age=TOKEN_SECONDS)
    except BadSignature:
        raise BadToken from None
    member_id = parse_id(member_hex) if isinstance(member_hex, str) else None
    # Members of a sandbox are deleted when their brand goes live, tokens are not.
    member = members.get_member(member_id) if member_id else None
    if member is None:
        raise BadToken
    g.api_member = member


def current_member() -> Member:
    """Return the member who asks."""
    member = g.api_member
    assert isinstance(member, Member)
    return member


def _serializer() -> URLSafeTimedSerializer:
    # The brand is part of the salt, so that a token of another brand is as bad as a forged one.
    return URLSafeTimedSerializer(current_app.secret_key or "", salt=f"member-token:{current_tenant().id.hex}")
