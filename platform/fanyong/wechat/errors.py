"""What can go wrong with WeChat, sorted by what the caller has to do next.

`WeChatError` is an answer: nothing moved, and `kind` says whether to give up, to come back
with the same number, or to call the operator. `WeChatUnknown` is the absence of an answer:
money may have moved, so the caller queries, or repeats with the same number.
"""

from enum import StrEnum


class ErrorKind(StrEnum):
    """What an answer that refuses asks of the caller."""

    DECLINED = "declined"
    RETRYABLE = "retryable"
    CONFIG = "config"


RETRYABLE_CODES = frozenset({"NOT_ENOUGH", "FREQUENCY_LIMITED", "FREQUENCY_LIMIT_EXCEED", "RATELIMIT_EXCEEDED"})
CONFIG_CODES = frozenset(
    {"SIGN_ERROR", "NO_AUTH", "RULE_LIMIT", "ACCOUNT_ERROR", "MCH_NOT_EXISTS", "APPID_MCHID_NOT_MATCH"}
)
NOT_FOUND_CODES = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS", "NOT_FOUND"})


class WeChatError(Exception):
    """WeChat refused, in an answer that can be trusted."""

    def __init__(self, kind: ErrorKind, *, code: str, status: int, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.kind = kind
        self.code = code
        self.status = status
        self.message = message

    @property
    def is_not_found(self) -> bool:
        """Tell whether WeChat does not know the number that was asked for."""
        return self.status == 404 and self.code in NOT_FOUND_CODES


class WeChatUnknown(Exception):
    """There is no trustworthy answer: query, or repeat with the same number."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvalidBill(WeChatUnknown):
    """A bill does not add up, or is not the file that WeChat announced."""


class InvalidCallback(Exception):
    """A callback is not one that WeChat sent to this merchant just now."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LoginError(Exception):
    """A mini-program log-in code could not be turned into an openid."""

    def __init__(self, message: str, *, errcode: int | None = None) -> None:
        super().__init__(message)
        self.errcode = errcode


class LoginCodeInvalid(LoginError):
    """The code is wrong, expired or used: the mini-program has to fetch a new one."""


class LoginRateLimited(LoginError):
    """The user logs in too often: wait."""


class LoginBlocked(LoginError):
    """WeChat considers the user a high risk and refuses the log-in."""


class LoginMisconfigured(LoginError):
    """The appid or its secret is wrong: the operator has to act."""


class LoginUnavailable(LoginError):
    """WeChat's log-in gave no usable answer: try again."""


def kind_of(status: int, code: str) -> ErrorKind:
    """Return what a refusal with this HTTP status and code asks of the caller."""
    if code in RETRYABLE_CODES or status == 429:
        return ErrorKind.RETRYABLE
    if code in CONFIG_CODES or status == 401:
        return ErrorKind.CONFIG
    return ErrorKind.DECLINED
