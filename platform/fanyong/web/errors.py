"""One answer for everything that can go wrong: JSON for programs, a page for people."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, current_app, jsonify, render_template, request
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from fanyong.errors import FanyongError
from fanyong.web.words import _

log = logging.getLogger(__name__)
PROGRAM_PREFIXES = ("/api/", "/callbacks/")
_SENTENCES = {
    400: _l("The request cannot be understood."),
    404: _l("There is nothing here."),
    405: _l("This cannot be done here."),
    413: _l("This is too large."),
    415: _l("This kind of content is not understood."),
    429: _l("Too many requests. Please wait a moment."),
    500: _l("Something broke on our side. It has been noted; please try again in a moment."),
}
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}


def init_errors(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(FanyongError, _business)
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def wants_json() -> bool:
    """Return whether whoever asks is a program."""
    if request.path.startswith(PROGRAM_PREFIXES):
        return True
    accepts = request.accept_mimetypes
    return accepts["application/json"] > accepts["text/html"]


def answer(code: str, *, message: str, status: int, details: Any = None) -> Response:
    """Return an error in the form that the caller reads."""
    response: Response
    if wants_json():
        response = jsonify(error={"code": code, "message": message, "details": details})
    else:
        response = current_app.make_response(
            render_template("web/error.html", status=status, message=message, code=code)
        )
    response.status_code = status
    if status == 503:
        response.headers["Retry-After"] = "1"
    return response


def _business(error: FanyongError) -> Response:
    return answer(error.code, message=error.text, status=error.status, details=error.details)


def _stale_form(_error: CSRFError) -> Response:
    message = _("This form is too old or was not sent from here. Go back, reload the page and send it again.")
    return answer("stale_form", message=message, status=400)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None or status < 400:
        return error.get_response()
    message = str(_SENTENCES.get(status) or _SENTENCES[500 if status >= 500 else 400])
    code = _CODES.get(status, "internal_error" if status >= 500 else "bad_request")
    response = answer(code, message=message, status=status)
    if status == 405:
        response.headers["Allow"] = error.get_response().headers.get("Allow", "")
    return response


def _unexpected(error: Exception) -> Response:
    if current_app.config.get("PROPAGATE_EXCEPTIONS"):
        raise error
    log.exception("%s %s failed", request.method, request.path, exc_info=error)
    return answer("internal_error", message=str(_SENTENCES[500]), status=500)
