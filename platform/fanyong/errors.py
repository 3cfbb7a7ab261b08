"""Errors that are sentences about the business: a code, an HTTP status and a translatable message."""

from __future__ import annotations

from typing import Any, ClassVar

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l


class FanyongError(Exception):
    """Base of every error a user may see.

    `params` fill the placeholders of `message`; `details` travels in the JSON answer under the same name.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    message: ClassVar[str | LazyString] = _l("Something went wrong.")

    def __init__(self, *, details: Any = None, **params: Any) -> None:
        self.params = params
        self.details = details
        super().__init__(f"{self.code} {params or ''}".strip())

    @property
    def text(self) -> str:
        """The message in the language of the present request."""
        return str(self.message) % self.params if self.params else str(self.message)


class NotFound(FanyongError):
    code = "not_found"
    status = 404
    message = _l("There is nothing here.")


class Forbidden(FanyongError):
    code = "forbidden"
    status = 403
    message = _l("You are not allowed to do this.")


class NotLoggedIn(FanyongError):
    code = "not_logged_in"
    status = 401
    message = _l("Please log in.")


class InvalidRequest(FanyongError):
    code = "invalid_request"
    status = 422
    message = _l("Some of the input is not right.")


class IdempotencyMismatch(FanyongError):
    code = "idempotency_mismatch"
    status = 409
    message = _l("This idempotency key was used before with other values.")


class TemporarilyUnavailable(FanyongError):
    code = "temporarily_unavailable"
    status = 503
    message = _l("The service is busy for a moment. Please try again.")
