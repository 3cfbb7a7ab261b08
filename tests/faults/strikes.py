"""Where something can strike: at a function of the product, at a statement, around a commit; the product knows nothing.

The functions are named here, by what they do, and nowhere else; `test_points` fails when one is gone or never reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import wraps
from importlib import import_module
from typing import Any, Literal

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from fanyong.tenancy.database import TENANT_BIND, db

_COMMISSIONS, _LEDGER = "tenants.commissions", "tenants.ledger"
_FLOWS, _PAYMENTS, _WECHAT = "fanyong.payments.flows", "fanyong.payments.service", "fanyong.wechat.provider"
_ORDERS, _PAYOUTS = "tenants.orders.service", "tenants.payouts.service"

#: What it is -> (function, before or after it).
FUNCTIONS: dict[str, tuple[str, Literal["before", "after"]]] = {
    "stock was taken for an order": ("tenants.catalog.service:take_stock", "after"),
    "the sheet was opened, nothing noted": (f"{_WECHAT}:WeChatProvider.create_payment", "after"),
    "a payment is to be applied": (f"{_PAYMENTS}:apply_payment", "before"),
    "an order's facts were frozen": (f"{_ORDERS}:freeze", "after"),
    "awards were queued": (f"{_COMMISSIONS}.service:queue_paid", "after"),
    "awards were computed": (f"{_COMMISSIONS}.processing:compute", "after"),
    "a portion is to be booked": (f"{_COMMISSIONS}.processing:_book", "before"),
    "awards were written, before the commit": (f"{_COMMISSIONS}.awarding:write", "after"),
    "a receipt was booked, before the commit": (f"{_COMMISSIONS}.holding:receive", "after"),
    "a reversal was booked, before the commit": (f"{_COMMISSIONS}.reversing:take_back", "after"),
    "a release was booked, before the commit": (f"{_COMMISSIONS}.releasing:release", "after"),
    "many postings were made, before the commit": (f"{_LEDGER}.service:append", "after"),
    "postings are to be made": (f"{_LEDGER}.service:post", "before"),
    "postings were made, before the commit": (f"{_LEDGER}.service:post", "after"),
    "the books were sealed, before the sums": (f"{_LEDGER}.sealing:_close", "after"),
    "a refund was claimed, before the call": (f"{_FLOWS}:_refund", "before"),
    "a refund was called, its answer unheard": (f"{_WECHAT}:WeChatProvider.refund", "after"),
    "a refund was applied, before the commit": (f"{_PAYMENTS}:apply_refund", "after"),
    "a withdrawal is held, before the commit": (f"{_PAYOUTS}:request_withdrawal", "after"),
    "a withdrawal was approved, before the commit": (f"{_PAYOUTS}:approve", "after"),
    "a transfer was claimed, before the call": (f"{_FLOWS}:_transfer", "before"),
    "a transfer was called, its answer unheard": (f"{_WECHAT}:WeChatProvider.transfer", "after"),
    "a transfer was applied, before the commit": (f"{_PAYMENTS}:apply_transfer", "after"),
}


class Killed(BaseException):
    """Stands for the death of the process in which it is raised; nothing of the product catches it."""


@dataclass(frozen=True)
class Point:
    """A place and an occurrence of it."""

    kind: Literal["function", "statement", "commit"]
    when: Literal["before", "after"]
    count: int
    name: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the point as something that can be told to another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Point:
        """Return the point that another process told."""
        return cls(**values)


#: What happens at the point; it gets the connection where there is one.
Strike = Callable[[sa.Connection | None], None]


class Trap:
    """Lets something happen at the `count`-th time its point is passed while it is set, once."""

    def __init__(self, app: Flask, point: Point, strike: Strike) -> None:
        self._app, self._point, self._strike = app, point, strike
        self._left = point.count

    @contextmanager
    def set(self) -> Iterator[None]:
        """Watch the point for the block; counting goes on where the block before left it."""
        with ExitStack() as stack:
            arm = {"function": _at_function, "statement": _at_statement, "commit": _at_commit}[self._point.kind]
            arm(self._app, self._point, self._pass_by, stack)
            yield

    def _pass_by(self, connection: sa.Connection | None = None) -> None:
        self._left -= 1
        if self._left == 0:
            self._strike(connection)


def _at_function(_app: Flask, point: Point, pass_by: Strike, stack: ExitStack) -> None:
    path, _, name = FUNCTIONS[point.name][0].partition(":")
    owner: Any = import_module(path)
    *outer, last = name.split(".")
    for part in outer:
        owner = getattr(owner, part)
    function = getattr(owner, last)

    @wraps(function)
    def watched(*arguments: Any, **named: Any) -> Any:
        if point.when == "before":
            pass_by(None)
        answer = function(*arguments, **named)
        if point.when == "after":
            pass_by(None)
        return answer

    setattr(owner, last, watched)
    stack.callback(setattr, owner, last, function)


def _at_statement(app: Flask, point: Point, pass_by: Strike, stack: ExitStack) -> None:
    def listen(connection: sa.Connection, *_rest: Any) -> None:
        pass_by(connection)

    _listen(stack, _tenant_engine(app), f"{point.when}_cursor_execute", listen)


def _at_commit(app: Flask, point: Point, pass_by: Strike, stack: ExitStack) -> None:
    if point.when == "before":
        _listen(stack, _tenant_engine(app), "commit", pass_by)
        return

    commit = Session.commit

    def watched(work: Session) -> None:
        # After the commit and before its caller hears of it.
        commit(work)
        pass_by(None)

    stack.callback(setattr, Session, "commit", commit)
    Session.commit = watched  # type: ignore[method-assign]


def _listen(stack: ExitStack, target: Any, name: str, listener: Callable[..., None]) -> None:
    sa.event.listen(target, name, listener)
    stack.callback(sa.event.remove, target, name, listener)


def _tenant_engine(app: Flask) -> sa.Engine:
    with app.app_context():
        return db.engines[TENANT_BIND]
