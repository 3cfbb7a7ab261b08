"""A brand's mini-program API, used by the story's members."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fanyong.devtools.story.doors import Door, Place, Transient, patiently
from fanyong.devtools.story.sandbox import Sandbox

_API = "/api/v1"


class Shop:
    """Speaks for the members of one brand; each has the token of their last log-in."""

    def __init__(self, place: Place, *, sandbox: Sandbox) -> None:
        self._door = Door(place)
        self._place = place
        self._sandbox = sandbox
        self._tokens: dict[str, str] = {}
        self.openids: dict[str, str] = {}
        self.ids: dict[str, str] = {}

    def close(self) -> None:
        """Close the connections."""
        self._door.close()

    def knows(self, member: str) -> bool:
        """Return whether a member has logged in."""
        return member in self._tokens

    def log_in(self, member: str, *, appid: str, nickname: str, share_token: str | None) -> dict[str, Any]:
        """Log a member in, with a fresh code on every try because a code holds only once."""

        def once(attempt: int) -> dict[str, Any]:
            code, self.openids[member] = self._sandbox.give_code(appid=appid, user=member)
            body = {"code": code, "nickname": nickname, "share_token": share_token}
            given = {name: value for name, value in body.items() if value is not None}
            answer: dict[str, Any] = self._door.send("POST", f"{_API}/session", json=given).json()
            return answer

        session = patiently(once, what=f"log-in of {member}")
        self._tokens[member], self.ids[member] = session["token"], session["member"]["id"]
        return session

    def ask(
        self, method: str, path: str, *, member: str | None = None, key: str | None = None, **values: Any
    ) -> dict[str, Any]:
        """Send a request, a member's own or anybody's, until it is answered; `key` makes repeating it safe."""
        headers = {"Authorization": f"Bearer {self._tokens[member]}"} if member is not None else {}
        if key is not None:
            headers["Idempotency-Key"] = key

        def once(_attempt: int) -> dict[str, Any]:
            response = self._door.send(method, _API + path, headers=headers, **values)
            try:
                answer: dict[str, Any] = response.json()
            except ValueError as error:
                raise Transient(f"{method} {path}: the answer is not JSON") from error
            return answer

        return patiently(once, what=f"{method} {self._place.host}{_API}{path}")

    def pages(self, path: str, *, member: str) -> Iterator[dict[str, Any]]:
        """Yield all items of a list."""
        number, pages = 1, 1
        while number <= pages:
            page = self.ask("GET", path, member=member, params={"page": number})
            yield from page["items"]
            number, pages = number + 1, page["pages"]

    def figures(self, member: str) -> dict[str, Any]:
        """Return a promoter's standing and money."""
        return self.ask("GET", "/promoter", member=member)
