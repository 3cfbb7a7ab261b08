"""What can be wrong with a request before any rule of the shop is asked."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from fanyong.errors import FanyongError


class BadToken(FanyongError):
    code = "bad_token"
    status = 401
    message = _l("Your log-in is over. Please log in again.")


class BadLoginCode(FanyongError):
    code = "bad_login_code"
    status = 401
    message = _l("WeChat does not know this log-in code, or it was used before. Please try again.")


class MalformedJson(FanyongError):
    code = "malformed_json"
    status = 400
    message = _l("The body of this request has to be a JSON object.")


class IdempotencyKeyMissing(FanyongError):
    code = "idempotency_key_missing"
    status = 422
    message = _l("This request needs an Idempotency-Key header of 1 to 255 printable characters.")
