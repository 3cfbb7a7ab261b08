"""Refusals: the ones WeChat would answer, and the ones of the control routes."""


class ApiError(Exception):
    """A refusal in WeChat's own form: an HTTP status, a code and a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class ControlError(Exception):
    """A control request that makes no sense; answered with a plain message."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


def param_error(message: str) -> ApiError:
    """Return the refusal of a request that is malformed."""
    return ApiError(400, "PARAM_ERROR", message)


def invalid_request(message: str) -> ApiError:
    """Return the refusal of a request that breaks a business rule."""
    return ApiError(400, "INVALID_REQUEST", message)
