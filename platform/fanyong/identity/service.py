"""Accounts of people who log in with an e-mail address and a password."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

import sqlalchemy as sa
from email_validator import EmailNotValidError, validate_email
from flask_babel import lazy_gettext as _l
from werkzeug.security import check_password_hash, generate_password_hash

from fanyong.errors import FanyongError
from fanyong.identity.models import AdminAction, AdminUser, StaffUser
from fanyong.identity.permissions import BRAND_ROLES, STAFF_ROLES
from fanyong.ids import new_id
from fanyong.tenancy.database import session

MIN_PASSWORD = 10
MAX_PASSWORD = 200
#: Compared with when there is no such account, so that the answer takes as long as for a wrong password.
_NOBODY = generate_password_hash("nobody has this password")
User = TypeVar("User", StaffUser, AdminUser)


class BadAccount(FanyongError):
    code = "bad_account"
    status = 422
    message = _l("An account needs a valid e-mail address, a known role and a password of 10 to 200 characters.")


class EmailTaken(FanyongError):
    code = "email_taken"
    status = 409
    message = _l("There is an account with this e-mail address already.")


class LastOwner(FanyongError):
    code = "last_owner"
    status = 409
    message = _l("A brand needs at least one active owner.")


def create_admin(email: str, *, name: str, password: str, role: str) -> AdminUser:
    """Make an account of the bound brand; raises BadAccount or EmailTaken."""
    return _create(AdminUser, email, name=name, password=password, role=role, roles=set(BRAND_ROLES))


def create_staff(email: str, *, name: str, password: str, role: str) -> StaffUser:
    """Make an account of the platform's staff; raises BadAccount or EmailTaken."""
    return _create(StaffUser, email, name=name, password=password, role=role, roles=set(STAFF_ROLES))


def authenticate_admin(email: str, *, password: str) -> AdminUser | None:
    """Return the active admin of the bound brand with this e-mail address and password, or None."""
    return _authenticate(AdminUser, email, password=password)


def authenticate_staff(email: str, *, password: str) -> StaffUser | None:
    """Return the active staff member with this e-mail address and password, or None."""
    return _authenticate(StaffUser, email, password=password)


def admins() -> list[AdminUser]:
    """Return the bound brand's accounts, oldest first."""
    return list(session().scalars(sa.select(AdminUser).order_by(AdminUser.id)))


def set_active(admin_id: UUID, *, active: bool) -> AdminUser | None:
    """Switch an account of the bound brand on or off; raises LastOwner."""
    owners = session().scalars(
        sa.select(AdminUser).where(AdminUser.role == "owner", AdminUser.active).order_by(AdminUser.id).with_for_update()
    )
    active_owners = {owner.id for owner in owners}
    if not active and active_owners == {admin_id}:
        raise LastOwner
    admin = session().get(AdminUser, admin_id)
    if admin is not None:
        admin.active = active
    return admin


def set_password(user: StaffUser | AdminUser, password: str) -> None:
    """Give an account a password; the one it has already stays as it is. Raises BadAccount."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise BadAccount
    if not check_password_hash(user.password_hash, password):
        user.password_hash = generate_password_hash(password)


def record_action(action: str, *, actor: str, **details: object) -> None:
    """Write an entry into the bound brand's audit trail, in the present unit of work."""
    session().add(AdminAction(action=action, actor=actor, details=details))


def actions(*, search: str = "") -> sa.Select[AdminAction]:
    """Return the query of the bound brand's audit trail, newest first."""
    query = sa.select(AdminAction).order_by(AdminAction.id.desc())
    if search:
        query = query.where(
            sa.or_(
                AdminAction.actor.icontains(search, autoescape=True),
                AdminAction.action.icontains(search, autoescape=True),
            )
        )
    return query


def normal_email(email: str) -> str:
    """Return an e-mail address in the form accounts are kept under; raises BadAccount."""
    try:
        return validate_email(email.strip(), check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError:
        raise BadAccount from None


def _create(model: type[User], email: str, *, name: str, password: str, role: str, roles: set[str]) -> User:
    if role not in roles or not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise BadAccount
    user = model(
        id=new_id(),
        email=normal_email(email),
        name=name.strip()[:60] or email.strip(),
        password_hash=generate_password_hash(password),
        role=role,
        active=True,
    )
    try:
        with session().begin_nested():
            session().add(user)
            session().flush()
    except sa.exc.IntegrityError:
        raise EmailTaken from None
    return user


def _authenticate(model: type[User], email: str, *, password: str) -> User | None:
    try:
        address = normal_email(email)
    except BadAccount:
        address = ""
    user = session().scalar(sa.select(model).where(model.email == address))
    matches = check_password_hash(user.password_hash if user else _NOBODY, password[:MAX_PASSWORD])
    return user if user is not None and user.active and matches else None
