"""A brand's console and the platform's own pages, used through their forms as people do."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx

from fanyong.devtools.story.doors import Door, Place, Refused, Transient, patiently
from fanyong.devtools.story.parts import Chosen, WaiverTerms
from fanyong.wechat.times import BEIJING

_BRAND_LINK = re.compile(r"/superadmin/brands/([0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})")


class SubdomainTaken(Exception):
    """Somebody else's brand has the subdomain."""


class Forms:
    """Pages with forms behind one log-in."""

    def __init__(self, place: Place, *, login_page: str) -> None:
        self.place = place
        self._door = Door(place)
        self._login_page = login_page

    def close(self) -> None:
        """Close the connections."""
        self._door.close()

    def log_in(self, *, email: str, password: str) -> None:
        """Log in; raises Refused when e-mail and password do not belong together."""
        self.submit(self._login_page, {"email": email, "password": password})

    def submit(
        self, path: str, fields: dict[str, str], *, page: str | None = None, done_before: Collection[str] = ()
    ) -> None:
        """Send the form of `page` until it is answered.

        `done_before` are the refusals that mean, on a repetition, that an earlier try got through.
        """

        def once(attempt: int) -> None:
            try:
                self._door.submit(path, fields, page=page or path)
            except Refused as error:
                if error.code == "stale_form":
                    raise Transient(str(error)) from error
                if not (attempt and error.code in done_before):
                    raise

        patiently(once, what=f"POST {self.place.host}{path}")

    def post(
        self, path: str, fields: dict[str, str], *, page: str, files: dict[str, tuple[str, bytes, str]] | None = None
    ) -> httpx.Response:
        """Send the form of `page` until it is answered; returns an answer that is a page or a file of its own."""

        def once(_attempt: int) -> httpx.Response:
            try:
                form = {**fields, "csrf_token": self._door.token(page)}
                return self._door.send("POST", path, data=form, files=files, headers={"Accept": "*/*"})
            except Refused as error:
                if error.code == "stale_form":
                    raise Transient(str(error)) from error
                raise

        return patiently(once, what=f"POST {self.place.host}{path}")

    def read(self, path: str, *, accept: str = "text/html", **values: Any) -> str:
        """Return what a page shows."""
        headers = {"Accept": accept}

        def once(_attempt: int) -> str:
            return self._door.send("GET", path, headers=headers, **values).text

        return patiently(once, what=f"GET {self.place.host}{path}")


class Console(Forms):
    """A brand's console, used by its owner."""

    def __init__(self, place: Place) -> None:
        super().__init__(place, login_page="/console/login")

    def state(self) -> dict[str, Any]:
        """Return the sandbox's state: open work, the clock, the merchant."""
        value: dict[str, Any] = json.loads(self.read("/console/sandbox/state", accept="application/json"))
        return value

    def set_clock(self, *, offset_seconds: int) -> None:
        """Move the brand's test clock to an offset from real time."""
        self.submit("/console/sandbox/clock", {"offset_seconds": str(offset_seconds)}, page="/console/settings")

    def choose(self, what: str, chosen: Chosen) -> None:
        """Choose the brand's `tiers` or `plan`, with the settings as JSON."""
        settings = json.dumps(chosen.settings, ensure_ascii=False)
        self.submit(f"/console/{what}", {"plugin": chosen.plugin, "settings_json": settings})

    def schedule(self, what: str, chosen: Chosen, *, moment: datetime) -> None:
        """Let `tiers` or a `plan` come into force by itself at a moment of the brand's clock."""
        settings = json.dumps(chosen.settings, ensure_ascii=False)
        fields = {"plugin": chosen.plugin, "settings_json": settings}

        def draft(_attempt: int) -> str:
            # A draft that an earlier try left behind is never in force and does no harm.
            path = f"/console/{what}/drafts"
            return str(self._door.submit(path, fields, page=f"/console/{what}/new").headers["location"])

        version = patiently(draft, what=f"POST {self.place.host}/console/{what}/drafts")
        at = moment.astimezone(BEIJING).replace(tzinfo=None).isoformat(timespec="seconds")
        self.submit(f"{version}/schedule", {"effective_at": at}, page=version, done_before=("wrong_version_state",))

    def month_to_post(self) -> str:
        """Return the oldest month whose rewards wait for somebody to look at them; raises Refused without one."""
        told = json.loads(self.read("/console/rewards", accept="application/json"))["months"]
        waiting = sorted(month["month"] for month in told if month["state"] == "computed")
        if not waiting:
            raise Refused("nothing_to_post", "no month that is over has rewards to be posted")
        return str(waiting[0])

    def check_ledger(self) -> dict[str, Any]:
        """Have the invariants of the brand's books proved now."""

        def once(_attempt: int) -> dict[str, Any]:
            form = {"csrf_token": self._door.token("/console/settings")}
            headers = {"Accept": "application/json"}
            answer: dict[str, Any] = self._door.send("POST", "/console/ledger/check", data=form, headers=headers).json()
            return answer

        return patiently(once, what=f"POST {self.place.host}/console/ledger/check")


class Superadmin(Forms):
    """The platform's console, used by its staff."""

    def __init__(self, place: Place) -> None:
        super().__init__(place, login_page="/superadmin/login")

    def grant_waiver(self, subdomain: str, waiver: WaiverTerms, *, offset_seconds: int) -> None:
        """Let a brand do more than the policy allows for so many days of its own clock."""
        ends = datetime.now(UTC) + timedelta(days=waiver.days, seconds=offset_seconds)
        fields = {
            "kind": waiver.kind,
            "levels": str(waiver.levels) if waiver.kind == "levels" else "",
            "reason": waiver.reason,
            "ends_on": ends.astimezone(BEIJING).date().isoformat(),
        }
        brand = self._brand_page(subdomain)
        self.submit(f"{brand}/waivers", fields, page=brand)

    def _brand_page(self, subdomain: str) -> str:
        """Return the path of a brand's page; the search finds names that only contain the subdomain, too."""
        found = self.read("/superadmin/", params={"q": subdomain})
        address = self.place.brand(subdomain).url
        for brand_id in dict.fromkeys(_BRAND_LINK.findall(found)):
            path = f"/superadmin/brands/{brand_id}"
            if address in self.read(path):
                return path
        raise Refused("not_found", f"the superadmin console lists no brand {subdomain}")


def sign_up(place: Place, *, name: str, subdomain: str, email: str, password: str) -> None:
    """Open a brand through the sign-up page; raises SubdomainTaken.

    When a try got lost on the way, its brand may exist already: then our own password opens its console.
    """
    with_platform = Door(place)

    def once(attempt: int) -> None:
        fields = {"name": name, "subdomain": subdomain, "email": email, "password": password}
        try:
            with_platform.submit("/signup", fields, page="/signup")
        except Refused as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            if attempt == 0 or not _is_ours(place.brand(subdomain), email=email, password=password):
                raise SubdomainTaken(subdomain) from error

    try:
        patiently(once, what=f"sign-up of {subdomain}")
    finally:
        with_platform.close()


def _is_ours(place: Place, *, email: str, password: str) -> bool:
    console = Console(place)
    try:
        console.log_in(email=email, password=password)
    except Refused:
        return False
    finally:
        console.close()
    return True
