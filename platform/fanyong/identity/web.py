"""Log-in for two doors: the platform's host for staff, a brand's host for its admins.

A session cookie belongs to one host, and the user id in it names the brand, so that a cookie carried to another
brand is nobody there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar
from uuid import UUID

from flask import Flask, current_app, redirect, request, url_for
from flask_login import LoginManager, UserMixin, current_user, login_user
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from fanyong.errors import Forbidden
from fanyong.identity.models import AdminUser, StaffUser
from fanyong.identity.permissions import Permission
from fanyong.ids import parse_id
from fanyong.tenancy.context import bound_tenant, current_tenant
from fanyong.tenancy.database import session

WELCOME_SECONDS = 300
P = ParamSpec("P")
R = TypeVar("R")


class LoggedIn(UserMixin):  # type: ignore[misc]
    """The one who is logged in, for Flask-Login."""

    def __init__(self, account: AdminUser | StaffUser) -> None:
        self.account = account
        self.permissions = account.permissions

    @property
    def actor(self) -> str:
        """The name in audit trails."""
        kind = "admin" if isinstance(self.account, AdminUser) else "staff"
        return f"{kind}:{self.account.email}"

    def get_id(self) -> str:
        """Return the id for the cookie: staff, or an admin of one brand."""
        if isinstance(self.account, AdminUser):
            return f"admin:{current_tenant().id.hex}:{self.account.id.hex}"
        return f"staff:{self.account.id.hex}"


def init_identity(app: Flask) -> None:
    """Set Flask-Login up."""
    manager = LoginManager(app)
    manager.session_protection = "basic"
    manager.user_loader(_load)


def log_in(account: AdminUser | StaffUser) -> None:
    """Log somebody in on the present host."""
    login_user(LoggedIn(account))


def current_actor() -> str:
    """Return who is logged in, as audit trails name them."""
    return str(current_user.actor)


def may(permission: Permission) -> bool:
    """Return whether whoever is logged in may do something; for templates."""
    return bool(current_user.is_authenticated) and permission in current_user.permissions


def requires(permission: Permission) -> Callable[[Callable[P, R]], Callable[P, R | Response]]:
    """Let only those through who have the permission; strangers are sent to the log-in page, others get 403."""

    def decorate(view: Callable[P, R]) -> Callable[P, R | Response]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R | Response:
            if not current_user.is_authenticated:
                target = request.full_path.rstrip("?") if request.method == "GET" else None
                door = "console.login" if bound_tenant() else "superadmin.login"
                return redirect(url_for(door, next=target), code=303)
            if not may(permission):
                raise Forbidden
            return view(*args, **kwargs)

        return guarded

    return decorate


def safe_next(target: str | None, *, default: str) -> str:
    """Return where to go after the log-in: only a path on this host."""
    # Browsers drop tabs and line breaks from addresses, so that "/<tab>/host" would lead to another host.
    if target and target.isprintable() and target.startswith("/") and not target.startswith(("//", "/\\")):
        return target
    return default


def welcome_token(tenant_id: UUID, admin_id: UUID) -> str:
    """Return a short-lived proof that lets a new owner step from the sign-up page into the console."""
    return _serializer().dumps([tenant_id.hex, admin_id.hex])


def read_welcome_token(token: str) -> AdminUser | None:
    """Return the admin of the bound brand whom a welcome token names, or None."""
    try:
        tenant_hex, admin_hex = _serializer().loads(token, max_age=WELCOME_SECONDS)
    except (BadSignature, ValueError, TypeError):
        return None
    if tenant_hex != current_tenant().id.hex:
        return None
    admin = session().get(AdminUser, UUID(admin_hex))
    return admin if admin is not None and admin.active else None


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.secret_key or "", salt="welcome")


def _load(user_id: str) -> LoggedIn | None:
    kind, _, rest = user_id.partition(":")
    tenant = bound_tenant()
    account: AdminUser | StaffUser | None = None
    if kind == "staff" and tenant is None:
        account = _get(StaffUser, rest)
    elif kind == "admin" and tenant is not None:
        tenant_hex, _, admin_hex = rest.partition(":")
        account = _get(AdminUser, admin_hex) if tenant_hex == tenant.id.hex else None
    return LoggedIn(account) if account is not None and account.active else None


Account = TypeVar("Account", StaffUser, AdminUser)


def _get(model: type[Account], text: str) -> Account | None:
    account_id = parse_id(text)
    return session().get(model, account_id) if account_id else None
