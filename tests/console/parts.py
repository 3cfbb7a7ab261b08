"""A browser for the console's tests, and a brand in which everything has happened once."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from fanyong.identity.models import AdminAction
from fanyong.tenancy.database import session
from tests.conftest import csrf_token
from tests.money.parts import Till


@dataclass
class Browser:
    """Somebody who is logged in to the console."""

    client: FlaskClient

    def get(self, path: str, *, status: int = 200) -> str:
        """Return a page."""
        answer = self.client.get(f"/console{path}")
        assert answer.status_code == status, (path, answer.status_code, answer.get_data(as_text=True)[-2_000:])
        return unescape(answer.get_data(as_text=True))

    def send(self, path: str, values: Mapping[str, Any] | None = None) -> TestResponse:
        """Send a form, with the token that the pages carry."""
        token = csrf_token(self.client, "/console/")
        return self.client.post(f"/console{path}", data={**(values or {}), "csrf_token": token})

    def post(self, path: str, values: Mapping[str, Any] | None = None) -> str:
        """Send a form that is accepted, and return the page that it leads to."""
        answer = self.send(path, values)
        assert answer.status_code == 303, (path, answer.status_code, answer.get_data(as_text=True)[-2_000:])
        return self.get(answer.location.removeprefix("/console"))

    def refused(self, path: str, values: Mapping[str, Any] | None = None, *, status: int = 422) -> str:
        """Send a form that is refused, and return the page that says why."""
        answer = self.send(path, values)
        assert answer.status_code == status, (path, answer.status_code, answer.get_data(as_text=True)[-2_000:])
        return unescape(answer.get_data(as_text=True))

    def table(self, path: str) -> list[list[str]]:
        """Return the rows of a list's CSV file."""
        answer = self.client.get(f"/console{path}")
        assert answer.status_code == 200
        assert answer.mimetype == "text/csv"
        assert answer.data.startswith(b"\xef\xbb\xbf")
        return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))


@dataclass
class Busy:
    """A brand with orders in several states, commissions, a refund and a withdrawal."""

    till: Till
    promoter: UUID
    buyer: UUID
    released: UUID
    paid: UUID
    unpaid: UUID
    withdrawal: UUID


def make_busy(till: Till) -> Busy:
    """Let everything happen once: 10 % of ¥100.00 a piece for whoever brought the buyer."""
    till.product("a", category="tea")
    till.plan()
    till.window(0)
    promoter = till.member("茉莉")
    buyer = till.member("青松", under=promoter)
    released = till.received(buyer, [("a", 3)])
    till.settle()
    till.make_due()
    till.settle()
    till.refunded(released, {"a": 1})
    till.settle()
    withdrawal = till.withdraw(promoter, 500)
    paid = till.paid(buyer, [("a", 2)])
    till.settle()
    return Busy(till, promoter, buyer, released, paid, till.order(buyer), withdrawal)


def audited(till: Till) -> list[str]:
    """Return what the audit trail says, oldest first."""
    with till.work():
        return [action.action for action in session().query(AdminAction).order_by(AdminAction.id)]
