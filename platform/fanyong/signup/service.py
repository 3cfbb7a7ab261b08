"""Signing a brand up: a ready schema, an owner, and a sandbox to try things in."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError, TemporarilyUnavailable
from fanyong.identity import service as identity
from fanyong.identity.models import AdminUser
from fanyong.payments.sandbox import open_sandbox
from fanyong.tenancy import provision
from fanyong.tenancy.context import Tenant
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.directory import check_slug, directory
from fanyong.tenancy.runtime import in_tenant

MAX_NAME = 60
#: What the features of a shop set up in a new brand; filled by the app, which knows them.
_starters: list[Callable[[], None]] = []


class BadName(FanyongError):
    code = "bad_name"
    status = 422
    message = _l(
        "A brand's name has 1 to 60 visible characters, without angle brackets, line breaks or control characters."
    )


def add_starter(starter: Callable[[], None]) -> None:
    """Add something to be set up in every new brand, inside its first transaction."""
    if starter not in _starters:
        _starters.append(starter)


def check_name(name: str) -> str:
    """Return a brand's name, trimmed; raises BadName for an empty, endless or invisible one.

    Control and direction characters are refused because they can make one brand look like another, angle
    brackets because a name travels into messages and files that nobody escapes.
    """
    name = unicodedata.normalize("NFC", name).strip()
    # The joiner holds emoji together; "Cn" are emoji younger than this Python's tables.
    kinds = {unicodedata.category(character) for character in name.replace("\u200d", "")}
    visible = any(kind == "Cn" or kind[0] not in "CMZ" for kind in kinds)
    hostile = kinds & {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"} or not {"<", ">"}.isdisjoint(name)
    if not visible or len(name) > MAX_NAME or hostile:
        raise BadName
    return name


def sign_up(
    *, name: str, slug: str, email: str, password: str, build: Callable[[], object]
) -> tuple[Tenant, AdminUser]:
    """Give a brand its schema, its owner's account and its sandbox; returns both.

    `build` makes another schema when the pool is empty. Raises BadName, BadSlug, ReservedSlug, SlugTaken, or
    BadAccount; nothing of the brand exists then.
    """
    name, address = check_name(name), identity.normal_email(email)
    check_slug(slug)
    if not identity.MIN_PASSWORD <= len(password) <= identity.MAX_PASSWORD:
        raise identity.BadAccount

    def furnish() -> AdminUser:
        # A sign-up that was cut off may have left its owner in this schema, and must not keep a key to it.
        session().execute(sa.delete(AdminUser))
        owner = identity.create_admin(address, name=name, password=password, role="owner")
        for starter in _starters:
            starter()
        return owner

    tenant, owner = _claim(name=name, slug=slug, actor=f"owner:{address}", furnish=furnish, build=build)
    directory.forget()
    with in_tenant(tenant):
        # The simulator may be away; then a job opens the sandbox as soon as it is back.
        open_sandbox()
    return tenant, owner


def _claim(
    *, name: str, slug: str, actor: str, furnish: Callable[[], AdminUser], build: Callable[[], object]
) -> tuple[Tenant, AdminUser]:
    for _ in range(3):
        with unit_of_work():
            record = provision.claim(name=name, slug=slug, actor=actor)
            if record is not None:
                tenant = record.as_tenant()
                # Before the claim is committed: whenever this is cut off, no brand is left that nobody can open.
                with in_tenant(tenant), unit_of_work():
                    return tenant, furnish()
        build()
    raise TemporarilyUnavailable
