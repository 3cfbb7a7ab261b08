"""Operations of the API: one decorator that checks who asks and what is sent, and describes both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import request
from pydantic import BaseModel, ValidationError
from spectree import Response, SecurityScheme, SpecTree
from spectree.models import SecureType, SecuritySchemeData
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from fanyong import __version__
from fanyong.errors import FanyongError, InvalidRequest, NotLoggedIn, TemporarilyUnavailable
from fanyong.web.binding import BrandShopClosed
from tenants.api.auth import authenticate
from tenants.api.errors import BadToken, IdempotencyKeyMissing, MalformedJson
from tenants.api.schemas.common import ErrorAnswer, IdempotencyHeaders

View = Callable[..., Any]
BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class Operation:
    """What the document says of one operation, besides its schemas."""

    summary: str
    description: str
    raises: tuple[type[FanyongError], ...]


#: By operation id, which is the name of the view.
OPERATIONS: dict[str, Operation] = {}


def _refuse(_req: Any, _resp: Any, error: Exception | None, _instance: Any, _adapter: Any) -> None:
    """Answer a request of the wrong shape in the one form of all errors."""
    if not isinstance(error, ValidationError):
        return
    if error.title == IdempotencyHeaders.__name__:
        raise IdempotencyKeyMissing
    raise InvalidRequest(
        details=[
            {"path": ".".join(map(str, problem["loc"])), "message": problem["msg"]}
            for problem in error.errors(include_url=False, include_context=False, include_input=False)
        ]
    )


def _insist(_req: Any, _resp: Any, error: Exception | None, _instance: Any, _adapter: Any) -> None:
    """Fail loudly when an answer is not what the document promises."""
    if error is not None:
        raise error


spec = SpecTree(
    "flask",
    mode="strict",
    title="Fanyong",
    version=__version__,
    openapi_version="3.1.0",
    before=_refuse,
    after=_insist,
    validation_error_model=ErrorAnswer,
    naming_strategy=lambda model: model.__name__,
    nested_naming_strategy=lambda _parent, child: child,
    security_schemes=[SecurityScheme(name=BEARER, data=SecuritySchemeData(type=SecureType.HTTP, scheme="bearer"))],
)


def operation(
    *,
    tag: str,
    summary: str,
    description: str = "",
    answers: Mapping[int, type[BaseModel] | None],
    raises: Sequence[type[FanyongError]] = (),
    member: bool = True,
) -> Callable[[View], View]:
    """Make a view an operation: who asks comes first, then the shape of the request, then the view itself.

    The view's parameters `json`, `query` and `headers` are checked by their models. `member` lets only those in
    who have logged in.
    """

    def decorate(view: View) -> View:
        takes_json = "json" in view.__annotations__
        errors = _all_errors(view, raises=raises, member=member, takes_json=takes_json)
        OPERATIONS[view.__name__] = Operation(summary, description, errors)
        validated = spec.validate(
            resp=_responses(answers, errors),
            tags=(tag,),
            security={BEARER: []} if member else None,
            operation_id=view.__name__,
        )(view)

        @wraps(validated)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if member:
                authenticate()
            if takes_json:
                _require_object()
            return validated(*args, **kwargs)

        return guarded

    return decorate


def _all_errors(
    view: View, *, raises: Sequence[type[FanyongError]], member: bool, takes_json: bool
) -> tuple[type[FanyongError], ...]:
    """Return everything the operation may answer with, what all of its kind may included."""
    errors: list[type[FanyongError]] = []
    if member:
        errors += [NotLoggedIn, BadToken]
    if takes_json:
        errors += [MalformedJson]
    if takes_json or "query" in view.__annotations__:
        errors += [InvalidRequest]
    if "headers" in view.__annotations__:
        errors += [IdempotencyKeyMissing]
    return (*errors, *raises, BrandShopClosed, TemporarilyUnavailable)


def _responses(answers: Mapping[int, type[BaseModel] | None], errors: Sequence[type[FanyongError]]) -> Response:
    models: dict[str, Any] = {f"HTTP_{status}": model for status, model in answers.items()}
    return Response(**models, **{f"HTTP_{error.status}": ErrorAnswer for error in errors})


def _require_object() -> None:
    """Raise MalformedJson for a body that is no JSON object, before anybody takes it for an empty one."""
    try:
        body = request.get_json()
    except (BadRequest, UnsupportedMediaType, RecursionError):
        raise MalformedJson from None
    if not isinstance(body, dict):
        raise MalformedJson
