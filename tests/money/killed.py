"""A background process that is killed at a chosen point: `python -m tests.money.killed`, one request a line.

It imports everything once and forks for each request, so that a death costs milliseconds. The point is a function
of the product that this process (and no other) replaces by one that kills it; the product knows nothing of it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.orm import Session

from fanyong.app import create_app
from fanyong.config import Settings
from fanyong.jobs.tending import tend_bound_tenant
from fanyong.payments import service as payments
from fanyong.payments.provider import PaymentFact
from fanyong.tenancy.context import tenant_scope
from fanyong.tenancy.database import session, unit_of_work
from fanyong.tenancy.directory import directory
from tenants.members.models import Member
from tenants.orders import service as orders
from tenants.payouts import service as payouts

COMMIT = "commit"


def main() -> None:
    """Serve requests from standard input until it ends."""
    app = create_app(Settings(**json.loads(sys.stdin.readline())))
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                with app.app_context():
                    work(request)
            finally:
                os._exit(0)
        _pid, status = os.waitpid(child, 0)
        print(-os.waitstatus_to_exitcode(status), flush=True)


def work(request: dict[str, Any]) -> None:
    """Do what was asked for, and die of it when the time comes."""
    tenant = directory.by_id(UUID(request["tenant"]))
    assert tenant is not None
    with tenant_scope(tenant):
        action = ACTIONS[request["action"]]
        arrange_death(request["point"], request["when"], count=request["count"])
        action(**request["arguments"])


def tend() -> None:
    """Do what a worker does."""
    tend_bound_tenant()


def withdraw(member: str, amount_fen: int, key: str) -> None:
    """Do what the request of a promoter does."""
    with unit_of_work():
        payouts.request_withdrawal(session().get_one(Member, UUID(member)), amount_fen=amount_fen, idempotency_key=key)


def pay(number: str, amount_fen: int, openid: str, mchid: str, appid: str) -> None:
    """Do what the callback of a payment does."""
    fact = PaymentFact(number, "paid", amount_fen=amount_fen, openid=openid, mchid=mchid, appid=appid)
    with unit_of_work():
        payments.apply_payment(fact, mchid=mchid, appid=appid)


def place(member: str, sku: str, quantity: int, key: str) -> None:
    """Do what the request of a buyer does."""
    with unit_of_work():
        orders.place(session().get_one(Member, UUID(member)), lines=[(sku, quantity)], idempotency_key=key)


ACTIONS: dict[str, Callable[..., None]] = {"tend": tend, "withdraw": withdraw, "pay": pay, "place": place}


def arrange_death(point: str, when: str, *, count: int) -> None:
    """Kill this process before or after the `count`-th call of the function at `point` (module:name)."""
    calls = 0

    def die_on_time() -> None:
        nonlocal calls
        calls += 1
        if calls == count:
            os.kill(os.getpid(), signal.SIGKILL)

    if point == COMMIT:
        # After the commit and before its caller hears of it: the answer is lost.
        event.listen(Session, "after_commit", lambda _session: die_on_time())
        return
    path, _, name = point.partition(":")
    owner: Any = import_module(path)
    *outer, last = name.split(".")
    for part in outer:
        owner = getattr(owner, part)
    setattr(owner, last, deadly(getattr(owner, last), die_on_time, when=when))


def deadly(function: Callable[..., Any], die_on_time: Callable[[], None], *, when: str) -> Callable[..., Any]:
    """Return the function with a death before or after it."""

    @wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            die_on_time()
        answer = function(*arguments, **named)
        if when == "after":
            die_on_time()
        return answer

    return wrapped


if __name__ == "__main__":
    main()
