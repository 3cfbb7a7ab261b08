"""The simulator's control routes, asked until they answer; all of them may be asked twice."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httpx

from fanyong.devtools.story.doors import Refused, Transient, patiently
from fanyong.wechat.simulator.client import SimulatorClient, SimulatorRefused


class Sandbox:
    """Plays what happens outside of the brand's shop: people in WeChat, and time."""

    def __init__(self, url: str) -> None:
        self._client = SimulatorClient(url)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def give_code(self, *, appid: str, user: str) -> tuple[str, str]:
        """Play `wx.login` for somebody; returns (code, openid)."""
        code, openid = self._ask("log-in", lambda: self._client.login(appid=appid, user=user))
        return code, openid

    def pay(self, prepay_id: str, *, amount_fen: int | None, payer_openid: str | None, times: int) -> None:
        """Play the shopper who taps pay."""
        lies = {"amount_fen": amount_fen, "payer_openid": payer_openid}
        how = {name: value for name, value in lies.items() if value is not None}
        self._ask("payment", lambda: self._client.pay(prepay_id, times=times, **how))

    def end_transfer(self, mchid: str, number: str, *, action: str) -> None:
        """Let a transfer be confirmed or expire."""
        self._ask(f"transfer: {action}", lambda: self._client.transfer(mchid, number, action=action))

    def has_undelivered(self, mchid: str) -> bool:
        """Return whether callbacks are still on their way to the brand."""
        notes = self._ask("callbacks", lambda: self._client.notifications(mchid))
        return any(note["state"] == "pending" for note in notes)

    def _ask(self, what: str, call: Callable[[], Any]) -> Any:
        def once(_attempt: int) -> Any:
            try:
                return call()
            except SimulatorRefused as error:
                if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise Transient(str(error)) from error
                raise Refused("refused_by_wechat", error.message, status=error.status) from error
            except (httpx.TransportError, ValueError) as error:
                raise Transient(f"{type(error).__name__}: {error}") from error

        return patiently(once, what=f"the simulator ({what})")
