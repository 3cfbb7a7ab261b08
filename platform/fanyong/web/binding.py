"""The edge of a request: which brand it is for, and the unit of work around it."""

from __future__ import annotations

import logging
from contextlib import ExitStack

import sqlalchemy as sa
from flask import Flask, Response, g, make_response, request
from flask_babel import lazy_gettext as _l

from fanyong.config import Settings
from fanyong.errors import FanyongError, TemporarilyUnavailable
from fanyong.ids import parse_id
from fanyong.tenancy.context import Tenant, tenant_scope
from fanyong.tenancy.database import TENANT_BIND, db
from fanyong.tenancy.directory import directory

log = logging.getLogger(__name__)
CALLBACK_PREFIX = "/callbacks/"


class BrandSuspended(FanyongError):
    code = "brand_suspended"
    status = 403
    message = _l("This brand is suspended: you can look, but nothing can be changed.")


class BrandShopClosed(FanyongError):
    code = "shop_closed"
    status = 503
    message = _l("This shop is closed for the moment.")


def init_binding(app: Flask, settings: Settings) -> None:
    """Bind each request to its brand and give it one unit of work."""

    @app.before_request
    def bind() -> Response | None:
        if request.endpoint in ("static", "healthz"):
            return None
        host = request.host.rsplit(":", 1)[0].lower()
        if request.path.startswith(CALLBACK_PREFIX):
            tenant = _by_path(request.path)
        elif host in (settings.platform_host, "127.0.0.1"):
            return None
        else:
            tenant = directory.by_host(host, platform_host=settings.platform_host)
        if tenant is None:
            # Nothing here tells whether a brand of this name exists, existed, or waits.
            return make_response("Not Found\n", 404, {"Content-Type": "text/plain; charset=utf-8"})
        g.tenant_stack = ExitStack()
        g.tenant_stack.enter_context(tenant_scope(tenant))
        _refuse_when_suspended(tenant)
        return None

    @app.after_request
    def finish(response: Response) -> Response:
        if response.status_code < 400:
            db.session.commit()
        else:
            db.session.rollback()
        return response

    # Registered before Flask-SQLAlchemy's own, and run after it: teardown functions run last in, first out.
    @app.teardown_request
    def unbind(_error: BaseException | None) -> None:
        stack = g.pop("tenant_stack", None)
        if stack is not None:
            db.session.remove()
            stack.close()


def init_database_errors(app: Flask) -> None:
    """Answer a lost database with 503 and a hint when to come back; whoever asked can repeat the request."""

    @app.errorhandler(sa.exc.OperationalError)
    @app.errorhandler(sa.exc.InterfaceError)
    @app.errorhandler(sa.exc.InternalError)
    def lost(error: sa.exc.DBAPIError) -> Response:
        log.error("the database did not answer: %s", error.orig)
        # Connections in the pool died with the server; new requests must not get one of them.
        for key in (None, TENANT_BIND):
            db.engines[key].dispose()
        answer = TemporarilyUnavailable()
        body = {"error": {"code": answer.code, "message": answer.text, "details": None}}
        return make_response(body, 503, {"Retry-After": "1"})


def _by_path(path: str) -> Tenant | None:
    parts = path.split("/")
    tenant_id = parse_id(parts[3]) if len(parts) > 3 else None
    return directory.by_id(tenant_id) if tenant_id else None


def _refuse_when_suspended(tenant: Tenant) -> None:
    if tenant.state != "suspended" or request.path.startswith(CALLBACK_PREFIX):
        # Money that is on its way still has to arrive in the books.
        return
    if request.path.startswith("/console"):
        if request.method != "GET" and not request.path.startswith(("/console/login", "/console/logout")):
            raise BrandSuspended
        return
    if not request.path.startswith("/static"):
        raise BrandShopClosed
