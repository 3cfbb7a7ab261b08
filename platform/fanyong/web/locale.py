"""Which language and which time zone a page is shown in."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from flask import has_request_context, request, session

LANGUAGES = {"zh": "中文", "en": "English"}
DEFAULT_LANGUAGE = "zh"


def select_locale() -> str:
    """Return the language of the present request: a choice made before, or Chinese.

    The API is asked by programs, which say their language in `Accept-Language`; its page to read has links for it.
    """
    if not has_request_context():
        return DEFAULT_LANGUAGE
    chosen = request.args.get("lang")
    if request.path.startswith("/api/") and chosen not in LANGUAGES:
        return request.accept_languages.best_match(LANGUAGES, DEFAULT_LANGUAGE) or DEFAULT_LANGUAGE
    chosen = chosen or session.get("lang")
    return chosen if chosen in LANGUAGES else DEFAULT_LANGUAGE


def select_timezone() -> str:
    """Return the name of the zone in which times are shown."""
    return "Asia/Shanghai"


def remember_language() -> None:
    """Keep the language of `?lang=` for the requests that follow."""
    chosen = request.args.get("lang")
    if chosen in LANGUAGES and session.get("lang") != chosen:
        session["lang"] = chosen


def language_url(language: str) -> str:
    """Return the address of the present page in another language.

    A form that was refused is shown at an address that may take no GET; there it is the page it was sent from.
    """
    path = request.path if request.method == "GET" else urlsplit(request.referrer or "/").path
    return f"{path}?{urlencode({**request.args.to_dict(), 'lang': language})}"
