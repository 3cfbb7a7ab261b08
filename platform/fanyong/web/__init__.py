"""What all pages share: layouts, languages, filters, error pages, security headers."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response

from fanyong.config import Settings
from fanyong.identity.permissions import Permission
from fanyong.identity.web import may
from fanyong.tenancy.context import bound_tenant
from fanyong.web.errors import init_errors
from fanyong.web.filters import init_filters
from fanyong.web.locale import LANGUAGES, language_url, remember_language, select_locale
from fanyong.web.paging import url_with


def init_web(app: Flask) -> None:
    """Give an app everything its pages need."""
    init_filters(app)
    init_errors(app)
    app.before_request(remember_language)
    policy = _content_policy(app.extensions["settings"])
    app.after_request(lambda response: _secure(response, policy=policy))
    app.context_processor(_shared)


def _shared() -> dict[str, Any]:
    return {
        "brand": bound_tenant(),
        "may": may,
        "P": Permission,
        "languages": LANGUAGES,
        "language": select_locale(),
        "language_url": language_url,
        "url_with": url_with,
    }


def _content_policy(settings: Settings) -> str:
    """Return the policy: all comes from the page's own host, but for the data: images in Tabler's styles.

    Browsers apply `form-action` to where a form's answer leads, too: the sign-up form ends at a brand's host.
    """
    brands = settings.brand_url("*")
    return (
        f"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        f"form-action 'self' {brands}; frame-ancestors 'none'"
    )


def _secure(response: Response, *, policy: str) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", policy)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    if response.mimetype == "text/html":
        # Pages show balances of people; a shared computer must not keep them.
        headers.setdefault("Cache-Control", "no-store")
    return response
