"""HTTP to a deployment that may be restarting: every call is repeated until it is answered for certain."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import httpx

#: Long enough for a killed database to recover, short enough that a broken deployment is told about.
PATIENCE_SECONDS = 90.0
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
_ANSWER_SECONDS = 30.0
#: Errors that pass by themselves; any other code is the answer, even with a status of 500 or more.
_PASSING = frozenset({"", "temporarily_unavailable", "internal_error"})
_TOKEN = re.compile(r'name="csrf_token"[^>]*\bvalue="([^"]+)"')
_MESSAGES = re.compile(r'class="[^"]*(?:invalid-feedback|alert-danger)[^"]*"[^>]*>(.*?)</div>', re.DOTALL)
Answer = TypeVar("Answer")


class Refused(Exception):
    """Somebody answered, and the answer is no: an error code, and the sentence that people read."""

    def __init__(self, code: str, message: str, *, status: int = 0, details: Any = None) -> None:
        super().__init__(f"{code}: {message}" + (f" {json.dumps(details, ensure_ascii=False)}" if details else ""))
        self.code = code
        self.status = status


class Unreachable(Exception):
    """Nobody answered for certain, although we asked for a long time."""


class Transient(Exception):
    """No certain answer this time; asking again is right."""


@dataclass(frozen=True)
class Place:
    """Where a deployment listens, and the name that one of its doors goes by."""

    port: int
    host: str
    scheme: str = "http"

    @classmethod
    def of(cls, url: str) -> Place:
        """Return the place of an address like `http://localhost:8000`."""
        parts = httpx.URL(url)
        return cls(port=parts.port or (443 if parts.scheme == "https" else 80), host=parts.host, scheme=parts.scheme)

    def brand(self, subdomain: str) -> Place:
        """Return the door of a brand."""
        return Place(port=self.port, host=f"{subdomain}.{self.host}", scheme=self.scheme)

    @property
    def url(self) -> str:
        """Return the address that a browser would use."""
        usual = {"http": 80, "https": 443}[self.scheme]
        return f"{self.scheme}://{self.host}" + ("" if self.port == usual else f":{self.port}")


def patiently(ask: Callable[[int], Answer], *, what: str, seconds: float = PATIENCE_SECONDS) -> Answer:
    """Return the answer of `ask`, called again (with the number of the try, from 0) as long as it raises Transient.

    Raises Unreachable when the time is over; whatever else `ask` raises is an answer.
    """
    until = time.monotonic() + seconds
    pause, attempt = _FIRST_PAUSE_SECONDS, 0
    while True:
        try:
            return ask(attempt)
        except Transient as error:
            if time.monotonic() + pause > until:
                raise Unreachable(f"{what}: no answer in {seconds:.0f} s ({error})") from error
        time.sleep(pause)
        pause, attempt = min(2 * pause, _LONGEST_PAUSE_SECONDS), attempt + 1


class Door:
    """One host of the deployment, with the cookies it gave us; every call is one try."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._http = httpx.Client(
            base_url=f"{place.scheme}://127.0.0.1:{place.port}",
            headers={"Host": place.url.partition("://")[2], "Accept-Language": "en"},
            timeout=_ANSWER_SECONDS,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, method: str, path: str, **values: Any) -> httpx.Response:
        """Send a request once; raises Transient when there is no certain answer, Refused when it is an error."""
        try:
            response = self._http.request(method, path, **values)
        except httpx.TransportError as error:
            raise Transient(f"{type(error).__name__}: {error}") from error
        if response.status_code < HTTPStatus.BAD_REQUEST:
            return response
        code, message, details = read_error(response)
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR and code in _PASSING:
            raise Transient(f"{method} {path}: {response.status_code} {message}")
        raise Refused(code, message, status=response.status_code, details=details)

    def token(self, page: str) -> str:
        """Return the CSRF token of a page with a form."""
        response = self.send("GET", page, headers={"Accept": "text/html"})
        found = _TOKEN.search(response.text)
        if found is None:
            where = f" (sent on to {response.headers['location']})" if response.is_redirect else ""
            raise Refused("no_form", f"{page} shows no form{where}", status=response.status_code)
        return html.unescape(found[1])

    def submit(self, path: str, fields: dict[str, str], *, page: str) -> httpx.Response:
        """Fill in the form of `page` and post it to `path`; returns the redirect that a success is."""
        form = {**fields, "csrf_token": self.token(page)}
        response = self.send("POST", path, data=form, headers={"Accept": "application/json, text/html;q=0.5"})
        if not response.is_redirect:
            raise Refused("not_accepted", _form_messages(response.text) or "the form came back", status=200)
        return response


def read_error(response: httpx.Response) -> tuple[str, str, Any]:
    """Return code, message and details of an error, from JSON or from a page."""
    try:
        error = response.json()["error"]
        return str(error["code"]), str(error["message"]), error.get("details")
    except (ValueError, TypeError, KeyError):
        code = response.headers.get("X-Error-Code", "")
        if not code and response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            code = f"http_{response.status_code}"
        return code, _form_messages(response.text) or response.reason_phrase, None


def _form_messages(text: str) -> str:
    found = (re.sub(r"<[^>]+>|\s+", " ", block).strip() for block in _MESSAGES.findall(text))
    return html.unescape(" / ".join(re.sub(r"\s+", " ", message) for message in found if message))
